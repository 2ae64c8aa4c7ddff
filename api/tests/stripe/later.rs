//! What Stripe wants to answer later is looked up, since the webhook that tells of it may get lost.

use axum::http::Method;
use serde_json::json;
use store::gateway::{Authorized, Settled};

use crate::{
    proxy::{Asked, Fault, Proxy},
    shop::{Case, GOOD, declined, done, failed, stripe},
};

const WORKING: Fault = Fault::Change(|intent| intent["status"] = json!("processing"));

fn look(asked: &Asked, path: &str) -> bool {
    asked.method == Method::GET && asked.path.starts_with(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_stripe_is_working_on_is_looked_up_until_it_is_known() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    proxy.faults().once("/confirm", WORKING);
    assert_eq!(case.try_to_authorize(GOOD).await, Authorized::Pending);
    proxy.faults().choose(|asked| look(asked, "/v1/payment_intents").then_some(WORKING));
    assert_eq!(case.again().look(GOOD).await.unwrap(), Authorized::Pending);
    proxy.faults().none();
    let known = case.again().given_up(GOOD).await.unwrap();
    assert!(matches!(known, domain::payment::Authorization::Approved { .. }), "{known:?}");
    assert_eq!(proxy.posts("/confirm").len(), 1, "it is looked up, and not asked anew");

    let other = Case::new(&stripe(&proxy));
    proxy.faults().once("/confirm", WORKING);
    assert_eq!(other.try_to_authorize(GOOD).await, Authorized::Pending);
    let gone: fn(&mut serde_json::Value) = |intent| {
        intent["status"] = json!("canceled");
        intent["cancellation_reason"] = json!("automatic");
    };
    proxy.faults().choose(move |asked| look(asked, "/v1/payment_intents").then_some(Fault::Change(gone)));
    assert_eq!(other.again().given_up(GOOD).await.unwrap(), declined("automatic"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_stripe_is_working_on_is_looked_up_and_not_asked_anew() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    let held = case.held().await;
    let capture = case.next(0);
    proxy.faults().once("/capture", WORKING);
    assert_eq!(capture.capture(&held, 500).await.unwrap(), Settled::Pending);
    assert_eq!(capture.again().capture(&held, 500).await.unwrap(), done());
    let says = async |change: fn(&mut serde_json::Value)| {
        proxy
            .faults()
            .choose(move |asked| look(asked, "/v1/payment_intents").then_some(Fault::Change(change)));
        capture.again().capture(&held, 500).await.unwrap()
    };
    let untaken = says(|intent| {
        (intent["status"], intent["amount_received"]) = (json!("processing"), json!(0));
    });
    assert_eq!(untaken.await, Settled::Pending);
    let refused = says(|intent| {
        (intent["status"], intent["amount_received"]) = (json!("requires_capture"), json!(0));
        intent["last_payment_error"] = json!({ "code": "insufficient_funds" });
    });
    assert_eq!(refused.await, failed("insufficient_funds"));
    let part = says(|intent| intent["amount_received"] = json!(400));
    assert_eq!(part.await, failed("amount_mismatch"));
    assert_eq!(proxy.posts("/capture").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_decided_later_is_looked_up() {
    let proxy = Proxy::start().await;
    proxy.books().delay_refunds();
    let case = Case::new(&stripe(&proxy));
    let held = case.held().await;
    case.next(0).capture(&held, 500).await.unwrap();
    let refund = case.next(500);
    assert_eq!(refund.refund(&held, "r-1", 500).await.unwrap(), Settled::Pending);
    let pending: fn(&mut serde_json::Value) = |list| list["data"][0]["status"] = json!("pending");
    proxy.faults().choose(move |asked| look(asked, "/v1/refunds").then_some(Fault::Change(pending)));
    assert_eq!(refund.again().refund(&held, "r-1", 500).await.unwrap(), Settled::Pending);
    let failed_later: fn(&mut serde_json::Value) = |list| {
        list["data"][0]["status"] = json!("failed");
        list["data"][0]["failure_reason"] = json!("lost_or_stolen_card");
    };
    proxy.faults().choose(move |asked| look(asked, "/v1/refunds").then_some(Fault::Change(failed_later)));
    assert_eq!(refund.again().refund(&held, "r-1", 500).await.unwrap(), failed("lost_or_stolen_card"));
    proxy.faults().none();
    assert_eq!(refund.again().refund(&held, "r-1", 500).await.unwrap(), done());
    assert_eq!(proxy.posts("/v1/refunds").len(), 1);
}
