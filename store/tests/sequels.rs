//! Commands that follow from answers which are not durable yet: durable together with what they follow from, or not at all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use domain::{
    AggregateType, AnyRefusal, cart,
    inventory_item::Command,
    value::{Currency, Quantity, ReservationId, Time},
};
use store::{
    engine::Engine,
    executor::{Ahead, ExecuteError, Executed, Origin, Request, Sequel},
    log::{NewTimer, StreamId},
    testing::{Ground, request},
};
use tokio::task::JoinHandle;
use uuid::Uuid;

fn receive(units: u32) -> Command {
    Command::Receive { quantity: Quantity::new(units).unwrap(), location: None, reference: None }
}

fn reserve(name: &str) -> Command {
    Command::Reserve {
        reservation: ReservationId::new(name).unwrap(),
        quantity: Quantity::new(1).unwrap(),
        expires_at: None,
        in_stock: true,
        now: Time::from_millis(0),
    }
}

/// As managers ask: the ids of events derive from the command's, and are the same when it is decided again.
async fn ahead(engine: &Engine, request: Request, sequel: &Sequel) -> Ahead {
    let request = Request { origin: Origin::Derived, ..request };
    engine.executor.execute_ahead(request, Vec::new(), sequel).await.unwrap()
}

/// Somebody else's command, decided by the time that this returns, and durable who knows when.
async fn decided(engine: &Engine, request: Request) -> JoinHandle<Result<Executed, ExecuteError>> {
    let sequel = Sequel::default();
    let ahead = ahead(engine, request, &sequel).await;
    tokio::spawn(ahead.durable())
}

