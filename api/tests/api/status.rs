//! Which status each route answers with, and what becomes of requests that cannot be understood.

use axum::http::Method;
use serde_json::json;
use sqlx::Executor as _;
use store::testing::eventually;

use crate::support::{Api, Ask, buyer, delete, fresh_key, gbp, get, post, put};

#[tokio::test(flavor = "multi_thread")]
async fn every_create_answers_201_with_its_location() {
    let api = Api::start().await;
    let product =
        json!({ "id": "chair", "title": "Chair", "variants": [{ "sku": "CHAIR", "price": gbp(900) }] });
    let reply = api.send(post("/v1/products", &product)).await.expect(201);
    assert_eq!(reply.header("location"), "/v1/products/chair");
    assert_eq!((reply.header("etag"), &reply.json()["events"]), ("\"1\"", &json!(["Listed"])));
    let reply = api.send(post("/v1/carts", &json!({ "currency": "GBP" }))).await.expect(201);
    assert_eq!(reply.header("location"), format!("/v1/carts/{}", reply.text_of("id")));
    api.send(post("/v1/inventory/CHAIR/receive", &json!({ "quantity": 5 }))).await.expect(200);
    let reservation = json!({ "reservation": "r1", "quantity": 2, "ttl_seconds": 60 });
    let reply = api.send(post("/v1/inventory/CHAIR/reservations", &reservation)).await.expect(201);
    assert_eq!(reply.header("location"), "/v1/inventory/CHAIR/reservations/r1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_404_and_says_what() {
    let api = Api::start().await;
    let amount = json!({ "reason": "gone" });
    let key = fresh_key();
    let table = [
        (get("/v1/products/none"), "product.not_found"),
        (put("/v1/products/none/prices/A", &json!({ "price": gbp(1) })), "product.not_listed"),
        (get("/v1/carts/none"), "cart.not_found"),
        (delete("/v1/carts/none/items/A"), "cart.not_open"),
        (put("/v1/carts/none/items/A", &json!({ "quantity": 1 })), "cart.not_open"),
        (post("/v1/checkouts", &buyer("none", "card")).key(&key), "cart.not_open"),
        (get("/v1/orders/none"), "order.not_found"),
        (get("/v1/orders/none/events"), "order.not_found"),
        (post("/v1/orders/none/cancel", &json!({})), "order.not_placed"),
        (get("/v1/payments/none"), "payment.not_found"),
        (post("/v1/payments/none/authorize", &json!({ "token": "t" })).key(&key), "payment.not_opened"),
        (post("/v1/payments/none/capture", &json!({})).key(&key), "payment.not_opened"),
        (post("/v1/payments/none/void", &json!({})).key(&key), "payment.not_opened"),
        (post("/v1/payments/none/refund", &amount).key(&key), "payment.not_opened"),
        (get("/v1/inventory/none"), "inventory.not_found"),
        (
            Ask::new(Method::POST, "/v1/inventory/A/reservations/none/allocate"),
            "inventory.reservation_missing",
        ),
        (get("/v1/nothing"), "route.unknown"),
        (get("/"), "route.unknown"),
    ];
    for (ask, code) in table {
        api.send(ask).await.expect_problem(404, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_understood_says_why() {
    let api = Api::start().await;
    let raw = |kind: &str, body: &str| Ask::new(Method::POST, "/v1/carts").raw(kind, body.to_owned());
    let table = [
        (raw("application/json", "{"), 400, "request.malformed"),
        (raw("application/json", ""), 400, "request.malformed"),
        (raw("application/json", r#"{"currency":"pounds"}"#), 422, "request.invalid"),
        (raw("application/json", r#"{"currency":"GBP","colour":"red"}"#), 422, "request.invalid"),
        (raw("application/json", r#"{"currency":7}"#), 422, "request.invalid"),
        (raw("application/json", r#" ["GBP"]"#), 422, "request.invalid"),
        (raw("text/plain", r#"{"currency":"GBP"}"#), 415, "request.unsupported_media_type"),
        (post("/v1/inventory/A/receive", &json!({ "quantity": 0 })), 422, "request.invalid"),
        (post("/v1/inventory/A/receive", &json!({ "quantity": 1.5 })), 422, "request.invalid"),
        (get("/v1/carts/not%20an%20id"), 422, "request.invalid"),
        (get("/v1/inventory/%20A"), 422, "request.invalid"),
        (get("/v1/orders"), 422, "request.invalid"),
        (get("/v1/products?limit=many"), 422, "request.invalid"),
        (get("/v1/products?cursor=made-up"), 422, "request.invalid"),
        (get("/v1/products?colour=red"), 422, "request.invalid"),
        (get("/v1/carts/a").header("daybook-min-position", "7"), 400, "position.malformed"),
        (delete("/v1/carts/a/items/A").header("if-match", "7"), 400, "precondition.malformed"),
        (delete("/v1/carts/a/items/A").key("two words"), 400, "idempotency.key_invalid"),
        (delete("/v1/carts/a/items/A").key(&"k".repeat(256)), 400, "idempotency.key_invalid"),
    ];
    for (ask, status, code) in table {
        api.send(ask).await.expect_problem(status, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_must_not_happen_twice_need_a_key() {
    let api = Api::start().await;
    let table = [
        post("/v1/checkouts", &buyer("c", "card")),
        post("/v1/payments/p/authorize", &json!({ "token": "t" })),
        post("/v1/payments/p/capture", &json!({})),
        post("/v1/payments/p/void", &json!({})),
        post("/v1/payments/p/refund", &json!({ "reason": "r" })),
        post("/v1/inventory/A/adjust", &json!({ "delta": 1, "reason": "found" })),
    ];
    for ask in table {
        api.send(ask).await.expect_problem(400, "idempotency.key_missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_one_mebibyte_is_413() {
    let api = Api::start().await;
    let long = json!({ "currency": "x".repeat(1 << 20) });
    api.send(post("/v1/carts", &long)).await.expect_problem(413, "request.too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_take_is_405_and_names_those_that_it_takes() {
    let api = Api::start().await;
    let reply = api.send(delete("/v1/orders/o")).await.expect_problem(405, "route.method_not_allowed");
    assert!(reply.header("allow").contains("GET"), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_carries_the_trace_of_the_request() {
    let api = Api::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let reply = api.send(get("/v1/nothing").header("traceparent", &parent)).await;
    assert_eq!(reply.text_of("trace_id"), trace);
    assert_eq!(reply.text_of("instance"), "/v1/nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_explains_itself_in_members_of_its_own() {
    let api = Api::start().await;
    api.stock("A", 100, 3).await;
    let reply = api.send(post("/v1/inventory/A/reservations", &json!({ "quantity": 5 }))).await;
    let reply = reply.expect_problem(409, "inventory.insufficient");
    assert_eq!((&reply.json()["requested"], &reply.json()["available"]), (&json!(5), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sku_in_a_path_may_hold_anything_percent_encoded() {
    let api = Api::start().await;
    for path in ["BANK%20CHARGES", "15056.BL", "A%2FB", "caf%C3%A9", "50%25"] {
        api.send(post(&format!("/v1/inventory/{path}/receive"), &json!({ "quantity": 1 }))).await.expect(200);
    }
    let stored: Vec<_> = api.events().await.iter().map(|event| event["aggregate_id"].clone()).collect();
    assert_eq!(stored, ["BANK CHARGES", "15056.BL", "A/B", "café", "50%"]);
    let reply =
        api.send(post("/v1/inventory/A%2FB/reservations", &json!({ "reservation": "r", "quantity": 1 })));
    assert_eq!(reply.await.expect(201).header("location"), "/v1/inventory/A%2FB/reservations/r");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_if_match_is_412_and_names_the_version_of_now() {
    let api = Api::start().await;
    api.stock("A", 100, 3).await;
    let cart = api.cart(&[("A", 1)]).await;
    let path = format!("/v1/carts/{cart}/items/A");
    let stale = put(&path, &json!({ "quantity": 2 })).header("if-match", "\"1\"");
    let reply = api.send(stale).await.expect_problem(412, "precondition.failed");
    assert_eq!((reply.header("etag"), &reply.json()["version"]), ("\"2\"", &json!(2)));
    let right = put(&path, &json!({ "quantity": 2 })).header("if-match", "\"2\"");
    assert_eq!(api.send(right).await.expect(200).header("etag"), "\"3\"");
    let adjust = post("/v1/inventory/A/adjust", &json!({ "delta": 1, "reason": "found" })).key(&fresh_key());
    api.send(adjust.header("if-match", "\"9\"")).await.expect_problem(412, "precondition.failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_can_reach_everything_is_ready() {
    let api = Api::start().await;
    api.send(get("/healthz")).await.expect(200);
    let ready = api.send(get("/readyz")).await.expect(200);
    // Leases that keep no position are not behind.
    sqlx::raw_sql("INSERT INTO followers (name) VALUES ('audit'), ('search') ON CONFLICT DO NOTHING")
        .execute(&api.read_owner().await)
        .await
        .unwrap();
    let ready_beside = api.send(get("/readyz")).await.expect(200).json();
    let names: Vec<_> =
        ready_beside["followers"].as_array().unwrap().iter().map(|of| of["name"].clone()).collect();
    assert_eq!(names, ["carts", "orders", "products", "sales", "stock"]);
    assert_eq!(ready.json()["status"], "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_its_database_is_up_but_not_ready() {
    let api = Api::start().await;
    api.engine.pool.close().await;
    api.send(get("/healthz")).await.expect(200);
    let reply = api.send(get("/readyz")).await.expect_problem(503, "store.unavailable");
    assert_eq!(reply.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_is_not_ready_while_a_read_model_holds_what_a_restore_has_lost() {
    let api = Api::start().await;
    api.stock("A", 100, 3).await;
    api.until_stock("A", 3, 0).await;
    // Whoever filled it has just died, and followed another log; or the same one in an earlier life.
    let read = api.read().await;
    let of_another_life = async |link: &str| {
        let sql = format!(
            "UPDATE followers SET incarnation = gen_random_uuid(), link = {link}, fence = fence + 1, \
                                  lease_expires_at = 'infinity' WHERE name = 'stock'"
        );
        assert_eq!(read.execute(sql.as_str()).await.unwrap().rows_affected(), 1);
    };
    of_another_life("link").await;
    api.send(get("/readyz")).await.expect(200);
    of_another_life("sha256('lost')").await;
    api.send(get("/readyz")).await.expect_problem(503, "read_model.behind");
    read.execute("UPDATE followers SET lease_expires_at = '-infinity'").await.unwrap();
    eventually("it has begun anew", || async {
        (api.send(get("/readyz")).await.status == 200).then_some(())
    })
    .await;
    api.until_stock("A", 3, 0).await;
}
