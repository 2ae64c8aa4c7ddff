//! What a payment's stream says of a request to the gateway.

use domain::{
    Aggregate, AnyEvent,
    payment::{Asked, Event, Payment},
    value::{Money, PaymentId, Time},
};
use uuid::Uuid;

use super::{Ask, ask::again};
use crate::{follow::ReactError, log::Recorded};

/// A request as it stands in its payment's stream.
pub(super) struct Standing {
    pub ask: Ask,
    /// Whether the request is to take from or let go of the hold that is in use.
    in_use: bool,
    /// What happened to the payment after it was asked.
    later: Vec<Event>,
}

/// An event of the payment.
#[derive(Clone)]
pub(super) struct Past {
    pub id: Uuid,
    pub at: Time,
    pub event: Event,
}

impl Past {
    /// Whether that is what was asked.
    pub fn asks(&self, asked: &Asked) -> bool {
        match (&self.event, asked) {
            (Event::AuthorizationRequested { attempt, .. }, Asked::Authorization { attempt: asked }) => {
                attempt == asked
            }
            (Event::CaptureRequested { capture, .. }, Asked::Capture { capture: asked }) => capture == asked,
            (Event::VoidRequested { reference, .. }, Asked::Void { reference: asked }) => reference == asked,
            (Event::RefundRequested { refund, .. }, Asked::Refund { refund: asked }) => refund == asked,
            _ => false,
        }
    }
}

/// When an event was recorded.
pub(super) const fn recorded_at(recorded: &Recorded) -> Time {
    Time::from_millis(recorded.recorded_at_us.div_euclid(1_000))
}

/// What an event of a payment's stream means.
pub(super) fn past(recorded: &Recorded) -> Vec<Past> {
    let meant = recorded.meant().filter_map(|meant| match meant.event {
        AnyEvent::Payment(event) => {
            Some(Past { id: meant.id(), at: recorded_at(recorded), event: event.clone() })
        }
        _ => None,
    });
    meant.collect()
}

/// What the gateway has to know beside the request, from the payment as it was then.
pub(super) fn standing(stream: &str, request: &Past, history: Vec<Past>) -> Result<Standing, ReactError> {
    let upto = history.iter().position(|past| past.id == request.id).map_or(history.len(), |at| at + 1);
    let mut past = history.into_iter().map(|past| past.event);
    let payment = past.by_ref().take(upto).fold(Payment::default(), Payment::evolve);
    let later = past.collect();
    let missing = || ReactError("a request of a payment without an intent".into());
    let intent = payment.intent().ok_or_else(missing)?.clone();
    let captured = payment.captured().unwrap_or(Money::zero(intent.amount.currency));
    let in_use = match (&request.event, &payment) {
        (Event::VoidRequested { reference, .. }, Payment::Held { hold, .. }) => hold.reference == *reference,
        _ => false,
    };
    let payment = PaymentId::new(stream).map_err(again)?;
    let (request_id, asked_at) = (request.id, request.at);
    let ask = Ask { request_id, asked_at, payment, intent, captured, again: false };
    Ok(Standing { ask, in_use, later })
}

impl Standing {
    /// Whether the log holds the answer, whoever brought it.
    pub fn is_answered(&self, asked: &Event) -> bool {
        let answers = |event: &Event| match (asked, event) {
            (
                Event::AuthorizationRequested { attempt: asked, .. },
                Event::Authorized { attempt, .. }
                | Event::Declined { attempt, .. }
                | Event::AuthorizationTimedOut { attempt, .. },
            ) => attempt == asked,
            (
                Event::CaptureRequested { capture: asked, .. },
                Event::Captured { capture, .. } | Event::CaptureFailed { capture, .. },
            ) => capture == asked,
            (Event::VoidRequested { .. }, Event::Voided { .. } | Event::VoidFailed { .. }) => self.in_use,
            (
                Event::VoidRequested { reference: asked, .. },
                Event::SurplusVoided { reference, .. } | Event::SurplusVoidFailed { reference, .. },
            ) => reference == asked,
            (
                Event::RefundRequested { refund: asked, .. },
                Event::Refunded { refund, .. } | Event::RefundFailed { refund, .. },
            ) => refund == asked,
            _ => false,
        };
        self.later.iter().any(answers)
    }
}
