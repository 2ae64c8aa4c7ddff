//! A reactor whose work fails for one instance goes on with all others, and serves that one in order once it can. One that
//! begins at the head is told of nothing that happened before.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    cart,
    inventory_item::Command,
    value::{Currency, Quantity, Time},
};
use futures::future::join_all;
use store::{
    engine::Engine,
    follow::{Begins, React, ReactError, WaitingEvent},
    log::{Meant, Position},
    testing::{Ground, Unending, eventually, request},
};

/// More than a reactor holds in memory at once.
const STUCK_EVENTS: usize = 1_500;

#[derive(Default)]
struct Picky {
    mended: AtomicBool,
    served: Mutex<Vec<(Arc<str>, Position)>>,
}

#[async_trait]
impl React for Picky {
    fn name(&self) -> &'static str {
        "picky"
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        Some(meant.recorded.stream.id.clone())
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        let event = meant.recorded;
        if &*event.stream.id == "STUCK" && !self.mended.load(Ordering::Relaxed) {
            return Err(ReactError("not today".into()));
        }
        self.served.lock().unwrap().push((event.stream.id.clone(), event.position));
        Ok(())
    }
}

impl Picky {
    fn served(&self, id: &str) -> Vec<Position> {
        let served = self.served.lock().unwrap();
        served.iter().filter(|(served, _)| &**served == id).map(|(_, position)| *position).collect()
    }
}

async fn receive(engine: &Engine, sku: &str, times: usize) {
    let quantity = Quantity::new(1).unwrap();
    let command =
        || serde_json::from_value::<Command>(serde_json::json!({"Receive": {"quantity": quantity}}));
    let receipts = (0..times).map(|_| engine.executor.execute(request(sku, command().unwrap())));
    join_all(receipts).await.into_iter().for_each(|receipt| drop(receipt.unwrap()));
}

async fn checkpoint(engine: &Engine) -> Position {
    let position = sqlx::query_scalar("SELECT position FROM followers WHERE name = 'picky'");
    position.fetch_one(&engine.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_stuck_holds_nobody_up_and_loses_nothing() {
    let ground = Ground::new().await;
    let picky = Arc::new(Picky::default());
    let mut engine = ground.engine().await;
    engine.react(Arc::<Picky>::clone(&picky) as Arc<dyn React>);
    receive(&engine, "STUCK", STUCK_EVENTS).await;
    receive(&engine, "MUG", 10).await;
    let last = engine.log.head().await.unwrap().position;
    eventually("the others are served and the checkpoint has passed them all", || async {
        (picky.served("MUG").len() == 10 && checkpoint(&engine).await == last).then_some(())
    })
    .await;
    assert!(picky.served("STUCK").is_empty());
    let waiting = WaitingEvent::list(&engine.pool).await.unwrap();
    assert_eq!(waiting.len(), STUCK_EVENTS);
    assert!(waiting.iter().any(|event| event.reason == "not today"), "{:?}", waiting.first());
    engine.stop().await;

    // What waits outlives the process.
    picky.mended.store(true, Ordering::Relaxed);
    let mut engine = ground.engine().await;
    engine.react(Arc::<Picky>::clone(&picky) as Arc<dyn React>);
    receive(&engine, "STUCK", 1).await;
    eventually("everything that waited is served", || async {
        (picky.served("STUCK").len() > STUCK_EVENTS).then_some(())
    })
    .await;
    let mut served = picky.served("STUCK");
    assert!(served.is_sorted(), "in order");
    served.dedup();
    assert_eq!(served.len(), STUCK_EVENTS + 1);
    eventually("nothing waits any more", || async {
        WaitingEvent::list(&engine.pool).await.unwrap().is_empty().then_some(())
    })
    .await;
}

#[derive(Default)]
struct Newcomer(Mutex<Vec<Position>>);

#[async_trait]
impl React for Newcomer {
    fn name(&self) -> &'static str {
        "newcomer"
    }

    fn begins(&self) -> Begins {
        Begins::AtTheHead
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        Some(meant.recorded.stream.id.clone())
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        self.0.lock().unwrap().push(meant.recorded.position);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_at_the_head_hears_what_happens_from_then_on_also_while_it_is_away() {
    let ground = Ground::new().await;
    let newcomer = Arc::new(Newcomer::default());
    let begun = async |engine: &Engine, at: Position| {
        let sql = "SELECT position FROM followers WHERE name = 'newcomer' AND incarnation IS NOT NULL";
        eventually("the newcomer has come so far", || async {
            let position: Option<Position> =
                sqlx::query_scalar(sql).fetch_optional(&engine.pool).await.unwrap();
            (position == Some(at)).then_some(())
        })
        .await;
    };
    let mut engine = ground.engine().await;
    receive(&engine, "BEFORE", 5).await;
    engine.react(Arc::<Newcomer>::clone(&newcomer) as Arc<dyn React>);
    begun(&engine, 5).await;
    receive(&engine, "AFTER", 2).await;
    begun(&engine, 7).await;
    engine.stop().await;

    let mut engine = ground.engine().await;
    receive(&engine, "AWAY", 1).await;
    engine.react(Arc::<Newcomer>::clone(&newcomer) as Arc<dyn React>);
    begun(&engine, 8).await;
    assert_eq!(*newcomer.0.lock().unwrap(), [6, 7, 8]);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_lags_takes_no_time_over_its_timers() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let open = |name: &str| {
        let expires_at = Some(Time::from_millis(4_102_444_800_000));
        request(name, cart::Command::Open { customer: None, currency: Currency::GBP, expires_at })
    };
    engine.executor.execute(open("old")).await.unwrap();
    let receive = Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None };
    let more = (0..1_001).map(|_| engine.executor.execute(request("A", receive.clone())));
    assert!(join_all(more).await.into_iter().all(|done| done.is_ok()));
    engine.stop().await;
    // A timer that nobody waits for gives others so much time to come along.
    let leisurely = Arc::new(Unending(Duration::from_millis(200)..Duration::from_millis(201)));
    let (owner, mut engine) = (ground.owner_pool("").await, ground.engine_at(leisurely).await);
    engine.manage();
    eventually("the timer is set", || async {
        let set: i64 = sqlx::query_scalar("SELECT count(*) FROM timers").fetch_one(&owner).await.unwrap();
        (set == 1).then_some(())
    })
    .await;
    engine.stop().await;
}
