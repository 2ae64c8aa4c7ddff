//! The whole log in order, decoded, as a follower far behind takes it; and Postgres copying the same rows out.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

mod common;

use std::time::Instant;

use common::{
    Bench, Round,
    report::Series,
    rows::{Rows, fill},
};
use futures::TryStreamExt;
use sqlx::{PgPool, postgres::PgPoolCopyExt};
use store::log::{PostgresLog, read_with};

const EVENTS: usize = 500_000;
/// What a follower reads at once when it is far behind.
const PAGE: i64 = 10_000;

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let events = bench.options.events.unwrap_or(bench.options.pick(EVENTS, 10_000));
    let pool = bench.ground.pool("").await;
    fill(&PostgresLog::new(pool.clone()), &mut Rows::new(10_000), events).await;
    // As after a while: the new rows are marked as visible to all.
    bench.ground.as_owner("VACUUM (ANALYZE) events").await;
    let log = PostgresLog::new(pool.clone());

    let (mut ours, mut ordered, mut unordered) = (Series::default(), Series::default(), Series::default());
    for round in 0..=bench.options.rounds {
        let read = read_all(&log, events).await;
        let in_order = copy(&pool, IN_ORDER, events).await;
        let as_it_lies = copy(&pool, "COPY events TO STDOUT", events).await;
        // The first is the warm-up.
        if round > 0 {
            ours.push(read);
            ordered.push(in_order);
            unordered.push(as_it_lies);
        }
    }

    let mut report =
        bench.report("read_all", "COPY (SELECT … ORDER BY position) TO STDOUT, not decoded").await;
    report.sides(&ours, &ordered);
    report.also("unordered_copy", &ours, &unordered);
    report.note("unit", "events");
    report.note("events", events);
    report.note("percentiles_of", format!("{PAGE} events"));
    bench.print(report);
}

const IN_ORDER: &str = "COPY (SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
                        payload, metadata, event_id, recorded_at FROM events ORDER BY position) TO STDOUT";

async fn read_all(log: &PostgresLog, events: usize) -> Round {
    let started = Instant::now();
    let (mut position, mut took) = (0, Vec::new());
    while position < events as i64 {
        let asked = Instant::now();
        let read = read_with(log, position, PAGE, |_, event| event.unwrap()).await.unwrap();
        took.push(asked.elapsed());
        position = read.last().unwrap().position;
    }
    Round::new(events, started, took)
}

async fn copy(pool: &PgPool, statement: &str, events: usize) -> Round {
    let started = Instant::now();
    let mut rows = 0;
    let mut out = pool.copy_out_raw(statement).await.unwrap();
    // Postgres sends one message a row.
    while let Some(message) = out.try_next().await.unwrap() {
        rows += usize::from(!message.is_empty());
    }
    assert_eq!(rows, events);
    Round::new(events, started, vec![started.elapsed()])
}
