//! Text messages to buyers, through a provider that takes JSON over HTTP.

use std::sync::{Arc, Mutex};

use api::outbound::{OutboundSettings, errands::Backoff, sms::SmsSettings};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::{Value, json};
use store::testing::eventually;
use tokio::net::TcpListener;

use super::receivers::patient;
use crate::support::{Api, buyer, fresh_key, get, post as ask};

/// Somebody who takes text messages, and how they answer.
#[derive(Clone)]
struct Provider {
    got: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    answer: Arc<Mutex<StatusCode>>,
    url: String,
}

async fn take(State(provider): State<Provider>, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let answer = *provider.answer.lock().unwrap();
    if answer.is_success() {
        provider.got.lock().unwrap().push((headers, body));
    }
    answer
}

impl Provider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/send", listener.local_addr().unwrap());
        let provider = Self { got: Arc::default(), answer: Arc::new(Mutex::new(StatusCode::ACCEPTED)), url };
        let router = Router::new().route("/send", post(take)).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    fn answers(&self, status: StatusCode) {
        *self.answer.lock().unwrap() = status;
    }

    fn got(&self) -> Vec<(HeaderMap, Value)> {
        self.got.lock().unwrap().clone()
    }

    fn settings(&self, backoff: Backoff) -> OutboundSettings {
        let template =
            json!({ "from": "shop", "messages": [{ "to": "{to}", "body": "{text}", "ref": "{id}" }] });
        let Value::Object(template) = template else { panic!("an object") };
        let sms = SmsSettings {
            url: self.url.parse().unwrap(),
            token: Some("token-1".into()),
            template,
            shop_name: "The Shop".into(),
            backoff,
        };
        OutboundSettings { sms: Some(sms), ..OutboundSettings::default() }
    }
}

/// Somebody's order, shipped.
async fn shipped(api: &Api, contact: Value) -> (String, String) {
    let cart = api.cart(&[("MUG", 1)]).await;
    let mut body = buyer(&cart, "card");
    body["contact"] = contact;
    let reply = api.send(ask("/v1/checkouts", &body).key(&fresh_key()).patient()).await.expect(201);
    api.authorize(&reply.text_of("payment"), "tok_approve").await.expect(200);
    let order = reply.text_of("order");
    api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
    let body = json!({ "carrier": "DHL", "tracking": "D1", "lines": [{ "line": 0, "quantity": 1 }] });
    let path = format!("/v1/orders/{order}/shipments");
    let shipment = api.send(ask(&path, &body).key(&fresh_key())).await.expect(201).text_of("id");
    (order, shipment)
}

fn with_phone() -> Value {
    json!({ "name": "Ada", "email": "ada@example.com", "phone": "+44 20 7946 0000" })
}

async fn texts(api: &Api, state: &str) -> Vec<Value> {
    let reply = api.send(get(&format!("/v1/notices?channel=sms&state={state}"))).await.expect(200);
    reply.json()["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_who_gave_a_number_hears_when_the_parcel_leaves_and_arrives() {
    let provider = Provider::start().await;
    let api = Api::start_telling(provider.settings(patient())).await;
    api.stock("MUG", 1_250, 10).await;
    provider.answers(StatusCode::TOO_MANY_REQUESTS);
    let (order, shipment) = shipped(&api, with_phone()).await;
    eventually("it was refused for now", || async {
        texts(&api, "waiting").await.first().filter(|text| text["reason"] == "it answered 429").cloned()
    })
    .await;
    provider.answers(StatusCode::ACCEPTED);
    eventually("the first is taken", || async { (provider.got().len() == 1).then_some(()) }).await;
    let (headers, body) = provider.got().remove(0);
    assert_eq!(headers["authorization"], "Bearer token-1");
    let message = &body["messages"][0];
    assert_eq!((&body["from"], &message["to"]), (&json!("shop"), &json!("+44 20 7946 0000")));
    let expected =
        format!("The Shop: a parcel of your order {order} is on its way with DHL, tracking number D1.");
    assert_eq!(message["body"], json!(expected));
    let sent = eventually("it is done", || async { texts(&api, "done").await.first().cloned() }).await;
    assert_eq!(
        (&message["ref"], headers["idempotency-key"].to_str().unwrap()),
        (&sent["id"], sent["id"].as_str().unwrap())
    );
    let path = format!("/v1/orders/{order}/shipments/{shipment}/deliver");
    api.send(ask(&path, &json!({}))).await.expect(200);
    eventually("the second is taken", || async { (provider.got().len() == 2).then_some(()) }).await;
    let arrived = provider.got()[1].1["messages"][0]["body"].clone();
    assert_eq!(arrived, json!(format!("The Shop: a parcel of your order {order} has arrived.")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gave_no_number_gets_no_text_and_what_a_provider_refuses_for_good_is_given_up() {
    let provider = Provider::start().await;
    let api = Api::start_telling(provider.settings(patient())).await;
    api.stock("MUG", 1_250, 10).await;
    shipped(&api, json!({ "name": "Ada", "email": "ada@example.com" })).await;
    let void = eventually("it is let go of", || async { texts(&api, "void").await.first().cloned() }).await;
    assert_eq!(void["reason"], "no telephone number was given");
    provider.answers(StatusCode::UNPROCESSABLE_ENTITY);
    shipped(&api, with_phone()).await;
    let dead = eventually("it is given up", || async { texts(&api, "dead").await.first().cloned() }).await;
    assert_eq!((&dead["reason"], &dead["attempts"]), (&json!("it answered 422"), &json!(1)));
    assert!(provider.got().is_empty());
}
