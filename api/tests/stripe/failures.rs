//! Calls that fail on the way: repeated where that is safe, given up where it is not, and held back when nobody answers.

use std::sync::Arc;

use api::outbound::stripe::{
    breaker::{Limits, Standing},
    tally::Call,
};
use domain::payment::Authorization;
use serde_json::json;
use store::{ports::Machine, testing::eventually};

use crate::{
    proxy::{Fault, Proxy},
    shop::{Ahead, Case, GOOD, declined, done, failed, stripe, stripe_with},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_or_not_heard_of_is_asked_again_under_the_same_key() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    for fault in [Fault::Refuse(409), Fault::Refuse(429), Fault::Cut] {
        proxy.faults().once("confirm", fault);
    }
    let held = case.held().await;
    for fault in [Fault::Refuse(500), Fault::Cut] {
        proxy.faults().once("capture", fault);
    }
    assert_eq!(case.next(0).capture(&held, 500).await.unwrap(), done());
    for (end, times) in [("confirm", 4), ("capture", 3)] {
        let asked = proxy.posts(end);
        assert_eq!(asked.len(), times, "{asked:?}");
        assert!(asked.iter().all(|asked| asked.key == asked_first(&proxy, end)));
        assert_eq!(asked.iter().filter(|asked| asked.forwarded).count(), 1, "done once");
    }
}

fn asked_first(proxy: &Proxy, end: &str) -> Option<String> {
    proxy.posts(end)[0].key.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_more_than_four_times_in_a_row() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    let held = case.held().await;
    proxy.faults().choose(|asked| asked.is("cancel").then_some(Fault::Refuse(503)));
    case.next(0).void(&held).await.unwrap_err();
    assert_eq!(proxy.posts("cancel").len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_will_never_do_fails_with_its_word_and_is_not_asked_again() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    let held = case.held().await;
    let why = json!({ "type": "invalid_request_error", "code": "amount_too_small" });
    proxy.faults().once("capture", Fault::Answer(400, why.clone()));
    assert_eq!(case.next(0).capture(&held, 500).await.unwrap(), failed("amount_too_small"));
    assert_eq!(proxy.posts("capture").len(), 1);
    proxy.faults().once("/v1/payment_intents", Fault::Answer(400, why));
    assert_eq!(Case::new(&stripe(&proxy)).authorize(GOOD).await, declined("amount_too_small"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_stripe_does_not_take_fails_nothing_for_good() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    let held = case.held().await;
    proxy.faults().once("capture", Fault::Answer(401, json!({ "type": "invalid_request_error" })));
    let capture = case.next(0);
    let error = capture.capture(&held, 500).await.unwrap_err().to_string();
    assert!(!error.contains("sk_test"), "{error}");
    assert_eq!(capture.capture(&held, 500).await.unwrap(), done());
    proxy.faults().once("/v1/payment_intents", Fault::Answer(401, json!({})));
    assert_eq!(Case::new(&stripe(&proxy)).authorize(GOOD).await, declined("gateway_unavailable"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_stripe_keeps_under_the_key_is_gone_around() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    let held = case.held().await;
    // Done, but the kept answer says otherwise: it is seen by looking.
    proxy.faults().once("capture", Fault::Keep(500));
    assert_eq!(case.next(0).capture(&held, 500).await.unwrap(), done());
    assert_eq!(proxy.posts("capture").iter().filter(|asked| asked.forwarded).count(), 1);
    proxy.faults().once("refunds", Fault::Keep(500));
    assert_eq!(case.next(500).refund(&held, "r-1", 200).await.unwrap(), done());
    let intent = proxy.real(&format!("/v1/payment_intents/{held}")).await;
    assert_eq!(intent["latest_charge"]["amount_refunded"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_before_stripe_forgot_its_keys_is_not_done_twice() {
    const DAY_MS: i64 = 25 * 60 * 60 * 1_000;
    let proxy = Proxy::start().await;
    let later = stripe_with(&proxy, Limits::default(), Arc::new(Ahead(DAY_MS)));
    let case = Case::new(&stripe(&proxy));
    let held = case.held().await;
    let capture = case.next(0);
    capture.capture(&held, 500).await.unwrap();
    let refund = case.next(500);
    refund.refund(&held, "r-1", 200).await.unwrap();

    proxy.forget_keys();
    assert_eq!(capture.at(&later).capture(&held, 500).await.unwrap(), done());
    assert_eq!(refund.at(&later).refund(&held, "r-1", 200).await.unwrap(), done());
    assert_eq!((proxy.posts("capture").len(), proxy.posts("refunds").len()), (1, 1));
    // Whoever waited a day for an answer has gone; what it holds is found by the attempt.
    assert_eq!(case.at(&later).authorize(GOOD).await, Authorization::TimedOut);
    let found = case.at(&later).given_up(GOOD).await.unwrap();
    assert_eq!(found, Authorization::Approved { reference: held });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_that_does_not_answer_is_left_alone_and_tried_again() {
    let proxy = Proxy::start().await;
    let limits = Limits { failures: 4, open_us: 300_000, ..Limits::default() };
    let stripe = stripe_with(&proxy, limits, Arc::new(Machine));
    let case = Case::new(&stripe);
    let held = case.held().await;
    proxy.faults().choose(|asked| asked.is("cancel").then_some(Fault::Refuse(500)));
    let void = case.next(0);
    void.void(&held).await.unwrap_err();
    let settle = || stripe.standings().into_iter().find(|(group, _)| *group == "settle").unwrap().1;
    assert_eq!(settle(), Standing::Open);
    let asked = proxy.posts("cancel").len();
    void.void(&held).await.unwrap_err();
    assert_eq!(
        (proxy.posts("cancel").len(), stripe.tally().calls(Call::Held)),
        (asked, 1),
        "nothing goes out"
    );
    // Other groups go on.
    case.next(0).held().await;

    proxy.faults().none();
    eventually("it is tried again", || async { void.void(&held).await.ok() }).await;
    assert_eq!(settle(), Standing::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorization_is_not_kept_waiting_for_a_stripe_that_does_not_answer() {
    let proxy = Proxy::start().await;
    let stripe = stripe_with(&proxy, Limits { failures: 3, ..Limits::default() }, Arc::new(Machine));
    proxy.faults().choose(|asked| asked.is("/v1/payment_intents").then_some(Fault::Refuse(500)));
    assert_eq!(Case::new(&stripe).authorize(GOOD).await, Authorization::TimedOut);
    let asked = proxy.asked().len();
    assert_eq!(Case::new(&stripe).authorize(GOOD).await, Authorization::TimedOut);
    assert_eq!(proxy.asked().len(), asked, "nothing goes out");
}
