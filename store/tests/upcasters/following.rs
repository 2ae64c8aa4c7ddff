//! Projections and reactors.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use domain::{AggregateType, AnyEvent};
use sqlx::{PgConnection, PgPool};
use store::{
    engine::Engine,
    follow::{
        ApplyError, Left, ParkedStream, Projection, React, ReactError, ReadTable, Remedied, Remedy,
        WaitingEvent, see_to,
    },
    log::{Meant, Position, Recorded},
    testing::{Ground, eventually},
};
use uuid::Uuid;

use crate::old::{Cart, Chance, added_and_set, opened_in_two, picked, store_among_each_other, viewed};

/// Keeps what it is told, until it is told to begin again.
#[derive(Default)]
struct Listening(Mutex<Vec<Recorded>>);

#[async_trait]
impl Projection for Listening {
    fn name(&self) -> &'static str {
        "listening"
    }

    fn follows(&self) -> &'static [AggregateType] {
        AggregateType::ALL
    }

    fn tables(&self) -> &'static [ReadTable] {
        &[]
    }

    async fn apply(&self, _: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        self.0.lock().unwrap().extend(events.iter().map(|recorded| (*recorded).clone()));
        Ok(())
    }

    async fn clear(&self, _: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.0.lock().unwrap().clear();
        Ok(())
    }
}

impl Listening {
    fn heard(&self, cart: &Cart) -> Vec<Vec<AnyEvent>> {
        let heard = self.0.lock().unwrap();
        let ours = heard.iter().filter(|recorded| recorded.stream == cart.stream());
        ours.map(|recorded| recorded.events.as_slice().to_vec()).collect()
    }
}

async fn until_at(pool: &PgPool, follower: &str, position: Position) {
    eventually(&format!("{follower} is at {position}"), || async {
        let sql = "SELECT position FROM followers WHERE name = $1";
        let at: Option<Position> = sqlx::query_scalar(sql).bind(follower).fetch_optional(pool).await.unwrap();
        at.filter(|at| *at == position)
    })
    .await;
}

