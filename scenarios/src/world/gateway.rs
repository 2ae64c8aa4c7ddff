//! The simulated gateway in a world whose clock stands still between steps.

use api::outbound::behaviour::{self, Behaviour, First, LATE_AFTER};
use domain::{
    payment::{Asked, Authorization, Command, Event, Token},
    value::Invalid,
};
use store::gateway::AUTHORIZE_TIMEOUT_MS;
use uuid::Uuid;

/// Something that the gateway will say.
pub(super) struct Message {
    /// How much later.
    pub after_ms: i64,
    /// The request or delivery that it belongs to.
    pub cause_id: Uuid,
    /// How the payment learns it.
    pub command: Command,
}

/// Everything that the gateway will say because of a payment's event.
///
/// # Errors
/// When a token is none.
pub(super) fn messages(event_id: Uuid, event: &Event) -> Result<Vec<Message>, Invalid> {
    let at_once = |command| vec![Message { after_ms: 0, cause_id: event_id, command }];
    Ok(match event {
        Event::AuthorizationRequested { attempt, token: Token::Plain(token), .. } => {
            let Behaviour { first, late } = behaviour::authorization(event_id, token)?;
            let answer = |after_ms, cause_id, outcome| Message {
                after_ms,
                cause_id,
                command: Command::RecordAuthorization { attempt: attempt.clone(), outcome },
            };
            let asked = Asked::Authorization { attempt: attempt.clone() };
            let first = match first {
                First::Answered(outcome) => answer(0, event_id, outcome),
                First::Pending => {
                    Message { after_ms: 0, cause_id: event_id, command: Command::RecordPending { asked } }
                }
                First::Silent => answer(AUTHORIZE_TIMEOUT_MS, event_id, Authorization::TimedOut),
            };
            let late = late.map(|late| answer(millis(LATE_AFTER), late.delivery_id, late.outcome));
            [first].into_iter().chain(late).collect()
        }
        Event::CaptureRequested { capture, reference, amount, .. } => {
            let outcome = behaviour::capture(reference)?;
            let mut messages = at_once(Command::RecordCapture { capture: capture.clone(), outcome });
            messages.extend(behaviour::disputes(event_id, reference)?.into_iter().map(|word| Message {
                after_ms: millis(word.after),
                cause_id: word.delivery_id,
                command: Command::RecordDispute {
                    dispute: word.dispute,
                    amount: *amount,
                    reason: word.reason,
                    stage: word.stage,
                },
            }));
            messages
        }
        Event::VoidRequested { reference, .. } => at_once(Command::RecordVoid {
            reference: reference.clone(),
            outcome: behaviour::void(reference)?,
        }),
        Event::RefundRequested { refund, reference, .. } => {
            at_once(Command::RecordRefund { refund: refund.clone(), outcome: behaviour::refund(reference)? })
        }
        // Nobody keeps anything here, and there are no keys.
        Event::AuthorizationRequested { .. }
        | Event::IntentOpened { .. }
        | Event::Authorized { .. }
        | Event::Declined { .. }
        | Event::AuthorizationTimedOut { .. }
        | Event::Captured { .. }
        | Event::CaptureFailed { .. }
        | Event::Voided { .. }
        | Event::VoidFailed { .. }
        | Event::SurplusVoided { .. }
        | Event::SurplusVoidFailed { .. }
        | Event::Refunded { .. }
        | Event::RefundFailed { .. }
        | Event::DisputeOpened { .. }
        | Event::AnswerDeferred { .. }
        | Event::AnswerSought { .. }
        | Event::AnswerMissing { .. }
        | Event::DisputeWon { .. }
        | Event::DisputeLost { .. } => vec![],
    })
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
