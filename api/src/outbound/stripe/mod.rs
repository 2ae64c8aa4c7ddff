//! The payment gateway of Stripe: PaymentIntents that are captured by hand.
//!
//! A hold is asked for in two calls. The first makes a PaymentIntent that holds nothing, the second confirms it. So what
//! became of a hold that nobody answered for can be found out by making the first call again, which holds nothing either.

mod amiss;
pub(crate) mod amount;
mod authorize;
pub mod breaker;
mod client;
mod keeping;
mod key;
mod settle;
pub mod tally;
pub(crate) mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    payment::Method,
    value::{AttemptId, CaptureId, Money, RefundId, Text},
};
use reqwest::Method as Verb;
use store::{
    gateway::{Ask, Authorized, Gateway, GatewayError, Means, Settled},
    ports::{Clock, Ids},
};

use breaker::Standing;
use client::{Answer, Client, Group, Patience, Request, Unanswered};
use tally::Tally;
use wire::{Intent, List, Refund};

pub use key::{Key, NotAKey};

/// What it is called, in settings and in rows.
pub const NAME: &str = "stripe";
/// Where Stripe is.
pub const URL: &str = "https://api.stripe.com";

/// Stripe forgets the keys of requests after 24 hours at the earliest. What was asked longer ago is looked up first.
const KEYS_KEPT_MS: i64 = 20 * 60 * 60 * 1_000;

/// Keys that are tried for one request when Stripe keeps an error of its own under the one before.
const KEYS_MAX: u32 = 3;

/// How a shop reaches its Stripe account.
#[derive(Clone, Debug)]
pub struct Options {
    /// The secret key.
    pub key: Key,
    /// Where Stripe is.
    pub url: String,
    /// When a Stripe that does not answer is left alone.
    pub breaker: breaker::Limits,
}

/// A client that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the client for Stripe: {0}")]
pub struct StripeError(#[from] reqwest::Error);

/// Stripe as a gateway. Cheap to clone.
#[derive(Clone)]
pub struct Stripe {
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
    tally: Arc<Tally>,
}

impl Stripe {
    /// A gateway that has not called anybody yet.
    ///
    /// # Errors
    /// When the machine cannot do TLS.
    pub fn new(options: Options, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Self, StripeError> {
        let tally = Arc::new(Tally::default());
        let parts = client::Parts {
            base: options.url,
            key: options.key,
            clock: Arc::clone(&clock),
            ids,
            limits: options.breaker,
            tally: Arc::clone(&tally),
        };
        Ok(Self { client: Arc::new(Client::new(parts)?), clock, tally })
    }

    /// Whether a payment can be made that way.
    #[must_use]
    pub const fn takes(method: Method) -> bool {
        match method {
            // What a telephone's wallet hands over is a card's PaymentMethod.
            Method::Card | Method::Wallet | Method::CashOnDelivery => true,
            Method::Upi => false,
        }
    }

    /// What was counted.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How the breaker of each group of calls stands.
    #[must_use]
    pub fn standings(&self) -> [(&'static str, Standing); 4] {
        self.client.standings()
    }

    /// A PaymentIntent as it is now, `None` when there is none of that name.
    ///
    /// # Errors
    /// When Stripe does not say.
    pub(crate) async fn intent(&self, id: &str) -> Result<Option<Intent>, GatewayError> {
        let fields = [("expand[]", "latest_charge".to_owned())];
        match self.look(&format!("/v1/payment_intents/{}", segment(id)), &fields).await? {
            Answer::Done(intent) => Ok(Some(intent)),
            Answer::Refused(refused) if refused.status.as_u16() == 404 => Ok(None),
            Answer::Refused(refused) => Err(GatewayError(refused.fault.word().to_owned())),
        }
    }

    /// The refunds of a PaymentIntent, newest first, a hundred at most: no payment takes more.
    ///
    /// # Errors
    /// When Stripe does not say.
    pub(crate) async fn refunds(&self, intent: &str) -> Result<Vec<Refund>, GatewayError> {
        let fields = [("payment_intent", intent.to_owned()), ("limit", "100".to_owned())];
        match self.look::<List<Refund>>("/v1/refunds", &fields).await? {
            Answer::Done(list) => Ok(list.data),
            Answer::Refused(refused) => Err(GatewayError(refused.fault.word().to_owned())),
        }
    }

    async fn look<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, String)],
    ) -> Result<Answer<T>, GatewayError> {
        let request = Request {
            group: Group::Look,
            method: Verb::GET,
            path: path.to_owned(),
            fields,
            key: None,
            patience: self.settling(),
        };
        self.client.call(&request).await.map_err(unanswered)
    }

    /// How long anything but an authorization may take.
    fn settling(&self) -> Patience {
        self.client.patience(Duration::from_secs(8), Duration::from_secs(18), 4)
    }

    /// Whether Stripe may have forgotten the request.
    fn is_old(&self, ask: &Ask) -> bool {
        self.clock.now().millis().saturating_sub(ask.asked_at.millis()) > KEYS_KEPT_MS
    }
}

#[async_trait]
impl Gateway for Stripe {
    async fn authorize(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        means: &Means,
    ) -> Result<Authorized, GatewayError> {
        self.hold(ask, attempt, means).await
    }

    async fn given_up(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        means: Option<&Means>,
    ) -> Result<Option<Authorized>, GatewayError> {
        self.found_out(ask, attempt, means).await.map(Some)
    }

    async fn capture(
        &self,
        ask: &Ask,
        reference: &Text,
        _: &CaptureId,
        amount: Money,
    ) -> Result<Settled, GatewayError> {
        self.take(ask, reference, amount).await
    }

    async fn void(&self, ask: &Ask, reference: &Text) -> Result<Settled, GatewayError> {
        self.let_go(ask, reference).await
    }

    async fn refund(
        &self,
        ask: &Ask,
        reference: &Text,
        refund: &RefundId,
        amount: Money,
    ) -> Result<Settled, GatewayError> {
        self.give_back(ask, reference, refund, amount).await
    }
}

fn unanswered(error: Unanswered) -> GatewayError {
    GatewayError(error.to_string())
}

/// The `nth` key of a request.
fn nth_key(key: &str, nth: u32) -> String {
    if nth == 0 { key.to_owned() } else { format!("{key}-{nth}") }
}

/// A word of Stripe's as a reason.
fn word(word: &str) -> Result<Text, GatewayError> {
    Text::new(word).map_err(|error| GatewayError(error.to_string()))
}

/// An id as a part of a path: what is no id of Stripe's cannot lead elsewhere.
fn segment(id: &str) -> String {
    id.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}
