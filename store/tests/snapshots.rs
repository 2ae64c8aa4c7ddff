//! Snapshots: a load from one is a load of the whole stream, and one that does not fit counts for nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;

use domain::{
    AggregateType, AnyState,
    inventory_item::{Command, InventoryItem},
    value::{Quantity, ReservationId, Time},
};
use sqlx::PgPool;
use store::{
    executor::{self, Executor, Limits},
    log::{Log, Past, PostgresLog, Sequence, StreamId},
    ports::Machine,
    testing::{Ground, eventually, request},
};

/// Events after which a snapshot is kept here.
const EVERY: Sequence = 4;

async fn executor(pool: &PgPool) -> Executor {
    let limits = Limits { snapshot_every: EVERY, ..Limits::default() };
    let log = Arc::new(PostgresLog::new(pool.clone()));
    let (executor, run) = executor::run(log, Arc::new(Machine), Arc::new(Machine), limits).await.unwrap();
    tokio::spawn(run);
    executor
}

fn sku(name: &str) -> StreamId {
    StreamId::new(AggregateType::InventoryItem, name)
}

/// The state, and the sequence of the snapshot that it was folded from.
async fn fold(pool: &PgPool, stream: &StreamId, snapshot: bool) -> (InventoryItem, Option<Sequence>) {
    let (mut state, mut from) = (AnyState::initial(stream.aggregate_type), None);
    let log = PostgresLog::new(pool.clone());
    log.history(stream, snapshot, &mut |past| match past {
        Past::State(sequence, text) => {
            from = Some(sequence);
            let mut json = serde_json::Deserializer::from_str(text);
            state = AnyState::deserialize(stream.aggregate_type, &mut json).unwrap();
        }
        Past::Next(events) => state = events.into_iter().fold(state.clone(), AnyState::evolve),
    })
    .await
    .unwrap();
    let AnyState::InventoryItem(item) = state else { unreachable!() };
    (item, from)
}

/// Deliveries, reservations and releases, some of them refused.
async fn trade(executor: &Executor, name: &str, turns: std::ops::Range<u32>) {
    for turn in turns {
        let reservation = |nth: u32| ReservationId::new(format!("R{nth}")).unwrap();
        let quantity = Quantity::new(turn % 5 + 1).unwrap();
        let command = match turn % 4 {
            0 => Command::Receive { quantity, location: None, reference: None },
            3 => Command::Release { reservation: reservation(turn - 2) },
            _ => Command::Reserve {
                reservation: reservation(turn),
                quantity,
                expires_at: None,
                in_stock: false,
                now: Time::from_millis(0),
            },
        };
        // A refusal is an outcome too.
        let _ = executor.execute(request(name, command)).await;
    }
}

async fn kept(pool: &PgPool) -> Vec<(String, Sequence)> {
    sqlx::query_as("SELECT aggregate_id, sequence FROM snapshots ORDER BY aggregate_id")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// When the stream has a snapshot that goes that far.
async fn until_kept(pool: &PgPool, name: &str, least: Sequence) {
    eventually("a snapshot is kept", || async {
        kept(pool).await.into_iter().find(|(id, sequence)| id == name && *sequence >= least)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_and_what_came_after_it_are_the_whole_stream() {
    let ground = Ground::new().await;
    let pool = ground.pool("").await;
    let executor = executor(&pool).await;
    for (name, turns) in [("A", 40), ("B", 23), ("C", 2)] {
        trade(&executor, name, 0..turns).await;
    }
    until_kept(&pool, "A", 2 * EVERY).await;
    until_kept(&pool, "B", EVERY).await;
    for name in ["A", "B"] {
        let (whole, none) = fold(&pool, &sku(name), false).await;
        let (state, from) = fold(&pool, &sku(name), true).await;
        assert_eq!((&state, none), (&whole, None));
        assert!(from.is_some_and(|from| from >= EVERY), "{from:?}");
    }
    assert_eq!(kept(&pool).await.len(), 2, "a short stream needs none");
    // Somebody who knows nothing yet decides as if it had seen everything.
    let other = self::executor(&pool).await;
    trade(&other, "A", 40..80).await;
    until_kept(&pool, "A", 4 * EVERY).await;
    assert_eq!(fold(&pool, &sku("A"), true).await.0, fold(&pool, &sku("A"), false).await.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_does_not_fit_is_passed_over_and_replaced() {
    let ground = Ground::new().await;
    let pool = ground.pool("").await;
    let first = executor(&pool).await;
    trade(&first, "A", 0..20).await;
    until_kept(&pool, "A", EVERY).await;
    let (whole, _) = fold(&pool, &sku("A"), false).await;
    for (spoilt, left_out) in [
        ("fold = 'another program', state = '{\"Unknown\":1}'", true),
        ("event_id = gen_random_uuid(), state = '{\"Unknown\":1}'", true),
        ("sequence = 999, state = '{\"Unknown\":1}'", true),
        ("state = '{\"Unknown\":1}'", false),
    ] {
        ground.as_owner(&format!("UPDATE snapshots SET {spoilt}")).await;
        if left_out {
            assert_eq!(fold(&pool, &sku("A"), true).await, (whole.clone(), None), "{spoilt}");
        }
        let fresh = executor(&pool).await;
        let answer = fresh.execute(request("A", Command::SetReorderPoint { units: None })).await.unwrap();
        let events = PostgresLog::new(pool.clone()).load(&sku("A"), 0).await.unwrap().len();
        assert_eq!(answer.version, events as Sequence, "{spoilt}");
        // Loading the whole stream was worth a snapshot.
        let fits = |count: Option<i64>| (count == Some(1)).then_some(());
        eventually("the snapshot is replaced", || async {
            let count = sqlx::query_scalar(
                "SELECT count(*) FROM snapshots s JOIN events USING (aggregate_type, aggregate_id, sequence, event_id) \
                 WHERE state::text <> '{\"Unknown\":1}' AND fold <> 'another program'",
            );
            fits(count.fetch_one(&pool).await.ok())
        })
        .await;
        assert_eq!(fold(&pool, &sku("A"), true).await.0, whole, "{spoilt}");
    }
}
