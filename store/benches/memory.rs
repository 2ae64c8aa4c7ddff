//! What the process takes of memory while it works on more aggregates than fit into its cache.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

mod common;

use std::{fs, sync::Arc, time::Instant};

use common::{
    Bench, callers,
    report::{hundredths, whole},
};
use store::{executor::Limits, secrets::Fingerprints, testing::master_key};

const COMMANDS: usize = 5_000_000;
const AGGREGATES: usize = 1_000_000;
const CALLERS: usize = 256;
/// What the process may take beyond the limit of the cache.
const BESIDE_MB: f64 = 100.0;

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let commands = bench.options.events.unwrap_or(bench.options.pick(COMMANDS, 20_000));
    let aggregates = AGGREGATES.min(commands / 5);
    let mut report = bench.report("memory", "the limit of the cache and 100 MB beside it").await;
    let limit = megabytes(Limits::default().cache_bytes_max);
    let engine = bench.ground.engine().await;
    let names = callers::skus(aggregates);
    // The names are the benchmark's own, and so are the servers, which are other processes.
    let (before, started) = (resident_mb(), Instant::now());
    let mut most = before;
    let tasks: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (executor, names) = (engine.executor.clone(), Arc::clone(&names));
            tokio::spawn(async move {
                let fingerprints = Fingerprints::new(&master_key());
                for nth in (caller..commands).step_by(CALLERS) {
                    // Every aggregate as often as any other, in an order that no cache can foresee.
                    let name = names[scattered(nth, aggregates)].clone();
                    let request = callers::request(&fingerprints, name, callers::receive(1));
                    assert_eq!(executor.execute_in_turn(request).await.unwrap().events.len(), 1);
                }
            })
        })
        .collect();
    let working = async {
        for task in tasks {
            task.await.unwrap();
        }
    };
    tokio::pin!(working);
    loop {
        tokio::select! {
            () = &mut working => break,
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => most = most.max(resident_mb()),
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = resident_mb();
    report.note("commands", commands);
    report.note("aggregates", aggregates);
    report.note("ours_per_s", whole(commands as f64 / seconds));
    report.note("limit_mb", limit);
    report.note("before_mb", hundredths(before));
    report.note("after_mb", hundredths(after));
    report.note("most_mb", hundredths(most.max(after)));
    report.note("within", most.max(after) <= limit + BESIDE_MB);
    engine.stop().await;
    bench.print(report);
}

/// The `nth` of a walk that meets every one of `among` in each round, and none soon again.
const fn scattered(nth: usize, among: usize) -> usize {
    /// A prime beyond every number of aggregates, so that it divides none of them.
    const STRIDE: usize = 1_000_000_007;
    (nth % among * STRIDE + nth / among) % among
}

/// What the process has in memory.
fn resident_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1_024.0
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
