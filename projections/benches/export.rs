//! A full log exported to files, as `daybook events export` does it; and Postgres copying the same log out to a file.
//!
//! The log is a shop's: for each order a cart, its checkout, holds, a payment, and what became of it. One task reads the log,
//! another writes, and each file is on the disk before it counts.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

#[path = "../../store/benches/common/bench.rs"]
mod bench;
mod shop;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use bench::{Bench, Round, report::Series};
use futures::TryStreamExt as _;
use projections::analytics::{CHECKPOINT_ROWS, Export, Format, Layout, Target, Work};
use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolCopyExt as _};
use store::log::{Page, Pages, PostgresLog, Selection};
use uuid::Uuid;

const ORDERS: usize = 20_000;
/// The log is doubled until it has so many events: the shop itself would take too long.
const EVENTS: i64 = 1_000_000;
/// What is measured, in its order.
const NAMES: [&str; 5] = ["ndjson", "copy", "parquet", "parquet_by_type", "csv"];

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let orders = bench.options.events.unwrap_or(bench.options.pick(ORDERS, 200));
    bench.ground.lay(&projections::tables()).await;
    let engine = bench.ground.engine().await;
    shop::stock_up(&engine).await;
    let next = AtomicUsize::new(0);
    let first = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|nth| *nth < orders);
    shop::trade(&engine, first).await;
    engine.stop().await;
    let pool = bench.ground.pool("").await;
    let mut events: i64 = sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&pool).await.unwrap();
    let wanted = bench.options.pick(EVENTS, 0);
    while events < wanted {
        // The same again under other names. Nobody verifies this log, so that links and digests may stay behind.
        bench
            .ground
            .as_owner(
                "INSERT INTO events SELECT aggregate_type, aggregate_id || '~' || h.position, sequence, event_type, \
                 event_version, payload, metadata, e.position + h.position, gen_random_uuid(), recorded_at, digest \
                 FROM events e, log_head h; UPDATE log_head SET position = 2 * position",
            )
            .await;
        events *= 2;
    }
    // As after a while: the new rows are marked as visible to all.
    bench.ground.as_owner("VACUUM (ANALYZE) events").await;
    let log = PostgresLog::new(bench.ground.pool("").await);
    let place = std::env::temp_dir().join(format!("daybook-bench-{}", bench.ground.prefix));
    fs::create_dir(&place).unwrap();

    let mut sides: [Series; 5] = Default::default();
    let mut bytes = [0_u64; 5];
    let mut peak_mb = [0_u64; 5];
    for round in 0..=bench.options.rounds {
        for nth in 0..NAMES.len() {
            // What this process has had in memory at most is counted anew, where the system counts it.
            let _ = fs::write("/proc/self/clear_refs", "5");
            let (measured, written) = match nth {
                0 => export(&log, events, Format::Ndjson, false, &place).await,
                1 => copy(&pool, events, &place).await,
                2 => export(&log, events, Format::Parquet, false, &place).await,
                3 => export(&log, events, Format::Parquet, true, &place).await,
                _ => export(&log, events, Format::Csv, false, &place).await,
            };
            (bytes[nth], peak_mb[nth]) = (written, peak_mb[nth].max(most_mb()));
            // The first is the warm-up.
            if round > 0 {
                sides[nth].push(measured);
            }
        }
    }
    fs::remove_dir_all(&place).unwrap();
    let mut report =
        bench.report("export", "COPY (SELECT … ORDER BY position) TO STDOUT, written to a file").await;
    let [ndjson, copied, parquet, by_type, csv] = &sides;
    report.sides(ndjson, copied);
    for (name, side) in [("parquet", parquet), ("parquet_by_type", by_type), ("csv", csv)] {
        report.note(&format!("{name}_per_s"), side.per_s().round());
        report.note(&format!("{name}_ratio"), bench::report::hundredths(side.per_s() / copied.per_s()));
        report.note(&format!("{name}_rounds"), side.rounds());
    }
    for ((name, bytes), peak_mb) in NAMES.into_iter().zip(bytes).zip(peak_mb) {
        report.note(&format!("{name}_bytes"), bytes);
        report.note(&format!("{name}_peak_mb"), peak_mb);
    }
    report.note("unit", "events");
    report.note("events", events);
    bench.print(report);
}

async fn export(log: &PostgresLog, events: i64, format: Format, by_type: bool, place: &Path) -> (Round, u64) {
    let into = place.join("exported");
    let layout = Layout { format, by_type, by_day: false, checkpoint_rows: CHECKPOINT_ROWS };
    let started = Instant::now();
    let work = Work::begin(&into, by_type, &json!({}), (0, events), Uuid::nil(), false).unwrap();
    let mut export = Export::begin(layout, Target::Place(work)).unwrap();
    let (say, mut hear) = tokio::sync::mpsc::channel::<Page>(2);
    let writer = tokio::task::spawn_blocking(move || {
        while let Some(page) = hear.blocking_recv() {
            export.take(&page.events, page.upto).unwrap();
        }
        export.finish(events).unwrap()
    });
    let mut pages = Pages::new(log.clone(), Selection::default(), 0, events);
    while let Some(page) = pages.next().await.unwrap() {
        say.send(page).await.unwrap();
    }
    drop(say);
    let exported = writer.await.unwrap();
    let round = Round::new(usize::try_from(events).unwrap(), started, vec![started.elapsed()]);
    assert_eq!(exported.rows, events.unsigned_abs());
    remove(&into);
    (round, exported.files.iter().map(|(_, bytes)| bytes).sum())
}

async fn copy(pool: &PgPool, events: i64, place: &Path) -> (Round, u64) {
    let into = place.join("copied");
    let started = Instant::now();
    let statement = "COPY (SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
                     payload, metadata, event_id, recorded_at FROM events ORDER BY position) TO STDOUT";
    let mut file = std::io::BufWriter::with_capacity(1 << 20, fs::File::create(&into).unwrap());
    let mut out = pool.copy_out_raw(statement).await.unwrap();
    let mut rows = 0;
    // Postgres sends one message a row.
    while let Some(message) = out.try_next().await.unwrap() {
        rows += i64::from(!message.is_empty());
        file.write_all(&message).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    assert_eq!(rows, events);
    let round = Round::new(usize::try_from(events).unwrap(), started, vec![started.elapsed()]);
    let bytes = fs::metadata(&into).unwrap().len();
    remove(&into);
    (round, bytes)
}

/// Megabytes that this process has had in memory at most.
fn most_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1_024
}

fn remove(path: &PathBuf) {
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}
