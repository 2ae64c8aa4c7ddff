//! A payment intent: asked for, authorized, captured, voided, refunded, in the gateways' words.
//!
//! Whatever needs the gateway happens in two events: what was requested, and what the gateway answered. Answers may
//! come late, twice or never. Money is conserved: authorized ≥ captured ≥ refunded.

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    value::{AttemptId, Money, OrderId, RefundId, Text},
};

/// An intent takes at most this many attempts, captures and refunds each.
pub const TRIES_MAX: usize = 50;

/// How the buyer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A tokenised card.
    Card,
    /// Cash on delivery: needs no authorization.
    CashOnDelivery,
}

/// When an authorized amount is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
pub enum Settlement {
    /// Done.
    Done,
    /// Not done, and why in the gateway's word.
    Failed { reason: Text },
}

/// What may be asked of a payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Command {
    /// Ask for an amount for an order.
    OpenIntent { order: OrderId, amount: Money, method: Method, capture: CaptureWhen },
    /// Try to have the amount held, with the buyer's token.
    Authorize { attempt: AttemptId, token: Text },
    /// The gateway answered an attempt, or never did.
    RecordAuthorization { attempt: AttemptId, outcome: Authorization },
    /// Take so much of what is held; the rest of it when no amount is given.
    Capture { #[serde(default)] amount: Option<Money> },
    /// The gateway answered the capture in progress.
    RecordCapture { outcome: Settlement },
    /// Let go of what is held, or close an intent that nothing is held for.
    Void {},
    /// The gateway answered the void.
    RecordVoid { outcome: Settlement },
    /// Give so much back; everything captured when no amount is given.
    Refund { refund: RefundId, #[serde(default)] amount: Option<Money>, reason: Text },
    /// The gateway answered a refund.
    RecordRefund { refund: RefundId, outcome: Settlement },
}

/// What happened to a payment. Each carries the order, so that a follower need not look it up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// An amount is asked for.
    IntentOpened { order: OrderId, amount: Money, method: Method, capture: CaptureWhen },
    /// The gateway is to be asked to hold it.
    AuthorizationRequested { order: OrderId, attempt: AttemptId, token: Text, amount: Money },
    /// The gateway holds it.
    Authorized { order: OrderId, attempt: AttemptId, reference: Text, amount: Money },
    /// The gateway does not hold it.
    Declined { order: OrderId, attempt: AttemptId, reason: Text },
    /// The gateway did not answer in time; it may still.
    AuthorizationTimedOut { order: OrderId, attempt: AttemptId },
    /// The gateway is to be asked to take it.
    CaptureRequested { order: OrderId, reference: Text, amount: Money },
    /// The gateway took it.
    Captured { order: OrderId, amount: Money },
    /// The gateway did not take it.
    CaptureFailed { order: OrderId, amount: Money, reason: Text },
    /// The gateway is to be asked to let go.
    VoidRequested { order: OrderId, reference: Text, amount: Money },
    /// Nothing is held any more, and nothing will be.
    Voided { order: OrderId },
    /// The gateway did not let go.
    VoidFailed { order: OrderId, reason: Text },
    /// The gateway is to be asked to give back.
    RefundRequested { order: OrderId, refund: RefundId, reference: Text, amount: Money, reason: Text },
    /// The gateway gave it back.
    Refunded { order: OrderId, refund: RefundId, amount: Money },
    /// The gateway did not give it back.
    RefundFailed { order: OrderId, refund: RefundId, amount: Money, reason: Text },
}

/// Why a payment may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
pub enum Refusal {
    /// There is no such intent.
    #[error("no intent was opened")]
    #[serde(rename = "payment.not_opened")]
    NotOpened,
    /// The id stands for another intent.
    #[error("the id is taken by another intent")]
    #[serde(rename = "payment.already_opened")]
    AlreadyOpened,
    /// An intent asks for more than nothing.
    #[error("the amount must be above zero")]
    #[serde(rename = "payment.bad_amount")]
    BadAmount,
    /// Cash on delivery needs no authorization.
    #[error("cash on delivery is not authorized")]
    #[serde(rename = "payment.needs_no_authorization")]
    NeedsNoAuthorization,
    /// An attempt is waiting for the gateway.
    #[error("attempt {attempt} is in progress")]
    #[serde(rename = "payment.in_progress")]
    InProgress { attempt: AttemptId },
    /// The money is held already.
    #[error("the payment is already authorized")]
    #[serde(rename = "payment.already_authorized")]
    AlreadyAuthorized,
    /// Nothing is held.
    #[error("the payment is not authorized")]
    #[serde(rename = "payment.not_authorized")]
    NotAuthorized,
    /// The intent was closed.
    #[error("the payment was voided")]
    #[serde(rename = "payment.voided")]
    Voided,
    /// What was captured can be refunded, not voided.
    #[error("the payment was captured; refund it instead")]
    #[serde(rename = "payment.already_captured")]
    AlreadyCaptured,
    /// A capture or void is waiting for the gateway.
    #[error("the gateway has not yet answered the last request")]
    #[serde(rename = "payment.awaiting_gateway")]
    AwaitingGateway,
    /// More than is held and not yet captured.
    #[error("{requested} is more than the {capturable} that can be captured")]
    #[serde(rename = "payment.exceeds_authorized")]
    ExceedsAuthorized { requested: Money, capturable: Money },
    /// More than was captured and not yet refunded.
    #[error("{requested} is more than the {refundable} that can be refunded")]
    #[serde(rename = "payment.exceeds_captured")]
    ExceedsCaptured { requested: Money, refundable: Money },
    /// The refund's id stands for another amount.
    #[error("refund {refund} exists with another amount")]
    #[serde(rename = "payment.refund_exists")]
    RefundExists { refund: RefundId },
    /// Too many attempts, captures or refunds.
    #[error("a payment takes at most {max} attempts and as many refunds")]
    #[serde(rename = "payment.too_many_tries")]
    TooManyTries { max: usize },
}
