//! A payment intent: asked for, authorized, captured, voided, refunded, in the gateways' words.
//!
//! Whatever needs the gateway happens in two events: what was requested, and what the gateway answered. Answers may
//! come late, twice or never. Money is conserved: authorized ≥ captured ≥ refunded.

mod answers;
mod decide;
mod dispute;
mod evolve;
mod hold;
mod ledger;
pub mod policy;
mod refund;
mod refusal;
#[cfg(test)]
mod tests;
mod token;

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    value::{AttemptId, CaptureId, CustomerId, DisputeId, Money, OrderId, RefundId, Text},
};

pub use answers::{Asked, SEEKS_MAX, Seeking};
pub use dispute::{Dispute, DisputeStage};
pub use hold::{Attempt, Hold, Pending};
pub use ledger::{Ledger, Refund, RefundStage};
pub use refusal::Refusal;
pub use token::Token;

/// An intent takes at most this many attempts, captures and refunds each.
pub const TRIES_MAX: usize = 50;

/// How the buyer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PaymentMethod))]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A tokenised card.
    Card,
    /// Cash on delivery: needs no authorization.
    CashOnDelivery,
    /// A bank transfer by UPI, which the buyer agrees to in their own app.
    Upi,
    /// A wallet, such as a telephone's.
    Wallet,
}

impl Method {
    /// Whether a gateway has to hold the amount before anything else may happen.
    #[must_use]
    pub const fn needs_authorization(self) -> bool {
        match self {
            Self::Card | Self::Upi | Self::Wallet => true,
            Self::CashOnDelivery => false,
        }
    }
}

/// When an authorized amount is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CaptureWhen {
    /// As soon as the order is confirmed.
    AtOnce,
    /// When it ships.
    OnShipment,
}

/// A gateway's answer to an authorization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Authorization {
    /// The money is held; the gateway's reference.
    Approved { reference: Text },
    /// It is not, and why in the gateway's word.
    Declined { reason: Text },
    /// The gateway did not answer in time.
    TimedOut,
}

/// A gateway's answer to a capture, void or refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Settlement {
    /// Done.
    Done,
    /// Not done, and why in the gateway's word.
    Failed { reason: Text },
}

/// What may be asked of a payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// Ask for an amount for an order.
    OpenIntent { order: OrderId, amount: Money, method: Method, capture: CaptureWhen },
    /// Try to have the amount held, with the buyer's token, which may be kept for that customer to pay with again.
    Authorize {
        attempt: AttemptId,
        token: Token,
        #[serde(default)]
        keep_for: Option<CustomerId>,
    },
    /// The gateway answered an attempt, or never did.
    RecordAuthorization { attempt: AttemptId, outcome: Authorization },
    /// Take so much of what is held; the rest of it when no amount is given. A capture that failed is asked for again
    /// under another id.
    Capture {
        capture: CaptureId,
        #[serde(default)]
        amount: Option<Money>,
    },
    /// The gateway answered a capture; only the one in progress counts.
    RecordCapture { capture: CaptureId, outcome: Settlement },
    /// Let go of what is held and not captured, or close an intent that nothing is held for.
    Void {},
    /// The gateway answered the void of a hold.
    RecordVoid { reference: Text, outcome: Settlement },
    /// Let go of a hold that came on top of the one in use, once more.
    VoidSurplus { reference: Text },
    /// Give so much back; everything captured when no amount is given.
    Refund {
        refund: RefundId,
        #[serde(default)]
        amount: Option<Money>,
        reason: Text,
    },
    /// The gateway answered a refund.
    RecordRefund { refund: RefundId, outcome: Settlement },
    /// The gateway will answer later, and is asked how it stands when it does not.
    RecordPending { asked: Asked },
    /// Ask for an answer that has not come, for that time; or give up when it was asked for often enough.
    SeekAnswer { asked: Asked, nth: u32 },
    /// The gateway told how a dispute stands; what it told before, in whatever order, changes nothing.
    RecordDispute { dispute: DisputeId, amount: Money, reason: Text, stage: DisputeStage },
}

