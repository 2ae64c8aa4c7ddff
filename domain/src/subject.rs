//! Somebody whose personal data is sealed under a key of their own, and whether they are forgotten.
//!
//! The aggregate's id is what sealed values name as their subject: `customer:<id>`, or `cart:<id>` of a cart that is nobody's. Nothing
//! else about them is known here. Who is forgotten stays forgotten: their key is destroyed, and no other is made.

use serde::{Deserialize, Serialize};

use crate::{Aggregate, value::Text};

/// What may be asked of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Command {
    /// Make everything that is sealed of them unreadable, for ever.
    Forget {
        /// Why, in words that say nothing about the person.
        #[serde(default)]
        reason: Option<Text>,
    },
}

/// What happened to a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Their key is to be destroyed, again after every restore that brings it back.
    Forgotten {
        /// Why, as it was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Text>,
    },
}

/// Nobody is kept from being forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[("Forgotten", "1")];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Forgotten { .. } => "Forgotten",
        }
    }
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[];

    fn code(&self) -> &'static str {
        match *self {}
    }
}

/// The state of a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// Their data can be read.
    #[default]
    Known,
    /// It cannot.
    Forgotten,
}

impl Aggregate for Subject {
    const TYPE: &'static str = "subject";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        let Command::Forget { reason } = command;
        Ok(match self {
            Self::Known => vec![Event::Forgotten { reason }],
            Self::Forgotten => vec![],
        })
    }

    fn evolve(self, event: Event) -> Self {
        match event {
            Event::Forgotten { .. } => Self::Forgotten,
        }
    }

    /// Never: there is always another use of it.
    fn is_closed(&self) -> bool {
        false
    }
}
