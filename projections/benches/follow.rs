//! How many events a second each projection takes from a full log, decoding, checkpoints and fsync included.
//!
//! The baseline is reading the same log with nobody applying it.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{
    AnyCommand, inventory_item,
    order::{self, Line, Placement, Source},
    value::{Currency, Money, Quantity, ReservationId, Sku, Text, Time},
};
use futures::future::join_all;
use projections::{orders::Orders, stock::Stocks};
use sqlx::PgPool;
use store::{
    engine::Engine,
    follow::Projection,
    log::Decoder,
    testing::{Ground, request},
};

const EVENTS: usize = 90_000;
const CALLERS: usize = 256;
const SKUS: usize = 4_000;
const ORDER_LINES: usize = 8;
/// Events that one read takes, as a follower's does.
const BATCH: i64 = 2_000;

#[tokio::main]
async fn main() {
    let stock = measure(Arc::new(Stocks), |n| {
        let item = format!("SKU {}", n % SKUS);
        let round = n / SKUS;
        let reservation = ReservationId::new(format!("r{round}")).unwrap();
        let quantity = Quantity::new(100).unwrap();
        let command = match round % 3 {
            0 => inventory_item::Command::Receive { quantity, location: None, reference: None },
            1 => inventory_item::Command::Reserve {
                reservation,
                quantity,
                expires_at: None,
                in_stock: false,
                now: Time::from_millis(0),
            },
            _ => inventory_item::Command::Allocate {
                reservation: ReservationId::new(format!("r{}", round - 1)).unwrap(),
                now: Time::from_millis(0),
            },
        };
        (item, command.into())
    })
    .await;
    let orders = measure(Arc::new(Orders), |n| {
        // Confirmed long after it was placed, as most are: the row has to be found again.
        let (order, placed) = (n % (EVENTS / 2), n < EVENTS / 2);
        let command =
            if placed { order::Command::Place(placement(order)) } else { order::Command::Confirm {} };
        (format!("order-{order:06}"), command.into())
    })
    .await;
    println!(
        "{}",
        serde_json::json!({ "bench": "follow", "events": EVENTS, "stock": stock, "orders": orders })
    );
}

fn placement(n: usize) -> Placement {
    let line = |line: usize| Line {
        sku: Sku::new(format!("SKU {line}")).unwrap(),
        title: Some(Text::new("WHITE HANGING HEART T-LIGHT HOLDER").unwrap()),
        quantity: Quantity::new(6).unwrap(),
        unit_price: Money::new(255, Currency::GBP),
        tax: None,
    };
    Placement {
        customer: Some(format!("customer-{}", n % 1_000).parse().unwrap()),
        source: Source::Import(Text::new(format!("retail:{n}")).unwrap()),
        lines: (0..ORDER_LINES).map(line).collect(),
        charges: vec![],
        prices_include_tax: true,
        payment: None,
        delivery: None,
        country: Some(Text::new("United Kingdom").unwrap()),
        placed_at: Time::from_millis(1_291_191_960_000 + i64::try_from(n).unwrap() * 1_000),
    }
}

/// Fills a log of its own, then reads it with nobody applying it, then lets one projection follow it.
async fn measure(
    projection: Arc<dyn Projection>,
    command: impl Fn(usize) -> (String, AnyCommand),
) -> serde_json::Value {
    let ground = Ground::new().await;
    ground.lay(&projections::tables()).await;
    let pool = ground.pool("_read").await;
    let mut engine = ground.engine().await;
    fill(&engine, command).await;
    let read = per_second(read_all(&engine).await);
    let name = projection.name();
    let started = Instant::now();
    engine.project(projection, pool.clone());
    reached(&pool, name).await;
    let followed = per_second(started.elapsed());
    engine.stop().await;
    serde_json::json!({ "events_per_s": followed, "baseline_read_per_s": read })
}

async fn fill(engine: &Engine, command: impl Fn(usize) -> (String, AnyCommand)) {
    let commands: Vec<_> = (0..EVENTS).map(command).collect();
    let (commands, next) = (Arc::new(commands), Arc::new(AtomicUsize::new(0)));
    // Commands of one aggregate stay in order: they lie further apart than there are callers.
    let callers = (0..CALLERS).map(|_| {
        let (executor, commands, next) = (engine.executor.clone(), Arc::clone(&commands), Arc::clone(&next));
        tokio::spawn(async move {
            while let Some((id, command)) = commands.get(next.fetch_add(1, Ordering::Relaxed)) {
                let answer = executor.execute_in_turn(request(id, command.clone())).await.unwrap();
                assert_eq!(answer.events.len(), 1);
            }
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }
}

async fn read_all(engine: &Engine) -> Duration {
    let started = Instant::now();
    let mut position = 0;
    loop {
        let events = engine.log.read(position, BATCH).await.unwrap();
        let Some(last) = events.last() else { break };
        position = last.position;
        let mut decoder = Decoder::default();
        assert!(events.iter().all(|event| decoder.read(event).is_some_and(|read| read.is_ok())));
    }
    started.elapsed()
}

async fn reached(pool: &PgPool, name: &str) {
    loop {
        let position: Option<i64> = sqlx::query_scalar("SELECT position FROM followers WHERE name = $1")
            .bind(name)
            .fetch_optional(pool)
            .await
            .unwrap();
        if position == i64::try_from(EVENTS).ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn per_second(elapsed: Duration) -> u64 {
    let micros = u64::try_from(elapsed.as_micros()).unwrap().max(1);
    u64::try_from(EVENTS).unwrap() * 1_000_000 / micros
}
