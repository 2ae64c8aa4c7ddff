//! What the gateway may do with a payment.

use api::Settings;
use serde_json::json;
use store::testing::eventually;

use crate::support::{Api, Reply, fresh_key, gbp, post};

async fn ask(api: &Api, payment: &str, what: &str, body: serde_json::Value) -> Reply {
    let path = format!("/v1/payments/{payment}/{what}");
    api.send(post(&path, &body).key(&fresh_key()).patient()).await
}

/// A captured payment of 500 pence.
async fn captured(api: &Api, token: &str) -> String {
    api.stock("A", 250, 5).await;
    let (_, payment) = api.order("A", 2).await;
    api.authorize(&payment, token).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    payment
}

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_back_in_parts_and_never_more_than_came() {
    let api = Api::start().await;
    let payment = captured(&api, "tok_approve").await;
    let part = json!({ "amount": gbp(200), "reason": "scratched" });
    let reply = ask(&api, &payment, "refund", part).await.expect(200);
    assert_eq!(reply.text_of("status"), "refunded");
    let reply = ask(&api, &payment, "refund", json!({ "amount": gbp(301), "reason": "more" })).await;
    let reply = reply.expect_problem(409, "payment.exceeds_captured");
    assert_eq!(reply.json()["refundable"], gbp(300));
    ask(&api, &payment, "refund", json!({ "reason": "the rest" })).await.expect(200);
    let path = format!("/v1/payments/{payment}");
    let shown = api.until(&path, "status", "refunded").await;
    assert_eq!((&shown["captured"], &shown["refunded"]), (&gbp(500), &gbp(500)));
    let reply = ask(&api, &payment, "refund", json!({ "reason": "once more" })).await;
    assert_eq!(reply.expect_problem(409, "payment.exceeds_captured").json()["refundable"], gbp(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_captured_is_neither_captured_again_nor_voided() {
    let api = Api::start().await;
    let payment = captured(&api, "tok_approve").await;
    let again = ask(&api, &payment, "capture", json!({})).await.expect(200);
    assert_eq!(again.json()["events"], json!([]));
    let more = ask(&api, &payment, "capture", json!({ "amount": gbp(1) })).await;
    more.expect_problem(409, "payment.exceeds_authorized");
    ask(&api, &payment, "void", json!({})).await.expect_problem(409, "payment.already_captured");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_comes_twice_counts_once() {
    let mut api = Api::start().await;
    api.deliver_late_answers();
    let payment = captured(&api, "tok_twice").await;
    let events = api.events().await;
    let approvals = events.iter().filter(|event| event["event_type"] == "Authorized");
    assert_eq!(approvals.count(), 1);
    let refund = json!({ "amount": gbp(501), "reason": "too much" });
    ask(&api, &payment, "refund", refund).await.expect_problem(409, "payment.exceeds_captured");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_approval_is_as_good_as_a_prompt_one() {
    let mut api = Api::start().await;
    api.deliver_late_answers();
    let payment = captured(&api, "tok_late").await;
    assert!(!payment.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_gets_lost_on_its_way_is_asked_for_until_it_is_there() {
    let (api, clock) = Api::start_with_clock(Settings::default()).await;
    api.stock("A", 250, 5).await;
    let (_, payment) = api.order("A", 2).await;
    // Nobody delivers what comes late.
    let path = format!("/v1/payments/{payment}/authorize");
    let late = post(&path, &json!({ "token": "tok_late" })).key(&fresh_key()).header("prefer", "wait=0");
    api.send(late).await.expect(202);
    let count =
        async |name: &str| api.events().await.iter().filter(|event| event["event_type"] == name).count();
    eventually("the gateway has put it off", || async { (count("AnswerDeferred").await == 1).then_some(()) })
        .await;
    clock.by_s(59);
    assert_eq!(count("AnswerSought").await, 0);
    clock.by_s(1);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    assert_eq!((count("AnswerSought").await, count("Authorized").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_never_answers_leaves_the_buyer_with_a_timeout() {
    let api = Api::start_strict().await;
    api.stock("A", 250, 5).await;
    let (order, payment) = api.order("A", 2).await;
    api.authorize(&payment, "tok_timeout").await.expect_problem(409, "payment.timed_out");
    let order = api.until(&format!("/v1/orders/{order}"), "status", "cancelled").await;
    assert_eq!(order["cancel_reason"], "payment_timed_out");
    api.until_stock("A", 5, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_fails_is_told_and_may_be_asked_for_again() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (order, payment) = api.order("A", 2).await;
    api.authorize(&payment, "tok_capture_fails").await.expect(200);
    api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
    eventually("the first capture has failed", || async {
        let events = api.events().await;
        events.iter().any(|event| event["event_type"] == "CaptureFailed").then_some(())
    })
    .await;
    let reply = ask(&api, &payment, "capture", json!({})).await;
    let reply = reply.expect_problem(409, "payment.gateway_failed");
    assert_eq!(
        (&reply.json()["request"], &reply.json()["reason"]),
        (&json!("capture"), &json!("capture_fails"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_nothing_is_held_for_is_voided_at_once_and_only_once() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (_, payment) = api.order("A", 2).await;
    let reply = ask(&api, &payment, "void", json!({})).await.expect(200);
    assert_eq!((reply.text_of("status").as_str(), &reply.json()["events"]), ("voided", &json!(["Voided"])));
    let reply = ask(&api, &payment, "void", json!({})).await.expect(200);
    assert_eq!((reply.text_of("status").as_str(), &reply.json()["events"]), ("voided", &json!([])));
    api.authorize(&payment, "tok_approve").await.expect_problem(409, "payment.voided");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_follows_a_decline_is_let_go_of_again() {
    let mut api = Api::start_strict().await;
    api.stock("A", 250, 5).await;
    let (order, payment) = api.order("A", 2).await;
    let declined = api.authorize(&payment, "tok_decline_then_approve").await;
    declined.expect_problem(409, "payment.declined");
    api.until(&format!("/v1/orders/{order}"), "status", "cancelled").await;
    api.deliver_late_answers();
    eventually("the late approval is voided at the gateway", || async {
        let events = api.events().await;
        let voided = events.iter().rposition(|event| event["event_type"] == "Voided");
        let approved = events.iter().position(|event| event["event_type"] == "Authorized");
        approved.is_some_and(|approved| voided > Some(approved)).then_some(())
    })
    .await;
    api.until_stock("A", 5, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_fails_is_told_and_leaves_the_money_refundable() {
    let api = Api::start().await;
    let payment = captured(&api, "tok_refund_fails").await;
    let reply = ask(&api, &payment, "refund", json!({ "reason": "scratched" })).await;
    let reply = reply.expect_problem(409, "payment.gateway_failed");
    assert_eq!(reply.json()["request"], "refund");
    let shown = api.send(crate::support::get(&format!("/v1/payments/{payment}")).after(&reply)).await;
    assert_eq!((&shown.json()["captured"], &shown.json()["refunded"]), (&gbp(500), &gbp(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_names_a_capture_and_a_void_lets_go_of_the_rest() {
    let api = Api::start().await;
    let payment = "by-hand";
    let open = domain::payment::Command::OpenIntent {
        order: "o-1".parse().unwrap(),
        amount: domain::value::Money::new(500, domain::value::Currency::GBP),
        method: domain::payment::Method::Wallet,
        capture: domain::payment::CaptureWhen::OnShipment,
    };
    api.engine.executor.execute(store::testing::request(payment, open)).await.unwrap();
    api.authorize(payment, "tok_approve").await.expect(200);
    let part = post("/v1/payments/by-hand/capture", &json!({ "amount": gbp(200) })).key("first").patient();
    let first = api.send(part).await.expect(200);
    assert_eq!(first.json()["events"], json!(["CaptureRequested", "Captured"]));
    ask(&api, payment, "capture", json!({ "amount": gbp(100) })).await.expect(200);
    let more = ask(&api, payment, "capture", json!({ "amount": gbp(201) })).await;
    more.expect_problem(409, "payment.exceeds_authorized");

    let voided = ask(&api, payment, "void", json!({})).await.expect(200);
    assert_eq!(voided.text_of("status"), "voided");
    ask(&api, payment, "capture", json!({})).await.expect_problem(409, "payment.voided");
    let refunded = ask(&api, payment, "refund", json!({ "reason": "scratched" })).await.expect(200);
    let shown = api.send(crate::support::get("/v1/payments/by-hand").after(&refunded)).await.json();
    assert_eq!((&shown["status"], &shown["captured"]), (&json!("refunded"), &gbp(300)));
    assert_eq!((&shown["refunded"], &shown["released"]), (&gbp(300), &gbp(200)));
}
