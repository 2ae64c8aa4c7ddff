//! 1,000 aggregates of 200 events each that are not in memory; and the same rows selected and thrown away.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use common::{
    Bench, Round, callers,
    report::Series,
    rows::{Rows, fill},
};
use domain::{AggregateType, AnyState, inventory_item::Command, value::ReservationId};
use futures::future::join_all;
use sqlx::PgPool;
use store::{
    executor::{self, Limits},
    log::{Log, PostgresLog, StreamId, decode_stream},
    ports::Machine,
    secrets::Fingerprints,
    testing::master_key,
};

const AGGREGATES: usize = 1_000;
const EVENTS_EACH: usize = 200;
/// The whole rows.
const ALL: &str = "position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, \
                   event_id, recorded_at";
/// What a fold needs of them.
const NEEDED: &str = "sequence, event_type, event_version, payload";
/// As many as the executor loads at once.
const AT_ONCE: usize = 8;

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let aggregates = bench.options.pick(AGGREGATES, 50);
    let pool = bench.ground.pool("").await;
    let log = Arc::new(PostgresLog::new(pool.clone()));
    // Each turn goes over all of them, so the rows of one lie far apart.
    fill(&log, &mut Rows::stock(aggregates), aggregates * EVENTS_EACH).await;
    bench.ground.as_owner("VACUUM (ANALYZE) events").await;

    let (mut ours, mut direct) = (Series::default(), Series::default());
    let (mut theirs, mut needed) = (Series::default(), Series::default());
    for round in 0..=bench.options.rounds {
        let executed = execute_cold(&log, aggregates).await;
        let selected = in_parallel(aggregates, |nth| select(&pool, ALL, nth)).await;
        let narrow = in_parallel(aggregates, |nth| select(&pool, NEEDED, nth)).await;
        let loaded = in_parallel(aggregates, |nth| load(&log, nth)).await;
        // The first is the warm-up.
        if round > 0 {
            ours.push(executed);
            direct.push(loaded);
            theirs.push(selected);
            needed.push(narrow);
        }
    }

    let mut report = bench.report("load", "one undecoded SELECT an aggregate, 8 at a time").await;
    report.sides(&ours, &theirs);
    report.also("needed_columns", &ours, &needed);
    report.note("unit", "aggregates");
    report.note("aggregates", aggregates);
    report.note("events_each", EVENTS_EACH);
    report.note("percentiles_of", "the wait of all callers at once");
    report.note("log_load_per_s", common::report::whole(direct.per_s()));
    report.note("log_load_ratio", common::report::hundredths(direct.per_s() / theirs.per_s()));
    report.note("log_load_p50_ms", direct.median_ms());
    report.note("baseline_p50_ms", theirs.median_ms());
    bench.print(report);
}

/// One command for each aggregate at once, to an executor that has none in memory; the commands change nothing.
async fn execute_cold(log: &Arc<PostgresLog>, aggregates: usize) -> Round {
    let machine = Arc::new(Machine);
    let (log, clock, ids) = (Arc::clone(log), Arc::clone(&machine), machine);
    let (executor, run) = executor::run(log, clock, ids, Limits::default()).await.unwrap();
    let running = tokio::spawn(run);
    let fingerprints = Fingerprints::new(&master_key());
    let nobody = ReservationId::new("nobody").unwrap();
    let skus = callers::skus(aggregates);
    let started = Instant::now();
    let answers = skus.iter().map(|sku| {
        let command = Command::Release { reservation: nobody.clone() };
        let answer = executor.execute_in_turn(callers::request(&fingerprints, sku.clone(), command));
        async move {
            let answer = answer.await.unwrap();
            assert_eq!((answer.version, answer.events.len()), (EVENTS_EACH as i64, 0));
            started.elapsed()
        }
    });
    let round = Round::new(aggregates, started, join_all(answers).await);
    drop(executor);
    running.await.unwrap();
    round
}

/// Some loads at a time.
async fn in_parallel<F>(aggregates: usize, load: impl Fn(usize) -> F + Sync + Send) -> Round
where
    F: Future<Output = ()> + Send,
{
    let (started, next) = (Instant::now(), AtomicUsize::new(0));
    let took = join_all((0..AT_ONCE).map(|_| async {
        let mut took = Vec::new();
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= aggregates {
                return took;
            }
            let asked = Instant::now();
            load(nth).await;
            took.push(asked.elapsed());
        }
    }))
    .await;
    Round::new(aggregates, started, took.concat())
}

async fn load(log: &PostgresLog, nth: usize) {
    let stream = StreamId::new(AggregateType::InventoryItem, &common::rows::sku_name(nth));
    let events = log.load(&stream, 0).await.unwrap();
    assert_eq!(events.len(), EVENTS_EACH);
    let state = AnyState::initial(stream.aggregate_type);
    let state = decode_stream(&events).flat_map(|read| read.unwrap().events).fold(state, AnyState::evolve);
    assert_ne!(state, AnyState::initial(stream.aggregate_type));
}

async fn select(pool: &PgPool, columns: &str, nth: usize) {
    let sql = format!(
        "SELECT {columns} FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 ORDER BY sequence"
    );
    let rows = sqlx::query(&sql)
        .bind("inventory_item")
        .bind(common::rows::sku_name(nth))
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(rows.len(), EVENTS_EACH);
}
