//! What Stripe tells by itself: believed when it is signed, counted when it means nothing, and never believed twice.

use api::ingress::listener;
use axum::http::StatusCode;
use serde_json::{Value, json};
use store::{
    ports::{Clock as _, Ids as _, Machine},
    testing::eventually,
};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    proxy::Proxy,
    shop::{BAD, GOOD, SECRET, count, event, metric, order, shop, signed, signed_at, tell, webhook},
    support::Api,
};

fn now_s() -> i64 {
    Machine.now().millis() / 1_000
}

async fn counted(api: &Api, outcome: &str) -> String {
    metric(api, &format!("daybook_webhooks_total{{outcome=\"{outcome}\"}}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_lately_is_believed() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let body = event("customer.created", json!({ "id": "cus_1" }));
    api.send(signed(&body)).await.expect(200);
    api.send(signed_at(&body, now_s() - 290, SECRET)).await.expect(200);
    let disbelieved = [
        webhook(&body),
        webhook(&body).header("stripe-signature", "t=1,v1=00"),
        signed_at(&body, now_s() - 310, SECRET),
        signed_at(&body, now_s() + 310, SECRET),
        signed_at(&body, now_s(), "whsec_of_somebody_else"),
    ];
    for ask in disbelieved {
        api.send(ask).await.expect_problem(400, "webhook.bad_signature");
    }
    assert_eq!(
        (counted(&api, "ignored").await.as_str(), counted(&api, "unsigned").await.as_str()),
        ("2", "5")
    );
    api.send(signed("{}")).await.expect_problem(400, "request.malformed");
    let long = event("customer.created", json!({ "id": "x".repeat(300_000) }));
    api.send(signed(&long)).await.expect_problem(413, "request.too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_without_stripe_hears_no_webhooks() {
    let api = Api::start().await;
    api.send(signed("{}")).await.expect_problem(404, "route.unknown");
    assert_eq!(counted(&api, "ignored").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_of_others_are_passed_over() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let told = [
        json!({ "id": "pi_1", "status": "succeeded", "metadata": {} }),
        json!({ "id": "pi_1", "status": "succeeded", "metadata": { "payment": "p-9", "attempt": "a-9" } }),
        json!({ "id": "pi_1", "status": "a_new_one", "metadata": { "payment": "p-9", "attempt": "a-9" } }),
    ];
    for object in told {
        tell(&api, &event("payment_intent.succeeded", object)).await.expect(200);
    }
    assert_eq!(counted(&api, "unknown").await, "3");
    assert!(api.events().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_localstripe_signs_itself_is_believed() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/webhooks/stripe", listener.local_addr().unwrap());
    let (_running, stop) = watch::channel(false);
    tokio::spawn(listener::serve(listener, api.front.clone(), None, stop));
    let fields = [("url", url.as_str()), ("secret", SECRET)];
    let id = Machine.next().simple();
    assert_eq!(proxy.really(&format!("/_config/webhooks/{id}"), &fields).await.status, 200);
    let (_, payment) = order(&api).await;
    api.authorize(&payment, GOOD).await.expect(200);
    eventually("localstripe's own webhook is taken", || async {
        counted(&api, "taken").await.parse::<u32>().ok().filter(|taken| *taken > 0)
    })
    .await;
    assert_eq!(counted(&api, "unsigned").await, "0");
}

/// Lets the answers of such a path come after what its webhooks told.
fn second(proxy: &Proxy, end: &'static str) {
    proxy.faults().second(move |asked| asked.is(end));
}

/// Delivers each webhook three times, as soon as it is there.
fn deliver(proxy: &Proxy, api: &Api) {
    let (mut webhooks, front) = (proxy.webhooks(), api.front.clone());
    tokio::spawn(async move {
        while let Some(told) = webhooks.recv().await {
            for _ in 0..3 {
                let request = signed(&told.body).into_request();
                let response = front.answer(request).await;
                assert_eq!(response.status(), StatusCode::OK, "{}", told.body);
            }
            drop(told.delivered);
        }
    });
}

async fn once(api: &Api, payment: &str, types: &[&str]) {
    for event_type in types {
        assert_eq!(count(api, payment, event_type).await, 1, "{event_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_that_come_before_our_own_answers_tell_the_same() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (_, payment) = order(&api).await;
    proxy.faults().second(|_| true);
    deliver(&proxy, &api);
    api.authorize(&payment, GOOD).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    once(&api, &payment, &["Authorized", "CaptureRequested", "Captured"]).await;
    let path = format!("/v1/payments/{payment}/refund");
    let refund = crate::support::post(&path, &json!({ "reason": "scratched" }));
    api.send(refund.key("r").patient()).await.expect(200);
    once(&api, &payment, &["RefundRequested", "Refunded"]).await;
    assert_eq!(counted(&api, "unexplained").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_and_a_void_that_are_told_first_are_the_only_ones() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (order, payment) = order(&api).await;
    second(&proxy, "confirm");
    deliver(&proxy, &api);
    api.authorize(&payment, BAD).await.expect_problem(409, "payment.declined");
    once(&api, &payment, &["Declined"]).await;
    proxy.faults().second(|asked| asked.is("cancel"));
    api.authorize(&payment, GOOD).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    once(&api, &payment, &["Captured"]).await;
    api.cancel(&order).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "refunded").await;
    once(&api, &payment, &["Refunded"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_stripe_decides_later_is_told_by_its_webhook() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (_, payment) = order(&api).await;
    api.authorize(&payment, GOOD).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    proxy.books().delay_refunds();
    let path = format!("/v1/payments/{payment}/refund");
    let refund = crate::support::post(&path, &json!({ "reason": "scratched" })).key("r");
    api.send(refund.header("prefer", "wait=0")).await.expect(202);
    eventually("Stripe was asked", || async { (proxy.posts("refunds").len() == 1).then_some(()) }).await;
    let asked = proxy.posts("refunds").remove(0);
    let told = |status: &str, request: &str| {
        let metadata =
            json!({ "payment": payment, "refund": asked.field("metadata[refund]"), "request": request });
        event("refund.updated", json!({ "id": "re_1", "status": status, "metadata": metadata }))
    };
    let request = asked.field("metadata[request]");
    tell(&api, &told("pending", request)).await.expect(200);
    tell(&api, &told("failed", "an older one")).await.expect(200);
    assert_eq!(count(&api, &payment, "RefundFailed").await, 0);
    tell(&api, &told("succeeded", request)).await.expect(200);
    once(&api, &payment, &["Refunded"]).await;
    tell(&api, &told("failed", request)).await.expect(200);
    assert_eq!(counted(&api, "unexplained").await, "1", "given back, and come back to the shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_moved_by_hand_and_disputes_are_shown_to_somebody() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (_, payment) = order(&api).await;
    api.authorize(&payment, GOOD).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    let intents = proxy.real("/v1/payment_intents?limit=100000").await;
    let intents = intents["data"].as_array().unwrap();
    let mut intent = intents.iter().find(|intent| intent["metadata"]["payment"] == payment).unwrap().clone();
    let id = intent["id"].as_str().unwrap().to_owned();
    proxy.books().take_by_hand(&id, 700);
    intent["amount_received"] = 700.into();
    tell(&api, &event("payment_intent.succeeded", intent)).await.expect(200);
    let refund = json!({ "id": "re_1", "status": "succeeded", "payment_intent": id, "metadata": {} });
    tell(&api, &event("refund.updated", refund)).await.expect(200);
    assert_eq!(counted(&api, "unexplained").await, "2");

    let asked = json!({ "id": "dp_1", "payment_intent": id, "amount": 500, "currency": "gbp", "status": "warning_needs_response" });
    tell(&api, &event("charge.dispute.created", asked)).await.expect(200);
    assert_eq!(counted(&api, "dispute").await, "1");
    assert_eq!(count(&api, &payment, "DisputeOpened").await, 0, "the bank only asks");
}

/// Tells of a dispute about everything that was taken.
async fn dispute(api: &Api, (kind, status): (&str, &str), (id, intent): (&str, &str)) {
    let object = json!({
        "id": id, "payment_intent": intent, "amount": 500, "currency": "gbp", "reason": "fraudulent", "status": status,
    });
    tell(api, &event(&format!("charge.dispute.{kind}"), object)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn disputes_open_once_and_end_once_however_they_are_told() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (order, payment) = order(&api).await;
    api.authorize(&payment, GOOD).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    let intent = proxy.intents_of(&order).await.remove(0)["id"].as_str().unwrap().to_owned();
    for kind in ["created", "created", "funds_withdrawn"] {
        dispute(&api, (kind, "needs_response"), ("dp_1", &intent)).await;
    }
    dispute(&api, ("updated", "under_review"), ("dp_1", &intent)).await;
    once(&api, &payment, &["DisputeOpened"]).await;
    assert_eq!(counted(&api, "dispute").await, "1");
    let path = format!("/v1/payments/{payment}/refund");
    let refund =
        || crate::support::post(&path, &json!({ "reason": "kind" })).key(&crate::support::fresh_key());
    api.send(refund().patient()).await.expect_problem(409, "payment.disputed");
    for (kind, status) in [("closed", "won"), ("funds_reinstated", "won"), ("created", "needs_response")] {
        dispute(&api, (kind, status), ("dp_1", &intent)).await;
    }
    once(&api, &payment, &["DisputeOpened", "DisputeWon"]).await;

    // Another one, whose end comes first.
    dispute(&api, ("closed", "lost"), ("dp_2", &intent)).await;
    dispute(&api, ("created", "needs_response"), ("dp_2", &intent)).await;
    once(&api, &payment, &["DisputeLost"]).await;
    let shown = eventually("both stand on the order's page", || async {
        let page = api.send(crate::support::get(&format!("/v1/orders/{order}"))).await.expect(200).json();
        let disputes = page["disputes"].as_array()?;
        let shown: Vec<_> = disputes.iter().map(|dispute| dispute["status"].clone()).collect();
        (shown.len() == 2 && shown[1] != "open").then_some(shown)
    });
    assert_eq!(shown.await, ["won", "lost"]);
    // Of a payment that is not ours nothing is known.
    dispute(&api, ("created", "needs_response"), ("dp_3", "pi_of_somebody_else")).await;
    assert_eq!(counted(&api, "unknown").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_old_news_does_not_bring_back_what_is_gone() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let (order, payment) = order(&api).await;
    // The attempt times out; what it held was let go of before the webhook arrives.
    proxy.faults().choose(|asked| asked.is("confirm").then_some(crate::proxy::Fault::Refuse(500)));
    api.authorize(&payment, GOOD).await.expect_problem(409, "payment.timed_out");
    let canceled = eventually("it is closed at Stripe", || async {
        let intents = proxy.intents_of(&order).await;
        intents.into_iter().find(|intent| intent["status"] == "canceled")
    })
    .await;
    let mut stale: Value = canceled.clone();
    stale["status"] = "requires_capture".into();
    tell(&api, &event("payment_intent.amount_capturable_updated", stale)).await.expect(200);
    assert_eq!(count(&api, &payment, "Authorized").await, 0);
}