/// What happened to a payment. Each carries the order, so that a follower need not look it up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// An amount is asked for.
    IntentOpened { order: OrderId, amount: Money, method: Method, capture: CaptureWhen },
    /// The gateway is to be asked to hold it, and what it is paid with may be kept for that customer.
    AuthorizationRequested {
        order: OrderId,
        attempt: AttemptId,
        token: Token,
        amount: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_for: Option<CustomerId>,
    },
    /// The gateway holds it.
    Authorized { order: OrderId, attempt: AttemptId, reference: Text, amount: Money },
    /// The gateway does not hold it.
    Declined { order: OrderId, attempt: AttemptId, reason: Text },
    /// The gateway did not answer in time; it may still.
    AuthorizationTimedOut { order: OrderId, attempt: AttemptId },
    /// The gateway is to be asked to take so much of it.
    CaptureRequested { order: OrderId, capture: CaptureId, reference: Text, amount: Money },
    /// The gateway took it.
    Captured { order: OrderId, capture: CaptureId, amount: Money },
    /// The gateway did not take it.
    CaptureFailed { order: OrderId, capture: CaptureId, amount: Money, reason: Text },
    /// The gateway is to be asked to let go of what is not captured of a hold: so much.
    VoidRequested { order: OrderId, reference: Text, amount: Money },
    /// Nothing is held any more, and nothing will be. What was captured stays captured.
    Voided { order: OrderId },
    /// The gateway did not let go.
    VoidFailed { order: OrderId, reason: Text },
    /// The gateway let go of a hold that came on top of the one in use.
    SurplusVoided { order: OrderId, reference: Text },
    /// The gateway did not let go of a hold that came on top of the one in use.
    SurplusVoidFailed { order: OrderId, reference: Text, reason: Text },
    /// The gateway is to be asked to give back.
    RefundRequested { order: OrderId, refund: RefundId, reference: Text, amount: Money, reason: Text },
    /// The gateway gave it back.
    Refunded { order: OrderId, refund: RefundId, amount: Money },
    /// The gateway did not give it back.
    RefundFailed { order: OrderId, refund: RefundId, amount: Money, reason: Text },
    /// The gateway will answer later.
    AnswerDeferred { order: OrderId, asked: Asked },
    /// It has not yet: it is to be asked how that stands, for that time.
    AnswerSought { order: OrderId, asked: Asked, nth: u32 },
    /// It never did. Somebody has to look, though an answer that comes still counts.
    AnswerMissing { order: OrderId, asked: Asked },
    /// The buyer wants so much back from their bank, and the gateway has taken it until that is decided.
    DisputeOpened { order: OrderId, dispute: DisputeId, amount: Money, reason: Text },
    /// The shop keeps the money.
    DisputeWon { order: OrderId, dispute: DisputeId, amount: Money },
    /// The buyer keeps it.
    DisputeLost { order: OrderId, dispute: DisputeId, amount: Money },
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[
        ("IntentOpened", "1"),
        ("AuthorizationRequested", "2"),
        ("Authorized", "1"),
        ("Declined", "1"),
        ("AuthorizationTimedOut", "1"),
        ("CaptureRequested", "2"),
        ("Captured", "2"),
        ("CaptureFailed", "2"),
        ("VoidRequested", "2"),
        ("Voided", "1"),
        ("VoidFailed", "1"),
        ("SurplusVoided", "1"),
        ("SurplusVoidFailed", "1"),
        ("RefundRequested", "1"),
        ("Refunded", "1"),
        ("RefundFailed", "1"),
        ("AnswerDeferred", "1"),
        ("AnswerSought", "1"),
        ("AnswerMissing", "1"),
        ("DisputeOpened", "1"),
        ("DisputeWon", "1"),
        ("DisputeLost", "1"),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::IntentOpened { .. } => "IntentOpened",
            Self::AuthorizationRequested { .. } => "AuthorizationRequested",
            Self::Authorized { .. } => "Authorized",
            Self::Declined { .. } => "Declined",
            Self::AuthorizationTimedOut { .. } => "AuthorizationTimedOut",
            Self::CaptureRequested { .. } => "CaptureRequested",
            Self::Captured { .. } => "Captured",
            Self::CaptureFailed { .. } => "CaptureFailed",
            Self::VoidRequested { .. } => "VoidRequested",
            Self::Voided { .. } => "Voided",
            Self::VoidFailed { .. } => "VoidFailed",
            Self::SurplusVoided { .. } => "SurplusVoided",
            Self::SurplusVoidFailed { .. } => "SurplusVoidFailed",
            Self::RefundRequested { .. } => "RefundRequested",
            Self::Refunded { .. } => "Refunded",
            Self::RefundFailed { .. } => "RefundFailed",
            Self::AnswerDeferred { .. } => "AnswerDeferred",
            Self::AnswerSought { .. } => "AnswerSought",
            Self::AnswerMissing { .. } => "AnswerMissing",
            Self::DisputeOpened { .. } => "DisputeOpened",
            Self::DisputeWon { .. } => "DisputeWon",
            Self::DisputeLost { .. } => "DisputeLost",
        }
    }
}

