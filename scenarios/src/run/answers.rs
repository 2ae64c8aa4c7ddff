//! What came out of a command, and what a read model says.

use domain::shape::Shape;
use serde_json::Value as Json;

use super::{
    Heard, Player, Wrong,
    told::{parts, told_entry, told_event, told_refusal},
};
use crate::{
    bind::values_of,
    expect::{Expected, compare},
    pattern::{Form, Pattern},
    text::{instead_of, print_body},
    world::Answer,
};

impl Player<'_> {
    /// The next event of the last command's answer.
    pub(super) fn event(&mut self, expected: &Expected) -> Result<(), Wrong> {
        let Some(Heard::Answer { stream, answer, told, noticed, .. }) = &mut self.heard else {
            return Err(Wrong::new(expected.to_string(), "no command was asked for"));
        };
        *noticed = true;
        let events = match answer {
            Answer::Accepted(events) => events,
            Answer::Refused(refusal) => return Err(Wrong::new(expected.to_string(), told_refusal(refusal))),
        };
        let Some(event) = events.get(*told) else {
            let got = if events.is_empty() { "nothing happened" } else { "nothing more happened" };
            return Err(Wrong::new(expected.to_string(), got));
        };
        *told += 1;
        let (name, body) = parts(event);
        match expected.differences(&name, &body).filter(|_| expected.stream == *stream) {
            Some(differences) if differences.is_empty() => Ok(()),
            differences => Err(Wrong {
                expected: vec![expected.to_string()],
                got: vec![told_event(stream, event)],
                differences: differences.unwrap_or_default(),
                step: None,
            }),
        }
    }

    pub(super) async fn nothing(&mut self) -> Result<(), Wrong> {
        let entries = self.world.entries().await?;
        let got = match &mut self.heard {
            Some(Heard::Answer { stream, answer, noticed, .. }) => {
                *noticed = true;
                match answer {
                    Answer::Accepted(events) => {
                        events.iter().map(|event| told_event(stream, event)).collect()
                    }
                    Answer::Refused(refusal) => vec![told_refusal(refusal)],
                }
            }
            Some(Heard::Time { before }) => entries.iter().skip(*before).map(told_entry).collect(),
            None => vec![],
        };
        if got.is_empty() {
            return Ok(());
        }
        Err(Wrong { expected: vec!["nothing to happen".into()], got, ..Wrong::default() })
    }

    pub(super) fn refused(&mut self, code: &str, values: Option<&Pattern>) -> Result<(), Wrong> {
        let expected = || match values {
            Some(values) => {
                format!("refused: {code}{}", print_body(&values.as_written(), &Shape::Open))
            }
            None => format!("refused: {code}"),
        };
        let Some(Heard::Answer { stream, answer, noticed, .. }) = &mut self.heard else {
            return Err(Wrong::new(expected(), "no command was asked for"));
        };
        *noticed = true;
        let refusal = match answer {
            Answer::Refused(refusal) => refusal,
            Answer::Accepted(events) => {
                let got = events.iter().map(|event| told_event(stream, event)).collect::<Vec<_>>();
                let got = if got.is_empty() { vec!["nothing happened".to_owned()] } else { got };
                return Err(Wrong { expected: vec![expected()], got, ..Wrong::default() });
            }
        };
        let mut differences = vec![];
        if refusal.code() == code {
            let Some(values) = values else { return Ok(()) };
            let actual = values_of(refusal);
            compare("", &values.over(&actual), &actual, &Shape::Open, &mut differences);
            if differences.is_empty() {
                return Ok(());
            }
        }
        Err(Wrong { expected: vec![expected()], got: vec![told_refusal(refusal)], differences, step: None })
    }
}

/// Members that a read model does not have, each with one that it has and that may be meant.
fn unknown(pattern: &Pattern, actual: &Json) -> Vec<String> {
    match (&pattern.form, actual) {
        (Form::Fields(fields, _), Json::Object(members)) => {
            let told = fields.iter().flat_map(|(name, field)| match members.get(name) {
                Some(member) => unknown(field, member),
                None => {
                    let known: Vec<_> = members.keys().map(String::as_str).collect();
                    vec![format!("there is no member \"{name}\"{}", instead_of(name, known))]
                }
            });
            told.collect()
        }
        (Form::List(patterns), Json::Array(values)) => {
            patterns.iter().zip(values).flat_map(|(pattern, value)| unknown(pattern, value)).collect()
        }
        _ => vec![],
    }
}

/// Whether a read model says what is expected.
pub(super) fn reads(pattern: &Pattern, actual: &Json) -> Result<(), Wrong> {
    let open = Shape::Open;
    let wanted = pattern.over(actual);
    let mut differences = vec![];
    compare("", &wanted, actual, &open, &mut differences);
    if differences.is_empty() {
        return Ok(());
    }
    differences.extend(unknown(pattern, actual));
    let text = |value: &Json| print_body(value, &open).trim().to_owned();
    Err(Wrong {
        expected: vec![text(&pattern.as_written())],
        got: vec![text(actual)],
        differences,
        step: None,
    })
}
