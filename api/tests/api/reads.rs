//! What queries answer from, and how new that is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Api, buyer, delete, fresh_key, gbp, get, post, put};

#[tokio::test(flavor = "multi_thread")]
async fn every_read_model_shows_ones_own_write_under_its_position() {
    let api = Api::start().await;
    let product =
        json!({ "id": "chair", "title": "Chair", "variants": [{ "sku": "CHAIR", "price": gbp(900) }] });
    let listed = api.send(post("/v1/products", &product)).await.expect(201);
    let shown = api.send(get("/v1/products/chair").after(&listed)).await.expect(200);
    assert_eq!(shown.text_of("title"), "Chair");
    assert!(shown.header("etag").starts_with("\"1."), "{shown:?}");
    let found = api.send(get("/v1/products?q=chair").after(&listed)).await.expect(200).json();
    assert_eq!(found["data"][0]["id"], "chair");

    let priced = put("/v1/products/chair/prices/CHAIR", &json!({ "price": gbp(800) }));
    let priced = api.send(priced).await.expect(200);
    let shown = api.send(get("/v1/products/chair").after(&priced)).await.json();
    assert_eq!(shown["variants"][0]["price"], gbp(800));

    let received = post("/v1/inventory/CHAIR/receive", &json!({ "quantity": 4 }));
    let received = api.send(received).await.expect(200);
    let stock = api.send(get("/v1/inventory/CHAIR").after(&received)).await.expect(200).json();
    assert_eq!((&stock["on_hand"], &stock["available"]), (&json!(4), &json!(4)));
    let list = api.send(get("/v1/inventory").after(&received)).await.expect(200).json();
    assert_eq!(list["data"][0]["sku"], "CHAIR");

    let cart = api.cart(&[]).await;
    let path = format!("/v1/carts/{cart}");
    let set = put(&format!("{path}/items/CHAIR"), &json!({ "quantity": 2 }));
    let set = api.send(set.after(&priced)).await.expect(200);
    let shown = api.send(get(&path).after(&set)).await.expect(200);
    assert_eq!((&shown.json()["total"], shown.header("etag")), (&gbp(1_600), set.header("etag")));

    let placed = api.check_out(&cart, "card").await.expect(201);
    let order = api.send(get(placed.header("location")).after(&placed)).await.expect(200).json();
    assert_eq!((&order["status"], &order["total"]), (&json!("placed"), &gbp(1_600)));
    let payment = format!("/v1/payments/{}", placed.text_of("payment"));
    let payment = api.send(get(&payment).after(&placed)).await.expect(200).json();
    assert_eq!(payment["amount"], gbp(1_600));
    let stock = api.send(get("/v1/inventory/CHAIR").after(&placed)).await.json();
    assert_eq!((&stock["reserved"], &stock["available"]), (&json!(2), &json!(2)));
    let holds = api.send(get("/v1/inventory/CHAIR/reservations").after(&placed)).await.expect(200).json();
    assert_eq!(holds["data"][0]["reservation"], placed.json()["order"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_has_not_come_is_503_and_says_how_far_it_is() {
    let api = Api::start().await;
    let received = api.send(post("/v1/inventory/A/receive", &json!({ "quantity": 4 }))).await;
    let (incarnation, _) = received.header("daybook-position").split_once(':').unwrap();
    let ask = |position: &str| {
        get("/v1/inventory/A").header("daybook-min-position", position).header("prefer", "wait=0")
    };
    api.send(get("/v1/inventory/A").after(&received)).await.expect(200);
    let reply = api.send(ask(&format!("{incarnation}:99"))).await.expect_problem(503, "read_model.behind");
    assert_eq!((&reply.json()["reflects"], reply.header("retry-after")), (&json!(1), "1"));
    let other = format!("{}:1", fresh_key());
    api.send(ask(&other)).await.expect_problem(412, "position.other_log");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_comes_in_pages_without_a_gap() {
    let api = Api::start().await;
    for sku in ["A", "B", "C"] {
        api.send(post(&format!("/v1/inventory/{sku}/receive"), &json!({ "quantity": 1 }))).await.expect(200);
    }
    let first = api.send(get("/v1/events?limit=2")).await.expect(200);
    assert_eq!((first.header("content-type"), first.header("daybook-next")), ("application/x-ndjson", "3"));
    let next = api.send(get(&format!("/v1/events?from={}", first.header("daybook-next")))).await.expect(200);
    let positions: Vec<_> = [first.text, next.text]
        .concat()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["position"].clone())
        .collect();
    assert_eq!(positions, [1, 2, 3]);
    let end = api.send(get("/v1/events?from=4")).await.expect(200);
    assert_eq!((end.text.as_str(), end.header("daybook-next")), ("", "4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orders_audit_says_who_did_what_and_why_in_order() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (order, payment) = api.order("A", 2).await;
    let cancel = json!({ "reason": "staff", "note": "a duplicate" });
    api.send(post(&format!("/v1/orders/{order}/cancel"), &cancel)).await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "voided").await;
    let audit = api.send(get(&format!("/v1/orders/{order}/events"))).await.expect(200).json();
    let steps: Vec<_> =
        audit["data"].as_array().unwrap().iter().filter_map(|event| event["event_type"].as_str()).collect();
    let expected = ["Started", "Placed", "Reserved", "IntentOpened", "Cancelled", "GivenUp", "Voided"];
    assert_eq!(steps, expected);
    let cancelled = &audit["data"][4];
    assert_eq!(cancelled["metadata"]["actor"], "admin:00000000-0000-0000-0000-000000000000");
    assert_eq!(cancelled["payload"]["Cancelled"]["note"], "a duplicate");
    assert!(cancelled["metadata"]["occurred_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orders_audit_tells_of_every_manager_that_looked_after_it() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let (order, payment) = api.order("A", 2).await;
    api.authorize(&payment, "tok_approve").await.expect(200);
    api.until(&format!("/v1/payments/{payment}"), "status", "captured").await;
    let audit = api.send(get(&format!("/v1/orders/{order}/events"))).await.expect(200).json();
    let whose: BTreeSet<_> = audit["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["aggregate_type"].as_str())
        .collect();
    assert_eq!(whose, BTreeSet::from(["checkout", "fulfilment", "order", "payment"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_forgotten_leaves_their_orders_and_nothing_about_themselves() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let cart = api.send(post("/v1/carts", &json!({ "currency": "GBP", "customer": "ada" }))).await;
    let cart = cart.text_of("id");
    let line = json!({ "sku": "A", "quantity": 1 });
    api.send(post(&format!("/v1/carts/{cart}/items"), &line)).await.expect(200);
    let checkout = api.check_out(&cart, "card").await.expect(201);
    let path = format!("/v1/orders/{}", checkout.text_of("order"));
    let known = api.send(get(&path).after(&checkout)).await.expect(200).json();
    assert!(known["delivery"]["contact"]["name"].is_string(), "{known}");

    let why = json!({ "reason": "asked by letter" });
    let forgotten = api.send(post("/v1/subjects/customer:ada/forget", &why)).await.expect(200);
    assert_eq!(forgotten.json()["events"], json!(["Forgotten"]));
    let shown = api.send(get(&path)).await.expect(200).json();
    assert_eq!(shown["delivery"]["contact"], "forgotten");
    assert_eq!(shown["delivery"]["address"], "forgotten");
    assert_eq!((&shown["total"], &shown["lines"]), (&known["total"], &known["lines"]));
    let again = api.send(post("/v1/subjects/customer:ada/forget", &json!({}))).await.expect(200);
    assert_eq!(again.json()["events"], json!([]));

    let cart =
        api.send(post("/v1/carts", &json!({ "currency": "GBP", "customer": "ada" }))).await.text_of("id");
    api.send(post(&format!("/v1/carts/{cart}/items"), &line)).await.expect(200);
    api.check_out(&cart, "card").await.expect_problem(410, "subject.forgotten");
    api.send(post("/v1/subjects/ada/forget", &json!({}))).await.expect_problem(422, "request.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_reads_their_orders_newest_first() {
    let api = Api::start().await;
    api.stock("A", 250, 5).await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        let cart = api.send(post("/v1/carts", &json!({ "currency": "GBP", "customer": "ada" }))).await;
        let path = format!("/v1/carts/{}", cart.text_of("id"));
        let line = json!({ "sku": "A", "quantity": 1 });
        api.send(post(&format!("{path}/items"), &line)).await.expect(200);
        orders.push(api.check_out(&cart.text_of("id"), "card").await.expect(201));
    }
    let last = orders.last().unwrap();
    let page = api.send(get("/v1/orders?customer=ada&limit=2").after(last)).await.expect(200).json();
    assert_eq!((&page["has_more"], page["data"].as_array().unwrap().len()), (&json!(true), 2));
    assert_eq!(page["data"][0]["id"], last.json()["order"]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = api.send(get(&format!("/v1/orders?customer=ada&limit=2&cursor={cursor}"))).await.json();
    assert_eq!((&rest["has_more"], &rest["data"][0]["id"]), (&json!(false), &orders[0].json()["order"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn products_are_found_by_brand_category_and_price() {
    let api = Api::start().await;
    let list = |id: &str, brand: &str, category: [&str; 2], pence: i64| {
        let variants = json!([{ "sku": id, "price": gbp(pence) }]);
        json!({ "id": id, "title": id, "brand": brand, "category": category, "variants": variants })
    };
    api.send(post("/v1/products", &list("mug", "Potter", ["Home", "Kitchen"], 300))).await.expect(201);
    api.send(post("/v1/products", &list("pan", "Smith", ["Home", "Kitchen"], 900))).await.expect(201);
    let rug = post("/v1/products", &list("rug", "Smith", ["Home", "Floor"], 5_000));
    let last = api.send(rug).await.expect(201);
    for (query, expected) in [
        ("sort=price_asc", vec!["mug", "pan", "rug"]),
        ("brand=Smith&sort=price_desc", vec!["rug", "pan"]),
        ("category=Home%20%3E%20Kitchen&sort=price_asc", vec!["mug", "pan"]),
        ("price_min=301&price_max=1000", vec!["pan"]),
    ] {
        let page = api.send(get(&format!("/v1/products?{query}")).after(&last)).await.expect(200).json();
        let ids: Vec<_> = page["data"].as_array().unwrap().iter().map(|found| found["id"].clone()).collect();
        assert_eq!(ids, expected, "{query}");
    }
    let counted = get("/v1/products?q=mugs&facets=brand,available&limit=1").after(&last);
    let found = api.send(counted).await.expect(200).json();
    assert_eq!(found["data"][0]["highlight"]["title"], "<em>mug</em>");
    assert_eq!(found["facets"]["brand"], json!([{ "value": "Potter", "count": 1 }]));
    assert_eq!((&found["facets"]["total"], &found["facets"]["price"]), (&json!(1), &Value::Null));
    assert_eq!(found["facets"]["available"][1], json!({ "value": "false", "count": 1 }));
    let suggested = api.send(get("/v1/products/suggest?q=mu").after(&last)).await.expect(200).json();
    assert_eq!(suggested["queries"], json!(["mug"]));
    assert_eq!(suggested["titles"], json!([{ "id": "mug", "title": "mug", "highlight": "<em>mug</em>" }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_cannot_be_meant_is_told_what_can() {
    let api = Api::start().await;
    let long = "x".repeat(201);
    for (query, word) in [
        ("price_min=5&price_max=4", "price_min"),
        ("price_min=-1", "price_min"),
        ("rating_min=6", "rating_min"),
        ("rating_min=NaN", "rating_min"),
        ("facets=colour", "brand, category"),
        ("sort=random", "popularity"),
        ("available=perhaps", "available"),
        (&format!("q={long}"), "200"),
    ] {
        let reply = api.send(get(&format!("/v1/products?{query}"))).await;
        let told = reply.expect(422).json();
        assert_eq!(told["code"], "request.invalid", "{query}");
        assert!(told["detail"].as_str().unwrap().contains(word), "{query}: {}", told["detail"]);
    }
    api.send(get("/v1/products/suggest")).await.expect_problem(422, "request.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_taken_out_is_gone_and_taking_it_out_again_is_fine() {
    let api = Api::start().await;
    api.list("A", 250).await;
    let cart = api.cart(&[("A", 2)]).await;
    let path = format!("/v1/carts/{cart}");
    let gone = api.send(delete(&format!("{path}/items/A"))).await.expect(200);
    assert_eq!(api.send(get(&path).after(&gone)).await.json()["lines"], json!([]));
    let again = api.send(delete(&format!("{path}/items/A"))).await.expect(200);
    assert_eq!(again.json()["events"], json!([]));
    let body = buyer(&cart, "card");
    api.send(post("/v1/checkouts", &body).key(&fresh_key())).await.expect_problem(409, "cart.empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_takes_the_prices_of_the_catalogue_only() {
    let api = Api::start().await;
    api.list("A", 250).await;
    let cart = api.cart(&[]).await;
    let items = format!("/v1/carts/{cart}/items");
    let unknown = api.send(post(&items, &json!({ "sku": "NOBODY", "quantity": 1 }))).await;
    unknown.expect_problem(422, "product.unknown_sku");
    let priced = api.send(post(&items, &json!({ "sku": "A", "quantity": 1, "unit_price": gbp(1) }))).await;
    priced.expect_problem(422, "request.invalid");
    let added = api.send(post(&items, &json!({ "sku": "A", "quantity": 2 }))).await.expect(200);
    let cart = api.send(get(&format!("/v1/carts/{cart}")).after(&added)).await.json();
    assert_eq!((&cart["total"], &cart["lines"][0]["unit_price"]), (&gbp(500), &gbp(250)));
}
