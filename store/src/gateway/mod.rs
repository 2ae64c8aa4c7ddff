//! What a payment gateway is asked, and what it may answer.

mod ask;
mod later;
mod means;
mod past;
mod results;

use async_trait::async_trait;
use domain::{
    payment::{Authorization, Intent, Settlement},
    value::{AttemptId, CaptureId, Money, PaymentId, RefundId, Text, Time},
};
use uuid::Uuid;

pub use ask::AskGateway;
pub use means::{Means, Purse, Tokens, Use};
pub use results::PaymentResults;

/// How long a gateway may take to answer an authorization before the buyer is told that it did not.
pub const AUTHORIZE_TIMEOUT_MS: i64 = 5_000;

/// How long it may take to answer anything else before it is asked again later.
pub const SETTLE_TIMEOUT_MS: i64 = 20_000;

/// The name that payments are carried to a gateway under.
pub const GATEWAY: &str = "gateway";

/// A gateway's answer to an authorization, as far as there is one.
#[derive(Clone, Debug, PartialEq)]
pub enum Authorized {
    /// It answered.
    Answered(Authorization),
    /// It will answer later, through [`PaymentResults`] or when it is asked again.
    Pending,
}

/// A gateway's answer to a capture, void or refund, as far as there is one.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// It answered.
    Answered(Settlement),
    /// It will answer later, through [`PaymentResults`] or when it is asked again.
    Pending,
}

/// The machinery between here and the gateway failed; nothing is known, and the same request is sent again.
#[derive(Debug, thiserror::Error)]
#[error("the gateway could not be asked: {0}")]
pub struct GatewayError(pub String);

/// What every request to a gateway carries beside what it asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The id of the event that asks: the gateway does it once, however often it comes.
    pub request_id: Uuid,
    /// When the log took that event. Gateways forget the ids of requests after a day or so.
    pub asked_at: Time,
    /// The payment.
    pub payment: PaymentId,
    /// What the payment is for, how much, how and when it is to be captured.
    pub intent: Intent,
    /// What had been captured when this was asked, as the log knows it.
    pub captured: Money,
    /// Whether the gateway has said before that it answers later: how that stands is looked up, since it may repeat itself.
    pub again: bool,
}

/// A payment gateway. Every request carries the id of its event; the gateway does it once however often it comes.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Hold the whole amount of the intent. Dropped when it takes longer than [`AUTHORIZE_TIMEOUT_MS`].
    async fn authorize(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        means: &Means,
    ) -> Result<Authorized, GatewayError>;

    /// What became of an authorization that nobody waits for any more; `ask` is the one it was asked with. What the buyer
    /// wanted to pay with may be gone by now.
    ///
    /// Afterwards it either holds the amount, and says so, or never will, unless it is still working on it. `None` from a
    /// gateway that tells of itself whatever it still approves.
    async fn given_up(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        means: Option<&Means>,
    ) -> Result<Option<Authorized>, GatewayError> {
        let _ = (ask, attempt, means);
        Ok(None)
    }

    /// Take so much of what is held.
    async fn capture(
        &self,
        ask: &Ask,
        reference: &Text,
        capture: &CaptureId,
        amount: Money,
    ) -> Result<Settled, GatewayError>;

    /// Let go of what is held and was not taken.
    async fn void(&self, ask: &Ask, reference: &Text) -> Result<Settled, GatewayError>;

    /// Give so much back.
    async fn refund(
        &self,
        ask: &Ask,
        reference: &Text,
        refund: &RefundId,
        amount: Money,
    ) -> Result<Settled, GatewayError>;
}
