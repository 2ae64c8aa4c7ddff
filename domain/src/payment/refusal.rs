//! Why a payment may say no.

use serde::{Deserialize, Serialize};

use crate::value::{AttemptId, CaptureId, DisputeId, Money, RefundId};

/// Why a payment may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
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
    /// The capture's id stands for another amount.
    #[error("capture {capture} exists with another amount")]
    #[serde(rename = "payment.capture_exists")]
    CaptureExists { capture: CaptureId },
    /// The refund's id stands for another amount.
    #[error("refund {refund} exists with another amount")]
    #[serde(rename = "payment.refund_exists")]
    RefundExists { refund: RefundId },
    /// While a dispute is open gateways give nothing back.
    #[error("dispute {dispute} is not decided")]
    #[serde(rename = "payment.disputed")]
    Disputed { dispute: DisputeId },
    /// Too many attempts, captures or refunds.
    #[error("a payment takes at most {max} attempts and as many refunds")]
    #[serde(rename = "payment.too_many_tries")]
    TooManyTries { max: usize },
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[
        "payment.not_opened",
        "payment.already_opened",
        "payment.bad_amount",
        "payment.needs_no_authorization",
        "payment.in_progress",
        "payment.already_authorized",
        "payment.not_authorized",
        "payment.voided",
        "payment.already_captured",
        "payment.awaiting_gateway",
        "payment.exceeds_authorized",
        "payment.exceeds_captured",
        "payment.capture_exists",
        "payment.refund_exists",
        "payment.disputed",
        "payment.too_many_tries",
    ];

    fn code(&self) -> &'static str {
        match self {
            Self::NotOpened => "payment.not_opened",
            Self::AlreadyOpened => "payment.already_opened",
            Self::BadAmount => "payment.bad_amount",
            Self::NeedsNoAuthorization => "payment.needs_no_authorization",
            Self::InProgress { .. } => "payment.in_progress",
            Self::AlreadyAuthorized => "payment.already_authorized",
            Self::NotAuthorized => "payment.not_authorized",
            Self::Voided => "payment.voided",
            Self::AlreadyCaptured => "payment.already_captured",
            Self::AwaitingGateway => "payment.awaiting_gateway",
            Self::ExceedsAuthorized { .. } => "payment.exceeds_authorized",
            Self::ExceedsCaptured { .. } => "payment.exceeds_captured",
            Self::CaptureExists { .. } => "payment.capture_exists",
            Self::RefundExists { .. } => "payment.refund_exists",
            Self::Disputed { .. } => "payment.disputed",
            Self::TooManyTries { .. } => "payment.too_many_tries",
        }
    }
}
