//! From the commit of an event to where readers see it: order status, stock and the search index, while a shop trades.
//!
//! First a run that saturates the machine says how many orders a second it can carry, with its followers, its copy in NATS and
//! its index; then half of that, or as many as `--orders` says, is carried, at even intervals, and some of what happens is asked
//! for at once. With `MEILI_URL` the index is that Meilisearch.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

#[path = "../../store/benches/common/bench.rs"]
mod bench;
mod shop;

use std::{
    env,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bench::{
    Bench, Round,
    report::{Series, hundredths, whole},
};
use domain::{
    product,
    value::{Currency, Money, OrderId, Sku, Text},
};
use projections::{
    Freshness, ReadModels,
    search::{Embedded, Index, Meili, ProductQuery, Synonyms, follow},
};
use store::{broker::Broker, engine::Engine, executor::Token, ports::Machine, testing::eventually};
use tokio::{task::JoinSet, time::MissedTickBehavior};

/// Of so many things that happen, one is asked for.
const ASKED: usize = 16;
/// How often a price is changed and searched for.
const PRICE_EVERY: Duration = Duration::from_millis(100);
/// Longest that anybody waits: beyond, the benchmark has failed.
const WAIT: Duration = Duration::from_secs(30);
/// Parts of the run that are told apart.
const PARTS: u32 = 10;

/// How long it took until something was seen, and when in the run that was.
type Sights = Mutex<Vec<(Duration, Duration)>>;

#[derive(Default)]
struct Watch {
    happened: AtomicUsize,
    orders: Sights,
    stock: Sights,
    index: Sights,
}

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    bench.ground.lay(&projections::tables()).await;
    let pool = bench.ground.pool("_read").await;
    let mut engine = bench.ground.engine().await;
    engine.relay();
    projections::start(&mut engine, pool.clone());
    let meili = env::var("MEILI_URL").ok();
    let index = index(meili.as_deref(), &bench.ground.prefix);
    let (followed, following) = follow(index, &engine, pool.clone());
    let read = ReadModels::new(pool, &engine.progress(), Arc::clone(&engine.clock))
        .of_log(engine.feed.incarnation())
        .with_index(followed, Synonyms::default());
    let following = tokio::spawn(following);
    shop::stock_up(&engine).await;
    let mut listed = None;
    for sku in 0..shop::SKUS {
        listed = Some(list(&engine, sku).await);
    }
    search(&read, listed.unwrap()).await;

    let seconds = bench.options.seconds.unwrap_or(bench.options.pick(60, 2));
    let (orders, saturated) = saturate(&engine, Duration::from_secs(seconds.min(20))).await;
    settled(&engine, &read, &*bench.ground.broker().await).await;
    let watch = Arc::new(Watch::default());
    let rate = bench.options.orders.map_or(saturated / 2.0, |orders| orders as f64);
    let length = Duration::from_secs(seconds);
    let carried = at_half(&Arc::new(engine), &read, &watch, orders, (rate, length)).await;
    following.abort();

    let mut report = bench.report("live", "none: time from commit to sight").await;
    report.note("index", if meili.is_some() { "meilisearch" } else { "embedded" });
    report.note("saturated_orders_per_s", whole(saturated));
    report.note("offered_orders_per_s", whole(rate));
    report.note("carried_orders_per_s", whole(carried));
    report.note("seconds", seconds);
    let asked = [("orders", &watch.orders), ("stock", &watch.stock), ("index", &watch.index)];
    for (name, seen) in asked {
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        let all = series(seen.iter().map(|(took, _)| *took));
        report.note(&format!("{name}_asked"), seen.len());
        report.note(&format!("{name}_p50_ms"), all.median_ms());
        report.note(&format!("{name}_p99_ms"), all.percentile_ms(0.99));
        report.note(&format!("{name}_most_ms"), all.percentile_ms(1.0));
        let part = |nth| {
            let (from, to) = (length * nth / PARTS, length * (nth + 1) / PARTS);
            let within = seen.iter().filter(|(_, at)| (from..to).contains(at));
            hundredths(series(within.map(|(took, _)| *took)).percentile_ms(0.99))
        };
        report.note(&format!("{name}_p99_ms_by_tenth"), (0..PARTS).map(part).collect::<Vec<_>>());
    }
    bench.print(report);
}

fn series(took: impl Iterator<Item = Duration>) -> Series {
    let mut series = Series::default();
    series.push(Round { per_s: 0.0, took: took.collect() });
    series
}

fn index(meili: Option<&str>, prefix: &str) -> Arc<dyn Index> {
    let Some(url) = meili else { return Arc::new(Embedded::in_memory(Synonyms::default())) };
    let key = env::var("MEILI_MASTER_KEY").ok();
    let uid = format!("{prefix}_products");
    Arc::new(Meili::new(url, key.as_deref(), &uid, Synonyms::default(), Arc::new(Machine)).unwrap())
}

