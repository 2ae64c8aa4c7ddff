//! What callers of the executor may rely on, on a real Postgres.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::num::NonZeroI32;

use domain::{
    inventory_item::{AdjustReason, Command},
    value::{Quantity, ReservationId, Time},
};
use store::{
    executor::{ExecuteError, Origin, Request},
    testing::{Ground, eventually, request, request_as},
};
use uuid::Uuid;

fn receive(units: u32) -> Command {
    Command::Receive { quantity: Quantity::new(units).unwrap(), location: None, reference: None }
}

fn reserve(name: &str, units: u32) -> Command {
    Command::Reserve {
        reservation: ReservationId::new(name).unwrap(),
        quantity: Quantity::new(units).unwrap(),
        expires_at: None,
        in_stock: false,
        now: Time::from_millis(0),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accepted_commands_take_dense_positions() {
    let engine = Ground::new().await.engine().await;
    let first = engine.executor.execute(request("A", receive(5))).await.unwrap();
    let second = engine.executor.execute(request("B", receive(5))).await.unwrap();
    assert_eq!((first.positions, second.positions), (Some((1, 1)), Some((2, 2))));
    assert_eq!((first.version, second.version), (1, 1));
    assert_eq!(second.token.position, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_gets_the_first_answer_and_changes_nothing() {
    let engine = Ground::new().await.engine().await;
    let id = Uuid::now_v7();
    let first = engine.executor.execute(request_as(id, "A", receive(5))).await.unwrap();
    engine.executor.execute(request("A", receive(1))).await.unwrap();
    let again = engine.executor.execute(request_as(id, "A", receive(5))).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!((again.positions, again.version), (first.positions, first.version));
    assert_eq!(engine.log.head().await.unwrap().position, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_clients_are_forgotten_when_their_time_is_over_and_derived_ones_never() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let (old, kept, derived) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    for id in [old, kept] {
        engine.executor.execute(request_as(id, "A", receive(5))).await.unwrap();
    }
    let of_manager = Request { origin: Origin::Derived, ..request_as(derived, "A", receive(5)) };
    engine.executor.execute(of_manager).await.unwrap();
    let owner = ground.owner_pool("").await;
    let left = "SELECT command_id FROM commands WHERE expires_at <= now() + interval '47 hours'";
    let soon: Vec<Uuid> = sqlx::query_scalar(left).fetch_all(&owner).await.unwrap();
    assert!(soon.is_empty(), "kept for two days");
    sqlx::query("UPDATE commands SET expires_at = now() - interval '1 day' WHERE command_id = $1")
        .bind(old)
        .execute(&owner)
        .await
        .unwrap();
    let again = ground.engine().await;
    let forgotten = || async {
        let ids: Vec<Uuid> =
            sqlx::query_scalar("SELECT command_id FROM commands").fetch_all(&owner).await.unwrap();
        (!ids.contains(&old)).then_some(ids)
    };
    let mut ids = eventually("the old answer is forgotten", forgotten).await;
    ids.sort_unstable();
    assert_eq!(ids, [kept, derived]);
    assert!(!again.executor.execute(request_as(old, "A", receive(5))).await.unwrap().replayed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_remembered_even_when_it_would_be_accepted_now() {
    let engine = Ground::new().await.engine().await;
    let id = Uuid::now_v7();
    let first = engine.executor.execute(request_as(id, "A", reserve("r", 1))).await.unwrap_err();
    engine.executor.execute(request("A", receive(5))).await.unwrap();
    let again = engine.executor.execute(request_as(id, "A", reserve("r", 1))).await.unwrap_err();
    let (ExecuteError::Refused(first), ExecuteError::Refused(again)) = (first, again) else {
        panic!("both are refused");
    };
    assert_eq!(first.refusal.code(), "inventory.insufficient");
    assert_eq!(first.refusal, again.refusal);
    assert!(!first.replayed && again.replayed);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_command_under_a_used_id_is_refused() {
    let engine = Ground::new().await.engine().await;
    let id = Uuid::now_v7();
    engine.executor.execute(request_as(id, "A", receive(5))).await.unwrap();
    let other = engine.executor.execute(request_as(id, "A", receive(6))).await;
    assert!(matches!(other, Err(ExecuteError::IdReused)), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_version_is_told_and_may_be_tried_again_under_the_same_id() {
    let engine = Ground::new().await.engine().await;
    engine.executor.execute(request("A", receive(5))).await.unwrap();
    let mut stale = request("A", receive(1));
    stale.expected_version = Some(0);
    let answer = engine.executor.execute(stale.clone()).await;
    assert!(matches!(answer, Err(ExecuteError::VersionMismatch { actual: 1 })), "{answer:?}");
    stale.expected_version = Some(1);
    assert_eq!(engine.executor.execute(stale).await.unwrap().version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_of_one_sku_never_oversell_it() {
    let engine = Ground::new().await.engine().await;
    engine.executor.execute(request("HOT", receive(100))).await.unwrap();
    let buyers = (0..500).map(|buyer| {
        let executor = engine.executor.clone();
        tokio::spawn(async move { executor.execute(request("HOT", reserve(&format!("b{buyer}"), 1))).await })
    });
    let answers = futures::future::join_all(buyers).await;
    let sold = answers.iter().filter(|answer| matches!(answer, Ok(Ok(_)))).count();
    let refused = answers.iter().filter(|answer| matches!(answer, Ok(Err(ExecuteError::Refused(_))))).count();
    assert_eq!((sold, refused), (100, 400));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_executors_on_one_log_see_each_other() {
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    for _ in 0..20 {
        left.executor.execute(request("A", receive(1))).await.unwrap();
        right.executor.execute(request("A", receive(1))).await.unwrap();
    }
    let all = Command::Adjust {
        delta: NonZeroI32::new(-40).unwrap(),
        reason: AdjustReason::Lost,
        location: None,
        reference: None,
    };
    assert_eq!(left.executor.execute(request("A", all)).await.unwrap().version, 41);
}
