//! Carts that end, go into others, and notice new prices.

use api::Settings;
use serde_json::{Value, json};

use crate::support::{Api, Reply, buyer, fresh_key, gbp, get, post, put};

async fn open(api: &Api, body: &Value) -> String {
    api.send(post("/v1/carts", body)).await.expect(201).text_of("id")
}

async fn merge(api: &Api, guest: &str, into: &str) -> Reply {
    let body = json!({ "into": into, "customer": "ada" });
    api.send(post(&format!("/v1/carts/{guest}/merge"), &body).patient()).await
}

async fn change_price(api: &Api, sku: &str, pence: i64) -> Reply {
    let found = api.send(get(&format!("/v1/products?q={sku}"))).await.expect(200).json();
    let id = found["data"][0]["id"].as_str().unwrap_or_default().to_owned();
    api.send(put(&format!("/v1/products/{id}/prices/{sku}"), &json!({ "price": gbp(pence) })))
        .await
        .expect(200)
}

fn quantities(cart: &Value) -> Vec<(String, i64)> {
    let lines = cart["lines"].as_array().into_iter().flatten();
    let one = |line: &Value| Some((line["sku"].as_str()?.to_owned(), line["quantity"].as_i64()?));
    lines.filter_map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_cart_goes_into_the_customers_and_both_say_so() {
    let api = Api::start().await;
    for (sku, pence) in [("A", 100), ("B", 50)] {
        api.list(sku, pence).await;
    }
    let mine = open(&api, &json!({ "currency": "GBP", "customer": "ada" })).await;
    api.send(post(&format!("/v1/carts/{mine}/items"), &json!({ "sku": "A", "quantity": 2 })))
        .await
        .expect(200);
    let guest = api.cart(&[("A", 1), ("B", 3)]).await;
    let reply = merge(&api, &guest, &mine).await.expect(200);
    assert_eq!((reply.text_of("id"), &reply.json()["left_out"]), (mine.clone(), &json!([])));
    let both = [("A".to_owned(), 3), ("B".to_owned(), 3)];
    assert_eq!(quantities(&reply.json()), both);

    let shown = api.send(get(&format!("/v1/carts/{mine}")).after(&reply)).await.expect(200).json();
    assert_eq!((quantities(&shown), &shown["total"]), (both.to_vec(), &gbp(450)));
    let shown = api.send(get(&format!("/v1/carts/{guest}")).after(&reply)).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["merged_into"]), (&json!("merged"), &json!(mine)));

    let again = merge(&api, &guest, &mine).await.expect(200);
    assert_eq!(quantities(&again.json()), both, "once more changes nothing");
    let add = post(&format!("/v1/carts/{guest}/items"), &json!({ "sku": "A", "quantity": 1 }));
    let refused = api.send(add).await.expect_problem(409, "cart.merged");
    assert_eq!(refused.text_of("into"), mine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_opens_the_customers_cart_if_need_be() {
    let api = Api::start().await;
    api.list("A", 100).await;
    let guest = api.cart(&[("A", 1)]).await;
    let reply = merge(&api, &guest, "ada-1").await.expect(200);
    let shown = api.send(get("/v1/carts/ada-1").after(&reply)).await.expect(200).json();
    assert_eq!((&shown["customer"], &shown["status"]), (&json!("ada"), &json!("open")));
    assert_eq!(quantities(&shown), [("A".to_owned(), 1)]);
    assert!(shown["expires_at"].is_string(), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_merge_says_why_and_leaves_the_guests_cart_open() {
    let api = Api::start().await;
    api.list("A", 100).await;
    let guest = api.cart(&[("A", 1)]).await;
    let theirs = open(&api, &json!({ "currency": "GBP", "customer": "bob" })).await;
    let euros = open(&api, &json!({ "currency": "EUR", "customer": "ada" })).await;
    for (into, reason) in [(&theirs, "not_theirs"), (&euros, "other_currency"), (&guest, "closed")] {
        let reply = merge(&api, &guest, into).await.expect_problem(409, "cart.merge_declined");
        assert_eq!(reply.text_of("reason"), reason);
    }
    let body = json!({ "into": theirs, "customer": "ada" });
    let key = fresh_key();
    for _ in 0..2 {
        let ask = post(&format!("/v1/carts/{guest}/merge"), &body).key(&key).patient();
        let reply = api.send(ask).await.expect_problem(409, "cart.merge_declined");
        assert_eq!(reply.text_of("reason"), "not_theirs");
    }
    api.send(post(&format!("/v1/carts/{guest}/items"), &json!({ "sku": "A", "quantity": 1 })))
        .await
        .expect(200);
    let mine = open(&api, &json!({ "currency": "GBP", "customer": "ada" })).await;
    let reply = merge(&api, &guest, &mine).await.expect(200);
    assert_eq!(quantities(&reply.json()), [("A".to_owned(), 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_price_stops_the_checkout_until_it_is_accepted() {
    let api = Api::start().await;
    api.stock("A", 250, 9).await;
    api.stock("B", 100, 9).await;
    let cart = api.cart(&[("A", 2), ("B", 1)]).await;
    let changed = change_price(&api, "A", 300).await;
    let check_out = || post("/v1/checkouts", &buyer(&cart, "card")).key(&fresh_key()).after(&changed);
    let refused = api.send(check_out()).await.expect_problem(409, "cart.price_changed");
    assert_eq!(refused.json()["changes"], json!([{ "sku": "A", "was": gbp(250), "now": gbp(300) }]));

    let path = format!("/v1/carts/{cart}/accept-prices");
    let accepted = api.send(post(&path, &json!({})).after(&changed)).await.expect(200).json();
    assert_eq!(accepted["events"], json!(["PricesAccepted"]));
    let again = api.send(post(&path, &json!({})).after(&changed)).await.expect(200).json();
    assert_eq!(again["events"], json!([]));
    let reply = api.send(check_out()).await.expect(201);
    assert_eq!(reply.json()["total"], gbp(700));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_checkout_is_answered_alike_whatever_prices_are_now() {
    let api = Api::start().await;
    api.stock("A", 250, 9).await;
    let cart = api.cart(&[("A", 2)]).await;
    let key = fresh_key();
    let check_out = || post("/v1/checkouts", &buyer(&cart, "card")).key(&key).patient();
    let first = api.send(check_out()).await.expect(201);
    let changed = change_price(&api, "A", 300).await;
    let again = api.send(check_out().after(&changed)).await.expect(201);
    assert_eq!((again.json(), again.header("idempotency-replayed")), (first.json(), "true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_that_nobody_touches_expires() {
    let day_ms = 24 * 60 * 60 * 1_000;
    let api = Api::start_with(Settings { cart_lifetime_ms: -day_ms, ..Settings::default() }).await;
    api.list("A", 100).await;
    let cart = open(&api, &json!({ "currency": "GBP" })).await;
    let shown = api.until(&format!("/v1/carts/{cart}"), "status", "expired").await;
    let add = post(&format!("/v1/carts/{cart}/items"), &json!({ "sku": "A", "quantity": 1 }));
    let refused = api.send(add).await.expect_problem(409, "cart.expired");
    assert!(shown["expires_at"].is_string() && refused.json()["expired_at"].is_number(), "{refused:?}");
    api.send(post("/v1/checkouts", &buyer(&cart, "card")).key(&fresh_key()))
        .await
        .expect_problem(409, "cart.expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_carries_what_its_variant_weighs_and_how_many_may_be_bought() {
    let api = Api::start().await;
    let variant = json!({
        "sku": "RARE", "price": gbp(500), "tax_category": "art", "weight_grams": 220, "purchase_limit": 2,
    });
    let listed = api.send(post("/v1/products", &json!({ "title": "Print", "variants": [variant] }))).await;
    let product = listed.expect(201);
    let cart = open(&api, &json!({ "currency": "GBP" })).await;
    let add = |quantity: u32| {
        let body = json!({ "sku": "RARE", "quantity": quantity });
        post(&format!("/v1/carts/{cart}/items"), &body).after(&product)
    };
    let refused = api.send(add(3)).await.expect_problem(422, "cart.purchase_limit");
    assert_eq!((&refused.json()["sku"], &refused.json()["limit"]), (&json!("RARE"), &json!(2)));
    let added = api.send(add(2)).await.expect(200);
    let shown = api.send(get(&format!("/v1/carts/{cart}")).after(&added)).await.expect(200).json();
    let line = &shown["lines"][0];
    assert_eq!((&line["tax_category"], &line["weight_grams"]), (&json!("art"), &json!(220)));
    assert_eq!(line["purchase_limit"], json!(2));
}
