//! What staff does with the stock of a SKU.

use serde_json::{Value, json};

use crate::support::{Api, Reply, fresh_key, gbp, get, post, put};

async fn ask(api: &Api, what: &str, body: Value) -> Reply {
    api.send(post(&format!("/v1/inventory/A/{what}"), &body).key(&fresh_key())).await
}

async fn set(api: &Api, what: &str, body: Value) -> Reply {
    api.send(put(&format!("/v1/inventory/A/{what}"), &body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn units_are_received_corrected_moved_and_counted_where_they_lie() {
    let api = Api::start().await;
    ask(&api, "receive", json!({ "quantity": 10 })).await.expect(200);
    ask(&api, "receive", json!({ "quantity": 4, "location": "north" })).await.expect(200);
    let lost = json!({ "delta": -5, "reason": "lost", "location": "north" });
    let problem = ask(&api, "adjust", lost).await.expect_problem(409, "inventory.below_zero").json();
    assert_eq!((&problem["location"], &problem["on_hand"]), (&json!("north"), &json!(4)));

    let transfer = json!({ "transfer": "t-1", "from": "main", "to": "north", "quantity": 3 });
    ask(&api, "transfer", transfer.clone()).await.expect(200);
    assert_eq!(ask(&api, "transfer", transfer).await.expect(200).json()["events"], json!([]));
    let too_many = json!({ "from": "main", "to": "north", "quantity": 8 });
    ask(&api, "transfer", too_many).await.expect_problem(409, "inventory.insufficient_at");
    let nowhere = json!({ "from": "main", "to": "main", "quantity": 1 });
    ask(&api, "transfer", nowhere).await.expect_problem(422, "inventory.same_location");

    let count = json!({ "location": "north", "counted": 6, "expected": 4 });
    let problem = ask(&api, "count", count).await.expect_problem(409, "inventory.count_changed").json();
    assert_eq!(problem["on_hand"], 7);
    let count = json!({ "location": "north", "counted": 6, "expected": 7 });
    let counted = ask(&api, "count", count.clone()).await.expect(200);
    assert_eq!(ask(&api, "count", count).await.expect(200).json()["events"], json!([]));

    let shown = api.send(get("/v1/inventory/A").after(&counted)).await.expect(200);
    assert_eq!(shown.json()["locations"], json!({ "main": 7, "north": 6 }));
    let stale = put("/v1/inventory/A/reorder-point", &json!({ "units": 1 })).header("if-match", "\"1\"");
    api.send(stale).await.expect_problem(412, "precondition.failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backorder_is_promised_committed_and_handed_over_when_it_arrives() {
    let api = Api::start().await;
    let promise = json!({ "kind": "backorder", "limit": 5, "promised_at": "2031-05-01T00:00:00Z" });
    set(&api, "policy", promise.clone()).await.expect(200);
    set(&api, "reorder-point", json!({ "units": 2 })).await.expect(200);
    ask(&api, "receive", json!({ "quantity": 2 })).await.expect(200);
    let held = ask(&api, "reservations", json!({ "reservation": "r-1", "quantity": 6 })).await.expect(201);
    assert_eq!(held.json()["events"], json!(["Backordered"]));
    let more = json!({ "reservation": "r-2", "quantity": 2 });
    let problem = ask(&api, "reservations", more).await.expect_problem(409, "inventory.insufficient").json();
    assert_eq!(problem["available"], 1);
    let committed = ask(&api, "reservations/r-1/allocate", json!({})).await.expect(200);
    assert_eq!(committed.json()["events"], json!(["Committed"]));

    let shown = api.send(get("/v1/inventory/A").after(&committed)).await.expect(200).json();
    assert_eq!(
        (&shown["reserved"], &shown["backordered"], &shown["low"]),
        (&json!(2), &json!(4), &json!(true))
    );
    assert_eq!(shown["policy"], promise);
    let holds = api.send(get("/v1/inventory/A/reservations")).await.expect(200).json();
    assert_eq!(holds["data"][0]["promised_at"], "2031-05-01T00:00:00Z");

    let arrived = ask(&api, "receive", json!({ "quantity": 9 })).await.expect(200);
    assert_eq!(arrived.json()["events"], json!(["Received", "BackorderFilled", "Allocated"]));
    let shown = api.send(get("/v1/inventory/A").after(&arrived)).await.expect(200).json();
    assert_eq!((&shown["on_hand"], &shown["available"]), (&json!(5), &json!(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_is_extended_once() {
    let api = Api::start().await;
    ask(&api, "receive", json!({ "quantity": 2 })).await.expect(200);
    let hold = json!({ "reservation": "r-1", "quantity": 1, "ttl_seconds": 60 });
    ask(&api, "reservations", hold).await.expect(201);
    let extended = ask(&api, "reservations/r-1/extend", json!({ "ttl_seconds": 600 })).await.expect(200);
    assert_eq!(extended.json()["events"], json!(["Extended"]));
    let again = ask(&api, "reservations/r-1/extend", json!({ "ttl_seconds": 6_000 })).await;
    again.expect_problem(409, "inventory.already_extended");
    let unknown = ask(&api, "reservations/r-2/extend", json!({ "ttl_seconds": 600 })).await;
    unknown.expect_problem(404, "inventory.reservation_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_ends_by_itself_when_its_time_is_over() {
    let api = Api::start().await;
    ask(&api, "receive", json!({ "quantity": 2 })).await.expect(200);
    let hold = json!({ "reservation": "r-1", "quantity": 1, "ttl_seconds": 0 });
    let held = ask(&api, "reservations", hold).await.expect(201);
    let shown = api.send(get("/v1/inventory/A").after(&held)).await.expect(200).json();
    assert_eq!((&shown["reserved"], &shown["available"]), (&json!(0), &json!(2)));
    store::testing::eventually("the hold has expired", || async {
        let events = api.events().await;
        events.iter().any(|event| event["event_type"] == "Expired").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_preorder_gives_back_its_promise_and_the_money() {
    let api = Api::start().await;
    api.list("A", 250).await;
    let out = json!({ "kind": "preorder", "limit": 3, "available_from": "2031-05-01T00:00:00Z" });
    set(&api, "policy", out).await.expect(200);
    let (order, payment) = api.order("A", 2).await;
    api.authorize(&payment, "tok_approve").await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    api.cancel(&order).await.expect(200);
    let paid = api.until(&format!("/v1/payments/{payment}"), "status", "refunded").await;
    assert_eq!(paid["refunded"], gbp(500));
    store::testing::eventually("nothing is promised any more", || async {
        let shown = api.send(get("/v1/inventory/A")).await.json();
        (shown["backordered"] == 0 && shown["on_hand"] == 0).then_some(())
    })
    .await;
}
