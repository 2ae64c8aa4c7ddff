//! What the simulated gateway still owes, read off the log.

use api::outbound::behaviour::{self, First, LATE_AFTER};
use domain::{AnyEvent, payment::Event, value::Time};
use store::{executor::derived_id, gateway::AUTHORIZE_TIMEOUT_MS, log::Meant};
use uuid::Uuid;

/// An answer that comes by itself, or a time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    /// When it is due.
    pub(super) due: Time,
    /// The command that brings it; a time limit is worked on by the gateway's reactor itself.
    pub(super) command_id: Option<Uuid>,
}

/// What the gateway owes because of an event.
pub(super) fn owed(meant: Meant<'_>) -> Vec<Owed> {
    let AnyEvent::Payment(Event::AuthorizationRequested { token, .. }) = meant.event else {
        return vec![];
    };
    let Ok(behaviour) = behaviour::authorization(meant.id(), token) else { return vec![] };
    let asked = meant.recorded.metadata.occurred_at;
    let after = |ms, command_id| Owed { due: asked.plus_millis(ms), command_id };
    let limit = (behaviour.first == First::Silent).then(|| after(AUTHORIZE_TIMEOUT_MS, None));
    let late_ms = i64::try_from(LATE_AFTER.as_millis()).unwrap_or(i64::MAX);
    let late = behaviour.late.map(|late| after(late_ms, Some(derived_id(late.delivery_id, "answer", 0))));
    limit.into_iter().chain(late).collect()
}
