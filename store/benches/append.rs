//! Batches of 500 events of 100 commands: the log's append, and the bare statement that inserts the same rows.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

mod common;

use std::time::Instant;

use common::{
    Bench, Round,
    plain::Plain,
    report::Series,
    rows::{Rows, signed},
};
use store::log::{Log, NewEvent, PostgresLog};

const COMMANDS: usize = 100;
const SKUS: usize = 10_000;

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let log = PostgresLog::new(bench.ground.pool("").await);
    let mut plain = Plain::new(bench.plain().await).await;
    let mut rows = Rows::new(SKUS);
    let batches = bench.options.pick(150, 5);

    let (mut ours, mut theirs) = (Series::default(), Series::default());
    for round in 0..=bench.options.rounds {
        let (mut appended, mut inserted) = (vec![], vec![]);
        let mut head = log.head().await.unwrap();
        for _ in 0..batches {
            let batch = rows.batch(COMMANDS, head.position);
            // Their own copies: the writer signs its rows in place.
            let events: Vec<_> = batch.events.iter().map(|event| NewEvent::clone(event)).collect();
            let started = Instant::now();
            // The writer's digests are part of what an append costs.
            head = log.append(&head, &signed(batch)).await.unwrap();
            appended.push(started.elapsed());
            inserted.push(plain.insert(&events).await);
        }
        // The first is the warm-up.
        if round > 0 {
            ours.push(events_per_s(appended));
            theirs.push(events_per_s(inserted));
        }
    }

    let mut report = bench.report("append", "one INSERT … SELECT FROM UNNEST of the same events").await;
    report.sides(&ours, &theirs);
    report.note("unit", "events");
    report.note("commands_a_batch", COMMANDS);
    report.note("events_a_batch", COMMANDS * common::rows::EVENTS);
    report.note("baseline_p50_ms", theirs.median_ms());
    bench.print(report);
}

fn events_per_s(took: Vec<std::time::Duration>) -> Round {
    let events = took.len() * COMMANDS * common::rows::EVENTS;
    let all: std::time::Duration = took.iter().sum();
    Round { per_s: events as f64 / all.as_secs_f64(), took }
}
