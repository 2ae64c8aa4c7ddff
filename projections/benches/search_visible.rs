//! How long after its commit a price or a unit of stock is what search answers from, at a steady load: in the embedded index, and
//! in the Meilisearch at `MEILI_URL`, if that is set. And how long it takes to audit and to rebuild either of them.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]
#![allow(clippy::cast_precision_loss, reason = "counts of a benchmark are small")]

#[path = "../../store/benches/common/bench.rs"]
mod bench;

use std::{
    env,
    sync::Arc,
    time::{Duration, Instant},
};

use bench::{Bench, report::hundredths};
use domain::{
    inventory_item, product,
    value::{Currency, Money, Quantity, Sku, Text},
};
use projections::{
    Freshness, ReadModels,
    search::{Embedded, Index, Meili, Patience, ProductQuery, State, Synonyms, What, ask, follow},
};
use sqlx::PgPool;
use store::{
    engine::Engine,
    executor::Token,
    ports::{Clock, Ids, Machine},
    testing::{Ground, request},
};
use tokio::{task::JoinSet, time::interval};
use uuid::Uuid;

const PRODUCTS: usize = 5_000;
const CHANGES_PER_S: u32 = 50;
const CHANGES: usize = 3_000;

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let products = bench.options.pick(PRODUCTS, 200);
    let changes = bench.options.events.unwrap_or(bench.options.pick(CHANGES, 50));
    let mut report = bench.report("search_visible", "none").await;
    report.note("baseline_per_s", serde_json::Value::Null);
    let index = Arc::new(Embedded::in_memory(Synonyms::default()));
    let embedded = measure(bench.another_log().await, index, products, changes).await;
    let meilisearch = match env::var("MEILI_URL") {
        Ok(url) => {
            let key = env::var("MEILI_MASTER_KEY").ok();
            let uid = format!("b{}", Uuid::now_v7().simple());
            let index = Meili::new(&url, key.as_deref(), &uid, Synonyms::default(), Arc::new(Machine));
            let ground = bench.another_log().await;
            Some(measure(ground, Arc::new(index.unwrap()), products, changes).await)
        }
        Err(_) => None,
    };
    for (name, took) in [("embedded", Some(embedded)), ("meilisearch", meilisearch)] {
        for (share, at) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let figure = took.as_ref().map(|took| percentile_ms(&took.visible, at));
            report.note(&format!("{name}_{share}_ms"), figure);
        }
        let seconds = |took: Duration| hundredths(took.as_secs_f64());
        report.note(&format!("{name}_audit_s"), took.as_ref().map(|took| seconds(took.audit)));
        report.note(&format!("{name}_rebuild_s"), took.as_ref().map(|took| seconds(took.rebuild)));
    }
    report.note("changes_per_s", CHANGES_PER_S);
    report.note("changes", changes);
    report.note("products", products);
    bench.print(report);
}

fn percentile_ms(took: &[Duration], share: f64) -> f64 {
    let at = ((took.len() as f64 * share) as usize).min(took.len() - 1);
    hundredths(took[at].as_secs_f64() * 1_000.0)
}

/// How long everything took.
struct Took {
    /// From the least to the most.
    visible: Vec<Duration>,
    audit: Duration,
    rebuild: Duration,
}

/// How long it takes to do what is asked for, with nothing to be found.
async fn asked(pool: &PgPool, what: What) -> Duration {
    let began = Instant::now();
    let doors = (Arc::new(Machine) as Arc<dyn Clock>, &Machine as &dyn Ids);
    let answers = ask(pool, doors, (what, false), Patience::default(), &|_| {}).await.unwrap();
    for answer in answers {
        let right = matches!(&answer.state, State::Done(of) if of.difference.rows_that_differ() == 0);
        assert!(right, "{answer:?}");
    }
    began.elapsed()
}

/// Gives one command after the other and waits for each beside, until the index says that it reflects it.
async fn measure(ground: Ground, index: Arc<dyn Index>, products: usize, changes: usize) -> Took {
    ground.lay(&projections::tables()).await;
    let (mut engine, pool) = (ground.engine().await, ground.pool("_read").await);
    projections::start(&mut engine, pool.clone());
    let asking = pool.clone();
    let (followed, following) = follow(index, &engine, pool.clone());
    let mut followers = JoinSet::new();
    followers.spawn(following);
    let read = ReadModels::new(pool, &engine.progress(), Arc::clone(&engine.clock))
        .of_log(engine.feed.incarnation())
        .with_index(followed, Synonyms::default());
    for nth in 0..products {
        list(&engine, nth).await;
    }
    let last = change(&engine, 0, products).await;
    visible(&read, last).await;
    let mut beat = interval(Duration::from_secs(1) / CHANGES_PER_S);
    let mut waiting = JoinSet::new();
    for nth in 1..=changes {
        beat.tick().await;
        let token = change(&engine, nth, products).await;
        let (read, committed) = (read.clone(), Instant::now());
        waiting.spawn(async move {
            visible(&read, token).await;
            committed.elapsed()
        });
    }
    let mut visible = waiting.join_all().await;
    visible.sort_unstable();
    let (audit, rebuild) = (asked(&asking, What::Audit).await, asked(&asking, What::Rebuild).await);
    followers.shutdown().await;
    engine.stop().await;
    Took { visible, audit, rebuild }
}

fn sku(nth: usize) -> Sku {
    Sku::new(format!("SKU {nth}")).unwrap()
}

async fn list(engine: &Engine, nth: usize) {
    let variant = product::Variant {
        sku: sku(nth),
        title: None,
        price: Money::new(900, Currency::GBP),
        tax_category: None,
        weight_grams: 0,
        purchase_limit: None,
    };
    let listing = product::Listing {
        title: Text::new(format!("White hanging heart t-light holder {nth}")).unwrap(),
        description: None,
        brand: None,
        category: vec![],
        images: vec![],
        variants: vec![variant],
    };
    let command = request(&format!("p{nth}"), product::Command::List(listing));
    engine.executor.execute(command).await.unwrap();
}

/// Another price for one product, or a unit for another.
async fn change(engine: &Engine, nth: usize, products: usize) -> Token {
    let of = nth * 7 % products;
    let command = if nth.is_multiple_of(2) {
        let price = Money::new(i64::try_from(nth).unwrap() + 1_000, Currency::GBP);
        request(&format!("p{of}"), product::Command::ChangePrice { sku: sku(of), price })
    } else {
        let quantity = Quantity::new(1).unwrap();
        let receive = inventory_item::Command::Receive { quantity, location: None, reference: None };
        request(&format!("SKU {of}"), receive)
    };
    engine.executor.execute(command).await.unwrap().token
}

/// Waits until a question about availability is answered from that position on.
async fn visible(read: &ReadModels, token: Token) {
    let freshness = Freshness { at_least: Some(token), wait: Duration::from_secs(120) };
    let query = ProductQuery { available: Some(true), limit: 1, ..ProductQuery::default() };
    read.products(&query, freshness).await.unwrap();
}
