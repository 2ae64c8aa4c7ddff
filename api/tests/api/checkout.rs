//! From a cart to an order, and every way back.

use std::sync::Arc;

use serde_json::json;
use store::testing::eventually;

use crate::support::{Api, buyer, fresh_key, gbp, get, post};

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_checkout_is_confirmed_allocated_and_captured() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    api.stock("B", 100, 5).await;
    let cart = api.cart(&[("A", 2), ("B", 1)]).await;
    let reply = api.check_out(&cart, "card").await.expect(201);
    let order = reply.text_of("order");
    assert_eq!(reply.header("location"), format!("/v1/orders/{order}"));
    assert_eq!((reply.text_of("status").as_str(), &reply.json()["total"]), ("awaiting_payment", &gbp(600)));
    api.until_stock("A", 5, 2).await;
    let paid = api.authorize(&reply.text_of("payment"), "tok_approve").await.expect(200);
    assert_eq!(paid.text_of("status"), "authorized");
    api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
    let payment = api.until(&format!("/v1/orders/{order}"), "payment_status", "captured").await;
    assert_eq!(payment["total"], gbp(600));
    api.until_stock("A", 3, 0).await;
    api.until_stock("B", 4, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_a_checkout_is_known_by_ids_of_its_time() {
    /// The milliseconds that an id begins with.
    fn time(id: &str) -> &str {
        &id[..13]
    }
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let cart = api.cart(&[("A", 2)]).await;
    let placed = api.check_out(&cart, "card").await.expect(201);
    let (order, payment) = (placed.text_of("order"), placed.text_of("payment"));
    assert_eq!([time(&order), time(&payment)], [time(&cart); 2]);
    let events = api.events().await;
    let id_of = |event_type: &str| {
        let event = events.iter().find(|event| event["event_type"] == event_type).unwrap();
        event["event_id"].as_str().unwrap()
    };
    assert_eq!(time(id_of("Reserved")), time(id_of("CheckedOut")), "managers stand between them");
    assert!(events.iter().all(|event| event["event_id"].as_str().unwrap().as_bytes()[14] == b'8'));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_shows_its_delivery_and_the_log_does_not() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (order, _) = api.order("A", 1).await;
    let shown = api.until(&format!("/v1/orders/{order}"), "status", "placed").await;
    assert_eq!(shown["delivery"]["contact"]["email"], "ada@example.com");
    assert_eq!(shown["delivery"]["address"]["postcode"], "SW1Y 4JH");
    assert_eq!(shown["delivery"]["country"], "GB");
    let text = api.send(get(&format!("/v1/orders/{order}"))).await.text;
    assert_eq!(text.matches("\"delivery\"").count(), 1, "{text}");
    let log = api.send(get("/v1/events?limit=2000")).await.text;
    for personal in ["Lovelace", "ada@", "20 7946 0", "St James", "SW1Y 4"] {
        assert!(!log.contains(personal), "{personal} stands in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_forgotten_leaves_an_order_without_a_name() {
    let mut api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (order, _) = api.order("A", 1).await;
    let path = format!("/v1/orders/{order}");
    api.until(&path, "status", "placed").await;
    api.forget().await;
    let shown = api.send(get(&path)).await.expect(200).json();
    assert_eq!(shown["delivery"]["contact"], "forgotten");
    assert_eq!((&shown["delivery"]["country"], &shown["total"]), (&json!("GB"), &gbp(250)));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_stock_names_every_short_sku_and_holds_nothing() {
    let api = Api::start().await;
    api.stock("A", 250, 1).await;
    api.stock("B", 250, 2).await;
    api.stock("C", 250, 9).await;
    let cart = api.cart(&[("A", 2), ("B", 5), ("C", 1)]).await;
    let reply = api.check_out(&cart, "card").await.expect_problem(409, "inventory.insufficient");
    let shortages = json!([
        { "sku": "A", "requested": 2, "available": 1 },
        { "sku": "B", "requested": 5, "available": 2 },
    ]);
    assert_eq!(reply.json()["shortages"], shortages);
    for (sku, units) in [("A", 1), ("B", 2), ("C", 9)] {
        api.until_stock(sku, units, 0).await;
    }
    let cancelled = eventually("the order is cancelled", || async {
        let events = api.events().await;
        events.into_iter().find(|event| event["event_type"] == "Cancelled")
    })
    .await;
    assert_eq!(cancelled["payload"]["Cancelled"]["reason"], "out_of_stock");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_releases_the_stock_and_cancels_the_order() {
    let api = Api::start_strict().await;
    api.stock("A", 250, 5).await;
    let (order, payment) = api.order("A", 2).await;
    let reply = api.authorize(&payment, "tok_decline").await.expect_problem(409, "payment.declined");
    assert_eq!(reply.json()["reason"], "card_declined");
    let order = api.until(&format!("/v1/orders/{order}"), "status", "cancelled").await;
    assert_eq!(order["cancel_reason"], "payment_declined");
    api.until_stock("A", 5, 0).await;
    api.until(&format!("/v1/payments/{payment}"), "status", "voided").await;
    api.authorize(&payment, "tok_approve").await.expect_problem(409, "payment.voided");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_whose_card_is_declined_may_pay_with_another() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (order, payment) = api.order("A", 2).await;
    api.authorize(&payment, "tok_decline").await.expect_problem(409, "payment.declined");
    api.authorize(&payment, "tok_approve").await.expect(200);
    api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_after_giving_up_is_let_go_of_again() {
    let mut api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (order, payment) = api.order("A", 2).await;
    let path = format!("/v1/payments/{payment}/authorize");
    let late = post(&path, &json!({ "token": "tok_late" })).key(&fresh_key()).header("prefer", "wait=0");
    let pending = api.send(late).await.expect(202);
    assert_eq!(pending.text_of("status"), "pending");
    api.cancel(&order).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "voided").await;
    api.deliver_late_answers();
    eventually("the late approval is voided at the gateway", || async {
        let events = api.events().await;
        let types: Vec<_> = events
            .iter()
            .filter(|event| event["aggregate_type"] == "payment")
            .filter_map(|event| event["event_type"].as_str())
            .collect();
        types.ends_with(&["Authorized", "VoidRequested", "Voided"]).then_some(())
    })
    .await;
    api.until_stock("A", 5, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_order_is_given_up_when_its_time_is_over() {
    let settings = api::Settings { payment_window_ms: 0, ..api::Settings::default() };
    let api = Api::start_with(settings).await;
    api.stock("A", 250, 5).await;
    let (order, _) = api.order("A", 2).await;
    let order = api.until(&format!("/v1/orders/{order}"), "status", "cancelled").await;
    assert_eq!(order["cancel_reason"], "payment_timed_out");
    api.until_stock("A", 5, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cash_on_delivery_is_accepted_at_once_and_captured_by_hand() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let cart = api.cart(&[("A", 2)]).await;
    let reply = api.check_out(&cart, "cash_on_delivery").await.expect(201);
    assert_eq!(reply.text_of("status"), "accepted");
    api.until(&format!("/v1/orders/{}", reply.text_of("order")), "status", "confirmed").await;
    api.until_stock("A", 3, 0).await;
    let payment = reply.text_of("payment");
    api.authorize(&payment, "tok_approve").await.expect_problem(409, "payment.needs_no_authorization");
    let capture = post(&format!("/v1/payments/{payment}/capture"), &json!({})).key(&fresh_key());
    assert_eq!(api.send(capture).await.expect(200).text_of("status"), "captured");
}

#[tokio::test(flavor = "multi_thread")]
async fn free_goods_need_no_payment() {
    let api = Api::start().await;
    api.stock("FREE", 0, 5).await;
    let cart = api.cart(&[("FREE", 1)]).await;
    let reply = api.check_out(&cart, "card").await.expect(201);
    assert_eq!((reply.text_of("status").as_str(), &reply.json()["payment"]), ("accepted", &json!(null)));
    api.until(&format!("/v1/orders/{}", reply.text_of("order")), "status", "confirmed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_confirmed_order_gives_stock_and_money_back() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (order, payment) = api.order("A", 2).await;
    api.authorize(&payment, "tok_approve").await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    api.until_stock("A", 3, 0).await;
    api.cancel(&order).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "refunded").await;
    api.until_stock("A", 5, 0).await;
    let again = api.cancel(&order).await.expect(200);
    assert_eq!(again.json()["events"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_that_has_changed_is_told_before_anything_happens() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let cart = api.cart(&[("A", 2)]).await;
    let mut body = buyer(&cart, "card");
    body["expected_total"] = gbp(1);
    let reply = api.send(post("/v1/checkouts", &body).key(&fresh_key())).await;
    let reply = reply.expect_problem(409, "cart.total_changed");
    assert_eq!((&reply.json()["total"], &reply.json()["expected"]), (&gbp(500), &gbp(1)));
    body["expected_total"] = gbp(500);
    api.send(post("/v1/checkouts", &body).key(&fresh_key()).patient()).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_does_not_wait_is_202_and_goes_on() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let cart = api.cart(&[("A", 1)]).await;
    // The process that is asked does not see to checkouts, and hears later what another one has made of it.
    let onlooker = api.onlooker().await;
    let ask = post("/v1/checkouts", &buyer(&cart, "card")).key(&fresh_key());
    let reply = onlooker.send(ask.header("prefer", "wait=0")).await.expect(202);
    assert_eq!(reply.text_of("status"), "pending");
    let path = reply.header("location").to_owned();
    api.until(&path, "status", "placed").await;
    api.until_stock("A", 5, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_checkout_lacks_is_told() {
    let api = Api::start().await;
    let cart = api.cart(&[]).await;
    let empty = api.check_out(&cart, "card").await;
    empty.expect_problem(409, "cart.empty");
    for (member, value) in [
        ("contact", json!({ "name": "Ada", "email": "nobody" })),
        ("address", json!({ "lines": [], "city": "London", "country": "GB" })),
        ("address", json!({ "lines": ["1"], "city": "London", "country": "England" })),
        ("method", json!("barter")),
    ] {
        let mut body = buyer(&cart, "card");
        body[member] = value;
        let reply = api.send(post("/v1/checkouts", &body).key(&fresh_key())).await;
        reply.expect_problem(422, "request.invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tax_and_shipping_come_from_the_shops_tables_and_a_large_order_is_looked_at() {
    let tables = serde_json::from_str(include_str!("../../../samples/pricing.json")).unwrap();
    let review_from = Some("9.00 GBP".parse().unwrap());
    let settings = api::Settings { pricing: Some(Arc::new(tables)), review_from, ..api::Settings::default() };
    let api = Api::start_with(settings).await;
    api.stock("A", 250, 5).await;
    let cart = api.cart(&[("A", 2)]).await;
    let ask = |shipping: &str| json!({ "country": "GB", "shipping": shipping });
    let path = format!("/v1/carts/{cart}/quote");
    api.send(post(&path, &ask("pigeon"))).await.expect_problem(422, "checkout.not_shipped_there");
    let quote = api.send(post(&path, &ask("standard"))).await.expect(200).json()["quote"].clone();
    // 5.00 and 3.95, a sixth of either is the tax within.
    assert_eq!((&quote["total"], &quote["tax"]), (&gbp(895), &gbp(149)));

    let mut buyer = buyer(&cart, "card");
    buyer["shipping"] = json!("standard");
    buyer["expected_total"] = gbp(895);
    let key = fresh_key();
    let order = api.send(post("/v1/checkouts", &buyer).key(&key).patient()).await.expect(201);
    assert_eq!(order.json()["total"], gbp(895));
    // The cart is no longer open, and cannot be quoted any more.
    let again = api.send(post("/v1/checkouts", &buyer).key(&key).patient()).await.expect(201);
    assert_eq!((again.json(), again.header("idempotency-replayed")), (order.json(), "true"));
    api.send(post("/v1/checkouts", &buyer).key(&fresh_key()))
        .await
        .expect_problem(409, "cart.already_checked_out");
    let shown = api.send(get(&format!("/v1/orders/{}", order.text_of("order"))).after(&order)).await.json();
    assert_eq!((&shown["total"], &shown["charges"][0]["title"]), (&gbp(895), &json!("Royal Mail")));
    assert_eq!(shown["lines"][0]["tax"], gbp(83));

    let large = api.cart(&[("A", 3)]).await;
    let mut buyer = self::buyer(&large, "card");
    buyer["shipping"] = json!("standard");
    let order = api.send(post("/v1/checkouts", &buyer).key(&fresh_key()).patient()).await.expect(201);
    let id = order.text_of("order");
    api.until(&format!("/v1/orders/{id}"), "status", "held").await;
    api.authorize(&order.text_of("payment"), "tok_approve").await.expect(200);
    api.send(post(&format!("/v1/orders/{id}/release"), &json!({}))).await.expect(200);
    api.until(&format!("/v1/orders/{id}"), "status", "confirmed").await;
}
