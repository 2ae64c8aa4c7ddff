//! What the simulated gateway still owes, read off the log.

use std::time::Duration;

use api::outbound::behaviour::{self, First, LATE_AFTER};
use domain::{
    AnyEvent,
    payment::{Event, Token},
    value::Time,
};
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
    let AnyEvent::Payment(event) = meant.event else {
        return vec![];
    };
    let asked = meant.recorded.metadata.occurred_at;
    let after = |ms, command_id| Owed { due: asked.plus_millis(ms), command_id };
    let answer =
        |delay: Duration, delivery_id| after(millis(delay), Some(derived_id(delivery_id, "answer", 0)));
    match event {
        Event::AuthorizationRequested { token: Token::Plain(token), .. } => {
            let Ok(behaviour) = behaviour::authorization(meant.id(), token) else { return vec![] };
            let limit = (behaviour.first == First::Silent).then(|| after(AUTHORIZE_TIMEOUT_MS, None));
            let late = behaviour.late.map(|late| answer(LATE_AFTER, late.delivery_id));
            limit.into_iter().chain(late).collect()
        }
        Event::CaptureRequested { reference, .. } => {
            let words = behaviour::disputes(meant.id(), reference).unwrap_or_default();
            words.into_iter().map(|word| answer(word.after, word.delivery_id)).collect()
        }
        _ => vec![],
    }
}

fn millis(delay: Duration) -> i64 {
    i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)
}
