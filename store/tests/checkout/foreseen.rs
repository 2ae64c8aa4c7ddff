//! What follows from a checkout is decided before the checkout is durable, and comes to nothing where that does not happen.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{AggregateType, cart, payment::Method, value::Sku};
use store::{
    engine::Engine,
    executor::{ExecuteError, Executed, Foreseen, Origin, Request, Sequel},
    follow::{Foresee, React, ReactError},
    log::Meant,
    testing::{Ground, eventually, request},
};
use tokio::sync::{Semaphore, broadcast};

use crate::{check_out, checking_out, events, fill_cart, later, names, shop, stock, until};

/// Checkouts of which one has to be durable as a whole.
const TRIES: u32 = 50;

async fn heard(foreseen: &mut broadcast::Receiver<Arc<Foreseen>>) -> Arc<Foreseen> {
    tokio::time::timeout(Duration::from_secs(60), foreseen.recv()).await.unwrap().unwrap()
}

fn derived(request: Request) -> Request {
    Request { origin: Origin::Derived, ..request }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_is_checked_out_and_its_stock_reserved_in_one_transaction() {
    let ground = Ground::new().await;
    let engine = shop(&ground).await;
    stock(&engine, "A", TRIES).await;
    // A thread that is slow to wake up lets the append go ahead without what follows: then that comes with the next one.
    for n in 0..TRIES {
        let name = format!("o{n}");
        check_out(&engine, &name, &["A"], Method::Card, later()).await;
        until(&engine, AggregateType::Checkout, &name, &["Started", "Reserved"]).await;
        let together: bool = sqlx::query_scalar(
            "SELECT count(DISTINCT xmin::text) = 1 FROM events
             WHERE (aggregate_id, event_type) IN (($1, 'CheckedOut'), ($2, 'Started'), ($2, 'Reserved'))",
        )
        .bind(format!("cart-{name}"))
        .bind(&name)
        .fetch_one(&engine.pool)
        .await
        .unwrap();
        if together {
            return;
        }
    }
    panic!("none of {TRIES} checkouts was durable together with what follows from it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_is_told_before_it_is_durable_and_happens_whatever_becomes_of_what_follows() {
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    let mut foreseen = left.executor.foreseen();
    stock(&left, "A", 1).await;
    fill_cart(&left, "o", &["A"]).await;
    let known = left.log.head().await.unwrap().position;
    // The other process has not heard of it.
    stock(&right, "A", 5).await;
    let lock = ground.nobody_appends().await;
    let executor = left.executor.clone();
    let checked_out =
        tokio::spawn(async move { executor.execute(checking_out("o", Method::Card, later())).await });
    let foreseen = heard(&mut foreseen).await;
    let told = &foreseen.recorded;
    assert_eq!(
        (&*told.stream.id, told.sequence),
        ("cart-o", 3),
        "of what concerns no manager nobody is told"
    );
    assert_eq!((told.position, foreseen.after), (0, known));
    // As a client's, whose events have other ids when they are decided again: the other process has touched that stream.
    let follows = request("A", stock_command());
    let ahead = left.executor.execute_ahead(follows, Vec::new(), &foreseen.sequel).await.unwrap();
    lock.rollback().await.unwrap();
    let executed = checked_out.await.unwrap().unwrap();
    assert_eq!(executed.events[0].0, told.event_id);
    assert!(ahead.durable().await.is_ok_and(|executed| executed.version == 3));
    assert!(foreseen.sequel.has_fallen());
}

fn stock_command() -> domain::inventory_item::Command {
    domain::inventory_item::Command::Receive {
        quantity: domain::value::Quantity::new(1).unwrap(),
        location: None,
        reference: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_a_checkout_that_another_process_has_prevented_does_not_happen() {
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    let mut foreseen = left.executor.foreseen();
    fill_cart(&left, "o", &["A"]).await;
    let remove = cart::Command::RemoveLine { sku: Sku::new("A").unwrap() };
    right.executor.execute(request("cart-o", remove)).await.unwrap();
    let executor = left.executor.clone();
    let checked_out =
        tokio::spawn(async move { executor.execute(checking_out("o", Method::Card, later())).await });
    let foreseen = heard(&mut foreseen).await;
    let follows = derived(request("A", stock_command()));
    // In the queue behind the checkout, or after it was found to be of a cart that is another by now.
    let fallen = match left.executor.execute_ahead(follows, Vec::new(), &foreseen.sequel).await {
        Ok(ahead) => ahead.durable().await,
        Err(error) => Err(error),
    };
    assert!(matches!(fallen, Err(ExecuteError::Unavailable(_))), "{fallen:?}");
    assert!(foreseen.sequel.has_fallen());
    // An empty cart: the client hears of that, and not that something has fallen.
    let refused = checked_out.await.unwrap();
    assert!(matches!(&refused, Err(ExecuteError::Refused(refused)) if refused.version == 3), "{refused:?}");
    assert!(events(&left, AggregateType::InventoryItem, "A").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_cannot_be_written_leaves_nothing_and_may_come_again() {
    let ground = Ground::new().await;
    let engine = shop(&ground).await;
    stock(&engine, "A", 5).await;
    fill_cart(&engine, "o", &["A"]).await;
    let bad = "ALTER TABLE events ADD CONSTRAINT bad CHECK (event_type <> 'CheckedOut') NOT VALID";
    ground.as_owner(bad).await;
    for _ in 0..3 {
        let failed = engine.executor.execute(checking_out("o", Method::CashOnDelivery, later())).await;
        assert!(matches!(failed, Err(ExecuteError::Unavailable(_))), "{failed:?}");
    }
    assert!(names(&engine, AggregateType::Checkout, "o").await.is_empty());
    ground.as_owner("ALTER TABLE events DROP CONSTRAINT bad").await;
    engine.executor.execute(checking_out("o", Method::CashOnDelivery, later())).await.unwrap();
    until(&engine, AggregateType::Order, "o", &["Placed", "Confirmed"]).await;
    until(&engine, AggregateType::InventoryItem, "A", &["Received", "Reserved", "Allocated"]).await;
    let begun: (i64, bool) = sqlx::query_as(
        "SELECT count(*), bool_and(s.metadata ->> 'causation_id' = c.event_id::text)
         FROM events s, events c
         WHERE (s.aggregate_type, s.event_type, c.event_type) = ('checkout', 'Started', 'CheckedOut')",
    )
    .fetch_one(&engine.pool)
    .await
    .unwrap();
    assert_eq!(begun, (1, true), "by the checkout that happened");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_is_answered_though_what_follows_cannot_be_written_and_goes_on_when_it_can() {
    let ground = Ground::new().await;
    let engine = shop(&ground).await;
    stock(&engine, "A", 5).await;
    let bad = "ALTER TABLE events ADD CONSTRAINT bad CHECK (event_type <> 'Started') NOT VALID";
    ground.as_owner(bad).await;
    check_out(&engine, "o", &["A"], Method::CashOnDelivery, later()).await;
    assert_eq!(names(&engine, AggregateType::Cart, "cart-o").await, ["Opened", "LineAdded", "CheckedOut"]);
    assert!(names(&engine, AggregateType::Checkout, "o").await.is_empty());
    ground.as_owner("ALTER TABLE events DROP CONSTRAINT bad").await;
    until(&engine, AggregateType::Order, "o", &["Placed", "Confirmed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_is_refused_goes_without_what_follows_and_what_rests_on_that_is_decided_again() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let mut foreseen = engine.executor.foreseen();
    fill_cart(&engine, "o", &["A"]).await;
    ground.as_owner("ALTER TABLE events ADD CONSTRAINT bad CHECK (aggregate_id <> 'BAD') NOT VALID").await;
    let execute = |request| {
        let executor = engine.executor.clone();
        tokio::spawn(async move { executor.execute(request).await })
    };
    let mut lock = ground.nobody_appends().await;
    let before = execute(request("BEFORE", stock_command()));
    ground.an_append_waits(&mut lock).await;
    // All of these go together, behind that one.
    let checked_out = execute(checking_out("o", Method::Card, later()));
    let foreseen = heard(&mut foreseen).await;
    let mut follow = Vec::new();
    for sku in ["GOOD", "BAD"] {
        let follows = derived(request(sku, stock_command()));
        follow.push(engine.executor.execute_ahead(follows, Vec::new(), &foreseen.sequel).await.unwrap());
    }
    // A client's that rests on what will be left out; it is decided by the time that the next one is.
    let mut rests = Box::pin(engine.executor.execute(request("GOOD", stock_command())));
    assert!(futures::poll!(&mut rests).is_pending());
    let last = derived(request("LAST", stock_command()));
    follow.push(engine.executor.execute_ahead(last, Vec::new(), &foreseen.sequel).await.unwrap());
    lock.rollback().await.unwrap();
    before.await.unwrap().unwrap();
    assert_eq!(checked_out.await.unwrap().unwrap().events[0].0, foreseen.recorded.event_id);
    for ahead in follow {
        let left_out = ahead.durable().await;
        assert!(matches!(left_out, Err(ExecuteError::Unavailable(_))), "{left_out:?}");
    }
    assert!(foreseen.sequel.has_fallen());
    assert_eq!(rests.await.unwrap().version, 1, "it begins its stream");
    assert_eq!(events(&engine, AggregateType::InventoryItem, "GOOD").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_decided_on_a_stream_that_was_just_read_nobody_is_told_ahead() {
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    let mut foreseen = left.executor.foreseen();
    // The other process knows of no event of this one; who follows there may not have heard of it either.
    fill_cart(&right, "read", &["A"]).await;
    fill_cart(&left, "known", &["A"]).await;
    for name in ["read", "known"] {
        left.executor.execute(checking_out(name, Method::Card, later())).await.unwrap();
    }
    let told = heard(&mut foreseen).await;
    assert_eq!((&*told.recorded.stream.id, foreseen.is_empty()), ("cart-known", true));
}

/// Has one lane for everything, and begins with checkouts ahead when it is let.
struct Early {
    goes_well: AtomicBool,
    let_go: Semaphore,
    seen: Mutex<Vec<(&'static str, String)>>,
}

impl Early {
    fn note(&self, when: &'static str, meant: Meant<'_>) {
        self.seen.lock().unwrap().push((when, meant.recorded.stream.id.to_string()));
    }

    async fn has_seen(&self, wanted: &[(&str, &str)]) {
        eventually(&format!("it has seen {wanted:?}"), || async {
            let seen = self.seen.lock().unwrap();
            let seen = seen.iter().map(|(when, id)| (*when, &**id));
            seen.eq(wanted.iter().copied()).then_some(())
        })
        .await;
    }
}

#[async_trait]
impl React for Early {
    fn name(&self) -> &'static str {
        "early"
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        let kind = meant.event.event_type();
        matches!(kind, "CheckedOut" | "Received").then(|| "all".into())
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        self.note("durable", meant);
        Ok(())
    }

    fn foresees(&self) -> Option<&dyn Foresee> {
        Some(self)
    }
}

#[async_trait]
impl Foresee for Early {
    async fn react_ahead(&self, meant: Meant<'_>, sequel: &Sequel) -> Result<(), ReactError> {
        self.note("ahead", meant);
        self.let_go.acquire().await.unwrap().forget();
        self.note("done", meant);
        match self.goes_well.load(Ordering::Relaxed) && !sequel.has_fallen() {
            true => Ok(()),
            false => Err(ReactError("not so".into())),
        }
    }
}

async fn early(ground: &Ground) -> (Engine, Arc<Early>) {
    let early = Arc::new(Early {
        goes_well: AtomicBool::new(true),
        let_go: Semaphore::new(0),
        seen: Mutex::default(),
    });
    let mut engine = ground.engine().await;
    engine.react(Arc::<Early>::clone(&early) as Arc<dyn React>);
    fill_cart(&engine, "a", &["A"]).await;
    has_read(&engine).await;
    (engine, early)
}

/// Everything that is in the log.
async fn has_read(engine: &Engine) {
    let head = engine.log.head().await.unwrap().position;
    let mut reached = engine.reached()["early"].clone();
    let read = reached.wait_for(|reached| reached.position >= head);
    tokio::time::timeout(Duration::from_secs(60), read).await.expect("it reads on").unwrap();
}

/// The cart is checked out, for which work is begun before it is durable; what came of it.
async fn checked_out(ground: &Ground, engine: &Engine, early: &Early) -> Result<Executed, ExecuteError> {
    let lock = ground.nobody_appends().await;
    let executor = engine.executor.clone();
    let checked_out =
        tokio::spawn(async move { executor.execute(checking_out("a", Method::Card, later())).await });
    early.has_seen(&[("ahead", "cart-a")]).await;
    lock.rollback().await.unwrap();
    checked_out.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_was_begun_ahead_keeps_its_lane_and_is_not_done_twice() {
    let ground = Ground::new().await;
    let (engine, early) = early(&ground).await;
    checked_out(&ground, &engine, &early).await.unwrap();
    stock(&engine, "B", 1).await;
    has_read(&engine).await;
    early.has_seen(&[("ahead", "cart-a")]).await;
    let head = engine.log.head().await.unwrap().position;
    let passed = || {
        eventually("the checkpoint has passed it", || async {
            let at: i64 = sqlx::query_scalar("SELECT position FROM followers WHERE name = 'early'")
                .fetch_one(&engine.pool)
                .await
                .unwrap();
            (at == head).then_some(())
        })
    };
    // It is saved twice a second.
    assert!(tokio::time::timeout(Duration::from_millis(1_200), passed()).await.is_err(), "before it is done");
    early.let_go.add_permits(1);
    early.has_seen(&[("ahead", "cart-a"), ("done", "cart-a"), ("durable", "B")]).await;
    passed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_is_done_before_its_event_is_read_is_not_done_again() {
    let ground = Ground::new().await;
    let (engine, early) = early(&ground).await;
    early.let_go.add_permits(1);
    let lock = ground.nobody_appends().await;
    let executor = engine.executor.clone();
    let checked_out =
        tokio::spawn(async move { executor.execute(checking_out("a", Method::Card, later())).await });
    early.has_seen(&[("ahead", "cart-a"), ("done", "cart-a")]).await;
    lock.rollback().await.unwrap();
    checked_out.await.unwrap().unwrap();
    stock(&engine, "B", 1).await;
    early.has_seen(&[("ahead", "cart-a"), ("done", "cart-a"), ("durable", "B")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_came_to_nothing_ahead_is_done_when_the_event_is_durable() {
    let ground = Ground::new().await;
    let (engine, early) = early(&ground).await;
    early.goes_well.store(false, Ordering::Relaxed);
    checked_out(&ground, &engine, &early).await.unwrap();
    stock(&engine, "B", 1).await;
    early.let_go.add_permits(1);
    let wanted = [("ahead", "cart-a"), ("done", "cart-a"), ("durable", "cart-a"), ("durable", "B")];
    early.has_seen(&wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_never_happens_leaves_its_lane_to_others() {
    let ground = Ground::new().await;
    let (engine, early) = early(&ground).await;
    let bad = "ALTER TABLE events ADD CONSTRAINT bad CHECK (event_type <> 'CheckedOut') NOT VALID";
    ground.as_owner(bad).await;
    let failed = checked_out(&ground, &engine, &early).await;
    assert!(matches!(failed, Err(ExecuteError::Unavailable(_))), "{failed:?}");
    stock(&engine, "B", 1).await;
    early.let_go.add_permits(1);
    early.has_seen(&[("ahead", "cart-a"), ("done", "cart-a"), ("durable", "B")]).await;
}
