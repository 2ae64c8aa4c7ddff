//! Entity tags and conditions, as RFC 9110 has them, and what others may keep.

use api::{Keeping, Settings};
use axum::http::Method;
use serde_json::json;

use crate::support::{Api, Ask, Reply, gbp, get, post, put};

async fn chair(api: &Api) -> Reply {
    let product =
        json!({ "id": "chair", "title": "Chair", "variants": [{ "sku": "CHAIR", "price": gbp(900) }] });
    let listed = api.send(post("/v1/products", &product)).await.expect(201);
    api.send(get("/v1/products/chair").after(&listed)).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_page_is_told_so_without_getting_it_again() {
    let api = Api::start().await;
    let shown = chair(&api).await;
    let tag = shown.header("etag");
    for known in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", W/\"y\",,{tag}"), "*".to_owned()] {
        let ask = get("/v1/products/chair").header("if-none-match", &known);
        let known = api.send(ask).await.expect(304);
        assert_eq!(known.text, "");
        for header in ["etag", "cache-control", "vary"] {
            assert_eq!(known.header(header), shown.header(header), "{header}");
        }
        assert!(!known.header("daybook-position").is_empty());
        assert_eq!(known.header("content-type"), "");
    }
    for other in ["\"1\"", "\"x\", \"y\"", "nonsense", &tag.replace('"', "")] {
        let ask = get("/v1/products/chair").header("if-none-match", other);
        assert_eq!(api.send(ask).await.expect(200).text, shown.text, "{other}");
    }
    let twice = get("/v1/products/chair").header("if-none-match", "\"x\"").header("if-none-match", tag);
    api.send(twice).await.expect(304);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_has_another_tag_when_its_price_or_what_is_available_changes() {
    let api = Api::start().await;
    let mut tags = vec![chair(&api).await.header("etag").to_owned()];
    let changes = [
        put("/v1/products/chair/prices/CHAIR", &json!({ "price": gbp(800) })),
        post("/v1/inventory/CHAIR/receive", &json!({ "quantity": 4 })),
        post("/v1/inventory/CHAIR/reservations", &json!({ "quantity": 1 })),
    ];
    for change in changes {
        let changed = api.send(change).await;
        assert!(changed.status.is_success(), "{changed:?}");
        let ask = get("/v1/products/chair").header("if-none-match", &tags.join(", "));
        let shown = api.send(ask.after(&changed)).await.expect(200);
        assert!(!tags.contains(&shown.header("etag").to_owned()), "{shown:?}");
        tags.push(shown.header("etag").to_owned());
    }
    let shown = api.send(get("/v1/products/chair")).await.json();
    assert_eq!((&shown["version"], &shown["variants"][0]["available"]), (&json!(2), &json!(3)));
    // What goes away again leaves the page as it was, and so its tag.
    let received = post("/v1/inventory/CHAIR/reservations", &json!({ "reservation": "r", "quantity": 1 }));
    let held = api.send(received).await.expect(201);
    api.send(get("/v1/products/chair").after(&held)).await.expect(200);
    let path = "/v1/inventory/CHAIR/reservations/r";
    let free = api.send(Ask::new(Method::DELETE, path)).await.expect(200);
    let shown = api.send(get("/v1/products/chair").after(&free)).await.expect(200);
    assert_eq!(Some(shown.header("etag")), tags.last().map(String::as_str));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_insists_on_a_page_gets_that_one_or_none() {
    let api = Api::start().await;
    let shown = chair(&api).await;
    let tag = shown.header("etag");
    for (insists, status) in [
        (tag.to_owned(), 200),
        (format!("\"x\", {tag}"), 200),
        ("*".to_owned(), 200),
        (format!("W/{tag}"), 412),
        ("\"x\"".to_owned(), 412),
    ] {
        let ask = get("/v1/products/chair").header("if-match", &insists);
        let reply = api.send(ask).await.expect(status);
        assert_eq!(reply.header("etag"), tag, "{insists}");
    }
    let malformed = get("/v1/products/chair").header("if-match", "1");
    api.send(malformed).await.expect_problem(400, "precondition.malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_may_insist_on_one_of_several_versions_or_on_any() {
    let api = Api::start().await;
    let tag = chair(&api).await.header("etag").to_owned();
    let price = |pence, insists: &str| {
        put("/v1/products/chair/prices/CHAIR", &json!({ "price": gbp(pence) })).header("if-match", insists)
    };
    // The page's own tag, though more is shown than the product's stream.
    api.send(price(1, &tag)).await.expect(200);
    let stale = api.send(price(2, &tag)).await.expect_problem(412, "precondition.failed");
    assert_eq!(stale.header("etag"), "\"2\"");
    api.send(price(2, "\"1\", \"2.abc\"")).await.expect(200);
    api.send(price(3, "*")).await.expect(200);
    for never in ["W/\"4\"", "\"x\"", "\"5\", \"6\"", "\"-1\""] {
        api.send(price(9, never)).await.expect_problem(412, "precondition.failed");
    }
    let shown = api.send(get("/v1/products/chair")).await.json();
    assert_eq!(api.events().await.len(), 4, "{shown}");
    let missing = put("/v1/products/table/prices/T", &json!({ "price": gbp(1) })).header("if-match", "*");
    let missing = api.send(missing).await.expect_problem(412, "precondition.failed");
    assert_eq!(missing.json()["version"], 0);
    // A repeat under its key finds what it did itself.
    let keyed = || price(4, "*").key("k");
    api.send(keyed()).await.expect(200);
    assert_eq!(api.send(keyed()).await.expect(200).header("idempotency-replayed"), "true");
    let keyed = || price(5, "\"4\", \"5\"").key("l");
    api.send(keyed()).await.expect(200);
    assert_eq!(api.send(keyed()).await.expect(200).header("idempotency-replayed"), "true");
    assert_eq!(api.events().await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untouched_cart_is_known_by_the_tag_that_its_command_gave() {
    let api = Api::start().await;
    api.list("A", 100).await;
    let cart = api.cart(&[]).await;
    let path = format!("/v1/carts/{cart}");
    let set = api.send(put(&format!("{path}/items/A"), &json!({ "quantity": 2 }))).await.expect(200);
    let ask = get(&path).header("if-none-match", set.header("etag"));
    let known = api.send(ask.after(&set)).await.expect(304);
    assert_eq!(known.header("cache-control"), "private, no-cache");
    let again = api.send(put(&format!("{path}/items/A"), &json!({ "quantity": 3 }))).await.expect(200);
    let ask = get(&path).header("if-none-match", set.header("etag"));
    api.send(ask.after(&again)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_says_what_get_says_and_sends_nothing() {
    let api = Api::start().await;
    let shown = chair(&api).await;
    let head = api.send(Ask::new(Method::HEAD, "/v1/products/chair")).await.expect(200);
    assert_eq!(head.text, "");
    for header in ["etag", "cache-control", "vary", "content-type"] {
        assert_eq!(head.header(header), shown.header(header), "{header}");
    }
    assert_eq!(head.header("content-length"), shown.text.len().to_string());
    let known = Ask::new(Method::HEAD, "/v1/products/chair").header("if-none-match", shown.header("etag"));
    api.send(known).await.expect(304);
    let missing = api.send(Ask::new(Method::HEAD, "/v1/products/table")).await.expect(404);
    assert_eq!(missing.text, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_who_may_keep_it() {
    let keeping = Keeping { fresh_s: 7, stale_s: 70 };
    let api = Api::start_with(Settings { keeping, ..Settings::default() }).await;
    let shown = chair(&api).await;
    assert_eq!(shown.header("cache-control"), "public, max-age=7, stale-while-revalidate=70");
    assert_eq!(shown.header("vary"), "daybook-min-position");
    api.stock("A", 100, 5).await;
    let (order, payment) = api.order("A", 1).await;
    let opened = api.send(post("/v1/carts", &json!({ "currency": "GBP" }))).await.expect(201);
    let cart = opened.text_of("id");
    for (path, kept) in [
        ("/v1/products?q=chair".to_owned(), "public, max-age=7, stale-while-revalidate=70"),
        (format!("/v1/orders/{order}"), "private, no-cache"),
        ("/v1/orders?customer=ada".to_owned(), "private, no-cache"),
        (format!("/v1/carts/{cart}"), "private, no-cache"),
        (format!("/v1/payments/{payment}"), "private, no-cache"),
        ("/v1/inventory/A".to_owned(), "private, no-cache"),
        ("/v1/events".to_owned(), "no-store"),
        ("/readyz".to_owned(), "no-store"),
    ] {
        let reply = api.send(get(&path).after(&opened)).await.expect(200);
        assert_eq!(reply.header("cache-control"), kept, "{path}");
    }
    for path in ["/v1/products/table", "/v1/nothing"] {
        assert_eq!(api.send(get(path)).await.expect(404).header("cache-control"), "no-store", "{path}");
    }
    let too_many = post("/v1/inventory/A/reservations", &json!({ "quantity": 99 }));
    let refused = api.send(too_many).await.expect_problem(409, "inventory.insufficient");
    assert_eq!(refused.header("cache-control"), "no-store");
}
