//! The end of a run: everything that follows the log has come to its head and tells the same as the events.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value as Json;
use sqlx::{Postgres, Row as _, Transaction};
use store::{
    broker::Broker as _,
    testing::{Ground, eventually},
};
use tokio::time::{Instant, interval};

use crate::{
    READ_MODELS,
    fold::{Cart, Stock},
    ledger::Ledger,
    shop::Shop,
};

/// Holds that ran out end in steps of ten seconds.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(60);
/// How often the audit is tried.
const AUDITS: usize = 5;
/// Leases whose holders keep no position.
const LEASES: [&str; 3] = ["relay", "timers", "audit"];

/// Waits until every follower is at the head, and compares at that very moment.
pub async fn everything_agrees(ledger: &mut Ledger, ground: &Ground) {
    let deadline = Instant::now() + CATCH_UP_WITHIN;
    let mut look = interval(Duration::from_millis(50));
    loop {
        look.tick().await;
        let mut moment = ledger.moment().await;
        ledger.read_on_at(&mut moment).await;
        let behind = behind(&mut moment, &ground.prefix, ledger.head).await;
        if behind.is_empty() {
            compare(ledger, &mut moment, &ground.prefix).await;
            break;
        }
        assert!(Instant::now() < deadline, "never at the head {}: {behind:?}", ledger.head);
    }
    let unplaced: Vec<_> =
        ledger.fold.checked_out.symmetric_difference(&ledger.fold.placed).cloned().collect();
    if !unplaced.is_empty() {
        ledger.fault(format!("checked out and not placed, or placed and not checked out: {unplaced:?}"));
    }
    ledger.verify(true).await;
    ledger.add_up().await;
    let broker = ground.broker().await;
    eventually("the broker's last sequence is the last position", || async {
        let mut moment = ledger.moment().await;
        let head: i64 =
            sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&mut *moment).await.unwrap();
        (broker.state().await.ok().flatten()?.last == head).then_some(())
    })
    .await;
}

/// A read model is built anew; for a few seconds a process that was killed at it still counts as filling it.
fn built_anew(shop: &Shop, name: &str) -> Json {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let rebuilt = shop.projections(&["rebuild", name]);
        let held = rebuilt["error"].as_str().is_some_and(|error| error.contains("wait 4 seconds"));
        if !held || Instant::now() >= deadline {
            return rebuilt;
        }
    }
}

/// Each read model was given every event once, and building it anew gives the same rows.
pub fn read_models_prove_themselves(ledger: &mut Ledger, shop: &Shop) {
    // For a few seconds the index of a process that was killed is still asked for its answer.
    let mut audited = shop.projections(&["audit"]);
    for _ in 1..AUDITS {
        if audited["ok"] == true {
            break;
        }
        audited = shop.projections(&["audit"]);
    }
    if audited["ok"] != true {
        ledger.fault(format!("the audit found differences: {audited}"));
    }
    for name in READ_MODELS {
        let rebuilt = built_anew(shop, name);
        if rebuilt["ok"] != true {
            ledger.fault(format!("{name} built anew is another: {rebuilt}"));
        }
    }
}

/// Who is not at the head.
async fn behind(moment: &mut Transaction<'static, Postgres>, prefix: &str, head: i64) -> Vec<(String, i64)> {
    let followers: Vec<(String, i64)> = sqlx::query_as(&format!(
        "SELECT name, position FROM followers UNION ALL SELECT name, position FROM {prefix}_read.followers"
    ))
    .fetch_all(&mut **moment)
    .await
    .unwrap();
    assert!(followers.len() > LEASES.len() + 5, "{followers:?}");
    followers
        .into_iter()
        .filter(|(name, position)| !LEASES.contains(&name.as_str()) && *position != head)
        .collect()
}

async fn compare(ledger: &mut Ledger, moment: &mut Transaction<'static, Postgres>, prefix: &str) {
    let set_aside: i64 = sqlx::query_scalar(&format!(
        "SELECT (SELECT count(*) FROM parked_streams) + (SELECT count(*) FROM waiting_events) \
              + (SELECT count(*) FROM {prefix}_read.parked_streams)"
    ))
    .fetch_one(&mut **moment)
    .await
    .unwrap();
    if set_aside > 0 {
        ledger.fault(format!("{set_aside} streams or events were set aside"));
    }
    let stock = stock(moment, prefix).await;
    differ(ledger, "stock", &stock, |ledger| &ledger.fold.stock);
    let carts = carts(moment, prefix).await;
    differ(ledger, "cart", &carts, |ledger| &ledger.fold.carts);
}

fn differ<T: PartialEq + std::fmt::Debug>(
    ledger: &mut Ledger,
    what: &str,
    shown: &BTreeMap<String, T>,
    folded: fn(&Ledger) -> &BTreeMap<String, T>,
) {
    let folded = folded(ledger);
    let ids = shown.keys().chain(folded.keys());
    let differ = |id: &&String| shown.get(*id) != folded.get(*id);
    let told = |id: &String| format!("{what} {id}: {:?} is shown, not {:?}", shown.get(id), folded.get(id));
    let faults: Vec<_> = ids.filter(differ).map(told).collect();
    ledger.faults.extend(faults);
}

async fn stock(moment: &mut Transaction<'static, Postgres>, prefix: &str) -> BTreeMap<String, Stock> {
    let sql = format!("SELECT sku, on_hand, reserved, locations::text, version FROM {prefix}_read.stock");
    let rows = sqlx::query(&sql);
    let mut stock = BTreeMap::new();
    for row in rows.fetch_all(&mut **moment).await.unwrap() {
        let places: BTreeMap<String, i64> = serde_json::from_str(row.get(3)).unwrap();
        let shown = Stock {
            on_hand: row.get(1),
            reserved: row.get(2),
            holds: BTreeMap::new(),
            places,
            version: row.get(4),
        };
        stock.insert(row.get::<String, _>(0), shown);
    }
    let sql = format!("SELECT sku, reservation, quantity, expires_at_ms FROM {prefix}_read.reservations");
    let rows = sqlx::query(&sql);
    for row in rows.fetch_all(&mut **moment).await.unwrap() {
        let item = stock.entry(row.get(0)).or_default();
        item.holds.insert(row.get(1), (row.get(2), row.get(3)));
    }
    stock
}

async fn carts(moment: &mut Transaction<'static, Postgres>, prefix: &str) -> BTreeMap<String, Cart> {
    let sql = format!("SELECT id, status, lines::text, version FROM {prefix}_read.carts");
    let rows = sqlx::query(&sql);
    let rows = rows.fetch_all(&mut **moment).await.unwrap();
    let cart = |row: &sqlx::postgres::PgRow| {
        let lines: Vec<Json> = serde_json::from_str(row.get(2)).unwrap();
        let lines = lines
            .iter()
            .map(|line| (line["sku"].as_str().unwrap().to_owned(), line["quantity"].as_i64().unwrap()));
        let status = match row.get::<&str, _>(1) {
            "open" => "open",
            "checked_out" => "checked_out",
            _ => "another",
        };
        (row.get(0), Cart { status, lines: lines.collect(), version: row.get(3) })
    };
    rows.iter().map(cart).collect()
}
