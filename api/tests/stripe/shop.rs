//! Shops that are paid through the proxy, and the calls that a gateway gets.

use std::{sync::Arc, time::Duration};

use api::{
    Settings,
    outbound::stripe::{Options, Stripe, breaker::Limits},
};
use async_trait::async_trait;
use domain::{
    payment::{Authorization, CaptureWhen, Intent, Method, Settlement},
    value::{AttemptId, CaptureId, Currency, Money, RefundId, Text, Time},
};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use store::{
    gateway::{Ask, Authorized, Gateway as _, GatewayError, Means, Settled},
    ports::{Clock, Ids as _, Machine},
};
use uuid::Uuid;

use crate::{
    proxy::Proxy,
    support::{Api, Ask as Request, Reply, post},
};

pub const SECRET: &str = "whsec_of_the_tests_alone";
/// A card that is charged, and one that is declined, as Stripe's tests call them.
pub const GOOD: &str = "pm_card_visa";
pub const BAD: &str = "pm_card_chargeCustomerFail";

/// The machine's clock, moved.
pub struct Ahead(pub i64);

#[async_trait]
impl Clock for Ahead {
    fn now_us(&self) -> i64 {
        Machine.now_us() + self.0 * 1_000
    }

    fn elapsed_us(&self) -> i64 {
        Machine.elapsed_us()
    }

    async fn sleep(&self, duration: Duration) {
        Machine.sleep(duration).await;
    }

    async fn until(&self, moment: Time) {
        Machine.until(moment.plus_millis(-self.0)).await;
    }
}

pub fn stripe(proxy: &Proxy) -> Stripe {
    stripe_with(proxy, Limits::default(), Arc::new(Machine))
}

pub fn stripe_with(proxy: &Proxy, breaker: Limits, clock: Arc<dyn Clock>) -> Stripe {
    let options = Options { key: "sk_test_shop".parse().unwrap(), url: proxy.url.clone(), breaker };
    Stripe::new(options, clock, Arc::new(Machine)).unwrap()
}

pub async fn shop(proxy: &Proxy) -> Api {
    shop_with(proxy, Settings::default()).await
}

pub async fn shop_with(proxy: &Proxy, settings: Settings) -> Api {
    Api::start_paid(settings, patient(proxy), SECRET.parse().unwrap()).await
}

/// Another process of a shop, which is paid through the proxy.
pub async fn shop_on(other: &Api, proxy: &Proxy) -> Api {
    other.another_paid(patient(proxy), SECRET.parse().unwrap()).await
}

/// A test that lets much go wrong is not about the breaker.
fn patient(proxy: &Proxy) -> Stripe {
    stripe_with(proxy, Limits { failures: 1_000, ..Limits::default() }, Arc::new(Machine))
}

/// A webhook, signed as Stripe documents it.
pub fn signed(body: &str) -> Request {
    signed_at(body, Machine.now_us() / 1_000_000, SECRET)
}

pub fn signed_at(body: &str, at_s: i64, secret: &str) -> Request {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at_s}.{body}").as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    webhook(body).header("stripe-signature", &format!("t={at_s},v1={signature}"))
}

pub fn webhook(body: &str) -> Request {
    post("/v1/webhooks/stripe", &serde_json::Value::Null).raw("application/json", body)
}

/// What the metrics say of a name with its labels.
pub async fn metric(api: &Api, name: &str) -> String {
    let text = api.send(crate::support::get("/metrics")).await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_default().to_owned()
}

pub fn event(kind: &str, object: serde_json::Value) -> String {
    let id = format!("evt_{}", Machine.next().simple());
    serde_json::json!({ "id": id, "type": kind, "data": { "object": object } }).to_string()
}

/// A payment that calls are made for.
pub struct Case {
    pub stripe: Stripe,
    pub ask: Ask,
}

impl Case {
    /// A card payment of 500 pence, captured at once.
    pub fn new(stripe: &Stripe) -> Self {
        Self::of(stripe, Method::Card, Money::new(500, Currency::GBP), CaptureWhen::AtOnce)
    }