/// What an intent asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The order that it pays.
    pub order: OrderId,
    /// How much.
    pub amount: Money,
    /// How.
    pub method: Method,
    /// When it is to be captured.
    pub capture: CaptureWhen,
}

/// The state of a payment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Payment {
    /// No intent was opened.
    #[default]
    Unopened,
    /// Asked for; nothing is held.
    Open {
        /// What is asked for.
        intent: Intent,
        /// Attempts so far.
        attempts: Vec<Attempt>,
    },
    /// The gateway is being asked to hold it.
    Authorizing {
        /// What is asked for.
        intent: Intent,
        /// Attempts so far, this one included.
        attempts: Vec<Attempt>,
        /// The one in progress.
        attempt: AttemptId,
    },
    /// The gateway holds it, or has taken it.
    Held {
        /// What was asked for.
        intent: Intent,
        /// Attempts so far.
        attempts: Vec<Attempt>,
        /// What is held.
        hold: Hold,
    },
    /// Cash was collected; no gateway takes part.
    Collected {
        /// What was asked for.
        intent: Intent,
        /// What was taken and given back.
        ledger: Ledger,
    },
    /// Captured in part, and the rest was let go of. What was captured can be given back.
    Released {
        /// What was asked for.
        intent: Intent,
        /// Attempts so far.
        attempts: Vec<Attempt>,
        /// The gateway's name for what it took.
        reference: Text,
        /// What was taken and given back.
        ledger: Ledger,
    },
    /// Closed with nothing held. An approval that comes late leads back to `Held`.
    Voided {
        /// What was asked for.
        intent: Intent,
        /// Attempts so far.
        attempts: Vec<Attempt>,
    },
}

impl Aggregate for Payment {
    const TYPE: &'static str = "payment";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        self.decide_command(command)
    }

    fn evolve(self, event: Event) -> Self {
        self.evolve_event(event)
    }

    fn is_closed(&self) -> bool {
        self.is_settled()
    }
}

impl Payment {
    /// What it was asked for.
    #[must_use]
    pub const fn intent(&self) -> Option<&Intent> {
        match self {
            Self::Unopened => None,
            Self::Open { intent, .. }
            | Self::Authorizing { intent, .. }
            | Self::Held { intent, .. }
            | Self::Collected { intent, .. }
            | Self::Released { intent, .. }
            | Self::Voided { intent, .. } => Some(intent),
        }
    }

    /// What may be captured in all: the amount held, or the cash asked for; what was, once the rest is let go of. `None`
    /// without an intent.
    #[must_use]
    pub const fn authorized(&self) -> Option<Money> {
        match self {
            Self::Unopened => None,
            Self::Open { intent, .. } | Self::Authorizing { intent, .. } | Self::Voided { intent, .. } => {
                Some(Money::zero(intent.amount.currency))
            }
            Self::Held { intent, .. } | Self::Collected { intent, .. } => Some(intent.amount),
            Self::Released { ledger, .. } => Some(ledger.captured()),
        }
    }

    /// What was captured. `None` without an intent.
    #[must_use]
    pub fn captured(&self) -> Option<Money> {
        let intent = self.intent()?;
        Some(self.ledger().map_or(Money::zero(intent.amount.currency), Ledger::captured))
    }

    /// What was given back. `None` without an intent.
    #[must_use]
    pub fn refunded(&self) -> Option<Money> {
        let intent = self.intent()?;
        Some(self.ledger().map_or(Money::zero(intent.amount.currency), Ledger::refunded))
    }

    /// What was captured and given back; `None` while nothing is held or collected.
    #[must_use]
    pub const fn ledger(&self) -> Option<&Ledger> {
        match self {
            Self::Held { hold, .. } => Some(&hold.ledger),
            Self::Collected { ledger, .. } | Self::Released { ledger, .. } => Some(ledger),
            Self::Unopened | Self::Open { .. } | Self::Authorizing { .. } | Self::Voided { .. } => None,
        }
    }

    /// A try at having the amount held.
    #[must_use]
    pub fn attempt(&self, id: &AttemptId) -> Option<&Attempt> {
        self.attempts().iter().find(|attempt| attempt.id == *id)
    }

    fn attempts(&self) -> &[Attempt] {
        match self {
            Self::Open { attempts, .. }
            | Self::Authorizing { attempts, .. }
            | Self::Held { attempts, .. }
            | Self::Released { attempts, .. }
            | Self::Voided { attempts, .. } => attempts,
            Self::Unopened | Self::Collected { .. } => &[],
        }
    }
}
