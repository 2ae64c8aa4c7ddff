//! A request under a key happens once, and is answered alike every time.

use futures::future::join_all;
use serde_json::json;

use crate::support::{Api, Ask, Reply, buyer, fresh_key, gbp, post, put};

/// Sends a request twice: same status and body, the second one marked.
async fn twice(api: &Api, ask: impl Fn() -> Ask) -> Reply {
    let first = api.send(ask().patient()).await;
    let again = api.send(ask().patient()).await;
    assert_eq!((first.status, first.json()), (again.status, again.json()));
    for header in ["etag", "daybook-position", "location"] {
        assert_eq!(first.header(header), again.header(header), "{header}");
    }
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_is_answered_alike_even_when_its_first_answer_is_forgotten() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let cart = api.cart(&[("A", 2)]).await;
    let ask = || post("/v1/checkouts", &buyer(&cart, "card")).key("once").patient();
    let first = api.send(ask()).await.expect(201);
    api.forget_answers().await;
    let again = api.send(ask()).await.expect(201);
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_command_answers_a_repeat_alike() {
    let api = Api::start().await;
    let product = json!({ "title": "A", "variants": [{ "sku": "A", "price": gbp(250) }] });
    twice(&api, || post("/v1/products", &product).key("p")).await.expect(201);
    twice(&api, || post("/v1/inventory/A/receive", &json!({ "quantity": 9 })).key("r")).await.expect(200);
    let adjust = json!({ "delta": 1, "reason": "found" });
    twice(&api, || post("/v1/inventory/A/adjust", &adjust).key("a")).await.expect(200);
    let hold = json!({ "quantity": 2, "ttl_seconds": 60 });
    twice(&api, || post("/v1/inventory/A/reservations", &hold).key("h")).await.expect(201);
    let opened = twice(&api, || post("/v1/carts", &json!({ "currency": "GBP" })).key("c")).await.expect(201);
    api.list("B", 100).await;
    let line = format!("/v1/carts/{}/items/B", opened.text_of("id"));
    twice(&api, || put(&line, &json!({ "quantity": 3 })).key("s")).await.expect(200);
    api.until_stock("A", 10, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_repeated_too() {
    let api = Api::start().await;
    let hold = json!({ "reservation": "r", "quantity": 2 });
    let first = api.send(post("/v1/inventory/A/reservations", &hold).key("h")).await;
    first.expect_problem(409, "inventory.insufficient");
    api.send(post("/v1/inventory/A/receive", &json!({ "quantity": 9 }))).await.expect(200);
    let again = api.send(post("/v1/inventory/A/reservations", &hold).key("h")).await;
    let again = again.expect_problem(409, "inventory.insufficient");
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_good_for_one_body_only() {
    let api = Api::start().await;
    let receive = |units: u32| post("/v1/inventory/A/receive", &json!({ "quantity": units })).key("k");
    api.send(receive(1)).await.expect(200);
    api.send(receive(2)).await.expect_problem(422, "idempotency.key_reused");
    // White space and the order of members do not make another request.
    let same = Ask::new(axum::http::Method::POST, "/v1/inventory/A/receive")
        .raw("application/json; charset=utf-8", "{ \"reference\": null,\n \"quantity\": 1 }")
        .key("k");
    assert_eq!(api.send(same).await.expect(200).header("idempotency-replayed"), "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_on_another_path_is_another_command() {
    let api = Api::start().await;
    let units = json!({ "quantity": 1 });
    api.send(post("/v1/inventory/A/receive", &units).key("k")).await.expect(200);
    let other = api.send(post("/v1/inventory/B/receive", &units).key("k")).await.expect(200);
    assert_eq!(other.header("idempotency-replayed"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_under_one_key_happen_once() {
    let api = Api::start().await;
    let adjust = json!({ "delta": 5, "reason": "found" });
    let asks = (0..20).map(|_| api.send(post("/v1/inventory/A/adjust", &adjust).key("k")));
    let replies = join_all(asks).await;
    let first =
        replies.iter().filter(|reply| reply.status == 200 && reply.header("idempotency-replayed").is_empty());
    assert_eq!(first.count(), 1);
    for reply in replies.into_iter().filter(|reply| reply.status != 200) {
        reply.expect_problem(409, "idempotency.in_flight");
    }
    assert_eq!(api.events().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_that_insists_on_the_version_before_itself_gets_its_first_answer() {
    let api = Api::start().await;
    api.send(post("/v1/inventory/A/receive", &json!({ "quantity": 1 }))).await.expect(200);
    let adjust = json!({ "delta": 5, "reason": "found" });
    let ask = || post("/v1/inventory/A/adjust", &adjust).key("k").header("if-match", "\"1\"");
    twice(&api, ask).await.expect(200);
    assert_eq!(api.events().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_settings_of_one_line_at_once_never_add_up() {
    let api = Api::start().await;
    api.list("A", 100).await;
    let cart = api.cart(&[]).await;
    let path = format!("/v1/carts/{cart}/items/A");
    let asks = (0..8).map(|_| api.send(put(&path, &json!({ "quantity": 3 }))));
    let mut last = None;
    for reply in join_all(asks).await {
        last = Some(reply.expect(200));
    }
    let read = crate::support::get(&format!("/v1/carts/{cart}")).after(&last.unwrap());
    assert_eq!(api.send(read).await.json()["lines"][0]["quantity"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_checkout_names_the_same_order_whatever_became_of_it() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let cart = api.cart(&[("A", 2)]).await;
    let body = buyer(&cart, "card");
    let first = twice(&api, || post("/v1/checkouts", &body).key("c")).await.expect(201);
    api.cancel(&first.text_of("order")).await.expect(200);
    api.until_stock("A", 5, 0).await;
    let later = api.send(post("/v1/checkouts", &body).key("c")).await.expect(201);
    assert_eq!(later.json(), first.json());
    let mut other = body.clone();
    other["contact"]["name"] = json!("Charles Babbage");
    api.send(post("/v1/checkouts", &other).key("c")).await.expect_problem(422, "idempotency.key_reused");
    let again = api.send(post("/v1/checkouts", &body).key(&fresh_key())).await;
    again.expect_problem(409, "cart.already_checked_out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_checkout_without_stock_is_refused_alike() {
    let api = Api::start().await;
    api.stock("A", 250, 1).await;
    let cart = api.cart(&[("A", 2)]).await;
    let ask = || post("/v1/checkouts", &buyer(&cart, "card")).key("c").patient();
    let first = api.send(ask()).await.expect_problem(409, "inventory.insufficient");
    let again = api.send(ask()).await.expect_problem(409, "inventory.insufficient");
    assert_eq!(first.json()["shortages"], again.json()["shortages"]);
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_authorization_is_one_attempt() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (_, payment) = api.order("A", 1).await;
    let path = format!("/v1/payments/{payment}/authorize");
    let token = json!({ "token": "tok_approve" });
    let reply = twice(&api, || post(&path, &token).key("k")).await.expect(200);
    assert_eq!(reply.json()["status"], "authorized");
    assert_eq!(reply.json()["events"], json!(["AuthorizationRequested", "Authorized"]));
}
