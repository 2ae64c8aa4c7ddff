//! One process of several that take and give back units of the same few SKUs, as fast as they are answered.

use std::time::{Duration, Instant};

use domain::{
    inventory_item::Command,
    value::{Quantity, ReservationId},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use store::{
    engine::Engine,
    executor::{ExecuteError, Executor},
    ports::{Clock as _, Ids as _, Machine},
    testing::request,
};

/// SKUs that everybody is after.
pub const SKUS: usize = 10;
/// Units of each: fewer than those who want one, so that the last one is always wanted by several.
pub const UNITS: u32 = 3;

/// What a process did.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Commands that were answered, refusals among them.
    pub commands: u64,
    /// Reservations that were accepted.
    pub reserved: u64,
    /// Reservations that found nothing available.
    pub refused: u64,
    /// From the first command to the last answer, in milliseconds.
    pub took_ms: f64,
    /// What half of the commands did not exceed.
    pub p50_ms: f64,
    /// What 99 of 100 commands did not exceed.
    pub p99_ms: f64,
}

impl Tally {
    pub fn per_s(&self) -> f64 {
        self.commands as f64 * 1_000.0 / self.took_ms
    }

    /// As one line, for the process that started this one.
    pub fn told(&self) -> Value {
        json!({
            "commands": self.commands, "reserved": self.reserved, "refused": self.refused,
            "took_ms": self.took_ms, "p50_ms": self.p50_ms, "p99_ms": self.p99_ms,
        })
    }

    pub fn heard(line: &str) -> Self {
        let told: Value = serde_json::from_str(line).unwrap();
        let (count, ms) =
            (|name: &str| told[name].as_u64().unwrap(), |name: &str| told[name].as_f64().unwrap());
        Self {
            commands: count("commands"),
            reserved: count("reserved"),
            refused: count("refused"),
            took_ms: ms("took_ms"),
            p50_ms: ms("p50_ms"),
            p99_ms: ms("p99_ms"),
        }
    }
}

fn sku(nth: usize) -> String {
    format!("WANTED {}", nth % SKUS)
}

/// Puts the units on the shelf.
pub async fn stock_up(engine: &Engine) {
    for nth in 0..SKUS {
        let quantity = Quantity::new(UNITS).unwrap();
        let receive = Command::Receive { quantity, location: None, reference: None };
        engine.executor.execute(request(&sku(nth), receive)).await.unwrap();
    }
}

/// So many callers go from SKU to SKU: each takes a unit, if there is one, and gives it back.
pub async fn hammer(executor: &Executor, callers: usize, length: Duration) -> Tally {
    let started = Instant::now();
    let tasks: Vec<_> =
        (0..callers).map(|caller| tokio::spawn(call(executor.clone(), caller, started, length))).collect();
    let (mut tally, mut took) = (Tally::default(), vec![]);
    for task in tasks {
        let (mine, times) = task.await.unwrap();
        tally.commands += mine.commands;
        tally.reserved += mine.reserved;
        tally.refused += mine.refused;
        took.extend(times);
    }
    tally.took_ms = started.elapsed().as_secs_f64() * 1_000.0;
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    (tally.p50_ms, tally.p99_ms) = (at(0.5), at(0.99));
    tally
}

async fn call(
    executor: Executor,
    caller: usize,
    started: Instant,
    length: Duration,
) -> (Tally, Vec<Duration>) {
    let (mut tally, mut took) = (Tally::default(), vec![]);
    let mut nth = caller;
    while started.elapsed() < length {
        let reservation = ReservationId::from(Machine.next());
        let reserve = Command::Reserve {
            reservation: reservation.clone(),
            quantity: Quantity::new(1).unwrap(),
            expires_at: None,
            in_stock: true,
            now: Machine.now(),
        };
        let called = Instant::now();
        let answer = executor.execute(request(&sku(nth), reserve)).await;
        took.push(called.elapsed());
        tally.commands += 1;
        match answer {
            Ok(_) => {
                tally.reserved += 1;
                let called = Instant::now();
                executor.execute(request(&sku(nth), Command::Release { reservation })).await.unwrap();
                took.push(called.elapsed());
                tally.commands += 1;
            }
            Err(ExecuteError::Refused(refused)) => {
                assert_eq!(refused.refusal.code(), "inventory.insufficient");
                tally.refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
        nth += 1;
    }
    (tally, took)
}

/// What the log says, read with plain SQL and none of the code that wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Books {
    /// Units that were promised beyond those on the shelf, at whatever moment it was worst; over all SKUs.
    pub oversold: i64,
    /// Reservations in the log.
    pub reserved: i64,
    /// Answers in the log.
    pub answers: i64,
    /// Whether positions are 1, 2, 3 … up to the head.
    pub dense: bool,
}

pub async fn books(pool: &PgPool) -> Books {
    let oversold: i64 = sqlx::query_scalar(
        "SELECT COALESCE(sum(worst), 0)::bigint FROM ( \
             SELECT GREATEST(max(held) - $1, 0) AS worst FROM ( \
                 SELECT aggregate_id, sum(CASE event_type WHEN 'Reserved' THEN 1 WHEN 'Released' THEN -1 ELSE 0 END) \
                     OVER (PARTITION BY aggregate_id ORDER BY position) AS held FROM events \
             ) AS moments GROUP BY aggregate_id) AS skus",
    )
    .bind(i64::from(UNITS))
    .fetch_one(pool)
    .await
    .unwrap();
    let (reserved, dense): (i64, bool) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE event_type = 'Reserved'), \
                count(*) = max(position) AND min(position) = 1 AND max(position) = (SELECT position FROM log_head) \
         FROM events",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    let answers = sqlx::query_scalar("SELECT count(*) FROM commands").fetch_one(pool).await.unwrap();
    Books { oversold, reserved, answers, dense }
}
