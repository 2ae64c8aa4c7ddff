//! `GET /v1/orders/{id}?as_of=`: the order's page as it was.

#![expect(clippy::unwrap_used, reason = "a test whose shop does not answer cannot go on")]

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Api, Reply, get, post};

async fn shown(api: &Api, order: &str, as_of: &str) -> Reply {
    api.send(get(&format!("/v1/orders/{order}?as_of={as_of}"))).await
}

/// The position that an answer reflects.
fn position(reply: &Reply) -> i64 {
    reply.header("daybook-position").split_once(':').unwrap().1.parse().unwrap()
}

async fn head(api: &Api) -> i64 {
    api.engine.log.head().await.unwrap().position
}

/// An order that was placed, paid and shipped, with the page after each step.
async fn history(api: &Api) -> (String, Vec<Reply>) {
    api.stock("MUG-SEA", 900, 5).await;
    let cart = api.cart(&[("MUG-SEA", 2)]).await;
    let placed = api.check_out(&cart, "card").await.expect(201);
    let (order, payment) = (placed.text_of("order"), placed.text_of("payment"));
    let path = format!("/v1/orders/{order}");
    let mut pages = vec![api.send(get(&path).after(&placed)).await.expect(200)];
    let paid = api.authorize(&payment, "tok_approve").await.expect(200);
    pages.push(api.send(get(&path).after(&paid)).await.expect(200));
    api.until(&path, "payment_status", "captured").await;
    pages.push(api.send(get(&path)).await.expect(200));
    let parcel = json!({ "carrier": "DHL", "lines": [{ "line": 0, "quantity": 1 }] });
    let shipped = api.send(post(&format!("{path}/shipments"), &parcel).key("parcel")).await.expect(201);
    pages.push(api.send(get(&path).after(&shipped)).await.expect(200));
    (order, pages)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_reads_as_it_did_at_every_position_that_was_seen() {
    let api = Api::start().await;
    let (order, pages) = history(&api).await;
    let check = async |as_of: &str, page: &Reply| {
        let then = shown(&api, &order, as_of).await.expect(200);
        assert_eq!(then.json(), page.json(), "{as_of}");
        assert_eq!(
            (then.header("etag"), then.header("cache-control")),
            (page.header("etag"), "private, no-cache")
        );
        then
    };
    for page in &pages {
        let then = check(&position(page).to_string(), page).await;
        assert_eq!(position(&then), position(page));
        // What a page said of itself may be sent back as it came.
        check(page.header("daybook-position"), page).await;
    }
    let statuses: Vec<Value> = pages.iter().map(|page| page.json()["status"].clone()).collect();
    assert!(
        statuses.contains(&json!("placed")) && statuses.contains(&json!("partially_shipped")),
        "{statuses:?}"
    );
    // Whatever else has followed by now: the end of the log is the present.
    let end = shown(&api, &order, &head(&api).await.to_string()).await.expect(200);
    let now = api.send(get(&format!("/v1/orders/{order}")).after(&end).patient()).await.expect(200);
    check(&position(&now).to_string(), &now).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn business_time_counts_and_tags_are_those_of_then() {
    let api = Api::start().await;
    let (order, pages) = history(&api).await;
    let events = api.events().await;
    let own = |name: &str| {
        let own = events.iter().filter(|event| event["aggregate_id"] == order.as_str());
        let found = own.into_iter().find(|event| event["event_type"] == name);
        found.unwrap()["metadata"]["occurred_at"].as_str().unwrap().to_owned()
    };
    let then = shown(&api, &order, &own("Shipped")).await.expect(200).json();
    assert_eq!(
        (&then["status"], &then["shipments"][0]["carrier"]),
        (&json!("partially_shipped"), &json!("DHL"))
    );
    let then = shown(&api, &order, &own("Placed")).await.expect(200).json();
    assert_eq!((&then["status"], &then["shipments"]), (&json!("placed"), &json!([])));
    // Whoever asks again has the page already.
    let again = get(&format!("/v1/orders/{order}?as_of={}", position(&pages[0])));
    let again = again.header("if-none-match", pages[0].header("etag"));
    assert_eq!(api.send(again).await.expect(304).text, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_is_none_is_told() {
    let api = Api::start().await;
    let (order, pages) = history(&api).await;
    for malformed in ["yesterday", "2010-02-30", "2010-02-30T00:00:00Z", "0", "-1", "sequence:1", "1.5", ""] {
        shown(&api, &order, malformed).await.expect_problem(400, "as_of.malformed");
    }
    let head = head(&api).await;
    let ahead = shown(&api, &order, &(head + 1).to_string()).await.expect_problem(400, "as_of.ahead");
    assert_eq!(ahead.json()["head"], head);
    shown(&api, &order, "9999-12-31").await.expect_problem(400, "as_of.ahead");
    shown(&api, &order, &format!("{}:1", Uuid::nil())).await.expect_problem(412, "position.other_log");
    let placed_after = position(&pages[0]);
    let gone = shown(&api, &order, "1").await.expect_problem(404, "order.not_found");
    assert!(position(&gone) == 1 && placed_after > 1);
    shown(&api, &order, "2001-01-01").await.expect_problem(404, "order.not_found");
    shown(&api, "nobody", &head.to_string()).await.expect_problem(404, "order.not_found");
    let typo = get(&format!("/v1/orders/{order}?asof=1"));
    api.send(typo).await.expect_problem(422, "request.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_of_an_order_is_for_those_who_may_see_it_now() {
    let api = Api::start().await;
    let (order, pages) = history(&api).await;
    let guest = api.send(post("/v1/auth/guest", &json!({})).by_nobody()).await.expect(201);
    let path = format!("/v1/orders/{order}?as_of={}", position(&pages[0]));
    api.send(get(&path).by(&guest.text_of("access_token"))).await.expect_problem(404, "order.not_found");
    api.send(get(&path).by_nobody()).await.expect_problem(401, "auth.required");
    api.send(get(&path)).await.expect(200);
}
