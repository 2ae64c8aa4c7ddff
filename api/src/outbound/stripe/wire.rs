//! Stripe's objects, as far as anything here depends on them. Whatever else they hold is passed over.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Where a PaymentIntent stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The last card was declined.
    RequiresPaymentMethod,
    /// Nobody has asked for the hold yet.
    RequiresConfirmation,
    /// The buyer has to prove who they are.
    RequiresAction,
    /// It will be known later.
    Processing,
    /// The amount is held.
    RequiresCapture,
    /// Closed; what was held is let go of.
    Canceled,
    /// Captured, and what was not captured is let go of.
    Succeeded,
    /// One that is newer than this program.
    #[serde(other)]
    Unknown,
}

/// A PaymentIntent.
#[derive(Clone, Debug, Deserialize)]
pub struct Intent {
    pub id: String,
    pub status: Status,
    #[serde(default)]
    pub amount: Option<i64>,
    /// In small letters.
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default)]
    pub amount_capturable: Option<i64>,
    #[serde(default)]
    pub amount_received: i64,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub payment_method: Option<String>,
    #[serde(default)]
    pub last_payment_error: Option<Fault>,
    #[serde(default)]
    pub cancellation_reason: Option<String>,
    /// An id, or the whole charge where it was asked for.
    #[serde(default)]
    pub latest_charge: Option<serde_json::Value>,
}

impl Intent {
    /// Whether it may be captured in several parts: said where the charge was asked for too.
    pub fn takes_parts(&self) -> bool {
        let status = self
            .latest_charge
            .as_ref()
            .and_then(|charge| charge.pointer("/payment_method_details/card/multicapture/status"));
        status.is_some_and(|status| status == "available")
    }
}

/// A refund.
#[derive(Clone, Debug, Deserialize)]
pub struct Refund {
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub failure_reason: Option<String>,
    #[serde(default)]
    pub payment_intent: Option<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// A Customer.
#[derive(Clone, Debug, Deserialize)]
pub struct Customer {
    pub id: String,
}

/// A PaymentMethod.
#[derive(Clone, Debug, Deserialize)]
pub struct PaymentMethod {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// Whose it is, while it is attached.
    #[serde(default)]
    pub customer: Option<String>,
    #[serde(default)]
    pub card: Option<Card>,
}

/// What is said of a card.
#[derive(Clone, Debug, Deserialize)]
pub struct Card {
    #[serde(default)]
    pub brand: Option<String>,
    #[serde(default)]
    pub last4: Option<String>,
    #[serde(default)]
    pub exp_month: Option<u8>,
    #[serde(default)]
    pub exp_year: Option<u16>,
}

/// A dispute.
#[derive(Clone, Debug, Deserialize)]
pub struct Dispute {
    pub id: String,
    #[serde(default)]
    pub payment_intent: Option<String>,
    pub amount: i64,
    pub currency: String,
    #[serde(default)]
    pub reason: Option<String>,
    pub status: String,
}

/// A page of a list.
#[derive(Clone, Debug, Deserialize)]
pub struct List<T> {
    pub data: Vec<T>,
}

/// Why Stripe does not do what was asked. Its message is for people and may hold anything, so it is not read.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Fault {
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub decline_code: Option<String>,
    #[serde(default)]
    pub payment_intent: Option<Box<Intent>>,
}

impl Fault {
    /// The most exact word that Stripe has for it.
    pub fn word(&self) -> &str {
        let words = [&self.decline_code, &self.code, &self.kind];
        words.into_iter().flatten().map(String::as_str).find(|word| !word.is_empty()).unwrap_or("refused")
    }
}

/// The body of an answer that is no success.
#[derive(Debug, Default, Deserialize)]
pub struct Failure {
    #[serde(default)]
    pub error: Fault,
}
