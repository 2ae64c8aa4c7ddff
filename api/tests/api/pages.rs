//! Pages that are kept in memory: as new as they claim to be, and gone when something happens that no event tells.

#![expect(clippy::unwrap_used, reason = "a test whose shop does not answer cannot go on")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use projections::{orders::Orders, products::Products};
use serde_json::json;
use sqlx::Executor as _;
use store::testing::eventually;

use crate::support::{Api, Reply, gbp, get, post, put};

/// What a page said, as far as it says what it follows from.
struct Seen {
    claimed: i64,
    at_least: i64,
    version: i64,
    position: i64,
    available: i64,
}

impl Seen {
    fn of(reply: &Reply, at_least: i64) -> Self {
        let body = reply.json();
        Self {
            claimed: claimed(reply),
            at_least,
            version: body["version"].as_i64().unwrap(),
            position: body["position"].as_i64().unwrap(),
            available: body["variants"][0]["available"].as_i64().unwrap_or(0),
        }
    }
}

fn claimed(reply: &Reply) -> i64 {
    reply.header("daybook-position").split_once(':').unwrap().1.parse().unwrap()
}

async fn listed(api: &Api) -> Reply {
    let product =
        json!({ "id": "chair", "title": "Chair", "variants": [{ "sku": "CHAIR", "price": gbp(900) }] });
    api.send(post("/v1/products", &product)).await.expect(201)
}

