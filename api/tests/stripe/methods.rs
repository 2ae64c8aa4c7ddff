//! How a shop that Stripe is the gateway of may be paid, and what it refuses to know.

use serde_json::json;

use crate::{
    proxy::Proxy,
    shop::{GOOD, count, shop},
    support::{buyer, fresh_key, get, post},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_way_to_pay_that_the_gateway_does_not_take_is_refused_at_the_checkout() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    api.stock("A", 250, 5).await;
    let cart = api.cart(&[("A", 2)]).await;
    let refused = api.check_out(&cart, "upi").await.expect_problem(422, "payment.method_unavailable");
    assert_eq!(refused.json()["methods"], json!(["card", "wallet", "cash_on_delivery"]));
    assert!(proxy.asked().is_empty());
    // The cart is as it was.
    let placed = api.check_out(&cart, "wallet").await.expect(201);
    let payment = placed.text_of("payment");
    api.authorize(&payment, GOOD).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cash_is_paid_at_the_door_without_anybody_asking_stripe() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    api.stock("A", 250, 5).await;
    let cart = api.cart(&[("A", 2)]).await;
    let placed = api.check_out(&cart, "cash_on_delivery").await.expect(201);
    api.until(&format!("/v1/orders/{}", placed.text_of("order")), "status", "confirmed").await;
    let payment = placed.text_of("payment");
    let capture = post(&format!("/v1/payments/{payment}/capture"), &json!({})).key(&fresh_key()).patient();
    api.send(capture).await.expect(200);
    assert_eq!(count(&api, &payment, "Captured").await, 1);
    assert!(proxy.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cards_number_gets_nowhere_and_is_told_to_nobody() {
    const CARD: &str = "4242 4242 4242 4242";
    // Random names have four such digits now and then.
    let told = |text: &str| text.contains("4242 4242") || text.contains("42424242");
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    api.stock("A", 250, 5).await;
    let (_, payment) = api.order("A", 2).await;
    let mut contact = buyer("c-1", "card");
    contact["contact"]["name"] = CARD.into();
    let path = format!("/v1/payments/{payment}");
    let line = json!({
        "key": "k", "aggregate_type": "payment", "aggregate_id": payment,
        "command": { "Authorize": { "attempt": "a-1", "token": CARD } },
    });
    let asks = [
        post(&format!("{path}/authorize"), &json!({ "token": CARD })),
        post(&format!("{path}/authorize"), &json!({ "card": { "number": CARD, "cvc": "123" } })),
        post(&format!("{path}/refund"), &json!({ "reason": CARD })),
        post(&format!("{path}/capture"), &json!({ "amount": CARD })),
        post("/v1/checkouts", &contact),
        post("/v1/carts", &json!({ "currency": CARD })),
        post("/v1/inventory/A/adjust", &json!({ "delta": 1, "reason": "found", "reference": CARD })),
        post("/v1/products", &json!({ "title": CARD, "variants": [] })),
    ];
    for ask in asks {
        let refused = api.send(ask.key(&fresh_key())).await.expect_problem(422, "payment.card_number");
        assert!(!told(&refused.text), "{}", refused.text);
    }
    let bulk = api.send(post("/v1/commands", &line)).await.expect(207);
    assert_eq!(bulk.json()["code"], "payment.card_number");
    assert!(!told(&bulk.text));
    let log = api.send(get("/v1/events?limit=2000")).await.expect(200).text;
    assert!(!told(&log));
    assert!(proxy.asked().is_empty());
}
