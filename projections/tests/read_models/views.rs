//! The views for analysts say what a fold of the log says that reads it through the decoder, whatever happened, and in whatever
//! version it was stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::{Map, Value, json};
use sqlx::PgPool;
use store::{
    log::{PostgresLog, Recorded},
    rfc3339, schema,
    testing::{Ground, Row, request, write},
};

use crate::{
    folded::{documents, funnel, lines, movements, payments},
    random,
    world::{World, receive},
};

/// Every row of a view, with its moments in milliseconds, in an order of its own.
async fn rows(pool: &PgPool, view: &str) -> Vec<Value> {
    let texts: Vec<String> =
        sqlx::query_scalar(&format!("SELECT to_json(t)::text FROM {view} t")).fetch_all(pool).await.unwrap();
    let rows = texts.iter().map(|text| {
        let mut row: Map<String, Value> = serde_json::from_str(text).unwrap();
        for (name, value) in &mut row {
            let moment = (name == "at" || name.ends_with("_at")).then(|| value.as_str()).flatten();
            if let Some(moment) = moment {
                *value = json!(rfc3339::parse(moment).unwrap().millis());
            }
        }
        Value::Object(row)
    });
    sorted(rows.collect())
}

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_cached_key(Value::to_string);
    rows
}

/// Holds every view against the fold; how many rows each has.
async fn check(ground: &Ground, events: &[Recorded]) -> BTreeMap<&'static str, usize> {
    let pool = ground.pool("_analysis").await;
    let mut counts = BTreeMap::new();
    for (view, folded) in [
        ("documents", documents(events)),
        ("order_lines", lines(events)),
        ("stock_movements", movements(events)),
        ("payments", payments(events)),
        ("funnel", funnel(events)),
    ] {
        let (told, folded) = (rows(&pool, view).await, sorted(folded));
        counts.insert(view, told.len());
        for (told, folded) in told.iter().zip(&folded) {
            assert_eq!(told, folded, "{view}");
        }
        assert_eq!(told.len(), folded.len(), "{view}");
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_the_views_are_what_a_fold_of_the_log_says() {
    let mut happened = BTreeSet::new();
    for seed in [5, 6, 7] {
        let world = World::idle().await;
        world.ground.lay(&schema::analysis_tables()).await;
        random::history(&world, seed, 900).await;
        let events = world.engine.log.recorded_after(0, i64::MAX).await.unwrap();
        let counts = check(&world.ground, &events).await;
        assert!(
            counts["stock_movements"] > 40 && counts["order_lines"] > 5 && counts["payments"] > 2,
            "{counts:?}"
        );
        let pool = world.ground.pool("_analysis").await;
        // What lines and charges come to is what the event says that they do.
        let astray: Vec<String> = sqlx::query_scalar(
            "SELECT order_id FROM documents d JOIN \
                 (SELECT order_id, sum(amount_minor) AS minor FROM order_lines GROUP BY 1) l USING (order_id) \
             WHERE l.minor <> d.total_minor",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        assert_eq!(astray, Vec::<String>::new());
        check_stock(&pool, &events).await;
        happened.extend(
            events.iter().flat_map(|recorded| recorded.events.iter().map(|event| event.event_type())),
        );
    }
    for what in [
        "LinesCancelled",
        "EditApplied",
        "ReturnReceived",
        "Cancelled",
        "CreditNoteIssued",
        "Backordered",
        "BackorderFilled",
        "Transferred",
        "CheckedOut",
        "Authorized",
        "Captured",
    ] {
        assert!(happened.contains(what), "no {what} in {happened:?}");
    }
}

/// What all movements of a SKU come to is the stock that the domain comes to.
async fn check_stock(pool: &PgPool, events: &[Recorded]) {
    let mut states = BTreeMap::new();
    for recorded in
        events.iter().filter(|recorded| recorded.stream.aggregate_type.as_str() == "inventory_item")
    {
        let initial = || domain::AnyState::initial(recorded.stream.aggregate_type);
        let state = states.entry(recorded.stream.id.to_string()).or_insert_with(initial);
        *state = recorded.events.iter().cloned().fold(state.clone(), domain::AnyState::evolve);
    }
    let told: Vec<(String, i64, i64, i64)> = sqlx::query_as(
        "SELECT sku, sum(on_hand)::bigint, sum(reserved)::bigint, sum(backordered)::bigint \
         FROM stock_movements GROUP BY sku ORDER BY sku COLLATE \"C\"",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(!told.is_empty());
    for (sku, on_hand, reserved, backordered) in told {
        let domain::AnyState::InventoryItem(item) = &states[&sku] else { panic!("{sku}") };
        assert_eq!(
            (on_hand, reserved, backordered),
            (item.on_hand(), item.reserved(), item.backordered()),
            "{sku}"
        );
    }
}

/// A stored sample of every version that an event of these kinds ever had, each in a stream of its own behind what it needs.
#[tokio::test(flavor = "multi_thread")]
async fn every_version_that_was_ever_stored_is_in_the_views() {
    let ground = Ground::new().await;
    ground.lay(&schema::analysis_tables()).await;
    let log = PostgresLog::new(ground.pool("").await);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/tests/golden");
    let sample = |name: &str| -> Row {
        let text = fs::read_to_string(golden.join(format!("{name}.json"))).unwrap();
        let payload: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let (event_type, fields) = payload.into_iter().next().unwrap();
        let version = name.rsplit_once(".v").unwrap().1.to_owned();
        (event_type.leak(), version.leak(), fields)
    };
    let mut names: Vec<String> = fs::read_dir(&golden)
        .unwrap()
        .filter_map(|file| Some(file.unwrap().file_name().to_str()?.strip_suffix(".json")?.to_owned()))
        .collect();
    names.sort();
    let mut written = 0;
    for name in &names {
        let first = match name.split_once('.').unwrap() {
            ("order", rest) if rest.starts_with("Placed") || rest.starts_with("CreditNoteIssued") => None,
            ("order", _) => Some("order.Placed.v1"),
            ("inventory_item", _) => Some("inventory_item.Reserved.v1"),
            ("payment", rest) if rest.starts_with("IntentOpened") => None,
            ("payment", _) => Some("payment.IntentOpened.v1"),
            ("cart", rest) if rest.starts_with("Opened") => None,
            ("cart", _) => Some("cart.Opened.v1"),
            _ => continue,
        };
        let rows: Vec<Row> = first.into_iter().chain([name.as_str()]).map(&sample).collect();
        let (kind, _) = name.split_once('.').unwrap();
        // Only the stream is taken from the request.
        let command: domain::AnyCommand = match kind {
            "order" => domain::order::Command::Confirm {}.into(),
            "payment" => domain::payment::Command::Void {}.into(),
            "cart" => domain::cart::Command::RemoveLine { sku: crate::world::sku("A") }.into(),
            _ => receive(1).into(),
        };
        write(&log, &request(&name.replace('.', "-"), command), &rows).await;
        written += 1;
    }
    assert!(written > 60, "the samples are somewhere else: {written}");
    let events = store::log::Log::recorded_after(&log, 0, i64::MAX).await.unwrap();
    let counts = check(&ground, &events).await;
    assert!(
        counts["documents"] > 20 && counts["payments"] > 20 && counts["stock_movements"] > 20,
        "{counts:?}"
    );
}
