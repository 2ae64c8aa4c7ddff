//! Thens that could never fail: they look at what nobody speaks of, or at what nobody could want.

use domain::{AggregateType, process::process_of};

use crate::{
    feature::{Row, Step},
    steps::{self, Sentence, Stream},
    text::{Flaw, Pos, instead_of, quoted},
};

/// Whose events each policy answers with commands at once.
const ANSWERED: [(&str, AggregateType); 5] = [
    ("cart_merge", AggregateType::Cart),
    ("credit_note_numbers", AggregateType::Order),
    ("invoice_numbers", AggregateType::InvoiceBook),
    ("restock", AggregateType::Order),
    ("allowances", AggregateType::Order),
];

/// Aggregates whose ids the shop makes itself, so that no step need name them.
const DERIVED: [AggregateType; 2] = [AggregateType::InvoiceBook, AggregateType::Allowance];

/// What is wrong with the Thens of a scenario that say what does not happen.
pub(crate) fn check(row: &Row, flaws: &mut Vec<Flaw>) {
    let denies = |step: &Step| denied(step).is_some();
    if !row.steps.iter().any(denies) {
        return;
    }
    let others: Vec<_> = row.steps.iter().filter(|step| !denies(step)).collect();
    let others: Vec<_> = others.iter().flat_map(|step| step.repeated().unwrap_or_default()).collect();
    for (stream, at, wants) in row.steps.iter().filter_map(denied) {
        if wants && !wants_something(stream.aggregate_type) {
            let message =
                format!("nobody wants anything because of {}: this is always so", stream.aggregate_type);
            flaws.push(Flaw::new(at, message));
        } else if !DERIVED.contains(&stream.aggregate_type) && !others.iter().any(|step| names(step, &stream))
        {
            flaws.push(Flaw::new(at, unnamed(&stream, &others)));
        }
    }
}

/// The stream of which a step says that something does not happen, or that it wants nothing more.
fn denied(step: &Step) -> Option<(Stream, Pos, bool)> {
    let (stream, wants) = match steps::read(step) {
        Ok(Sentence::Never(stream, _)) => (stream, false),
        Ok(Sentence::NothingMore(stream)) => (stream, true),
        _ => return None,
    };
    let quote = step.body.as_str().find('"').unwrap_or_default();
    Some((stream, step.body.place(quote), wants))
}

fn wants_something(aggregate_type: AggregateType) -> bool {
    process_of(aggregate_type).is_some() || ANSWERED.iter().any(|(_, answered)| *answered == aggregate_type)
}

/// Whether a step names the id, as a stream's or inside of a value.
fn names(step: &Step, stream: &Stream) -> bool {
    let part = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    step.texts().any(|text| {
        let text = text.as_str();
        text.match_indices(&stream.id).any(|(start, id)| {
            let (before, after) = (&text[..start], &text[start + id.len()..]);
            !part(before.chars().next_back()) && !part(after.chars().next())
        })
    })
}

fn unnamed(stream: &Stream, others: &[Step]) -> String {
    let known: Vec<_> = others.iter().filter_map(streams).flatten().collect();
    let alike = known.iter().filter(|known| known.aggregate_type == stream.aggregate_type);
    let mut ids: Vec<_> = alike.map(|known| known.id.as_str()).collect();
    if ids.is_empty() {
        ids = known.iter().map(|known| known.id.as_str()).collect();
    }
    ids.sort_unstable();
    ids.dedup();
    // A hundred streams help nobody.
    ids.truncate(12);
    let instead = instead_of(&stream.id, ids);
    format!("no step names {} {}{instead}", stream.aggregate_type, quoted(&stream.id))
}

/// The streams that a step names as such.
fn streams(step: &Step) -> Option<Vec<Stream>> {
    match steps::read(step).ok()? {
        Sentence::Said(stream, _) | Sentence::Eventually(stream, _) | Sentence::Exactly(stream, _) => {
            Some(vec![stream])
        }
        Sentence::Wants(by, to, _) => Some(vec![by, to]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::process::POLICIES;

    use super::*;

    #[test]
    fn every_policy_that_wants_something_answers_somebody() {
        let wanting = POLICIES.iter().filter(|policy| !policy.wants.is_empty());
        let mut wanting: Vec<_> = wanting.map(|policy| policy.name).collect();
        let mut answering: Vec<_> = ANSWERED.iter().map(|(policy, _)| *policy).collect();
        wanting.sort_unstable();
        answering.sort_unstable();
        assert_eq!(wanting, answering);
    }
}
