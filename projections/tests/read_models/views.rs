//! The views for analysts say what a fold of the log says that reads it through the decoder, whatever happened, and in whatever
//! version it was stored.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Map, Value, json};
use sqlx::PgPool;
use store::{
    log::{PostgresLog, Recorded},
    rfc3339, schema,
    testing::{Ground, Row, request, write},
};

use crate::{
    folded::{documents, funnel, lines, movements, payments},
    random::{self, Dice},
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
    for seed in [5, 6] {
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

/// Few random commands get as far as an edit that is applied or a return that is received, so these are written as events, in
/// any order, in whatever version.
#[tokio::test(flavor = "multi_thread")]
async fn edits_returns_promises_and_money_are_told_as_they_stand() {
    let ground = Ground::new().await;
    ground.lay(&schema::analysis_tables()).await;
    let log = PostgresLog::new(ground.pool("").await);
    let mut dice = Dice(7);
    for nth in 0..60 {
        let (id, steps) = (format!("x{nth}"), dice.roll(9));
        let (command, rows): (domain::AnyCommand, Vec<Row>) = match nth % 3 {
            0 => {
                let version = if dice.roll(2) == 0 { "1" } else { "2" };
                let placed = ("Placed", version, placed(&mut dice, version));
                let rows = (0..steps).map(|_| order(&mut dice));
                (domain::order::Command::Confirm {}.into(), [placed].into_iter().chain(rows).collect())
            }
            1 => (receive(1).into(), (0..=steps).map(|_| stock(&mut dice)).collect()),
            _ => {
                let opened = json!({"order": dice.name("x", 60), "amount": gbp(&mut dice), "method": "card", "capture": "at_once"});
                let rows = (0..steps).map(|_| payment(&mut dice));
                let rows = [("IntentOpened", "1", opened)].into_iter().chain(rows).collect();
                (domain::payment::Command::Void {}.into(), rows)
            }
        };
        write(&log, &request(&id, command), &rows).await;
    }
    let events = store::log::Log::recorded_after(&log, 0, i64::MAX).await.unwrap();
    check(&ground, &events).await;
    let pool = ground.pool("_analysis").await;
    for some in [
        "FROM happened WHERE event_type = 'EditApplied'",
        "FROM documents WHERE called_off_minor > 0 AND called_off_at IS NULL",
        "FROM documents WHERE called_off_at IS NOT NULL",
        "FROM order_lines WHERE called_off > 0",
        "FROM order_lines WHERE returned > 0",
        "FROM order_lines WHERE amount_minor > quantity * unit_minor",
        "FROM stock_movements WHERE backordered > 0",
        "FROM payments WHERE refunded_minor > 0 AND lost_minor > 0",
        "FROM journeys WHERE returned_at IS NOT NULL AND authorized_at IS NOT NULL",
    ] {
        let count: i64 =
            sqlx::query_scalar(&format!("SELECT count(*) {some}")).fetch_one(&pool).await.unwrap();
        assert!(count > 0, "none {some}");
    }
}

fn gbp(dice: &mut Dice) -> Value {
    json!({"amount": dice.roll(900) + 1, "currency": "GBP"})
}

fn some_lines(dice: &mut Dice) -> Value {
    let line = |dice: &mut Dice| {
        let mut line =
            json!({"sku": dice.name("S", 4), "quantity": dice.roll(9) + 1, "unit_price": gbp(dice)});
        if dice.roll(2) == 0 {
            line["tax"] = gbp(dice);
        }
        line
    };
    (0..=dice.roll(3)).map(|_| line(dice)).collect()
}

/// The first version did not say whether prices hold the tax: they did.
fn placed(dice: &mut Dice, version: &str) -> Value {
    let mut placed = json!({
        "source": {"import": "x"}, "lines": some_lines(dice), "placed_at": i64::from(dice.roll(1_000)) * 10_000_000,
        "charges": [{"code": "POST", "quantity": 1, "unit_amount": gbp(dice)}], "total": gbp(dice),
    });
    if version == "2" {
        placed["prices_include_tax"] = json!(dice.roll(2) == 0);
    }
    if dice.roll(2) == 0 {
        placed["country"] = json!("France");
    }
    placed
}

fn order(dice: &mut Dice) -> Row {
    let units = json!([{"line": dice.roll(3), "quantity": dice.roll(3) + 1}]);
    let back = json!([{"line": dice.roll(3), "quantity": dice.roll(3) + 1, "disposition": "restock"}]);
    let credit = json!({"source": {"import": "x"}, "lines": [], "charges": [], "prices_include_tax": true});
    let value = gbp(dice);
    match dice.roll(16) {
        0..=3 => (
            "LinesCancelled",
            "1",
            json!({"cancellation": "x", "lines": units, "units": [], "value": value, "complete": false}),
        ),
        4..=6 => ("EditApplied", "1", json!({"edit": "e", "lines": some_lines(dice), "total": value})),
        7..=10 => (
            "ReturnReceived",
            "1",
            json!({"return_id": "r", "restock": [], "lines": back, "value": value, "delivered": value, "credit": credit,
                   "issued_at": 1}),
        ),
        11..=12 => {
            let lines = json!([]);
            (
                "Shipped",
                "1",
                json!({"shipment": "s", "carrier": "DHL", "lines": lines, "value": value, "complete": false}),
            )
        }
        13..=14 => ("Confirmed", "2", json!({"lines": []})),
        _ => ("Cancelled", "2", json!({"reason": "staff", "confirmed": true, "units": []})),
    }
}

fn stock(dice: &mut Dice) -> Row {
    let reservation = dice.name("r", 4);
    let (quantity, short) = (dice.roll(9) + 2, dice.roll(2) + 1);
    let held = json!({"reservation": reservation, "quantity": quantity, "short": short});
    let from = json!([{"location": "main", "quantity": 1}, {"location": "shed", "quantity": quantity - 1}]);
    // The first version of what ends a hold knew nothing of promises.
    let (version, ended) = match dice.roll(2) {
        0 => ("1", json!({"reservation": reservation, "quantity": quantity})),
        _ => ("2", held.clone()),
    };
    match dice.roll(12) {
        0 => ("Received", "2", json!({"quantity": quantity, "location": "shed", "reference": "a \"b\""})),
        1 => ("Received", "1", json!({"quantity": quantity})),
        2 => ("Adjusted", "1", json!({"delta": -2, "reason": "lost"})),
        3 => ("Counted", "1", json!({"location": "shed", "was": 7, "counted": quantity})),
        4 => {
            ("Transferred", "1", json!({"transfer": "t", "from": "main", "to": "shed", "quantity": quantity}))
        }
        5 => ("Reserved", "1", json!({"reservation": reservation, "quantity": quantity, "expires_at": 5})),
        6 => ("Backordered", "1", held),
        7 => ("BackorderFilled", "1", json!({"reservation": reservation, "quantity": short})),
        8 => ("Released", version, ended),
        9 => ("Expired", version, ended),
        10 => ("Allocated", "1", json!({"reservation": reservation, "quantity": quantity})),
        _ => ("Allocated", "2", json!({"reservation": reservation, "quantity": quantity, "from": from})),
    }
}

fn payment(dice: &mut Dice) -> Row {
    let (order, amount) = (dice.name("x", 60), gbp(dice));
    let of = json!({"order": order, "amount": amount, "attempt": "a", "reference": "r", "capture": "c", "refund": "f",
                    "dispute": "d", "reason": "no"});
    match dice.roll(8) {
        0..=1 => ("Authorized", "1", of),
        2 => ("Declined", "1", of),
        3 => ("Captured", "2", of),
        4 => ("Captured", "1", json!({"order": order, "amount": amount})),
        5 => ("Refunded", "1", of),
        6 => ("DisputeLost", "1", of),
        _ => ("Voided", "1", json!({"order": order})),
    }
}
