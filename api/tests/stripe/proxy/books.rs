//! What Stripe documents of its objects and localstripe lacks: amounts taken, captures in parts, search, and the events of
//! what happens.

use std::{collections::HashMap, sync::Mutex};

use axum::{body::Bytes, http::Method};
use serde_json::{Value, json};

use super::{Answered, Asked, Inner};

/// Whether localstripe does not know a field that Stripe does.
pub fn is_lacking(name: &str) -> bool {
    ["final_capture", "setup_future_usage"].contains(&name)
}

/// What was taken of each PaymentIntent.
#[derive(Default)]
pub struct Books {
    received: Mutex<HashMap<String, i64>>,
    parts: Mutex<bool>,
    pending_refunds: Mutex<bool>,
    /// PaymentMethods that are attached to a Customer once their PaymentIntent is confirmed.
    to_keep: Mutex<HashMap<String, (String, String)>>,
}

impl Books {
    /// Lets every card take captures in parts, as Stripe does for those that ask for it where it is enabled.
    pub fn allow_parts(&self) {
        *self.parts.lock().unwrap() = true;
    }

    /// Lets refunds be decided later, as those to bank accounts are.
    pub fn delay_refunds(&self) {
        *self.pending_refunds.lock().unwrap() = true;
    }

    /// Somebody takes so much at Stripe by hand.
    pub fn take_by_hand(&self, intent: &str, amount: i64) {
        self.received.lock().unwrap().insert(intent.to_owned(), amount);
    }

    /// Answers what localstripe cannot.
    pub(super) async fn instead(&self, inner: &Inner, asked: &Asked) -> Option<Answered> {
        if asked.path == "/v1/payment_intents/search" {
            let wanted = asked.field("query").split('\'').nth(3)?.to_owned();
            let all = inner.ask(Method::GET, "/v1/payment_intents?limit=100000", Bytes::new()).await.body;
            let found =
                all["data"].as_array()?.iter().filter(|intent| intent["metadata"]["attempt"] == wanted);
            let data: Vec<_> = found.cloned().collect();
            return Some(Answered { status: 200, body: json!({ "object": "search_result", "data": data }) });
        }
        if !asked.is("/capture") {
            return None;
        }
        let id = intent_of(&asked.path);
        let mut answer = inner.ask(Method::GET, &format!("/v1/payment_intents/{id}"), Bytes::new()).await;
        if answer.body["status"] == "canceled" {
            // localstripe would charge what was let go of.
            let code = "payment_intent_unexpected_state";
            let error =
                json!({ "type": "invalid_request_error", "code": code, "payment_intent": answer.body });
            return Some(Answered { status: 400, body: json!({ "error": error }) });
        }
        if asked.field("final_capture") == "false" {
            self.take(&id, asked.field("amount_to_capture").parse().ok()?);
            self.complete(&mut answer.body);
            return Some(answer);
        }
        None
    }

    /// Adds what an answer of Stripe's would hold.
    pub(super) fn completed(&self, asked: &Asked, answer: &mut Answered) {
        if answer.status == 200 && asked.is("/capture") {
            let id = intent_of(&asked.path);
            let amount = asked.field("amount_to_capture").parse().unwrap();
            self.take(&id, amount);
        }
        if answer.body["object"] == "refund" && *self.pending_refunds.lock().unwrap() {
            answer.body["status"] = "pending".into();
        }
        self.complete(&mut answer.body);
    }

    /// Attaches what was paid with, as Stripe does for `setup_future_usage`.
    pub(super) async fn attached(&self, inner: &Inner, asked: &Asked, answer: &Answered) {
        if answer.status != 200 {
            return;
        }
        if !asked.field("setup_future_usage").is_empty() {
            let (method, customer) = (asked.field("payment_method"), asked.field("customer"));
            let id = answer.body["id"].as_str().unwrap().to_owned();
            self.to_keep.lock().unwrap().insert(id, (method.to_owned(), customer.to_owned()));
        }
        let kept = self.to_keep.lock().unwrap().get(&intent_of(&asked.path)).cloned();
        if let Some((method, customer)) = kept.filter(|_| asked.is("/confirm")) {
            let path = format!("/v1/payment_methods/{method}/attach");
            let attached = inner.ask(Method::POST, &path, format!("customer={customer}").into()).await;
            assert_eq!(attached.status, 200, "{attached:?}");
        }
    }

    fn take(&self, id: &str, amount: i64) {
        *self.received.lock().unwrap().entry(id.to_owned()).or_default() += amount;
    }

    fn complete(&self, object: &mut Value) {
        if object["object"] != "payment_intent" {
            return;
        }
        let id = object["id"].as_str().unwrap_or_default();
        let received = self.received.lock().unwrap().get(id).copied().unwrap_or_default();
        let amount = object["amount"].as_i64().unwrap_or_default();
        object["amount_received"] = received.into();
        let open = object["status"] == "requires_capture";
        object["amount_capturable"] = if open { amount - received } else { 0 }.into();
        if *self.parts.lock().unwrap() && object["latest_charge"].is_object() {
            object["latest_charge"]["payment_method_details"] =
                json!({ "card": { "multicapture": { "status": "available" } } });
        }
    }

    /// What Stripe would tell of a request that was done.
    pub(super) async fn events(
        &self,
        inner: &Inner,
        asked: &Asked,
        answer: &Answered,
    ) -> Vec<(&'static str, Value)> {
        let done = answer.status == 200;
        if asked.is("/v1/refunds") && done {
            let charge = inner.ask(Method::GET, &charge_of(&answer.body), Bytes::new()).await.body;
            return vec![
                ("refund.updated", answer.body.clone()),
                ("charge.refunded", with_intent(charge, asked)),
            ];
        }
        let kind = match (asked.path.rsplit('/').next(), done) {
            (Some("confirm"), true) => "payment_intent.amount_capturable_updated",
            (Some("confirm"), false) => "payment_intent.payment_failed",
            (Some("capture"), true) => "payment_intent.succeeded",
            (Some("cancel"), true) => "payment_intent.canceled",
            _ => return vec![],
        };
        let id = intent_of(&asked.path);
        let mut object =
            inner.ask(Method::GET, &format!("/v1/payment_intents/{id}"), Bytes::new()).await.body;
        self.complete(&mut object);
        vec![(kind, object)]
    }
}

fn intent_of(path: &str) -> String {
    path.split('/').nth(3).unwrap_or_default().to_owned()
}

fn charge_of(refund: &Value) -> String {
    format!("/v1/charges/{}", refund["charge"].as_str().unwrap_or_default())
}

fn with_intent(mut charge: Value, asked: &Asked) -> Value {
    charge["payment_intent"] = asked.field("payment_intent").into();
    charge
}