async fn events_of(engine: &Engine, sku: &str) -> usize {
    engine.log.load(&StreamId::new(AggregateType::InventoryItem, sku), 0).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_is_decided_while_nothing_is_durable() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    engine.executor.execute(request("A", receive(1))).await.unwrap();
    engine.executor.execute(request("A", reserve("before"))).await.unwrap();
    let lock = ground.nobody_appends().await;
    let sequel = Sequel::default();
    let open = cart::Command::Open {
        customer: None,
        currency: Currency::GBP,
        expires_at: Some(Time::from_millis(0)),
    };
    let opened = ahead(&engine, request("C", open), &sequel).await;
    assert!(opened.foretold.begins && opened.foretold.outcome.as_ref().unwrap().len() == 1);
    let expire = cart::Command::Expire { now: Time::from_millis(1) };
    let expired = ahead(&engine, request("C", expire), &sequel).await;
    assert!(!expired.foretold.begins);
    let refused = ahead(&engine, request("A", reserve("R")), &sequel).await;
    assert!(matches!(refused.foretold.outcome, Err(AnyRefusal::InventoryItem(_))));
    assert_eq!(engine.log.head().await.unwrap().position, 2, "nothing is durable");
    let foretold = expired.foretold.clone();
    lock.rollback().await.unwrap();
    assert_eq!(opened.durable().await.unwrap().version, 1);
    let executed = expired.durable().await.unwrap();
    assert_eq!((executed.version, Ok(executed.events)), (2, foretold.outcome.clone()));
    assert!(matches!(refused.durable().await, Err(ExecuteError::Refused(_))), "as it was foretold");
    assert!(!sequel.has_fallen());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_what_another_process_has_prevented_does_not_happen() {
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    left.executor.execute(request("LAST", receive(1))).await.unwrap();
    left.executor.execute(request("B", receive(1))).await.unwrap();
    right.executor.execute(request("LAST", reserve("right"))).await.unwrap();
    let lock = ground.nobody_appends().await;
    let (sequel, own) = (Sequel::default(), Sequel::default());
    // It does not know yet that the last unit is gone.
    let reserved = ahead(&left, request("LAST", reserve("left")), &sequel).await;
    assert!(reserved.foretold.outcome.is_ok());
    let before = decided(&left, request("B", receive(1))).await;
    let follows = ahead(&left, request("B", receive(10)), &sequel).await;
    let after = ahead(&left, request("B", receive(100)), &own).await;
    let foretold = after.foretold.clone();
    lock.rollback().await.unwrap();
    let refused = reserved.durable().await;
    assert!(matches!(&refused, Err(ExecuteError::Refused(refused)) if refused.version == 2), "{refused:?}");
    assert!(matches!(follows.durable().await, Err(ExecuteError::Unavailable(_))));
    assert!(sequel.has_fallen() && !own.has_fallen());
    assert_eq!(before.await.unwrap().unwrap().version, 2);
    let executed = after.durable().await.unwrap();
    assert_eq!(
        (executed.version, Ok(executed.events)),
        (3, foretold.outcome.clone()),
        "behind the one before"
    );
    assert_eq!(events_of(&left, "B").await, 3);
    // Whoever comes to a sequel that has fallen is not let in.
    let late = left.executor.execute_ahead(request("B", receive(1_000)), Vec::new(), &sequel).await;
    assert!(matches!(late, Err(ExecuteError::Unavailable(_))), "{late:?}");
    let state = left.executor.execute(request("B", reserve("all"))).await.unwrap();
    assert_eq!(state.version, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_is_set_in_the_transaction_of_the_command_that_takes_it_along_or_not_at_all() {
    let timers = |ids: [u128; 2]| {
        let timer = |id| NewTimer {
            timer_id: Uuid::from_u128(id),
            manager: "checkout",
            instance: "o".into(),
            correlation_id: Uuid::nil(),
            input: "{}".into(),
            due: Time::from_millis(4_000_000_000_000),
        };
        ids.map(timer).to_vec()
    };
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    let owner = ground.owner_pool("").await;
    left.executor.execute(request("LAST", receive(1))).await.unwrap();
    right.executor.execute(request("LAST", reserve("right"))).await.unwrap();
    let lock = ground.nobody_appends().await;
    let (sequel, own) = (Sequel::default(), Sequel::default());
    let reserved = ahead(&left, request("LAST", reserve("left")), &sequel).await;
    let follows = request("A", receive(1));
    let follows = left.executor.execute_ahead(follows, timers([1, 2]), &sequel).await.unwrap();
    let kept = left.executor.execute_ahead(request("B", receive(1)), timers([4, 3]), &own).await.unwrap();
    // Two that want the same one, in one append.
    let same = left.executor.execute_ahead(request("C", receive(1)), timers([3, 5]), &own).await.unwrap();
    lock.rollback().await.unwrap();
    assert!(reserved.durable().await.is_err() && follows.durable().await.is_err());
    kept.durable().await.unwrap();
    same.durable().await.unwrap();
    let set: Vec<(Uuid, bool)> = sqlx::query_as(
        "SELECT t.timer_id, t.xmin = e.xmin FROM timers t, events e WHERE e.aggregate_id = 'B' ORDER BY 1",
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    assert_eq!(set, [3, 4, 5].map(|id| (Uuid::from_u128(id), true)));
    // A refusal is an answer, which it goes along with; an answer of before takes nothing along, and is no answer to a sequel.
    let refused = left.executor.execute_ahead(request("LAST", reserve("late")), timers([6, 7]), &own).await;
    assert!(matches!(refused.unwrap().durable().await, Err(ExecuteError::Refused(_))));
    let done = request("A", receive(1));
    left.executor.execute(done.clone()).await.unwrap();
    let again = left.executor.execute_ahead(done, timers([8, 9]), &own).await.unwrap().durable().await;
    assert!(own.has_fallen() && again.is_ok_and(|again| again.replayed));
    let set: i64 = sqlx::query_scalar("SELECT count(*) FROM timers").fetch_one(&owner).await.unwrap();
    assert_eq!(set, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_do_meanwhile_is_no_fall_where_it_changes_nothing() {
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    left.executor.execute(request("A", receive(10))).await.unwrap();
    left.executor.execute(request("B", receive(1))).await.unwrap();
    right.executor.execute(request("A", reserve("right"))).await.unwrap();
    let lock = ground.nobody_appends().await;
    let sequel = Sequel::default();
    let reserved = ahead(&left, request("A", reserve("left")), &sequel).await;
    let follows = ahead(&left, request("B", receive(1)), &sequel).await;
    lock.rollback().await.unwrap();
    assert_eq!(reserved.durable().await.unwrap().version, 3);
    assert_eq!(follows.durable().await.unwrap().version, 2);
    assert!(!sequel.has_fallen());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_an_append_that_failed_fails_with_it() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    for sku in ["BAD", "GOOD", "OTHER"] {
        engine.executor.execute(request(sku, receive(1))).await.unwrap();
    }
    ground.as_owner("ALTER TABLE events ADD CONSTRAINT bad CHECK (aggregate_id <> 'BAD') NOT VALID").await;
    let mut lock = ground.nobody_appends().await;
    let sequel = Sequel::default();
    // On its way by itself: what comes next waits for the append after it.
    let bad = ahead(&engine, request("BAD", receive(1)), &sequel).await;
    ground.an_append_waits(&mut lock).await;
    let follows = ahead(&engine, request("GOOD", receive(10)), &sequel).await;
    let rests_on_that = decided(&engine, request("GOOD", receive(100))).await;
    let apart = decided(&engine, request("OTHER", receive(1))).await;
    lock.rollback().await.unwrap();
    for failed in [bad.durable().await, follows.durable().await, rests_on_that.await.unwrap()] {
        assert!(matches!(failed, Err(ExecuteError::Unavailable(_))), "{failed:?}");
    }
    assert!(sequel.has_fallen());
    assert_eq!(apart.await.unwrap().unwrap().version, 2, "others go on");
    let again = engine.executor.execute(request("GOOD", receive(1))).await.unwrap();
    assert_eq!((again.version, events_of(&engine, "GOOD").await), (2, 2));
}
