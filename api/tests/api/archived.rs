//! An order whose streams were archived is shown, and commanded, as any other.

use serde_json::{Value, json};
use store::testing::eventually;

use crate::support::{Api, fresh_key, get, post};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_archived_is_shown_as_before_and_can_be_commanded() {
    let api = Api::start().await;
    api.stock("A", 250, 20).await;
    let cart = api.cart(&[("A", 2)]).await;
    let reply = api.check_out(&cart, "card").await.expect(201);
    let (order, payment) = (reply.text_of("order"), reply.text_of("payment"));
    api.authorize(&payment, "tok_approve").await.expect(200);
    let path = format!("/v1/orders/{order}");
    api.until(&path, "status", "confirmed").await;
    let whole = json!({ "carrier": "DHL", "lines": [{ "line": 0, "quantity": 2 }] });
    let shipped = api.send(post(&format!("{path}/shipments"), &whole).key(&fresh_key())).await.expect(201);
    let shipment = shipped.text_of("id");
    let delivered = post(&format!("{path}/shipments/{shipment}/deliver"), &json!({})).key(&fresh_key());
    api.send(delivered).await.expect(200);
    let shown = |path: String| {
        let api = &api;
        async move { api.send(get(&path)).await.expect(200).json() }
    };
    let history = format!("{path}/events");

    // A stream stays while a timer points at it: the buyer's half hour is over.
    let over = "UPDATE timers SET due_at = due_at - interval '1 hour' WHERE manager = 'checkout'";
    sqlx::query(over).execute(&api.engine.pool).await.unwrap();
    // Followers have yet to pass all of it, and what they do appends more; goods end the log.
    let before = eventually("the order's streams are archived", || async {
        let (events, all) = (shown(history.clone()).await, api.events().await);
        api.send(post("/v1/inventory/END/receive", &json!({ "quantity": 1 }))).await.expect(200);
        api.archive().await;
        let archived = api.archived().await;
        // None has come between; and as all have been passed, none will.
        let of_order: Vec<i64> = positions(&shown(history.clone()).await);
        let gone = !of_order.is_empty() && of_order.iter().all(|position| archived.contains(position));
        let gone = gone && of_order == positions(&events);
        gone.then_some((events, all))
    })
    .await;
    assert_eq!(shown(history.clone()).await, before.0);
    assert_eq!(api.events().await[..before.1.len()], before.1);
    assert_eq!(shown(path.clone()).await["status"], "delivered");

    // The buyer sends one back after all.
    let asked = json!({ "reason": "too blue", "lines": [{ "line": 0, "quantity": 1 }] });
    let returned = api.send(post(&format!("{path}/returns"), &asked).key(&fresh_key())).await.expect(201);
    assert_eq!(returned.json()["events"], json!(["ReturnRequested"]));
    let after = shown(history).await;
    let (known, all) = (positions(&before.0), positions(&after));
    assert!(all.starts_with(&known) && all.len() == known.len() + 1, "{after}");
}

fn positions(events: &Value) -> Vec<i64> {
    let events = events["data"].as_array().into_iter().flatten();
    events.filter_map(|event| event["position"].as_i64()).collect()
}