/// Asks for a page over and over, now and then for what was last written.
async fn watch(api: &Api, path: &str, last: &std::sync::Mutex<Reply>, over: &AtomicBool) -> Vec<Seen> {
    let mut seen = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let wanted = (seen.len() % 5 == 0).then(|| {
            let last = last.lock().unwrap();
            (get(path).after(&last), claimed(&last))
        });
        let (ask, at_least) = wanted.unwrap_or_else(|| (get(path), 0));
        seen.push(Seen::of(&api.send(ask).await.expect(200), at_least));
        // A page from memory makes nobody wait, so nobody else would ever come to it.
        tokio::task::yield_now().await;
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_shows_every_event_up_to_the_position_that_it_claims_whoever_writes_and_whoever_reads() {
    let one = Api::start().await;
    let other = one.another().await;
    let onlooker = one.onlooker().await;
    one.stock("OTHER", 100, 1_000).await;
    let placed = one.order("OTHER", 1).await.0;
    let order = format!("/v1/orders/{placed}");
    let listed = listed(&one).await;
    for api in [&one, &other, &onlooker] {
        api.send(get("/v1/products/chair").after(&listed)).await.expect(200);
        api.send(get(&order).after(&listed)).await.expect(200);
    }
    let (product_last, order_last) =
        (std::sync::Mutex::new(listed), std::sync::Mutex::new(one.send(get(&order)).await));
    let over = AtomicBool::new(false);
    let write = async {
        for round in 0..44_i64 {
            let api = if round % 2 == 0 { &one } else { &other };
            let price = put("/v1/products/chair/prices/CHAIR", &json!({ "price": gbp(1_000 + round) }));
            let received = post("/v1/inventory/CHAIR/receive", &json!({ "quantity": 1 }));
            let reviewed = match round % 2 {
                0 => post(&format!("{order}/hold"), &json!({ "reason": "a look" })),
                _ => post(&format!("{order}/release"), &json!({})),
            };
            for ask in [price, received] {
                let reply = api.send(ask).await.expect(200);
                *product_last.lock().unwrap() = reply;
            }
            let reply = api.send(reviewed).await;
            if reply.status == 200 {
                *order_last.lock().unwrap() = reply;
            }
            if round % 10 == 9 {
                for api in [&one, &other, &onlooker] {
                    let (given, _) = api.pages.answers();
                    let more = || async { (api.pages.answers().0 > given + 4).then_some(()) };
                    eventually("pages are given from memory in between", more).await;
                }
            }
        }
        over.store(true, Ordering::Relaxed);
    };
    let products = |api| watch(api, "/v1/products/chair", &product_last, &over);
    let orders = |api| watch(api, &order, &order_last, &over);
    let ((), a, b, c, d, e, f) = tokio::join!(
        write,
        products(&one),
        products(&other),
        products(&onlooker),
        orders(&one),
        orders(&other),
        orders(&onlooker),
    );
    let events = one.events().await;
    let of = |kind: &str, id: &str| -> Vec<i64> {
        let mine =
            events.iter().filter(|event| event["aggregate_type"] == kind && event["aggregate_id"] == id);
        mine.map(|event| event["position"].as_i64().unwrap()).collect()
    };
    let up_to = |positions: &[i64], claimed| positions.iter().filter(|at| **at <= claimed).count() as i64;
    let (chair, stock, order) = (of("product", "chair"), of("inventory_item", "CHAIR"), of("order", &placed));
    assert!(order.len() > 30, "the order was to change: {}", order.len());
    for seen in a.iter().chain(&b).chain(&c) {
        assert!(seen.claimed >= seen.at_least);
        assert!(seen.version >= up_to(&chair, seen.claimed), "{} at {}", seen.version, seen.claimed);
        assert!(seen.available >= up_to(&stock, seen.claimed), "{} at {}", seen.available, seen.claimed);
    }
    for seen in d.iter().chain(&e).chain(&f) {
        assert!(seen.claimed >= seen.at_least);
        assert!(seen.version >= up_to(&order, seen.claimed), "{} at {}", seen.version, seen.claimed);
        let last = order.iter().filter(|at| **at <= seen.claimed).max();
        assert!(Some(&seen.position) >= last, "{} at {}", seen.position, seen.claimed);
    }
    for api in [&one, &other, &onlooker] {
        let (given, asked) = api.pages.answers();
        assert!(given > 20 && asked > 20, "from memory {given}, from the read models {asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_page_claims_what_happens_elsewhere_without_asking_anybody() {
    let api = Api::start().await;
    let listed = listed(&api).await;
    api.send(get("/v1/products/chair").after(&listed)).await.expect(200);
    let before = api.keeps("/v1/products/chair").await;
    // Nobody can read the rows any more.
    let hidden = api.read_owner().await;
    hidden.execute("ALTER TABLE products RENAME TO hidden").await.unwrap();
    let elsewhere = api.send(post("/v1/carts", &json!({ "currency": "GBP" }))).await.expect(201);
    let after = eventually("the page claims the cart", || async {
        let reply = api.send(get("/v1/products/chair")).await.expect(200);
        (claimed(&reply) >= claimed(&elsewhere)).then_some(reply)
    })
    .await;
    assert_eq!((after.text.as_str(), after.header("etag")), (before.text.as_str(), before.header("etag")));
    api.send(get("/v1/products/chair").after(&elsewhere)).await.expect(200);
    let metrics = api.send(get("/metrics")).await.expect(200).text;
    assert!(metrics.contains("\ndaybook_read_cache_pages 1\n"), "{metrics}");
    let (given, _) = api.pages.answers();
    let told = format!("daybook_read_cache_answers_total{{from=\"memory\"}} {given}\n");
    assert!(metrics.contains(&told), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_rows_lack_is_never_claimed() {
    let api = Api::start().await;
    api.send(get("/v1/products/chair").after(&listed(&api).await)).await.expect(200);
    let onlooker = api.onlooker().await;
    let before = onlooker.keeps("/v1/products/chair").await;
    // From now on nobody fills the read models.
    let read = api.read_owner().await;
    read.execute(
        "UPDATE followers SET fence = fence + 1, holder = gen_random_uuid(), lease_expires_at = 'infinity'",
    )
    .await
    .unwrap();
    let price = put("/v1/products/chair/prices/CHAIR", &json!({ "price": gbp(1_000) }));
    let changed = onlooker.send(price).await.expect(200);
    eventually("the page is no longer claimed for now", || async {
        let (_, asked) = onlooker.pages.answers();
        let reply = onlooker.send(get("/v1/products/chair")).await.expect(200);
        assert_eq!(reply.json()["version"], 1);
        assert!(claimed(&reply) < claimed(&changed), "{} claims {changed:?}", claimed(&reply));
        (onlooker.pages.answers().1 > asked).then_some(())
    })
    .await;
    let hasty = get("/v1/products/chair")
        .header("daybook-min-position", changed.header("daybook-position"))
        .header("prefer", "wait=0");
    let behind = onlooker.send(hasty).await.expect_problem(503, "read_model.behind");
    assert_eq!((behind.header("retry-after"), behind.header("cache-control")), ("1", "no-store"));
    assert_eq!(before.json()["version"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_that_is_emptied_or_taken_over_takes_its_pages_along() {
    let api = Api::start().await;
    api.send(get("/v1/products/chair").after(&listed(&api).await)).await.expect(200);
    api.keeps("/v1/products/chair").await;
    let read = api.read_owner().await;
    read.execute("UPDATE products SET title = 'Stool'").await.unwrap();
    assert_eq!(api.send(get("/v1/products/chair")).await.text_of("title"), "Chair", "it was kept");
    read.execute(
        "UPDATE followers SET fence = fence + 1, lease_expires_at = '-infinity' WHERE name = 'products'",
    )
    .await
    .unwrap();
    api.until("/v1/products/chair", "title", "Stool").await;
    api.rebuild(Arc::new(Products)).await;
    api.until("/v1/products/chair", "title", "Chair").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_aside_is_not_given_from_memory() {
    let api = Api::start().await;
    let listed = listed(&api).await;
    api.send(get("/v1/products/chair").after(&listed)).await.expect(200);
    api.keeps("/v1/products/chair").await;
    let read = api.read_owner().await;
    for (follower, kind, id) in [("products", "product", "chair"), ("stock", "inventory_item", "CHAIR")] {
        sqlx::query("INSERT INTO parked_streams VALUES ($1, $2, $3, 1, 'a test')")
            .bind(follower)
            .bind(kind)
            .bind(id)
            .execute(&read)
            .await
            .unwrap();
        let stale = eventually("the page claims nothing", || async {
            let reply = api.send(get("/v1/products/chair")).await.expect(200);
            (claimed(&reply) == 0).then_some(reply)
        })
        .await;
        let since = stale.header("daybook-position").replace(":0", ":1");
        assert_eq!(stale.header("daybook-stale-since"), since, "{follower}");
        api.send(get("/v1/products/chair").after(&listed)).await.expect_problem(503, "read_model.parked");
        read.execute("DELETE FROM parked_streams").await.unwrap();
        let again = api.keeps("/v1/products/chair").await;
        assert!(claimed(&again) >= claimed(&listed));
        assert_eq!(again.header("daybook-stale-since"), "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_available_changes_when_a_hold_is_over_though_nothing_happens() {
    let api = Api::start().await;
    listed(&api).await;
    api.send(post("/v1/inventory/CHAIR/receive", &json!({ "quantity": 5 }))).await.expect(200);
    let hold = json!({ "quantity": 2, "ttl_seconds": 2 });
    let held = api.send(post("/v1/inventory/CHAIR/reservations", &hold)).await;
    let held = held.expect(201);
    let shown = api.send(get("/v1/products/chair").after(&held)).await.expect(200);
    assert_eq!(shown.json()["variants"][0]["available"], 3);
    let tag = shown.header("etag").to_owned();
    let free = eventually("the units are free", || async {
        let reply = api.send(get("/v1/products/chair")).await.expect(200);
        (reply.json()["variants"][0]["available"] == 5).then_some(reply)
    })
    .await;
    assert_ne!(free.header("etag"), tag);
    assert_eq!(free.json()["version"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_forgotten_is_gone_from_kept_orders_at_once() {
    let api = Api::start().await;
    let other = api.another().await;
    api.stock("A", 100, 5).await;
    let cart = api.send(post("/v1/carts", &json!({ "currency": "GBP", "customer": "ada" }))).await;
    let cart = cart.expect(201).text_of("id");
    let add = json!({ "sku": "A", "quantity": 1 });
    api.send(post(&format!("/v1/carts/{cart}/items"), &add)).await.expect(200);
    let path = api.check_out(&cart, "card").await.expect(201).header("location").to_owned();
    let mut tags = Vec::new();
    for api in [&api, &other] {
        let kept = api.keeps(&path).await;
        assert_eq!(kept.json()["delivery"]["contact"]["name"], "Ada Lovelace");
        tags.push(kept.header("etag").to_owned());
    }
    assert_eq!(tags[0], tags[1], "the same page has the same tag everywhere");
    let forget = post("/v1/subjects/customer:ada/forget", &json!({})).patient();
    api.send(forget).await.expect(200);
    let is_gone = |reply: &Reply| !reply.text.contains("Lovelace") && reply.text.contains("forgotten");
    // Not even who says that the page is known is told to go on showing it.
    for ask in [get(&path), get(&path).header("if-none-match", &tags[0])] {
        let shown = api.send(ask).await.expect(200);
        assert!(is_gone(&shown), "{shown:?}");
    }
    // The other process hears of it through the log.
    eventually("the other process has forgotten too", || async {
        is_gone(&other.send(get(&path)).await.expect(200)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_page_moves_on_with_its_payment() {
    let api = Api::start().await;
    api.stock("A", 100, 5).await;
    let (order, payment) = api.order("A", 1).await;
    let path = format!("/v1/orders/{order}");
    let before = api.keeps(&path).await;
    let paid = api.authorize(&payment, "tok_approve").await.expect(200);
    let after = api.send(get(&path).after(&paid)).await.expect(200);
    // The money may have been taken meanwhile.
    let is_paid =
        |page: &Reply| ["authorized", "captured"].iter().any(|how| page.json()["payment_status"] == **how);
    assert!(!is_paid(&before) && is_paid(&after), "{after:?}");
    assert_ne!(before.header("etag"), after.header("etag"));
    api.rebuild(Arc::new(Orders)).await;
    let again = api.send(get(&path).after(&paid)).await.expect(200);
    assert!(is_paid(&again), "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_cost_one_question() {
    let api = Api::start().await;
    listed(&api).await;
    let read = api.read_owner().await;
    // Its page was never asked for, so none is kept.
    eventually("the read model has the chair", || async {
        let rows = sqlx::query("SELECT FROM products WHERE id = 'chair'").fetch_all(&read).await.unwrap();
        (rows.len() == 1).then_some(())
    })
    .await;
    // Held back, so that all of them are there before the first is answered.
    let mut lock = read.begin().await.unwrap();
    (&mut *lock).execute("LOCK TABLE stock IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let (_, asked) = api.pages.answers();
    let all = futures::future::join_all((0..100).map(|_| api.send(get("/v1/products/chair"))));
    let unlock = async {
        eventually("one of them asks", || async { (api.pages.answers().1 > asked).then_some(()) }).await;
        lock.rollback().await.unwrap();
    };
    let (replies, ()) = tokio::join!(all, unlock);
    assert!(replies.iter().all(|reply| reply.status == 200));
    let questions = api.pages.answers().1 - asked;
    assert!((1..=3).contains(&questions), "{questions} questions");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_late_is_shown_before_it_has_rows() {
    let api = Api::start().await;
    api.stock("A", 100, 5).await;
    let read = api.read_owner().await;
    let (first, _) = api.order("A", 1).await;
    // It has looked at the read models by then: they have set nothing aside.
    api.keeps(&format!("/v1/orders/{first}")).await;
    let mut lock = read.begin().await.unwrap();
    (&mut *lock).execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let (order, payment) = api.order("A", 1).await;
    let path = format!("/v1/orders/{order}");
    let paid = api.authorize(&payment, "tok_approve").await.expect(200);
    let shown = eventually("the order is confirmed", || async {
        let page = api.send(get(&path).after(&paid)).await.expect(200);
        (page.json()["status"] == "confirmed" && page.json()["payment_status"] == "captured").then_some(page)
    })
    .await;
    assert!(claimed(&shown) >= claimed(&paid));
    lock.rollback().await.unwrap();
    // A process that has not seen it happen has nothing but the rows.
    let other = api.another().await;
    let rows = other.send(get(&path).after(&shown)).await.expect(200);
    assert_eq!((rows.json(), rows.header("etag")), (shown.json(), shown.header("etag")));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_stream_is_set_aside_the_rows_are_shown() {
    let api = Api::start().await;
    api.stock("A", 100, 5_000).await;
    let (first, _) = api.order("A", 1).await;
    api.keeps(&format!("/v1/orders/{first}")).await;
    let aside = "INSERT INTO parked_streams (follower, aggregate_type, aggregate_id, first_position, reason) \
                 VALUES ('orders', 'order', 'somebody-elses', 1, 'poison')";
    (&api.read_owner().await).execute(aside).await.unwrap();
    eventually("the read model is asked", || async {
        let (order, _) = api.order("A", 1).await;
        let (_, asked) = api.pages.answers();
        let path = format!("/v1/orders/{order}");
        api.send(get(&path)).await;
        (api.pages.answers().1 > asked).then_some(())
    })
    .await;
}