async fn list(engine: &Engine, nth: usize) -> Token {
    let listing = product::Listing {
        title: Text::new(format!("WHITE HANGING HEART T-LIGHT HOLDER {nth}")).unwrap(),
        description: None,
        brand: None,
        category: vec![],
        images: vec![],
        variants: vec![product::Variant {
            sku: Sku::new(format!("SKU {nth}")).unwrap(),
            title: None,
            price: Money::new(255, Currency::GBP),
            tax_category: None,
            weight_grams: 0,
            purchase_limit: None,
        }],
    };
    shop::run(engine, format!("product-{nth}"), product::Command::List(listing)).await
}

/// Orders a second with as many callers as there is work for, and how many that were.
async fn saturate(engine: &Engine, length: Duration) -> (usize, f64) {
    let (started, next) = (Instant::now(), AtomicUsize::new(0));
    let in_time = || started.elapsed() < length;
    shop::trade(engine, || in_time().then(|| next.fetch_add(1, Ordering::Relaxed))).await;
    let orders = next.load(Ordering::Relaxed);
    (orders, orders as f64 / started.elapsed().as_secs_f64())
}

/// Waits until everything that happened can be seen, in every read model, in the index and in NATS.
async fn settled(engine: &Engine, read: &ReadModels, broker: &dyn Broker) {
    let head = engine.log.head().await.unwrap();
    for progress in engine.progress().values() {
        let mut positions = progress.positions();
        positions
            .wait_for(|position| position.is_some_and(|position| position >= head.position))
            .await
            .unwrap();
    }
    let token = Token { incarnation: head.incarnation, position: head.position };
    let available = ProductQuery { available: Some(true), limit: 1, ..ProductQuery::default() };
    read.products(&available, after(token, Duration::from_secs(600))).await.unwrap();
    eventually("NATS holds the log", async || {
        let copied = broker.state().await.ok()??;
        (copied.last >= head.position).then_some(())
    })
    .await;
}

/// Carries so many orders a second, at even intervals, and asks for some of what happens; returns how many it did carry.
async fn at_half(
    engine: &Arc<Engine>,
    read: &ReadModels,
    watch: &Arc<Watch>,
    first: usize,
    (rate, length): (f64, Duration),
) -> f64 {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    let (priced, reading, seen) = (Arc::clone(engine), read.clone(), Arc::clone(watch));
    tasks.spawn(async move { prices(&priced, &reading, &seen.index, (started, length)).await });
    let mut due = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut nth = first;
    while started.elapsed() < length {
        due.tick().await;
        let (engine, read, watch) = (Arc::clone(engine), read.clone(), Arc::clone(watch));
        tasks.spawn(async move {
            let tell = |seen: shop::Seen<'_>, token| ask(&read, &watch, (started, &seen), token);
            shop::carry(&engine, nth, &tell).await;
        });
        nth += 1;
    }
    let carried = (nth - first) as f64 / started.elapsed().as_secs_f64();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    carried
}

/// Asks for one in so many of the things that happen, and notes how long it takes until they are seen.
fn ask(read: &ReadModels, watch: &Arc<Watch>, (started, seen): (Instant, &shop::Seen<'_>), token: Token) {
    if !watch.happened.fetch_add(1, Ordering::Relaxed).is_multiple_of(ASKED) {
        return;
    }
    let (read, watch, begun) = (read.clone(), Arc::clone(watch), Instant::now());
    let note = move |seen: &Sights| seen.lock().unwrap().push((begun.elapsed(), begun - started));
    match seen {
        shop::Seen::Order(id) => {
            let id = OrderId::new(*id).unwrap();
            tokio::spawn(async move {
                assert!(read.order(&id, after(token, WAIT)).await.unwrap().value.is_some());
                note(&watch.orders);
            });
        }
        shop::Seen::Stock(sku) => {
            let sku = Sku::new(*sku).unwrap();
            tokio::spawn(async move {
                let now = store::ports::Clock::now(&Machine);
                assert!(read.stock(&sku, now, after(token, WAIT)).await.unwrap().value.is_some());
                note(&watch.stock);
            });
        }
    }
}

/// Changes a price now and then, and searches until it is seen.
async fn prices(engine: &Engine, read: &ReadModels, seen: &Sights, (started, length): (Instant, Duration)) {
    let mut due = tokio::time::interval(PRICE_EVERY);
    let mut nth = 0;
    while started.elapsed() < length {
        due.tick().await;
        let (product, price) = (nth % shop::SKUS, 1_000 + i64::try_from(nth).unwrap());
        let change = product::Command::ChangePrice {
            sku: Sku::new(format!("SKU {product}")).unwrap(),
            price: Money::new(price, Currency::GBP),
        };
        let token = shop::run(engine, format!("product-{product}"), change).await;
        let begun = Instant::now();
        let dearest = ProductQuery { price_min: Some(price), limit: 1, ..ProductQuery::default() };
        let found = read.products(&dearest, after(token, WAIT)).await.unwrap().value;
        assert_eq!(found.page.data.len(), 1);
        seen.lock().unwrap().push((begun.elapsed(), begun - started));
        nth += 1;
    }
}

async fn search(read: &ReadModels, token: Token) {
    let all = ProductQuery { limit: 1, ..ProductQuery::default() };
    read.products(&all, after(token, Duration::from_secs(120))).await.unwrap();
}

fn after(token: Token, wait: Duration) -> Freshness {
    Freshness { at_least: Some(token), wait }
}
