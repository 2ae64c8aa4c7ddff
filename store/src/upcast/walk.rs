//! The way of a stored event through the steps, from the form that it is stored in to what it means today.

use domain::AggregateType;
use serde_json::Value;

use super::{Change, Form, STEPS, Upcaster};

/// The form that an event is stored in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a> {
    pub event_type: &'a str,
    pub event_version: &'a str,
    /// The exact text.
    pub payload: &'a str,
}

/// The event that is stored right before another in its stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Before<'a> {
    /// It has not been read.
    Unread,
    /// There is none.
    Nothing,
    /// It is stored like this.
    Is(Stored<'a>),
}

/// What a stored event became.
#[derive(Debug)]
pub(crate) enum Current {
    /// It is stored in a current form.
    AsStored,
    /// Current events, in their order: their names and payloads.
    Became(Vec<(&'static str, Value)>),
}

/// Why it is not known what an event became.
#[derive(Debug)]
pub(crate) enum Unread {
    /// This program does not know the form that it is stored in.
    Unknown,
    /// It, or the event before it, is not as the steps have it.
    Malformed(String),
    /// It is read with the event before it.
    NeedsBefore,
}

impl From<serde_json::Error> for Unread {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// What a stored event became.
pub(crate) fn to_current(
    aggregate_type: AggregateType,
    stored: Stored<'_>,
    before: Before<'_>,
) -> Result<Current, Unread> {
    through(STEPS, aggregate_type, stored, before)
}

pub(super) fn through(
    steps: &[&[Upcaster]],
    aggregate_type: AggregateType,
    stored: Stored<'_>,
    before: Before<'_>,
) -> Result<Current, Unread> {
    let current = |(event_type, event_version): (&str, &str)| {
        aggregate_type.event_version(event_type) == Some(event_version)
    };
    let step = |name: (&str, &str)| {
        let mut steps = steps.iter().copied().flatten();
        steps.find(|step| step.aggregate_type == aggregate_type && (step.event_type, step.from) == name)
    };
    let name = (stored.event_type, stored.event_version);
    if current(name) {
        return Ok(Current::AsStored);
    }
    // The next form to look at is the last one.
    let mut ahead = apply(step(name).ok_or(Unread::Unknown)?, serde_json::from_str(stored.payload)?, before)?;
    ahead.reverse();
    let mut became = Vec::new();
    while let Some(Form { name, payload }) = ahead.pop() {
        if current(name) {
            became.push((name.0, payload));
        } else {
            let next = apply(step(name).ok_or_else(|| astray(name))?, payload, before)?;
            ahead.extend(next.into_iter().rev());
        }
    }
    Ok(Current::Became(became))
}

/// One step, which leads nowhere but where it is declared to lead.
fn apply(step: &Upcaster, payload: Value, before: Before<'_>) -> Result<Vec<Form>, Unread> {
    let (to, became) = match &step.change {
        Change::Next { to, change } => {
            return Ok(vec![Form { name: (step.event_type, to), payload: change(payload) }]);
        }
        Change::Into { to, change } => (to, change(payload)),
        Change::With { before: expected, to, change } => {
            let before = match before {
                Before::Unread => return Err(Unread::NeedsBefore),
                Before::Nothing => return Err(misplaced(step, "nothing")),
                Before::Is(before) => before,
            };
            let Stored { event_type, event_version, payload: text } = before;
            let found = || format!("{event_type} version {event_version}");
            if !expected.contains(&(event_type, event_version)) {
                return Err(misplaced(step, &found()));
            }
            let became = change(&serde_json::from_str(text)?, payload);
            (to, became.ok_or_else(|| misplaced(step, &format!("a {} of something else", found())))?)
        }
    };
    match became.iter().find(|past| !to.contains(&past.name)) {
        None => Ok(became),
        Some(form) => Err(astray(form.name)),
    }
}

fn misplaced(step: &Upcaster, found: &str) -> Unread {
    let Upcaster { event_type, from, .. } = step;
    Unread::Malformed(format!(
        "{event_type} version {from} is read with the event before it in its stream, and that is {found}"
    ))
}

fn astray((event_type, event_version): (&str, &str)) -> Unread {
    Unread::Malformed(format!("it became {event_type} version {event_version}, where no step leads"))
}
