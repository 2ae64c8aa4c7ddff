//! Carts that are stored in old forms: shown, checked out, and told of again, as they are meant now.

use domain::cart;
use serde_json::{Value, json};
use store::testing::{request, write};

use crate::support::{Api, gbp, get, post};

fn line(sku: &str, quantity: u32) -> Value {
    json!({"sku": sku, "product": "p", "title": sku, "quantity": quantity, "unit_price": gbp(250)})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_of_old_forms_is_shown_and_checked_out() {
    let api = Api::start().await;
    for sku in ["A", "B"] {
        api.stock(sku, 250, 9).await;
    }
    let mut split = line("B", 1);
    split["set_to"] = 3.into();
    let rows = [
        ("EndGiven", "t1", json!({"at": 4_102_444_800_000_i64})),
        ("CurrencyGiven", "t1", json!({"currency": "GBP"})),
        ("SkuPicked", "t1", json!({"sku": "A"})),
        ("PickConfirmed", "t1", line("A", 2)),
        ("Viewed", "t1", json!({})),
        ("LineAdded", "t1", split),
    ];
    let cause = request("old", cart::Command::Expire { now: domain::value::Time::from_millis(0) });
    write(&*api.engine.log, &cause, &rows).await;
    let shown = api.until("/v1/carts/old", "version", 6).await;
    let quantities: Vec<_> =
        shown["lines"].as_array().unwrap().iter().map(|line| &line["quantity"]).collect();
    assert_eq!(quantities, [2, 3]);
    let order = api.check_out("old", "card").await.expect(201);
    assert_eq!(order.json()["total"], gbp(1_250));
    api.until_stock("A", 9, 2).await;
    api.until_stock("B", 9, 3).await;
    // What is told of the log is what is stored there.
    let told: Vec<_> = api.events().await;
    let told = told.iter().filter(|event| event["stream"] == "cart-old").take(rows.len());
    for (told, (event_type, version, fields)) in told.zip(&rows) {
        assert_eq!((&told["event_type"], &told["event_version"]), (&json!(event_type), &json!(version)));
        assert_eq!(told["payload"][*event_type], *fields);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_is_given_again_tells_what_happened_in_the_words_of_today() {
    let api = Api::start().await;
    api.list("A", 250).await;
    api.list("B", 250).await;
    let cart = api.cart(&[("A", 1)]).await;
    let body = json!({ "sku": "B", "quantity": 2 });
    let ask = || post(&format!("/v1/carts/{cart}/items"), &body).key("k");
    let first = api.send(ask()).await.expect(200);
    assert_eq!(first.json()["events"], json!(["LineAdded"]));
    let stored = |sequence: i64, event_type: &str, fields: Value| {
        let payload = json!({ event_type: fields });
        format!(
            "UPDATE events SET event_type = '{event_type}', event_version = 't1', payload = '{payload}' \
             WHERE aggregate_type = 'cart' AND aggregate_id = '{cart}' AND sequence = {sequence}"
        )
    };
    api.as_owner(&stored(2, "SkuPicked", json!({"sku": "B"}))).await;
    let mut split = line("B", 1);
    split["set_to"] = 2.into();
    for (event_type, fields, told) in [
        ("PickConfirmed", line("B", 2), json!(["LineAdded"])),
        ("LineAdded", split, json!(["LineAdded", "QuantitySet"])),
        ("Viewed", json!({}), json!([])),
    ] {
        api.as_owner(&stored(3, event_type, fields)).await;
        let again = api.send(ask()).await.expect(200);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!((&again.json()["events"], &again.json()["version"]), (&told, &first.json()["version"]));
    }
    // A pair that makes no sense is not told of as anything else.
    api.as_owner(&stored(3, "PickConfirmed", line("A", 2))).await;
    api.send(ask()).await.expect_problem(503, "store.unavailable");
    api.send(get(&format!("/v1/carts/{cart}"))).await.expect(200);
}
