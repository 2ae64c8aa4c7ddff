//! What a reactor has set aside is retried, skipped and released from another process, and the order within an instance is
//! kept whatever happens.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    inventory_item::Command,
    value::{Quantity, Time},
};
use sqlx::{Executor as _, PgPool};
use store::{
    engine::Engine,
    follow::{Aside, Left, React, ReactError, Remedied, Remedy, RemedyError, SkippedEvent, WaitingEvent},
    log::{Meant, Position, PostgresLog},
    ports::{Clock, Machine},
    testing::{Ground, eventually, request},
};
use tokio::sync::watch;

/// Longer than it takes to notice what was asked for, and shorter than the pause after three tries that failed.
const AT_ONCE: Duration = Duration::from_millis(2_500);
/// As long as it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fails at what it is told to, and may be held up in the middle of its work.
#[derive(Default)]
struct Picky {
    poison: Mutex<BTreeSet<Position>>,
    begun: Mutex<Vec<Position>>,
    served: Mutex<Vec<Position>>,
    held_up: watch::Sender<bool>,
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
        self.begun.lock().unwrap().push(event.position);
        self.held_up.subscribe().wait_for(|held_up| !held_up).await.unwrap();
        if self.poison.lock().unwrap().contains(&event.position) {
            return Err(ReactError("not today".into()));
        }
        self.served.lock().unwrap().push(event.position);
        Ok(())
    }
}

impl Picky {
    fn failing_at(positions: impl IntoIterator<Item = Position>) -> Arc<Self> {
        Arc::new(Self { poison: Mutex::new(positions.into_iter().collect()), ..Self::default() })
    }

    fn mend(&self) {
        self.poison.lock().unwrap().clear();
    }

    fn served(&self) -> Vec<Position> {
        self.served.lock().unwrap().clone()
    }

    fn has_begun(&self, position: Position) -> bool {
        self.begun.lock().unwrap().contains(&position)
    }
}

/// A log with one event each of these, from position 1 on.
async fn log_of(skus: &[&str]) -> Ground {
    let ground = Ground::new().await;
    let writer = ground.engine().await;
    for sku in skus {
        receive(&writer, sku).await;
    }
    writer.stop().await;
    ground
}

async fn receive(engine: &Engine, sku: &str) -> Position {
    let receive = Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None };
    engine.executor.execute(request(sku, receive)).await.unwrap().positions.unwrap().0
}

async fn following(ground: &Ground, picky: &Arc<Picky>) -> Engine {
    let mut engine = ground.engine().await;
    engine.react(Arc::<Picky>::clone(picky) as Arc<dyn React>);
    engine
}

/// Waits until so many events wait, and the first of them was tried again so often.
async fn waiting(pool: &PgPool, events: usize, tries: i32) -> Vec<WaitingEvent> {
    eventually("events wait", || async {
        let waiting = WaitingEvent::list(pool).await.unwrap();
        let tried = waiting.first().is_none_or(|first| first.tries >= tries);
        (waiting.len() == events && tried).then_some(waiting)
    })
    .await
}

/// As an operator does it, beside the processes that run.
async fn remedy(ground: &Ground, lane: &str, remedy: Remedy) -> Result<Remedied, RemedyError> {
    remedy_within(PATIENCE, ground, lane, remedy).await
}

async fn remedy_within(
    patience: Duration,
    ground: &Ground,
    lane: &str,
    remedy: Remedy,
) -> Result<Remedied, RemedyError> {
    let pool = ground.pool("").await;
    let log = PostgresLog::new(pool.clone());
    Aside { pool: &pool, follower: "picky", lane }.remedy(&log, &Machine, &remedy, patience).await
}

fn skip(position: Position) -> Remedy {
    Remedy::Skip { position, reason: Some("wrong".into()) }
}

fn release() -> Remedy {
    Remedy::Release { reason: "done by hand".into() }
}