    pub fn of(stripe: &Stripe, method: Method, amount: Money, capture: CaptureWhen) -> Self {
        let id = Machine.next();
        let intent = Intent { order: format!("order-{id}").parse().unwrap(), amount, method, capture };
        let ask = Ask {
            request_id: id,
            asked_at: Machine.now(),
            payment: format!("pay-{id}").parse().unwrap(),
            intent,
            captured: Money::zero(amount.currency),
            again: false,
        };
        Self { stripe: stripe.clone(), ask }
    }

    /// The same payment with another request of its own, when so much was captured.
    pub fn next(&self, captured: i64) -> Self {
        let captured = Money::new(captured, self.ask.captured.currency);
        let ask = Ask { request_id: Machine.next(), captured, asked_at: Machine.now(), ..self.ask.clone() };
        Self { stripe: self.stripe.clone(), ask }
    }

    /// The same request once the gateway has put its answer off.
    pub fn again(&self) -> Self {
        Self { stripe: self.stripe.clone(), ask: Ask { again: true, ..self.ask.clone() } }
    }

    /// The same request as a gateway with another clock gets it.
    pub fn at(&self, stripe: &Stripe) -> Self {
        Self { stripe: stripe.clone(), ask: self.ask.clone() }
    }

    pub fn attempt(&self) -> AttemptId {
        AttemptId::from(Uuid::new_v5(&self.ask.request_id, b"attempt"))
    }

    pub async fn try_to_authorize(&self, token: &str) -> Authorized {
        self.stripe.authorize(&self.ask, &self.attempt(), &Means::once(text(token))).await.unwrap()
    }

    pub async fn authorize(&self, token: &str) -> Authorization {
        answered(self.try_to_authorize(token).await)
    }

    pub async fn look(&self, token: &str) -> Result<Authorized, GatewayError> {
        let means = Means::once(text(token));
        let known = self.stripe.given_up(&self.ask, &self.attempt(), Some(&means)).await?;
        Ok(known.unwrap())
    }

    pub async fn given_up(&self, token: &str) -> Result<Authorization, GatewayError> {
        self.look(token).await.map(answered)
    }

    /// A hold, and Stripe's name for it.
    pub async fn held(&self) -> Text {
        match self.authorize(GOOD).await {
            Authorization::Approved { reference } => reference,
            other => panic!("{other:?}"),
        }
    }

    pub async fn capture(&self, reference: &Text, amount: i64) -> Result<Settled, GatewayError> {
        let amount = Money::new(amount, self.ask.intent.amount.currency);
        self.stripe.capture(&self.ask, reference, &CaptureId::from(Machine.next()), amount).await
    }

    pub async fn void(&self, reference: &Text) -> Result<Settled, GatewayError> {
        self.stripe.void(&self.ask, reference).await
    }

    pub async fn refund(&self, reference: &Text, name: &str, amount: i64) -> Result<Settled, GatewayError> {
        let amount = Money::new(amount, self.ask.intent.amount.currency);
        self.stripe.refund(&self.ask, reference, &RefundId::new(name).unwrap(), amount).await
    }
}

fn answered(authorized: Authorized) -> Authorization {
    match authorized {
        Authorized::Answered(outcome) => outcome,
        Authorized::Pending => panic!("no answer"),
    }
}

pub fn text(text: &str) -> Text {
    Text::new(text).unwrap()
}

pub fn done() -> Settled {
    Settled::Answered(Settlement::Done)
}

pub fn failed(reason: &str) -> Settled {
    Settled::Answered(Settlement::Failed { reason: text(reason) })
}

pub fn declined(reason: &str) -> Authorization {
    Authorization::Declined { reason: text(reason) }
}

/// How often an event of that type happened to a payment.
pub async fn count(api: &Api, payment: &str, event_type: &str) -> usize {
    let events = api.events().await;
    let is =
        |event: &&serde_json::Value| event["event_type"] == event_type && event["aggregate_id"] == payment;
    events.iter().filter(is).count()
}

/// An order of two units at 250 pence each, waiting to be paid.
pub async fn order(api: &Api) -> (String, String) {
    api.stock("A", 250, 5).await;
    api.order("A", 2).await
}

pub async fn tell(api: &Api, body: &str) -> Reply {
    api.send(signed(body)).await
}
