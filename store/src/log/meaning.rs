//! What a stored event means today: one event as a rule, none or several where an upcaster says so.

use std::{iter::Chain, option, slice, vec};

use domain::{AnyEvent, process::Fact};
use uuid::Uuid;

use super::Recorded;
use crate::executor::derived_id;

/// What a stored event means today, in order. It keeps its one place in the log and in its stream, whatever it means.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Meaning {
    /// Nothing any more.
    #[default]
    None,
    /// One event, as nearly all do.
    One(AnyEvent),
    /// Several events that happened at once.
    Many(Vec<AnyEvent>),
}

impl Meaning {
    /// All of it, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[AnyEvent] {
        match self {
            Self::None => &[],
            Self::One(event) => slice::from_ref(event),
            Self::Many(events) => events,
        }
    }

    /// One after another.
    pub fn iter(&self) -> slice::Iter<'_, AnyEvent> {
        self.as_slice().iter()
    }

    /// How many events it means.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether it means nothing any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}

impl From<AnyEvent> for Meaning {
    fn from(event: AnyEvent) -> Self {
        Self::One(event)
    }
}

impl From<Vec<AnyEvent>> for Meaning {
    fn from(mut events: Vec<AnyEvent>) -> Self {
        match events.len() {
            0 | 1 => events.pop().map_or(Self::None, Self::One),
            _ => Self::Many(events),
        }
    }
}

impl<'a> IntoIterator for &'a Meaning {
    type Item = &'a AnyEvent;
    type IntoIter = slice::Iter<'a, AnyEvent>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Meaning {
    type Item = AnyEvent;
    type IntoIter = Chain<option::IntoIter<AnyEvent>, vec::IntoIter<AnyEvent>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Self::None => (None, vec![]),
            Self::One(event) => (Some(event), vec![]),
            Self::Many(events) => (None, events),
        };
        one.into_iter().chain(many)
    }
}

/// One of the events that a stored event means, with the stored one that it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Meant<'a> {
    /// Where, who, when, why.
    pub recorded: &'a Recorded,
    /// What happened.
    pub event: &'a AnyEvent,
    /// Its place among what the stored event means, from 0.
    pub nth: usize,
}

impl Meant<'_> {
    /// As far as process managers and policies rely on it.
    #[must_use]
    pub fn fact(&self) -> Fact<'_> {
        Fact { id: &self.recorded.stream.id, event: self.event, at: self.recorded.metadata.occurred_at }
    }

    /// What it is known by, and what follows from it derives its ids from: the stored event's own id; the second and later
    /// ones have ids of their own.
    #[must_use]
    pub fn id(&self) -> Uuid {
        meant_id(self.recorded.event_id, self.nth)
    }
}

/// What the `nth` meaning of a stored event is known by, from 0.
#[must_use]
pub fn meant_id(event_id: Uuid, nth: usize) -> Uuid {
    match i64::try_from(nth) {
        Ok(0) => event_id,
        nth => derived_id(event_id, "meaning", nth.unwrap_or(i64::MAX)),
    }
}

impl Recorded {
    /// What it means, one after another.
    pub fn meant(&self) -> impl DoubleEndedIterator<Item = Meant<'_>> {
        self.events.iter().enumerate().map(|(nth, event)| Meant { recorded: self, event, nth })
    }
}

#[cfg(test)]
mod tests {
    use domain::{subject::Event, value::Text};

    use super::*;

    #[test]
    fn the_usual_case_is_as_small_as_its_event() {
        assert_eq!(size_of::<Meaning>(), size_of::<AnyEvent>());
    }

    #[test]
    fn what_is_put_in_comes_out_in_order() {
        let event = |nth: usize| {
            AnyEvent::from(Event::Forgotten { reason: Some(Text::new(nth.to_string()).unwrap()) })
        };
        for count in 0..4 {
            let events: Vec<_> = (0..count).map(event).collect();
            let meaning = Meaning::from(events.clone());
            assert_eq!((meaning.as_slice(), meaning.len()), (&events[..], events.len()));
            assert_eq!(meaning.into_iter().collect::<Vec<_>>(), events);
        }
    }

    #[test]
    fn the_first_meaning_is_known_by_the_stored_events_id_and_the_others_by_their_own() {
        let id = Uuid::from_u128(7);
        assert_eq!(meant_id(id, 0), id);
        assert!(meant_id(id, 1) != id && meant_id(id, 1) != meant_id(id, 2));
    }
}
