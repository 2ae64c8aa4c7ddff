//! A read model built anew out of a full log; and Postgres copying the same log out.
//!
//! The log is a shop's: for each order a cart, its checkout, holds, a payment, and what became of it. The orders are rebuilt as
//! `daybook projections rebuild` does it, difference report and swap left out; so is the stock, told beside it.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

#[path = "../../store/benches/common/bench.rs"]
mod bench;
mod shop;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use bench::{Bench, Round, report::Series};
use futures::TryStreamExt as _;
use projections::{orders::Orders, rebuild::BESIDE, stock::Stocks};
use sqlx::{PgPool, postgres::PgPoolCopyExt as _};
use store::{
    follow::{Filling, Projection},
    log::PostgresLog,
    ports::Machine,
    schema::Tables,
};

const ORDERS: usize = 20_000;

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let orders = bench.options.events.unwrap_or(bench.options.pick(ORDERS, 200));
    bench.ground.lay(&projections::tables()).await;
    bench.ground.lay(&Tables { suffix: BESIDE, ..projections::tables() }).await;
    let engine = bench.ground.engine().await;
    shop::stock_up(&engine).await;
    let next = AtomicUsize::new(0);
    let first = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|nth| *nth < orders);
    shop::trade(&engine, first).await;
    engine.stop().await;
    // As after a while: the new rows are marked as visible to all.
    bench.ground.as_owner("VACUUM (ANALYZE) events").await;
    let log = PostgresLog::new(bench.ground.pool("").await);
    let pool = bench.ground.pool("").await;
    let events: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await.unwrap();

    let (mut ours, mut stock, mut baseline) = (Series::default(), Series::default(), Series::default());
    for round in 0..=bench.options.rounds {
        let rebuilt = rebuild(&bench, &log, Arc::new(Orders), events).await;
        let copied = copy(&pool, events).await;
        let beside = rebuild(&bench, &log, Arc::new(Stocks), events).await;
        // The first is the warm-up.
        if round > 0 {
            ours.push(rebuilt);
            stock.push(beside);
            baseline.push(copied);
        }
    }
    let mut report = bench.report("rebuild_orders", "COPY (SELECT … ORDER BY position) TO STDOUT").await;
    report.sides(&ours, &baseline);
    report.note("stock_per_s", stock.per_s().round());
    report.note("unit", "events");
    report.note("events", events);
    report.note("orders", orders);
    bench.print(report);
}

async fn rebuild(bench: &Bench, log: &PostgresLog, projection: Arc<dyn Projection>, events: i64) -> Round {
    let next = bench.ground.owner_pool(BESIDE).await;
    let serving = format!("{}_read", bench.ground.prefix);
    let started = Instant::now();
    let log = Arc::new(log.clone());
    let clock = Arc::new(Machine);
    let mut filling =
        Filling::begin(projection, (next.clone(), &serving), log, (clock, &Machine)).await.unwrap();
    filling.up_to(events, &|_| {}).await.unwrap();
    assert_eq!(filling.position(), events);
    let round = Round::new(usize::try_from(events).unwrap(), started, vec![started.elapsed()]);
    filling.end().await;
    round
}

async fn copy(pool: &PgPool, events: i64) -> Round {
    let started = Instant::now();
    let mut rows = 0;
    let statement = "COPY (SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
                     payload, metadata, event_id, recorded_at FROM events ORDER BY position) TO STDOUT";
    let mut out = pool.copy_out_raw(statement).await.unwrap();
    // Postgres sends one message a row.
    while let Some(message) = out.try_next().await.unwrap() {
        rows += i64::from(!message.is_empty());
    }
    assert_eq!(rows, events);
    Round::new(usize::try_from(events).unwrap(), started, vec![started.elapsed()])
}
