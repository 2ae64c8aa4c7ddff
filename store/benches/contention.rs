//! Two processes on one log, after the same ten SKUs: what the two reach together beside one alone, and the slower's share.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

mod common;

use std::{env, process::Command, time::Duration};

use common::{
    Bench, Round,
    hammer::{self, Books, SKUS, Tally, UNITS, books, hammer},
    report::{Series, hundredths, whole},
    rivals::{Rival, ready},
};
use store::{
    testing::Ground,
    verify::{Wanted, verify},
};

/// Callers in each process.
const CALLERS: usize = 32;

#[tokio::main]
async fn main() {
    let args: Vec<String> = env::args().collect();
    if let [_, word, prefix, owner_url, app_url, nats_url, length_ms] = &args[..]
        && word == "rival"
    {
        let ground = Ground {
            prefix: prefix.clone(),
            owner_url: owner_url.clone(),
            app_url: app_url.clone(),
            nats_url: nats_url.clone(),
        };
        return rival(&ground, Duration::from_millis(length_ms.parse().unwrap())).await;
    }
    compare().await;
}

/// One process, started by the benchmark.
async fn rival(ground: &Ground, length: Duration) {
    let engine = ground.engine().await;
    ready();
    let tally = hammer(&engine.executor, CALLERS, length).await;
    println!("{}", tally.told());
    engine.stop().await;
}

async fn compare() {
    let bench = Bench::start().await;
    let engine = bench.ground.engine().await;
    hammer::stock_up(&engine).await;
    engine.stop().await;
    let seconds = bench.options.seconds.unwrap_or(bench.options.pick(20, 1));
    let length = Duration::from_secs(seconds) / u32::try_from(bench.options.rounds).unwrap();

    let (mut alone, mut together) = (Series::default(), Series::default());
    let (mut shares, mut slower, mut faster) = (vec![], Tally::default(), Tally::default());
    let (mut commands, mut reserved) = (0, 0);
    for _ in 0..bench.options.rounds {
        let one = race(&bench.ground, 1, length);
        alone.push(Round { per_s: one[0].per_s(), took: vec![] });
        let mut two = race(&bench.ground, 2, length);
        two.sort_by_key(|tally| tally.commands);
        let sum: u64 = two.iter().map(|tally| tally.commands).sum();
        together.push(Round { per_s: two.iter().map(Tally::per_s).sum(), took: vec![] });
        shares.push(two[0].commands as f64 / sum as f64);
        commands += one[0].commands + sum;
        reserved += one[0].reserved + two.iter().map(|tally| tally.reserved).sum::<u64>();
        (slower, faster) = (two[0].clone(), two[1].clone());
    }

    let pool = bench.ground.pool("").await;
    let Books { oversold, reserved: stored, answers, dense } = books(&pool).await;
    assert_eq!(u64::try_from(stored).unwrap(), reserved, "what was acknowledged is what stands");
    assert_eq!(u64::try_from(answers).unwrap(), commands + SKUS as u64);
    let verified = verify(&pool, Wanted::default(), &|_, _| {}).await.unwrap();

    let mut report = bench.report("contention", "one process alone").await;
    report.sides(&together, &alone);
    report.note("slower_share", hundredths(shares.iter().copied().fold(1.0, f64::min)));
    report.note("slower_shares", shares.iter().copied().map(hundredths).collect::<Vec<_>>());
    report.note("slower_per_s", whole(slower.per_s()));
    report.note("faster_per_s", whole(faster.per_s()));
    // Each process knows its own commands; these are of the last round's slower one.
    report.note("p50_ms", hundredths(slower.p50_ms));
    report.note("p99_ms", hundredths(slower.p99_ms));
    report.note("seconds_a_side", seconds);
    report.note("callers_a_process", CALLERS);
    report.note("skus", SKUS);
    report.note("units_a_sku", UNITS);
    report.note("commands", commands);
    report.note("reserved", reserved);
    report.note("oversold", oversold);
    report.note("dense", dense);
    report.note("chain_verified", verified.ok);
    report.note("events", verified.events);
    report.note("events_an_append", bench.events_an_append().await);
    bench.print(report);
    assert!(oversold == 0 && dense && verified.ok, "{:?}", verified.findings);
}

/// Lets so many processes go at once, and hears what each did.
fn race(ground: &Ground, processes: usize, length: Duration) -> Vec<Tally> {
    let start = |_| {
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["rival", &ground.prefix, &ground.owner_url, &ground.app_url, &ground.nats_url])
            .arg(length.as_millis().to_string());
        Rival::start(&mut command)
    };
    let mut rivals: Vec<Rival> = (0..processes).map(start).collect();
    rivals.iter_mut().for_each(|rival| assert_eq!(rival.line(), "ready"));
    rivals.iter_mut().for_each(Rival::go);
    let tallies = rivals.iter_mut().map(|rival| Tally::heard(&rival.line())).collect();
    rivals.iter_mut().for_each(|rival| assert!(rival.ended_well()));
    tallies
}
