//! The spans of the store: a command, its copy to the broker, a reaction, and a projection's batch.

use std::{collections::BTreeMap, sync::Arc};

use super::{Kind, Span, Traceparent, here, is_collected, within};
use crate::{
    broker::Envelope,
    executor::{ExecuteError, Executed, Request},
    feed::Entry,
    follow::ReactError,
    log::{Position, Recorded},
};

/// A read model that is filled anew goes through events whose traces nobody looks at any more.
const TOLD_FOR_US: i64 = 3_600 * 1_000_000;

/// A command that is asked for within a span, and that is a span from now on; its events say so.
pub fn asked(request: &mut Request) -> Option<Span> {
    let here = here()?;
    let name = format!("execute {}", request.command.aggregate_type().as_str());
    let mut span = Span::begin(name, Kind::Internal, Some(here))?;
    request.cause.traceparent = span.traceparent().filter(|span| span.sampled);
    if span.is_kept() {
        span.say("daybook.stream", request.stream().to_string());
        span.say("daybook.command_id", request.command_id.to_string());
    }
    Some(span)
}

impl Span {
    /// What came of a command.
    pub(crate) fn answered(&mut self, answer: &Result<Executed, ExecuteError>) {
        match answer {
            Ok(executed) => {
                self.say("daybook.version", executed.version);
                self.positions(executed.positions);
                if executed.replayed {
                    self.say("daybook.replayed", true);
                }
            }
            // A business "no" is an answer.
            Err(ExecuteError::Refused(refused)) => self.say("daybook.refused", refused.refusal.code()),
            Err(error) => self.failed(error.to_string()),
        }
    }

    fn positions(&mut self, positions: Option<(Position, Position)>) {
        if let Some((first, last)) = positions {
            self.say("daybook.position.first", first);
            self.say("daybook.position.last", last);
        }
    }
}

/// Events were copied to the broker: a span for each trace among them.
pub fn published(began_us: i64, envelopes: &[Envelope]) {
    let traced =
        envelopes.iter().filter_map(|envelope| Some((envelope.traceparent()?, envelope.event.position)));
    spans(began_us, "publish", Kind::Producer, traced);
}

/// A projection's transaction that began then is through: a span for each trace in it.
pub fn applied(began_us: i64, projection: &'static str, entries: &[Arc<Entry>]) {
    let traced = entries.iter().filter_map(|entry| {
        let recorded = entry.event.as_ref().ok()?;
        let lately = began_us - recorded.recorded_at_us < TOLD_FOR_US;
        Some((recorded.metadata.traceparent.filter(|_| lately)?, entry.position))
    });
    spans(began_us, &format!("apply {projection}"), Kind::Consumer, traced);
}

/// One span for all that goes on from the same one.
fn spans(began_us: i64, name: &str, kind: Kind, traced: impl Iterator<Item = (Traceparent, Position)>) {
    let mut places: BTreeMap<(u128, u64), (Traceparent, Position, Position)> = BTreeMap::new();
    for (parent, position) in traced.filter(|(parent, _)| parent.sampled) {
        let known = places.entry((parent.trace_id, parent.span_id)).or_insert((parent, position, position));
        known.2 = position;
    }
    for (parent, first, last) in places.into_values() {
        if let Some(mut span) = Span::since(Some(began_us), name.to_owned(), kind, Some(parent)) {
            span.positions(Some((first, last)));
        }
    }
}

/// What a follower does because of an event, within a span of the event's trace.
pub async fn reacting(
    name: &'static str,
    recorded: &Recorded,
    reaction: impl Future<Output = Result<(), ReactError>>,
) -> Result<(), ReactError> {
    let parent = recorded.metadata.traceparent.filter(|parent| parent.sampled && is_collected());
    let Some(parent) = parent else { return reaction.await };
    let mut span = Span::begin(format!("react {name}"), Kind::Consumer, Some(parent));
    if let Some(span) = span.as_mut() {
        span.say("daybook.stream", recorded.stream.to_string());
        // That of an event which is only foreseen is not known.
        span.positions((recorded.position > 0).then_some((recorded.position, recorded.position)));
    }
    let done = within(span.as_ref().and_then(Span::traceparent), reaction).await;
    if let (Some(span), Err(error)) = (span.as_mut(), &done) {
        span.failed(error.0.clone());
    }
    done
}