async fn until_at_the_end(engine: &Engine, follower: &str) {
    until_at(&engine.pool, follower, engine.log.head().await.unwrap().position).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_hears_what_is_meant_live_and_again() {
    let ground = Ground::new().await;
    let mut engine = ground.engine().await;
    engine.relay();
    let live = Arc::new(Listening::default());
    engine.project(Arc::clone(&live) as _, engine.pool.clone());
    let chance = &mut Chance(3);
    let carts = ["a", "b", "c"].map(|id| Cart::random(id, chance));
    store_among_each_other(&*engine.log, &carts).await;
    until_at_the_end(&engine, "listening").await;
    for cart in &carts {
        assert_eq!(live.heard(cart), cart.means(), "{cart:?}");
    }
    engine.stop().await;
    // Begun anew, by a process that starts behind all of it.
    ground.as_owner("UPDATE followers SET position = 0, incarnation = NULL, link = NULL").await;
    let mut engine = ground.engine().await;
    let again = Arc::new(Listening::default());
    engine.project(Arc::clone(&again) as _, engine.pool.clone());
    until_at_the_end(&engine, "listening").await;
    assert_eq!(*again.0.lock().unwrap(), *live.0.lock().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_makes_no_sense_parks_its_stream_and_a_retry_brings_all_of_it() {
    let ground = Ground::new().await;
    let mut engine = ground.engine().await;
    let listening = Arc::new(Listening::default());
    engine.project(Arc::clone(&listening) as _, engine.pool.clone());
    let cart =
        Cart::of("a", [opened_in_two(), picked("A", 2), added_and_set("B", 1, 3), viewed(), picked("C", 1)]);
    let mut broken = cart.clone();
    broken.told[2].0.2 = serde_json::json!({ "sku": "other" });
    let healthy = Cart::of("b", [opened_in_two(), picked("A", 2)]);
    store_among_each_other(&*engine.log, &[broken, healthy.clone()]).await;
    until_at_the_end(&engine, "listening").await;
    assert_eq!(listening.heard(&healthy), healthy.means());
    let parked = ParkedStream::list(&engine.pool).await.unwrap();
    let [ParkedStream { aggregate_id, reason, first_position, .. }] = &parked[..] else {
        panic!("{parked:?}")
    };
    assert!(reason.contains("PickConfirmed version t1 is read with the event before it"), "{reason}");
    // The second of the pair, each event of one cart being followed by one of the other.
    assert_eq!((aggregate_id.as_str(), *first_position), ("a", 7));
    assert_eq!(listening.heard(&cart), cart.means()[..3]);
    let retry = async || {
        see_to(&engine.pool, &*engine.log, &*listening, &cart.stream(), &Remedy::Retry).await.unwrap()
    };
    let Remedied { taken: 0, left: Left::Failed { position: 7, .. }, .. } = retry().await else {
        panic!("it was taken")
    };
    ground
        .as_owner(
            "UPDATE events SET payload = '{\"SkuPicked\": {\"sku\": \"A\"}}' \
             WHERE aggregate_id = 'a' AND sequence = 3",
        )
        .await;
    let taken = cart.told.len() - 3;
    assert_eq!(retry().await, Remedied { taken, skipped: vec![], left: Left::Nothing });
    assert_eq!(listening.heard(&cart), cart.means());
}

/// Works on the first thing that an event means in one lane and on what comes after it in another.
#[derive(Default)]
struct TwoLanes {
    mended: AtomicBool,
    done: Mutex<Vec<(Position, usize, Uuid)>>,
}

#[async_trait]
impl React for TwoLanes {
    fn name(&self) -> &'static str {
        "two_lanes"
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        Some(if meant.nth == 0 { "first" } else { "further" }.into())
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        if meant.nth > 0 && !self.mended.load(Ordering::Relaxed) {
            return Err(ReactError("not yet".into()));
        }
        self.done.lock().unwrap().push((meant.recorded.position, meant.nth, meant.id()));
        Ok(())
    }
}

impl TwoLanes {
    fn done(&self) -> Vec<(Position, usize)> {
        let done = self.done.lock().unwrap();
        let mut done: Vec<_> = done.iter().map(|(position, nth, _)| (*position, *nth)).collect();
        done.sort_unstable();
        done
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_meant_is_worked_on_once_in_its_own_lane() {
    let ground = Ground::new().await;
    let mut engine = ground.engine().await;
    let two_lanes = Arc::new(TwoLanes::default());
    engine.react(Arc::clone(&two_lanes) as _);
    let cart = Cart::of(
        "a",
        [opened_in_two(), added_and_set("A", 1, 2), viewed(), picked("B", 1), added_and_set("C", 1, 2)],
    );
    let last = cart.store_all(&*engine.log).await;
    // What cannot be done waits; everything else is done, and the checkpoint moves on.
    until_at(&engine.pool, "two_lanes", last).await;
    assert_eq!(two_lanes.done(), [(2, 0), (3, 0), (6, 0), (7, 0)]);
    let waiting = WaitingEvent::list(&engine.pool).await.unwrap();
    let waiting: Vec<_> = waiting.iter().map(|event| (event.lane.as_str(), event.position)).collect();
    assert_eq!(waiting, [("further", 3), ("further", 7)]);
    // Another process takes over.
    engine.stop().await;
    let mut engine = ground.engine().await;
    engine.react(Arc::clone(&two_lanes) as _);
    two_lanes.mended.store(true, Ordering::Relaxed);
    eventually("nothing waits", || async {
        WaitingEvent::list(&engine.pool).await.unwrap().is_empty().then_some(())
    })
    .await;
    assert_eq!(two_lanes.done(), [(2, 0), (3, 0), (3, 1), (6, 0), (7, 0), (7, 1)]);
    let mut ids: Vec<_> = two_lanes.done.lock().unwrap().iter().map(|(_, _, id)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6, "everything has an id of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_aside_before_it_was_split_is_worked_on_in_all_its_parts() {
    let ground = Ground::new().await;
    let mut engine = ground.engine().await;
    let two_lanes = Arc::new(TwoLanes::default());
    let cart = Cart::of("a", [opened_in_two(), added_and_set("A", 1, 2)]);
    let last = cart.store_all(&*engine.log).await;
    engine.react(Arc::clone(&two_lanes) as _);
    until_at(&engine.pool, "two_lanes", last).await;
    engine.stop().await;
    // As a program wrote it down in whose eyes the event was one, in a lane that nothing is in any more.
    ground.as_owner("UPDATE waiting_events SET lane = 'whole'").await;
    two_lanes.mended.store(true, Ordering::Relaxed);
    let mut engine = ground.engine().await;
    engine.react(Arc::clone(&two_lanes) as _);
    eventually("nothing waits", || async {
        WaitingEvent::list(&engine.pool).await.unwrap().is_empty().then_some(())
    })
    .await;
    assert_eq!(two_lanes.done(), [(2, 0), (3, 0), (3, 0), (3, 1)], "what was done already is done again");
}
