//! What becomes of an order once it is confirmed, or before that, over HTTP.

use serde_json::{Value, json};

use crate::support::{Api, Reply, fresh_key, gbp, get, post};

/// A confirmed order of so many units of A and of B, at 250 and 100.
async fn confirmed(api: &Api, units: (u32, u32)) -> String {
    api.stock("A", 250, 20).await;
    api.stock("B", 100, 20).await;
    let cart = api.cart(&[("A", units.0), ("B", units.1)]).await;
    let reply = api.check_out(&cart, "card").await.expect(201);
    api.authorize(&reply.text_of("payment"), "tok_approve").await.expect(200);
    let order = reply.text_of("order");
    api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
    order
}

async fn act(api: &Api, order: &str, what: &str, body: &Value) -> Reply {
    api.send(post(&format!("/v1/orders/{order}/{what}"), body).key(&fresh_key())).await
}

async fn shown_after(api: &Api, order: &str, reply: &Reply) -> Value {
    api.send(get(&format!("/v1/orders/{order}")).after(reply)).await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_ships_in_parts_and_a_repeat_ships_nothing_twice() {
    let api = Api::start().await;
    let order = confirmed(&api, (2, 1)).await;
    let key = fresh_key();
    let path = format!("/v1/orders/{order}/shipments");
    let body = json!({ "carrier": "DHL", "lines": [{ "line": 0, "quantity": 1 }] });
    api.send(post(&path, &body)).await.expect_problem(400, "idempotency.key_missing");
    let first = api.send(post(&path, &body).key(&key)).await.expect(201);
    assert_eq!(first.header("location"), format!("/v1/orders/{order}"));
    let again = api.send(post(&path, &body).key(&key)).await.expect(201);
    assert_eq!((again.text_of("id"), again.header("idempotency-replayed")), (first.text_of("id"), "true"));

    let too_many = json!({ "carrier": "DHL", "lines": [{ "line": 0, "quantity": 2 }] });
    let refused = act(&api, &order, "shipments", &too_many).await;
    let refused = refused.expect_problem(409, "order.too_many_units").json();
    assert_eq!((&refused["line"], &refused["left"]), (&json!(0), &json!(1)));

    let shipment = first.text_of("id");
    let tracking = json!({ "carrier": "UPS", "tracking": "1Z" });
    act(&api, &order, &format!("shipments/{shipment}/tracking"), &tracking).await.expect(200);
    let delivered = act(&api, &order, &format!("shipments/{shipment}/deliver"), &json!({})).await.expect(200);
    let shown = shown_after(&api, &order, &delivered).await;
    assert_eq!(shown["status"], "partially_shipped");
    let sent = &shown["shipments"][0];
    assert_eq!((&sent["id"], &sent["tracking"]), (&json!(shipment), &json!("1Z")));
    assert_eq!((&sent["value"], &sent["delivered"]), (&gbp(250), &json!(true)));

    let rest = json!({ "lines": [{ "line": 0, "quantity": 1 }, { "line": 1, "quantity": 1 }] });
    let cancelled = act(&api, &order, "cancel-lines", &rest).await.expect(200);
    assert_eq!(cancelled.json()["events"], json!(["LinesCancelled"]));
    assert_eq!(shown_after(&api, &order, &cancelled).await["status"], "delivered");
    act(&api, &order, "shipments/other/deliver", &json!({}))
        .await
        .expect_problem(404, "order.no_such_shipment");
    api.cancel(&order).await.expect_problem(409, "order.already_shipped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_goes_from_its_request_to_the_shelf() {
    let api = Api::start().await;
    let order = confirmed(&api, (2, 1)).await;
    let all = json!([{ "line": 0, "quantity": 2 }, { "line": 1, "quantity": 1 }]);
    act(&api, &order, "shipments", &json!({ "carrier": "DHL", "lines": all })).await.expect(201);
    let body = json!({ "lines": [{ "line": 0, "quantity": 1 }], "reason": "too small" });
    let asked = act(&api, &order, "returns", &body).await.expect(201);
    let path = |what: &str| format!("returns/{}/{what}", asked.text_of("id"));
    let came = json!({ "lines": [{ "line": 0, "quantity": 1, "disposition": "restock" }] });
    act(&api, &order, &path("receive"), &came).await.expect_problem(409, "order.return_not_approved");
    act(&api, &order, &path("approve"), &json!({})).await.expect(200);
    let received = act(&api, &order, &path("receive"), &came).await.expect(200);
    shown_after(&api, &order, &received).await;
    let shown = store::testing::eventually("the buyer has the money back", || async {
        let shown = api.send(get(&format!("/v1/orders/{order}"))).await.json();
        (shown["returns"][0]["status"] == "refunded").then_some(shown)
    })
    .await;
    assert_eq!(shown["returns"][0]["value"], gbp(250));
    assert_eq!((&shown["status"], &shown["progress"][0]["returned"]), (&json!("shipped"), &json!(1)));
    act(&api, &order, &path("reject"), &json!({})).await.expect_problem(409, "order.return_received");

    let other = json!({ "lines": [{ "line": 1, "quantity": 1 }], "reason": "wrong colour" });
    let asked = act(&api, &order, "returns", &other).await.expect(201);
    let reject = format!("returns/{}/reject", asked.text_of("id"));
    act(&api, &order, &reject, &json!({ "note": "worn" })).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_takes_the_catalogues_price_and_keeps_shipments_waiting() {
    let api = Api::start().await;
    let order = confirmed(&api, (2, 1)).await;
    api.stock("C", 70, 9).await;
    let edit = act(&api, &order, "edits", &json!({})).await.expect(201).text_of("id");
    let path = |what: &str| format!("edits/{edit}/{what}");
    act(&api, &order, &path("commit"), &json!({})).await.expect_problem(409, "order.nothing_to_edit");
    let unknown = json!({ "changes": [{ "add_line": { "sku": "none", "quantity": 1 } }] });
    act(&api, &order, &path("stage"), &unknown).await.expect_problem(422, "product.unknown_sku");
    let changes = json!({ "changes": [
        { "set_quantity": { "line": 0, "quantity": 1 } },
        { "remove_line": { "line": 1 } },
        { "add_line": { "sku": "C", "quantity": 2 } },
    ] });
    act(&api, &order, &path("stage"), &changes).await.expect(200);
    let ship = json!({ "carrier": "DHL", "lines": [{ "line": 0, "quantity": 1 }] });
    act(&api, &order, "shipments", &ship).await.expect_problem(409, "order.edit_open");
    act(&api, &order, &path("commit"), &json!({})).await.expect(200);
    let events = api.events().await;
    let committed = events.iter().find(|event| event["event_type"] == "EditCommitted").unwrap();
    let committed = &committed["payload"]["EditCommitted"];
    assert_eq!((&committed["previous_total"], &committed["total"]), (&gbp(600), &gbp(390)));
    assert_eq!(committed["add"], json!([{ "sku": "C", "quantity": 2 }]));
    assert_eq!(committed["remove"], json!([{ "sku": "A", "quantity": 1 }, { "sku": "B", "quantity": 1 }]));
    act(&api, &order, "edits/other/abandon", &json!({})).await.expect_problem(404, "order.no_such_edit");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_held_goes_on_or_is_rejected() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (order, _) = api.order("A", 1).await;
    let hold = json!({ "reason": "countries differ" });
    let held = act(&api, &order, "hold", &hold).await.expect(200);
    let shown = shown_after(&api, &order, &held).await;
    assert_eq!((&shown["status"], &shown["held"]), (&json!("held"), &json!("countries differ")));
    act(&api, &order, "release", &json!({ "note": "called" })).await.expect(200);
    act(&api, &order, "reject", &json!({})).await.expect_problem(409, "order.not_held");
    act(&api, &order, "hold", &hold).await.expect(200);
    let rejected = act(&api, &order, "reject", &json!({})).await.expect(200);
    let shown = shown_after(&api, &order, &rejected).await;
    assert_eq!((&shown["status"], &shown["cancel_reason"]), (&json!("cancelled"), &json!("rejected")));
    api.until_stock("A", 5, 0).await;
    let ship = json!({ "carrier": "DHL", "lines": [{ "line": 0, "quantity": 1 }] });
    act(&api, &order, "shipments", &ship).await.expect_problem(409, "order.cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_shipment_makes_the_invoice_and_a_return_the_credit_note() {
    let api = Api::start().await;
    let order = confirmed(&api, (2, 1)).await;
    let path = format!("/v1/orders/{order}/invoice");
    api.send(get(&path)).await.expect_problem(404, "order.not_invoiced");
    let lines = json!([{ "line": 1, "quantity": 1 }]);
    act(&api, &order, "cancel-lines", &json!({ "lines": lines })).await.expect(200);
    let lines = json!([{ "line": 0, "quantity": 2 }]);
    let body = json!({ "carrier": "DHL", "lines": lines });
    act(&api, &order, "shipments", &body).await.expect(201);
    let invoice = api.until(&path, "number", 1).await;
    assert_eq!((&invoice["kind"], &invoice["total"]), (&json!("invoice"), &gbp(500)));
    let amounts: Vec<_> =
        invoice["rows"].as_array().unwrap().iter().map(|row| &row["amount"]["amount"]).collect();
    assert_eq!(amounts, [500, 100, -100]);

    let body = json!({ "lines": [{ "line": 0, "quantity": 1 }], "reason": "too small" });
    let wanted = act(&api, &order, "returns", &body).await.expect(201).text_of("id");
    act(&api, &order, &format!("returns/{wanted}/approve"), &json!({})).await.expect(200);
    let lines = json!([{ "line": 0, "quantity": 1, "disposition": "restock" }]);
    act(&api, &order, &format!("returns/{wanted}/receive"), &json!({ "lines": lines })).await.expect(200);
    let note = api.until(&format!("/v1/orders/{wanted}/invoice"), "number", 2).await;
    assert_eq!(
        (&note["kind"], &note["total"], &note["order"]),
        (&json!("credit_note"), &gbp(250), &json!(order))
    );
    api.until_stock("A", 19, 0).await;

    let page = api.send(get(&path).header("accept", "text/html,*/*;q=0.8")).await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    for part in ["Invoice 20", "-000001", "Ada Lovelace", "SW1Y 4JH", "-1.00", "<td>5.00</td></tr></tfoot>"] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
}
