//! Orders that are paid, shipped, cancelled and given back through Stripe, from end to end.

use serde_json::json;
use store::testing::eventually;

use crate::{
    proxy::{Fault, Proxy},
    shop::{GOOD, count, metric, order, shop},
    support::gbp,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_and_given_back_through_stripe() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (order, payment) = order(&api).await;
    let paid = api.authorize(&payment, GOOD).await.expect(200);
    assert_eq!(paid.text_of("status"), "authorized");
    api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    api.cancel(&order).await.expect(200);
    let shown = api.until(&format!("/v1/payments/{payment}"), "status", "refunded").await;
    assert_eq!(shown["refunded"], gbp(500));
    let intents = proxy.intents_of(&order).await;
    assert_eq!(intents.len(), 1);
    assert_eq!(
        (&intents[0]["status"], &intents[0]["latest_charge"]["amount_refunded"]),
        (&json!("succeeded"), &json!(500))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_stripe_fails_for_a_while_is_made_in_the_end_and_once() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (order, payment) = order(&api).await;
    let failed = std::sync::atomic::AtomicU32::new(0);
    proxy.faults().choose(move |asked| {
        let fails = asked.is("capture") && failed.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 6;
        fails.then_some(Fault::Cut)
    });
    api.authorize(&payment, GOOD).await.expect(200);
    eventually("it is captured", || async { (count(&api, &payment, "Captured").await == 1).then_some(()) })
        .await;
    assert_eq!(proxy.posts("capture").iter().filter(|asked| asked.forwarded).count(), 1);
    assert_eq!(proxy.intents_of(&order).await[0]["status"], "succeeded");
    let failures = metric(&api, "daybook_gateway_calls_total{outcome=\"failed\"}").await;
    assert_ne!(failures, "0");
    assert_eq!(metric(&api, "daybook_gateway_breaker{group=\"settle\"}").await, "0");
}
