//! What it takes to put most of a large log away, and what reading it costs then; beside the same log as rows.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

mod common;

use std::{ops::ControlFlow, time::Instant};

use common::{
    Bench,
    report::whole,
    rows::{Rows, fill},
};
use domain::AggregateType;
use sqlx::PgPool;
use store::{
    archive::{Archive, Archiving, EVENTS_PER_FILE, Step},
    log::{Log, Portion, PostgresLog, StreamId},
    ports::{Clock as _, Machine},
    verify::{Files, Wanted, verify_with},
};

const EVENTS: usize = 1_000_000;
const SKUS: usize = 10_000;
const PAGE: i64 = 2_000;
const LOADS: usize = 2_000;

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let events = bench.options.events.unwrap_or(bench.options.pick(EVENTS, 20_000));
    let directory = std::env::temp_dir().join(format!("daybook-bench-archive-{}", std::process::id()));
    let (pool, owner) = (bench.ground.pool("").await, bench.ground.owner_pool("").await);
    let archive = Archive::at(&directory);
    let log = PostgresLog::with_archive(pool.clone(), archive.clone());
    let filling = Instant::now();
    fill(&log, &mut Rows::of_years(SKUS.min(events / 100)), events).await;
    bench.ground.as_owner("VACUUM (ANALYZE) events").await;
    let filled = filling.elapsed();

    let mut report = bench.report("archive", "the same log as rows").await;
    let carts = carts(&owner).await;
    report.note("fill_s", whole(filled.as_secs_f64()));
    report.note("events", events);
    report.note("rows_mb", megabytes(&owner, "events").await);
    report.note("rows_read_per_s", read_all(&log, events).await);
    report.note("rows_loads_per_s", load(&log, &carts).await);
    let files = Files::Read(archive);
    report.note("rows_verify_per_s", verify(&pool, files.clone(), events).await);

    let archiving = Archiving {
        pool: owner.clone(),
        followers: vec![],
        directory: directory.clone(),
        before_us: Machine.now_us(),
        dry_run: false,
        events_per_file: EVENTS_PER_FILE,
    };
    let started = Instant::now();
    let tidying = std::sync::Mutex::new(started);
    let archived = archiving
        .run(&|step| {
            if step == Step::Tidying {
                *tidying.lock().unwrap() = Instant::now();
            }
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    let moved = tidying.lock().unwrap().duration_since(started);
    report.note("archived_events", archived.events);
    report.note("archived_streams", archived.streams);
    report.note("archive_s", whole(moved.as_secs_f64()));
    report.note("archive_per_s", whole(archived.events as f64 / moved.as_secs_f64()));
    report.note("vacuum_s", whole((started.elapsed() - moved).as_secs_f64()));
    report.note("files", archived.files.len());
    report.note("files_mb", archived.files.iter().map(|file| file.bytes).sum::<u64>() >> 20);
    report.note("archived_events_mb", megabytes(&owner, "archived_events").await);
    report.note("events_vacuumed_mb", megabytes(&owner, "events").await);
    report.note("read_per_s", read_all(&log, events).await);
    report.note("loads_per_s", load(&log, &carts).await);
    report.note("verify_per_s", verify(&pool, files, events).await);
    report.note("verify_digests_per_s", verify(&pool, Files::DigestsOnly, events).await);
    bench.ground.as_owner("VACUUM FULL events").await;
    report.note("events_rewritten_mb", megabytes(&owner, "events").await);
    std::fs::remove_dir_all(&directory).unwrap();
    bench.print(report);
}

async fn megabytes(owner: &PgPool, table: &str) -> i64 {
    sqlx::query_scalar("SELECT pg_total_relation_size($1::regclass) >> 20")
        .bind(table)
        .fetch_one(owner)
        .await
        .unwrap()
}

/// Some carts, from all over the log.
async fn carts(owner: &PgPool) -> Vec<StreamId> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT aggregate_id FROM events WHERE aggregate_type = 'cart' AND sequence = 1 ORDER BY digest LIMIT $1",
    )
    .bind(LOADS as i64)
    .fetch_all(owner)
    .await
    .unwrap();
    ids.iter().map(|id| StreamId::new(AggregateType::Cart, id)).collect()
}

async fn read_all(log: &PostgresLog, events: usize) -> f64 {
    let (started, mut position) = (Instant::now(), 0);
    while position < events as i64 {
        position = log.read_each(position, PAGE, Portion::All, &mut |_| {}).await.unwrap();
    }
    whole(events as f64 / started.elapsed().as_secs_f64())
}

/// One after the other, each of five events.
async fn load(log: &PostgresLog, carts: &[StreamId]) -> f64 {
    let started = Instant::now();
    for cart in carts {
        assert_eq!(log.load(cart, 0).await.unwrap().len(), common::rows::EVENTS);
    }
    whole(carts.len() as f64 / started.elapsed().as_secs_f64())
}

async fn verify(pool: &PgPool, files: Files, events: usize) -> f64 {
    let started = Instant::now();
    let verified = verify_with(pool, Wanted::default(), files, &|_, _| {}).await.unwrap();
    assert_eq!((verified.findings, verified.events), (vec![], events as i64));
    whole(events as f64 / started.elapsed().as_secs_f64())
}
