//! What happens because of what happened: process managers, which remember, and policies, which do not.
//!
//! Both are pure. A process manager is an aggregate: what it learns arrives as commands of its own stream, and what it
//! wants done derives from its own events alone. A policy has no stream: what it wants done derives from the event
//! that it sees. Either way a replay wants exactly the same again, under the same ids.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    AggregateType, AnyCommand, AnyEvent, AnyRefusal, cart, checkout, fulfilment, inventory_item,
    invoice_book, order, payment, value::Time,
};

/// An event of the log, as far as others may rely on it.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a> {
    /// The id of the aggregate that it happened to.
    pub id: &'a str,
    /// What happened.
    pub event: &'a AnyEvent,
    /// When, in business time.
    pub at: Time,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Issue {
    /// A command on the aggregate of this id.
    Command { to: Arc<str>, command: AnyCommand },
    /// The same at a later time. The same command to the same aggregate at the same time is one timer.
    Timer { due: Time, to: Arc<str>, command: AnyCommand },
}

impl Issue {
    /// A command on the aggregate of this id.
    #[must_use]
    pub fn command(to: &str, command: impl Into<AnyCommand>) -> Self {
        Self::Command { to: to.into(), command: command.into() }
    }

    /// A command on the aggregate of this id, when the time has come.
    #[must_use]
    pub fn timer(due: Time, to: &str, command: impl Into<AnyCommand>) -> Self {
        Self::Timer { due, to: to.into(), command: command.into() }
    }
}

/// A command that was refused to the process manager that wanted it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Its place among the commands of its cause.
    pub index: u32,
    /// Why.
    pub refusal: AnyRefusal,
}

/// A process manager: how its aggregate is fed, and what its events cause.
pub struct Process {
    /// Its name: its checkpoint's and its actor's.
    pub name: &'static str,
    /// The aggregate that is its memory.
    pub aggregate_type: AggregateType,
    /// Which instance an event of the log concerns, and what that learns. Events of one stream are learned in their order; what
    /// happens in several streams at once may be learned in either, and what a timer says at any time.
    pub input: fn(Fact<'_>) -> Option<(Arc<str>, AnyCommand)>,
    /// Everything to be done because of `event`, in an order that never changes; `first` began the instance's stream.
    pub issues: fn(first: &AnyEvent, event: &AnyEvent) -> Vec<Issue>,
    /// What the instance learns once all commands of `event` were answered, if it wants to know.
    pub heard: fn(event: &AnyEvent, refused: Vec<Refused>) -> Option<AnyCommand>,
    /// Every kind of command that it may ever want done at once; what its timers say is not among them.
    pub wants: &'static [Kind],
}

/// An aggregate and the name of one of its commands.
pub type Kind = (AggregateType, &'static str);

/// A rule without memory.
pub struct Policy {
    /// Its name: its checkpoint's and its actor's.
    pub name: &'static str,
    /// Everything to be done because of an event, in an order that never changes.
    pub issues: fn(Fact<'_>) -> Vec<Issue>,
    /// Every kind of command that it may ever want done at once; what its timers say is not among them.
    pub wants: &'static [Kind],
}

/// Every process manager there is.
pub const PROCESSES: &[Process] = &[checkout::PROCESS, fulfilment::PROCESS];

/// Every policy there is.
pub const POLICIES: &[Policy] = &[
    cart::policy::EXPIRY,
    cart::policy::MERGE,
    inventory_item::policy::RESERVATION_EXPIRY,
    invoice_book::policy::CREDIT_NOTES,
    invoice_book::policy::NUMBERS,
    order::policy::ALLOWANCES,
    order::policy::RESTOCK,
    payment::policy::ANSWERS,
    payment::policy::SURPLUS,
];

/// The process manager whose memory is an aggregate of that type.
#[must_use]
pub fn process_of(aggregate_type: AggregateType) -> Option<&'static Process> {
    PROCESSES.iter().find(|process| process.aggregate_type == aggregate_type)
}

/// Whether any process manager learns something from it.
#[must_use]
pub fn concerns(fact: Fact<'_>) -> bool {
    PROCESSES.iter().any(|process| (process.input)(fact).is_some())
}

/// The process manager or policy of that name.
#[must_use]
pub fn name_of(name: &str) -> Option<&'static str> {
    let names = PROCESSES.iter().map(|process| process.name).chain(POLICIES.iter().map(|policy| policy.name));
    names.into_iter().find(|known| *known == name)
}
