//! A PaymentIntent that is for something else than was asked counts for nothing, is closed, and rings.

use axum::http::Method;
use domain::payment::Authorization;
use serde_json::{Value, json};

use crate::{
    proxy::{Fault, Proxy},
    shop::{Case, GOOD, count, declined, event, failed, metric, order, shop, stripe, tell},
};

const MISMATCHES: &str = "daybook_gateway_mismatches_total";

/// What is said of another amount, of another currency, and of a hold of a part.
const OTHERS: [fn(&mut Value); 4] = [
    |intent| intent["amount"] = json!(50_000),
    |intent| intent["currency"] = json!("usd"),
    |intent| intent["amount_capturable"] = json!(1),
    |intent| intent["amount"] = Value::Null,
];

async fn left(proxy: &Proxy, case: &Case) -> Vec<Value> {
    let intents = proxy.intents_of(case.ask.intent.order.as_str()).await;
    intents.into_iter().map(|intent| intent["status"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_of_something_else_is_none_and_is_let_go_of() {
    let proxy = Proxy::start().await;
    for (nth, other) in OTHERS.into_iter().enumerate() {
        let stripe = stripe(&proxy);
        let case = Case::new(&stripe);
        proxy.faults().once("/confirm", Fault::Change(other));
        assert_eq!(case.authorize(GOOD).await, declined("amount_mismatch"), "{nth}");
        assert_eq!(left(&proxy, &case).await, ["canceled"]);
        assert_eq!(stripe.tally().mismatches(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_for_something_else_is_not_even_confirmed() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    proxy.faults().once("/v1/payment_intents", Fault::Change(OTHERS[1]));
    assert_eq!(case.authorize(GOOD).await, declined("amount_mismatch"));
    assert!(proxy.posts("/confirm").is_empty());
    assert_eq!(left(&proxy, &case).await, ["canceled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_closed_at_once_is_found_out_and_closed_afterwards() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    proxy.faults().once("/confirm", Fault::Change(OTHERS[0]));
    proxy.faults().once("/cancel", Fault::Answer(400, json!({ "type": "invalid_request_error" })));
    assert_eq!(case.authorize(GOOD).await, Authorization::TimedOut);
    proxy.faults().choose(|asked| (asked.method == Method::GET).then_some(Fault::Change(OTHERS[0])));
    assert_eq!(case.given_up(GOOD).await.unwrap(), declined("amount_mismatch"));
    assert_eq!(left(&proxy, &case).await, ["canceled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_of_something_else_is_none() {
    let proxy = Proxy::start().await;
    let others: [fn(&mut Value); 2] =
        [|intent| intent["amount_received"] = json!(499), |intent| intent["currency"] = json!("usd")];
    for other in others {
        let case = Case::new(&stripe(&proxy));
        let held = case.held().await;
        proxy.faults().once("/capture", Fault::Change(other));
        assert_eq!(case.next(0).capture(&held, 500).await.unwrap(), failed("amount_mismatch"));
        assert_eq!(case.stripe.tally().mismatches(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_not_paid_by_another_amount_and_somebody_is_told() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (_, payment) = order(&api).await;
    assert_eq!(metric(&api, MISMATCHES).await, "0");
    proxy.faults().once("/confirm", Fault::Change(OTHERS[0]));
    let refused = api.authorize(&payment, GOOD).await.expect_problem(409, "payment.declined");
    assert_eq!(refused.json()["reason"], "amount_mismatch");
    assert_eq!(metric(&api, MISMATCHES).await, "1");
    assert_eq!((count(&api, &payment, "Declined").await, count(&api, &payment, "Authorized").await), (1, 0));
    // Another card is another PaymentIntent.
    api.authorize(&payment, GOOD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_about_another_amount_is_not_believed() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (order, payment) = order(&api).await;
    proxy.faults().once("/confirm", Fault::Change(|intent| intent["status"] = json!("processing")));
    let path = format!("/v1/payments/{payment}/authorize");
    let ask = crate::support::post(&path, &json!({ "token": GOOD })).key("once").header("prefer", "wait=0");
    api.send(ask).await.expect(202);
    let intent = store::testing::eventually("it is held at Stripe", || async {
        let intents = proxy.intents_of(&order).await;
        intents.into_iter().find(|intent| intent["status"] == "requires_capture")
    })
    .await;
    let told = event("payment_intent.amount_capturable_updated", intent);
    proxy.faults().choose(|asked| (asked.method == Method::GET).then_some(Fault::Change(OTHERS[0])));
    tell(&api, &told).await.expect(200);
    assert_eq!(metric(&api, "daybook_webhooks_total{outcome=\"unexplained\"}").await, "1");
    assert_eq!(count(&api, &payment, "Authorized").await, 0);
    proxy.faults().none();
    tell(&api, &told).await.expect(200);
    assert_eq!(count(&api, &payment, "Authorized").await, 1);
}
