//! Holds that nobody answered for: found, and used or let go of.

use std::sync::{Arc, Mutex};

use api::Settings;
use axum::http::Method;
use domain::payment::Authorization;
use serde_json::json;
use store::testing::eventually;
use tokio::sync::Notify;

use crate::{
    proxy::{Fault, Proxy},
    shop::{Case, GOOD, count, declined, order, shop, shop_with, stripe},
    support::gbp,
};

/// Confirmations are done, and nobody hears of it.
fn unheard(proxy: &Proxy) {
    proxy.faults().choose(|asked| asked.is("confirm").then(|| Fault::Hold(Arc::new(Notify::new()))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_whose_answer_never_came_is_found_and_let_go_of() {
    let proxy = Proxy::start().await;
    let api = shop_with(&proxy, Settings { payment_attempts_max: 1, ..Settings::default() }).await;
    let (order, payment) = order(&api).await;
    unheard(&proxy);
    api.authorize(&payment, GOOD).await.expect_problem(409, "payment.timed_out");
    eventually("the hold is let go of at Stripe", || async {
        let intents = proxy.intents_of(&order).await;
        (intents.len() == 1 && intents[0]["status"] == "canceled").then_some(())
    })
    .await;
    api.until(&format!("/v1/orders/{order}"), "status", "cancelled").await;
    eventually("the log knows", || async { (count(&api, &payment, "Voided").await > 0).then_some(()) }).await;
    assert_eq!(count(&api, &payment, "Authorized").await, 1);
    assert_eq!(count(&api, &payment, "Captured").await, 0);
    api.until_stock("A", 5, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_whose_answer_never_came_pays_an_order_that_still_waits_for_it() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (order, payment) = order(&api).await;
    unheard(&proxy);
    api.authorize(&payment, GOOD).await.expect_problem(409, "payment.timed_out");
    let paid = api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    assert_eq!(paid["captured"], gbp(500));
    let intents = proxy.intents_of(&order).await;
    assert_eq!((intents.len(), &intents[0]["status"]), (1, &json!("succeeded")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_who_pays_again_after_a_timeout_is_charged_once() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (order, payment) = order(&api).await;
    // What became of the first is not found out before the second is there.
    let first = Mutex::new(None);
    proxy.faults().choose(move |asked| {
        if asked.is("confirm") {
            let unheard = *first.lock().unwrap().get_or_insert_with(|| asked.path.clone()) == asked.path;
            return unheard.then(|| Fault::Hold(Arc::new(Notify::new())));
        }
        (asked.method == Method::GET).then_some(Fault::Refuse(500))
    });
    api.authorize(&payment, GOOD).await.expect_problem(409, "payment.timed_out");
    api.authorize(&payment, GOOD).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    proxy.faults().none();
    eventually("one is charged, the other is let go of", || async {
        let intents = proxy.intents_of(&order).await;
        let of = |status: &str| intents.iter().filter(|intent| intent["status"] == status).count();
        (of("succeeded") == 1 && of("canceled") == 1).then_some(())
    })
    .await;
    assert_eq!(count(&api, &payment, "Captured").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_held_is_closed_so_that_it_never_will_be() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    proxy.faults().choose(|asked| asked.is("confirm").then_some(Fault::Refuse(500)));
    assert_eq!(case.authorize(GOOD).await, Authorization::TimedOut);
    let made = proxy.posts("/v1/payment_intents").len();
    assert!(matches!(case.given_up(GOOD).await.unwrap(), Authorization::Declined { .. }));
    let intents = proxy.intents_of(case.ask.intent.order.as_str()).await;
    assert_eq!((intents.len(), &intents[0]["status"]), (1, &json!("canceled")));
    assert_eq!(proxy.posts("/v1/payment_intents").len(), made + 1, "the same is made again, under its key");
    proxy.faults().none();
    // The confirmation was on its way all the time: it comes too late.
    let id = intents[0]["id"].as_str().unwrap();
    assert_eq!(proxy.really(&format!("/v1/payment_intents/{id}/confirm"), &[]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_that_cannot_be_asked_leaves_it_open_what_became_of_a_hold() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    unheard(&proxy);
    assert_eq!(case.authorize(GOOD).await, Authorization::TimedOut);
    let why = json!({ "type": "invalid_request_error" });
    proxy.faults().once("/v1/payment_intents", Fault::Answer(401, why));
    case.given_up(GOOD).await.unwrap_err();
    assert!(matches!(case.given_up(GOOD).await.unwrap(), Authorization::Approved { .. }));
    proxy.faults().none();
    let declined_card = Case::new(&stripe(&proxy));
    assert_eq!(declined_card.authorize(crate::shop::BAD).await, declined("card_declined"));
    assert!(matches!(
        declined_card.given_up(crate::shop::BAD).await.unwrap(),
        Authorization::Declined { .. }
    ));
}
