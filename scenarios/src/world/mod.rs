//! A shop that a scenario is played in. Every level is one of these.

mod agenda;
mod client;
mod clock;
mod domain;
mod gateway;
mod http;
mod owed;
mod place;
mod places;
mod rest;
mod store;

use ::domain::{AnyCommand, AnyEvent, AnyRefusal, value::Time};
use async_trait::async_trait;
use serde_json::Value as Json;
use uuid::Uuid;

pub use self::{
    domain::DomainWorld,
    place::{PlaceError, Servers},
    places::Places,
};
use crate::{bind::Noun, steps::Stream};

/// The levels that a scenario can be played at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// In memory.
    Domain,
    /// On the real log.
    Store,
    /// Through the whole stack.
    Http,
}

impl Level {
    /// Every level with its name.
    pub const ALL: &[(Self, &str)] =
        &[(Self::Domain, "domain"), (Self::Store, "store"), (Self::Http, "http")];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(level, _)| *level == self).map_or("", |(_, name)| name)
    }
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was accepted, and these events came of it: none when it had taken effect before.
    Accepted(Vec<AnyEvent>),
    /// It was refused.
    Refused(AnyRefusal),
}

/// Something that the shop remembers.
#[derive(Clone, Debug)]
pub enum Entry {
    /// An event of the log.
    Event {
        /// Whose.
        stream: Stream,
        /// What happened.
        event: AnyEvent,
        /// When, in business time.
        at: Time,
    },
    /// A command that somebody in the shop wanted, and that was refused.
    Refusal {
        /// Who wanted it: a process manager, a policy or a client.
        by: String,
        /// Of whom.
        stream: Stream,
        /// What was wanted.
        command: AnyCommand,
        /// Why not.
        refusal: AnyRefusal,
    },
}

/// The shop cannot go on: a fault of the shop or of its level, not of a promise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Stuck(pub String);

/// A shop of one scenario.
#[async_trait]
pub trait World: Send {
    /// Sets the clock; time does not go back once something has happened. What is due by then happens.
    async fn set_clock(&mut self, now: Time) -> Result<(), Stuck>;

    /// Lets something have happened: nobody judges it, everybody sees it.
    async fn happened(&mut self, stream: &Stream, events: Vec<AnyEvent>) -> Result<(), Stuck>;

    /// Asks for something under an id; a repeat gets the first answer.
    async fn ask(&mut self, command_id: Uuid, stream: &Stream, command: AnyCommand) -> Result<Answer, Stuck>;

    /// Returns when everything that follows by now has happened: all process managers, policies, gateways and timers.
    async fn rest(&mut self) -> Result<(), Stuck>;

    /// Lets time pass, and everything happen that is due in it.
    async fn pass(&mut self, ms: i64) -> Result<(), Stuck>;

    /// Everything so far, in order.
    async fn entries(&mut self) -> Result<Vec<Entry>, Stuck>;

    /// What a read model says; `None` at a level that has none.
    async fn read(&mut self, noun: Noun, id: &str) -> Result<Option<Json>, Stuck>;
}