fn all(taken: usize) -> Remedied {
    Remedied { taken, skipped: vec![], left: Left::Nothing }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_retried_at_once_whichever_process_has_it() {
    let ground = log_of(&["STUCK", "MUG", "STUCK", "STUCK"]).await;
    let picky = Picky::failing_at([1]);
    let first = following(&ground, &picky).await;
    let _second = following(&ground, &picky).await;
    let aside = waiting(&first.pool, 3, 2).await;
    assert!(aside[0].tried_at.is_some());

    let failed = remedy(&ground, "STUCK", Remedy::Retry).await.unwrap();
    let left = Left::Failed { position: 1, reason: "not today".into() };
    assert_eq!(failed, Remedied { taken: 0, skipped: vec![], left });

    // That was one try more; after two further ones it waits for four seconds, if nobody asks.
    waiting(&first.pool, 3, aside[0].tries + 3).await;
    picky.mend();
    assert_eq!(remedy_within(AT_ONCE, &ground, "STUCK", Remedy::Retry).await.unwrap(), all(3));
    assert_eq!(picky.served(), [2, 1, 3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_event_is_left_out_for_good_and_the_rest_is_served_in_order() {
    let ground = log_of(&["STUCK", "STUCK", "STUCK", "MUG", "STUCK"]).await;
    let picky = Picky::failing_at([1, 3]);
    let engine = following(&ground, &picky).await;
    waiting(&engine.pool, 4, 0).await;

    let refused = remedy(&ground, "STUCK", skip(3)).await;
    assert!(matches!(refused, Err(RemedyError::NotFirst { first: 1, named: 3, .. })), "{refused:?}");
    assert_eq!(waiting(&engine.pool, 4, 0).await.len(), 4);

    let left = Left::Failed { position: 3, reason: "not today".into() };
    assert_eq!(
        remedy(&ground, "STUCK", skip(1)).await.unwrap(),
        Remedied { taken: 1, skipped: vec![1], left }
    );
    let left = Left::Nothing;
    assert_eq!(
        remedy(&ground, "STUCK", skip(3)).await.unwrap(),
        Remedied { taken: 1, skipped: vec![3], left }
    );
    assert_eq!(picky.served(), [4, 2, 5]);
    let again = receive(&engine, "STUCK").await;
    eventually("the instance goes on", || async { picky.served().contains(&again).then_some(()) }).await;
    let skipped = SkippedEvent::list(&engine.pool).await.unwrap();
    let told: Vec<_> = skipped.iter().map(|of| (of.position, &*of.aside, of.reason.as_deref())).collect();
    assert_eq!(told, [(1, "STUCK", Some("wrong")), (3, "STUCK", Some("wrong"))]);
    engine.stop().await;

    // Whoever goes through the log again leaves out the same.
    ground.as_owner("UPDATE followers SET position = 0, incarnation = NULL, link = NULL").await;
    let anew = Picky::failing_at([1, 3]);
    let _engine = following(&ground, &anew).await;
    eventually("all others are served", || async { (anew.served().len() == 4).then_some(()) }).await;
    assert!(!anew.has_begun(1) && !anew.has_begun(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_instance_follows_again_from_here() {
    let ground = log_of(&["STUCK", "STUCK", "STUCK"]).await;
    let picky = Picky::failing_at([1]);
    let engine = following(&ground, &picky).await;
    waiting(&engine.pool, 3, 0).await;
    let released = remedy(&ground, "STUCK", release()).await.unwrap();
    assert_eq!(released, Remedied { taken: 0, skipped: vec![1, 2, 3], left: Left::Nothing });
    let next = receive(&engine, "STUCK").await;
    eventually("it follows", || async { (picky.served() == [next]).then_some(()) }).await;
    // One that came while the release was under way may have waited.
    waiting(&engine.pool, 0, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_while_nobody_follows_is_done_by_the_next_process() {
    let ground = log_of(&["STUCK", "STUCK", "STUCK"]).await;
    let picky = Picky::failing_at([1]);
    let engine = following(&ground, &picky).await;
    waiting(&engine.pool, 3, 0).await;
    engine.stop().await;
    let left = Left::Untried { position: 1, followed: false };
    let retried = remedy(&ground, "STUCK", Remedy::Retry).await.unwrap();
    assert_eq!(retried, Remedied { taken: 0, skipped: vec![], left });
    let left = Left::Untried { position: 2, followed: false };
    let skipped = remedy(&ground, "STUCK", skip(1)).await.unwrap();
    assert_eq!(skipped, Remedied { taken: 0, skipped: vec![1], left });
    let _engine = following(&ground, &picky).await;
    eventually("the rest is served", || async { (picky.served() == [2, 3]).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_overtakes_an_event_that_is_skipped_while_it_is_being_tried() {
    let ground = log_of(&["STUCK", "STUCK"]).await;
    let picky = Picky::failing_at([1]);
    let engine = following(&ground, &picky).await;
    waiting(&engine.pool, 2, 0).await;
    picky.held_up.send_replace(true);
    let begun = picky.begun.lock().unwrap().len();
    eventually("it is being tried again", || async {
        (picky.begun.lock().unwrap().len() > begun).then_some(())
    })
    .await;
    let left = Left::Untried { position: 2, followed: true };
    let skipped = remedy_within(AT_ONCE, &ground, "STUCK", skip(1)).await.unwrap();
    assert_eq!(skipped, Remedied { taken: 0, skipped: vec![1], left });
    let third = receive(&engine, "STUCK").await;
    waiting(&engine.pool, 2, 0).await;
    assert!(!picky.has_begun(2) && !picky.has_begun(third));
    picky.held_up.send_replace(false);
    eventually("the others are served in order", || async { (picky.served() == [2, third]).then_some(()) })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_waits_with_its_stream_until_it_can() {
    let ground = log_of(&["BAD", "BAD", "MUG", "BAD"]).await;
    ground.as_owner("CREATE TABLE kept AS TABLE events").await;
    ground.as_owner("UPDATE events SET payload = '{}' WHERE position = 2").await;
    let picky = Picky::failing_at([]);
    let engine = following(&ground, &picky).await;
    let aside = waiting(&engine.pool, 2, 1).await;
    assert!(aside.iter().all(|event| event.lane == "inventory_item-BAD"), "{aside:?}");
    assert!(aside[0].reason.contains("malformed"), "{aside:?}");
    let last = receive(&engine, "MUG").await;
    eventually("others go on", || async { picky.served().contains(&last).then_some(()) }).await;

    let mend = "UPDATE events SET payload = kept.payload FROM kept WHERE kept.position = events.position";
    ground.as_owner(mend).await;
    assert_eq!(remedy(&ground, "inventory_item-BAD", Remedy::Retry).await.unwrap(), all(2));
    let of_bad: Vec<_> = picky.served().into_iter().filter(|at| [1, 2, 4].contains(at)).collect();
    assert_eq!(of_bad, [1, 2, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_program_noted_and_passed_is_tried_again() {
    let ground = log_of(&["MUG"]).await;
    let picky = Picky::failing_at([]);
    let engine = following(&ground, &picky).await;
    eventually("it is served", || async { (picky.served() == [1]).then_some(()) }).await;
    engine.stop().await;
    let noted = "INSERT INTO parked_streams VALUES ('picky', 'inventory_item', 'MUG', 1, 'unreadable then')";
    ground.owner_pool("").await.execute(noted).await.unwrap();
    let engine = following(&ground, &picky).await;
    eventually("it is served again", || async { (picky.served() == [1, 1]).then_some(()) }).await;
    eventually("nothing is noted any more", || async {
        let left: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM parked_streams) + (SELECT count(*) FROM waiting_events)",
        )
        .fetch_one(&engine.pool)
        .await
        .unwrap();
        (left == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_names_nothing_that_waits_is_told_so() {
    let ground = log_of(&["STUCK"]).await;
    let picky = Picky::failing_at([1]);
    let engine = following(&ground, &picky).await;
    waiting(&engine.pool, 1, 0).await;
    for asked in [Remedy::Retry, skip(1), release()] {
        let refused = remedy(&ground, "OTHER", asked).await;
        assert!(matches!(refused, Err(RemedyError::NotAside { .. })), "{refused:?}");
    }
    assert_eq!(SkippedEvent::list(&engine.pool).await.unwrap(), []);
    assert_eq!(WaitingEvent::list(&engine.pool).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_taken_out_unheard_holds_nobody_up() {
    let ground = log_of(&["STUCK", "STUCK"]).await;
    let picky = Picky::failing_at([1]);
    let engine = following(&ground, &picky).await;
    waiting(&engine.pool, 2, 0).await;
    // As when it was skipped, and the connection broke on which that was asked for.
    ground.as_owner("DELETE FROM waiting_events WHERE position = 1").await;
    eventually("the next one is served", || async { (picky.served() == [2]).then_some(()) }).await;
    waiting_is_over(&engine.pool).await;
}

/// A clock on which a minute takes about a second.
struct Fast;

const FASTER: u32 = 60;

#[async_trait]
impl Clock for Fast {
    fn now_us(&self) -> i64 {
        Machine.now_us()
    }
    fn elapsed_us(&self) -> i64 {
        Machine.elapsed_us() * i64::from(FASTER)
    }
    async fn sleep(&self, duration: Duration) {
        Machine.sleep(duration / FASTER).await;
    }
    async fn until(&self, moment: Time) {
        Machine.until(moment).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_never_ends_is_given_up_and_made_again() {
    let ground = log_of(&["STUCK", "STUCK"]).await;
    let picky = Picky::failing_at([1]);
    let mut engine = ground.engine_at(Arc::new(Fast)).await;
    engine.react(Arc::<Picky>::clone(&picky) as Arc<dyn React>);
    waiting(&engine.pool, 2, 1).await;
    picky.held_up.send_replace(true);
    picky.mend();
    eventually("nobody answers, again and again", || async {
        let aside = WaitingEvent::list(&engine.pool).await.unwrap();
        aside.first().filter(|first| first.reason == "it took too long" && first.tries > 3).map(drop)
    })
    .await;
    picky.held_up.send_replace(false);
    eventually("both are served", || async { (picky.served() == [1, 2]).then_some(()) }).await;
    waiting_is_over(&engine.pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_the_lease_while_an_event_is_being_set_aside() {
    let ground = log_of(&["STUCK"]).await;
    let picky = Picky::failing_at([1]);
    let owner = ground.owner_pool("").await;
    // Holds up whoever sets the event aside, in the middle of it.
    let mut holding = owner.begin().await.unwrap();
    let row =
        "INSERT INTO waiting_events (follower, lane, position, reason) VALUES ('picky', 'STUCK', 1, '')";
    holding.execute(row).await.unwrap();
    let holder: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *holding).await.unwrap();
    let engine = following(&ground, &picky).await;
    // Within a transaction the list of sessions is that of the first look.
    let held_up = format!("SELECT FROM pg_stat_activity WHERE {holder} = ANY(pg_blocking_pids(pid))");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while owner.fetch_optional(held_up.as_str()).await.unwrap().is_none() {
        assert!(tokio::time::Instant::now() < deadline, "it is not set aside");
    }
    // Whoever has the lease next reads what waits; the row would come behind that.
    let mut taking = owner.begin().await.unwrap();
    taking.execute("SET LOCAL lock_timeout = '100ms'").await.unwrap();
    let taken = taking.execute("UPDATE followers SET fence = fence + 1 WHERE name = 'picky'").await;
    let code =
        taken.unwrap_err().as_database_error().and_then(|error| error.code().map(|code| code.to_string()));
    assert_eq!(code.as_deref(), Some("55P03"), "it waits until the row is written");
    holding.rollback().await.unwrap();
    waiting(&engine.pool, 1, 1).await;
    picky.mend();
    waiting_is_over(&engine.pool).await;
}

async fn waiting_is_over(pool: &PgPool) {
    eventually("nothing waits", || async {
        WaitingEvent::list(pool).await.unwrap().is_empty().then_some(())
    })
    .await;
}
