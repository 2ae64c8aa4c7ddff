//! What is asked of Stripe, and what its answers mean.

use domain::{
    payment::{Authorization, CaptureWhen, Method},
    value::{Currency, Money},
};
use serde_json::json;

use crate::{
    proxy::Proxy,
    shop::{BAD, Case, GOOD, declined, done, failed, stripe},
};

async fn at(proxy: &Proxy, reference: &str) -> serde_json::Value {
    proxy.real(&format!("/v1/payment_intents/{reference}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_held_taken_and_given_back_in_parts() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    let held = case.held().await;
    let intent = at(&proxy, held.as_str()).await;
    assert_eq!((&intent["status"], &intent["amount"]), (&json!("requires_capture"), &json!(500)));
    assert_eq!(intent["metadata"]["payment"], case.ask.payment.as_str());
    assert_eq!(intent["metadata"]["order"], case.ask.intent.order.as_str());

    assert_eq!(case.next(0).capture(&held, 300).await.unwrap(), done());
    let intent = at(&proxy, held.as_str()).await;
    assert_eq!(
        (&intent["status"], &intent["latest_charge"]["amount_refunded"]),
        (&json!("succeeded"), &json!(200))
    );
    // A capture of a part has let go of the rest.
    assert_eq!(case.next(300).void(&held).await.unwrap(), done());

    assert_eq!(case.next(300).refund(&held, "r-1", 100).await.unwrap(), done());
    assert_eq!(case.next(300).refund(&held, "r-2", 200).await.unwrap(), done());
    let intent = at(&proxy, held.as_str()).await;
    assert_eq!(intent["latest_charge"]["amount_refunded"], 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_let_go_of() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    let held = case.held().await;
    let void = case.next(0);
    assert_eq!(void.void(&held).await.unwrap(), done());
    assert_eq!(at(&proxy, held.as_str()).await["status"], "canceled");
    // Under a key that Stripe has forgotten it is still known to be done.
    proxy.forget_keys();
    assert_eq!(void.void(&held).await.unwrap(), done());
    let refused = case.next(0).capture(&held, 500).await.unwrap();
    assert_eq!(refused, failed("payment_intent_unexpected_state"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_names_its_version_its_account_and_what_it_is_known_by() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    let held = case.held().await;
    let (capture, refund) = (case.next(0), case.next(500));
    capture.capture(&held, 500).await.unwrap();
    refund.refund(&held, "r-1", 500).await.unwrap();
    let asked = proxy.asked();
    for asked in &asked {
        assert_eq!(asked.version.as_deref(), Some("2024-06-20"), "{asked:?}");
        assert_eq!(asked.authorized.as_deref(), Some("Bearer sk_test_shop"), "{asked:?}");
    }
    let keys: Vec<_> = asked.iter().map(|asked| asked.key.clone().unwrap()).collect();
    let id = case.ask.request_id.to_string();
    let expected = [
        id.clone(),
        format!("{id}-confirm"),
        capture.ask.request_id.to_string(),
        refund.ask.request_id.to_string(),
    ];
    assert_eq!(keys, expected);
    let made = &asked[0];
    assert_eq!((made.field("amount"), made.field("currency")), ("500", "gbp"));
    assert_eq!((made.field("capture_method"), made.field("payment_method")), ("manual", GOOD));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_declined_says_why_in_stripes_word() {
    let proxy = Proxy::start().await;
    let case = Case::new(&stripe(&proxy));
    assert_eq!(case.authorize(BAD).await, declined("card_declined"));
    let why = json!({ "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds" });
    proxy.faults().once("confirm", crate::proxy::Fault::Answer(402, why));
    assert_eq!(Case::new(&stripe(&proxy)).authorize(GOOD).await, declined("insufficient_funds"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_wants_the_buyer_to_prove_themselves_is_declined_and_holds_nothing() {
    let proxy = Proxy::start().await;
    let fields = [
        ("type", "card"),
        ("card[number]", "4000002500003155"),
        ("card[exp_month]", "12"),
        ("card[exp_year]", "2030"),
        ("card[cvc]", "123"),
    ];
    let method = proxy.really("/v1/payment_methods", &fields).await.body;
    let case = Case::new(&stripe(&proxy));
    assert_eq!(case.authorize(method["id"].as_str().unwrap()).await, declined("authentication_required"));
    let intents = proxy.intents_of(case.ask.intent.order.as_str()).await;
    assert_eq!((intents.len(), &intents[0]["status"]), (1, &json!("canceled")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_cannot_do_is_declined_before_anything_is_asked() {
    let proxy = Proxy::start().await;
    let stripe = stripe(&proxy);
    let upi = Case::of(&stripe, Method::Upi, Money::new(500, Currency::GBP), CaptureWhen::AtOnce);
    assert_eq!(upi.authorize(GOOD).await, declined("method_unavailable"));
    let dinars = Money::new(5_124, "KWD".parse().unwrap());
    let odd = Case::of(&stripe, Method::Card, dinars, CaptureWhen::AtOnce);
    assert_eq!(odd.authorize(GOOD).await, declined("amount_not_representable"));
    assert!(proxy.asked().is_empty());

    let wallet =
        Case::of(&stripe, Method::Wallet, Money::new(500, "JPY".parse().unwrap()), CaptureWhen::AtOnce);
    assert!(matches!(wallet.authorize(GOOD).await, Authorization::Approved { .. }));
    let made = &proxy.asked()[0];
    assert_eq!((made.field("amount"), made.field("currency")), ("500", "jpy"));
    assert_eq!(made.field("payment_method_types[]"), "card");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_takes_parts_is_captured_shipment_by_shipment() {
    let proxy = Proxy::start().await;
    proxy.books().allow_parts();
    let whole = Money::new(500, Currency::GBP);
    let case = Case::of(&stripe(&proxy), Method::Card, whole, CaptureWhen::OnShipment);
    let held = case.held().await;
    let asks = "payment_method_options[card][request_multicapture]";
    assert_eq!(proxy.asked()[0].field(asks), "if_available");
    assert_eq!(case.next(0).capture(&held, 200).await.unwrap(), done());
    assert_eq!(case.next(200).capture(&held, 300).await.unwrap(), done());
    let captures = proxy.posts("/capture");
    let said: Vec<_> = captures
        .iter()
        .map(|asked| (asked.field("amount_to_capture"), asked.field("final_capture")))
        .collect();
    assert_eq!(said, [("200", "false"), ("300", "")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_takes_no_parts_fails_the_second_capture_with_stripes_word() {
    let proxy = Proxy::start().await;
    let whole = Money::new(500, Currency::GBP);
    let case = Case::of(&stripe(&proxy), Method::Card, whole, CaptureWhen::OnShipment);
    let held = case.held().await;
    assert_eq!(case.next(0).capture(&held, 200).await.unwrap(), done());
    assert_eq!(proxy.posts("/capture")[0].field("final_capture"), "");
    assert_eq!(case.next(200).capture(&held, 300).await.unwrap(), failed("invalid_request_error"));
}
