//! A million products: the embedded index behind its trait, and full text with trigrams in Postgres over the same rows.
//!
//! Eight clients ask the same questions of both, in turns. Nothing is cached on either side but what the engines themselves keep.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]
#![allow(clippy::cast_precision_loss, reason = "counts of a benchmark are small")]

#[path = "../../store/benches/common/bench.rs"]
mod bench;
#[path = "search/catalogue.rs"]
mod catalogue;
#[path = "search/postgres.rs"]
mod postgres;

use std::{
    env, fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bench::{
    Bench, Round,
    report::{Series, hundredths},
};
use catalogue::{Catalogue, questions};
use futures::future::join_all;
use postgres::Rival;
use projections::search::{Embedded, Index, Marker, ProductQuery, Synonyms};

const PRODUCTS: usize = 1_000_000;
const CLIENTS: usize = 8;
const QUESTIONS: usize = 600;

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let products = bench.options.events.unwrap_or(bench.options.pick(PRODUCTS, 20_000));
    let length = Duration::from_secs(bench.options.seconds.unwrap_or(bench.options.pick(10, 1)));
    let catalogue = Catalogue::of(products);
    let directory = env::temp_dir().join(format!("daybook-search-bench-{}", std::process::id()));
    let index: Arc<dyn Index> = Arc::new(Embedded::at(&directory, Synonyms::default()).unwrap());
    let began = Instant::now();
    fill(&*index, &catalogue).await;
    let built = began.elapsed();
    let bytes = bytes_of(&directory);
    let began = Instant::now();
    let rival = Rival::load(&bench.ground, &catalogue).await;
    let loaded = began.elapsed();

    let questions: Arc<[ProductQuery]> = questions(QUESTIONS).into();
    let agreement = agreement(&*index, &rival, &questions).await;
    let (mut ours, mut theirs) = (Series::default(), Series::default());
    for round in 0..=bench.options.rounds {
        let (engine, other) = (Arc::clone(&index), rival.clone());
        let mine = drive(&questions, length, move |query| {
            let index = Arc::clone(&engine);
            async move { index.find(&query).await.unwrap().listed_at.len() }
        })
        .await;
        let others = drive(&questions, length, move |query| {
            let rival = other.clone();
            async move { rival.find(&query).await.listed_at.len() }
        })
        .await;
        // The first one warms both up.
        if round > 0 {
            ours.push(mine);
            theirs.push(others);
        }
    }
    let mut report =
        bench.report("search_1m", "Postgres full text and pg_trgm with GIN and B-tree indexes").await;
    report.sides(&ours, &theirs);
    for (name, share) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        let (mine, other) = (ours.percentile_ms(share), theirs.percentile_ms(share));
        report.note(&format!("{name}_ms"), mine);
        report.note(&format!("baseline_{name}_ms"), other);
        report.note(&format!("{name}_ratio"), hundredths(other / mine));
    }
    report.note("products", products);
    report.note("clients", CLIENTS);
    report.note("questions", questions.len());
    report.note("same_total", agreement);
    report.note("index_build_s", hundredths(built.as_secs_f64()));
    report.note("index_mb", hundredths(bytes as f64 / 1e6));
    report.note("memory_mb", resident_mb());
    report.note("baseline_load_s", hundredths(loaded.as_secs_f64()));
    report.note("baseline_mb", rival.megabytes().await);
    bench.print(report);
    drop(index);
    fs::remove_dir_all(directory).unwrap();
}

async fn fill(index: &dyn Index, catalogue: &Catalogue) {
    let marker =
        Marker { format: 1, life: "bench".to_owned(), incarnation: None, position: 0, aside: Vec::new() };
    let mut filling = index.fill(&marker).await.unwrap();
    for chunk in catalogue.chunks() {
        filling.add(chunk).await.unwrap();
    }
    filling.finish(marker).await.unwrap();
}

/// The share of literal questions that both sides find as many products for.
async fn agreement(index: &dyn Index, rival: &Rival, questions: &[ProductQuery]) -> f64 {
    let (mut same, mut asked) = (0, 0);
    for query in questions.iter().filter(|query| query.facets.any()).take(40) {
        let ours = index.find(query).await.unwrap().facets.unwrap().total;
        let theirs = rival.find(query).await.total;
        asked += 1;
        same += usize::from(theirs == Some(ours));
    }
    hundredths(f64::from(same as u32) / f64::from(asked.max(1) as u32))
}

/// Lets every client ask one question after another.
async fn drive<F: Future<Output = usize> + Send + 'static>(
    questions: &Arc<[ProductQuery]>,
    length: Duration,
    ask: impl Fn(ProductQuery) -> F + Clone + Send + Sync + 'static,
) -> Round {
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let clients = (0..CLIENTS).map(|_| {
        let (questions, next, ask) = (Arc::clone(questions), Arc::clone(&next), ask.clone());
        tokio::spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < length {
                let query = questions[next.fetch_add(1, Ordering::Relaxed) % questions.len()].clone();
                let asked = Instant::now();
                std::hint::black_box(ask(query).await);
                took.push(asked.elapsed());
            }
            took
        })
    });
    let took: Vec<Duration> = join_all(clients).await.into_iter().flat_map(Result::unwrap).collect();
    Round { per_s: took.len() as f64 / began.elapsed().as_secs_f64(), took }
}

fn bytes_of(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let about = entry.metadata().unwrap();
            if about.is_dir() { bytes_of(&entry.path()) } else { about.len() }
        })
        .sum()
}

/// What the process takes, with the catalogue that both sides were filled from.
fn resident_mb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes / 1_000)
}
