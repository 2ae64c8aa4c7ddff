//! Appends whose outcome is lost on the way, in both directions, and loads that come too late: nothing is lost, nothing is
//! doubled, and nobody decides on what is not so.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    AggregateType, cart,
    inventory_item::Command,
    value::{Currency, Quantity, ReservationId, Time},
};
use futures::join;
use store::{
    executor::{self, ExecuteError, Executor, Limits, Origin, Request, Sequel},
    log::{
        Answer, AppendError, Batch, Head, Link, LockedLog, Log, LogError, Portion, Position, PostgresLog,
        Sequence, Snapshot, StoredEvent, StreamId, Take, TakePast,
    },
    ports::Machine,
    testing::{Ground, request},
};
use tokio::sync::watch;
use uuid::Uuid;

/// What becomes of an append.
enum Fate {
    Fine,
    LostBefore,
    LostAfter,
    /// Lost, and written when the next one comes.
    Late,
}

/// A log whose appends are lost, and whose loads of the SKU "HELD" are held back.
struct Odd {
    log: PostgresLog,
    fate: fn(u32) -> Fate,
    appends: AtomicU32,
    lost: AtomicU32,
    late: Mutex<Option<(Head, Batch)>>,
    /// How many loads have read what there is, and how many of them may give it.
    read: watch::Sender<u32>,
    given: watch::Sender<u32>,
}

impl Odd {
    fn new(log: &PostgresLog, fate: fn(u32) -> Fate) -> Arc<Self> {
        let (log, late, zero) = (log.clone(), Mutex::default(), || watch::Sender::new(0));
        let (appends, lost) = Default::default();
        Arc::new(Self { log, fate, appends, lost, late, read: zero(), given: zero() })
    }

    fn gone(&self) -> AppendError {
        self.lost.fetch_add(1, Ordering::Relaxed);
        AppendError::Unknown(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()))
    }
}

#[async_trait]
impl Log for Odd {
    async fn head(&self) -> Result<Head, LogError> {
        self.log.head().await
    }
    async fn load(&self, stream: &StreamId, after: Sequence) -> Result<Vec<StoredEvent>, LogError> {
        self.log.load(stream, after).await
    }
    async fn one(&self, stream: &StreamId, sequence: Sequence) -> Result<Option<StoredEvent>, LogError> {
        self.log.one(stream, sequence).await
    }
    async fn history(&self, stream: &StreamId, snapshot: bool, take: TakePast<'_>) -> Result<(), LogError> {
        self.log.history(stream, snapshot, take).await?;
        if &*stream.id == "HELD" {
            let mut nth = 0;
            self.read.send_modify(|read| {
                *read += 1;
                nth = *read;
            });
            self.given.subscribe().wait_for(|given| *given >= nth).await.unwrap();
        }
        Ok(())
    }
    async fn save(&self, head: &Head, snapshot: &Snapshot) -> Result<(), LogError> {
        self.log.save(head, snapshot).await
    }
    async fn read_each(
        &self,
        after: Position,
        limit: i64,
        portion: Portion<'_>,
        take: Take<'_>,
    ) -> Result<Position, LogError> {
        self.log.read_each(after, limit, portion, take).await
    }
    async fn append(&self, head: &Head, batch: &Batch) -> Result<Head, AppendError> {
        let nth = self.appends.fetch_add(1, Ordering::Relaxed);
        let late = self.late.lock().unwrap().take();
        if let Some((head, batch)) = late {
            self.log.append(&head, &batch).await.unwrap();
        }
        match (self.fate)(nth) {
            Fate::Fine => self.log.append(head, batch).await,
            Fate::LostBefore => Err(self.gone()),
            Fate::LostAfter => {
                self.log.append(head, batch).await?;
                Err(self.gone())
            }
            Fate::Late => {
                *self.late.lock().unwrap() = Some((*head, batch.clone()));
                Err(self.gone())
            }
        }
    }
    async fn lock(&self) -> Result<Box<dyn LockedLog>, LogError> {
        self.log.lock().await
    }
    async fn answers(&self, command_ids: &[Uuid]) -> Result<Vec<Answer>, LogError> {
        self.log.answers(command_ids).await
    }
    async fn link_at(&self, position: Position) -> Result<(Position, Link), LogError> {
        self.log.link_at(position).await
    }
    async fn link_after(&self, position: Position) -> Result<(Head, Option<(Position, Link)>), LogError> {
        self.log.link_after(position).await
    }
}

async fn executor(log: Arc<dyn Log>) -> Executor {
    let (executor, run) =
        executor::run(log, Arc::new(Machine), Arc::new(Machine), Limits::default()).await.unwrap();
    tokio::spawn(run);
    executor
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_up_and_a_lost_request_is_sent_again() {
    let ground = Ground::new().await;
    let log = PostgresLog::new(ground.pool("").await);
    let lossy = Odd::new(&log, |nth| match nth {
        _ if nth % 5 == 4 => Fate::LostBefore,
        _ if nth % 3 == 2 => Fate::LostAfter,
        _ => Fate::Fine,
    });
    let executor = executor(Arc::clone(&lossy) as Arc<dyn Log>).await;
    let units = Quantity::new(40).unwrap();
    executor
        .execute(request("A", Command::Receive { quantity: units, location: None, reference: None }))
        .await
        .unwrap();
    let mut sold = 0;
    for round in 0..30 {
        let buyers = (0..2).map(|buyer| {
            let command = Command::Reserve {
                reservation: ReservationId::new(format!("r{round}-{buyer}")).unwrap(),
                quantity: Quantity::new(1).unwrap(),
                expires_at: None,
                in_stock: false,
                now: Time::from_millis(0),
            };
            executor.execute(request("A", command))
        });
        for answer in futures::future::join_all(buyers).await {
            match answer {
                Ok(executed) => {
                    sold += 1;
                    assert!(executed.positions.is_some());
                }
                Err(ExecuteError::Refused(refused)) => {
                    assert_eq!(refused.refusal.code(), "inventory.insufficient");
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert_eq!(sold, 40);
    assert!(lossy.lost.load(Ordering::Relaxed) > 5, "the log lost something");
    let events = log.load(&StreamId::new(AggregateType::InventoryItem, "A"), 0).await.unwrap();
    assert_eq!(events.len(), 41);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_fails_the_command_and_keeps_the_log_whole() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let receive =
        || Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None };
    engine.executor.execute(request("A", receive())).await.unwrap();
    ground.as_owner("ALTER TABLE events ADD CONSTRAINT full_disk CHECK (position < 2) NOT VALID").await;
    let failed = engine.executor.execute(request("A", receive())).await;
    assert!(matches!(failed, Err(ExecuteError::Unavailable(_))), "{failed:?}");
    ground.as_owner("ALTER TABLE events DROP CONSTRAINT full_disk").await;
    let again = engine.executor.execute(request("A", receive())).await.unwrap();
    assert_eq!((again.positions, again.version), (Some((2, 2)), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_stops_when_the_log_has_lost_its_end() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let receive =
        || Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None };
    for _ in 0..3 {
        engine.executor.execute(request("A", receive())).await.unwrap();
    }
    // As after a failover to a standby that lacked the last transaction.
    ground.as_owner("DELETE FROM events WHERE position = 3").await;
    ground.as_owner("DELETE FROM log_links WHERE last_position = 3").await;
    ground
        .as_owner(
            "UPDATE log_head SET position = 2, link = (SELECT link FROM log_links WHERE last_position = 2)",
        )
        .await;
    let refused = engine.executor.execute(request("A", receive())).await;
    assert!(matches!(refused, Err(ExecuteError::Unavailable(_))), "{refused:?}");
    engine.executor.stopped().await;
    assert_eq!(engine.log.head().await.unwrap().position, 2);
    let restarted = ground.engine().await;
    assert_eq!(restarted.executor.execute(request("A", receive())).await.unwrap().version, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_newer_program_stops_its_own_stream_only() {
    let ground = Ground::new().await;
    let (old, new) = (ground.engine().await, ground.engine().await);
    let receive =
        || Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None };
    for sku in ["A", "B"] {
        old.executor.execute(request(sku, receive())).await.unwrap();
    }
    new.executor.execute(request("A", receive())).await.unwrap();
    ground.as_owner("UPDATE events SET event_version = '99' WHERE position = 3").await;
    let other = old.executor.execute(request("B", receive())).await.unwrap();
    assert_eq!(other.positions, Some((4, 4)));
    let unreadable = old.executor.execute(request("A", receive())).await;
    assert!(matches!(unreadable, Err(ExecuteError::Unavailable(_))), "{unreadable:?}");
}

fn receive() -> Command {
    Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_is_written_after_it_was_looked_for_is_found_all_the_same() {
    let ground = Ground::new().await;
    let log = PostgresLog::new(ground.pool("").await);
    let odd = Odd::new(&log, |nth| if nth == 1 { Fate::Late } else { Fate::Fine });
    let executor = executor(Arc::clone(&odd) as Arc<dyn Log>).await;
    executor.execute(request("A", receive())).await.unwrap();
    // Decided once more, it would find the version that it has made itself.
    let mut insisting = request("A", receive());
    insisting.expected_version = Some(1);
    let executed = executor.execute(insisting).await.unwrap();
    assert_eq!((executed.version, executed.positions), (2, Some((2, 2))));
    assert_eq!(odd.lost.load(Ordering::Relaxed), 1);
    assert_eq!(executor.execute(request("A", receive())).await.unwrap().version, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_was_given_up_brings_nothing_when_it_comes_after_all() {
    let ground = Ground::new().await;
    let other = ground.engine().await;
    let odd = Odd::new(&PostgresLog::new(ground.pool("").await), |_| Fate::Fine);
    let executor = executor(Arc::clone(&odd) as Arc<dyn Log>).await;
    let loads = async |count| drop(odd.read.subscribe().wait_for(|read| *read == count).await.unwrap());
    let given_up = executor.execute(request("HELD", receive()));
    let unreadable = async {
        loads(1).await;
        other.executor.execute(request("HELD", receive())).await.unwrap();
        ground.as_owner("CREATE TABLE kept AS TABLE events").await;
        ground.as_owner("UPDATE events SET event_version = '99'").await;
        executor.execute(request("MUG", receive())).await.unwrap();
    };
    let (given_up, ()) = join!(given_up, unreadable);
    assert!(matches!(given_up, Err(ExecuteError::Unavailable(_))), "{given_up:?}");
    ground
        .as_owner("UPDATE events SET event_version = k.event_version FROM kept k WHERE events.position = 1")
        .await;

    // There is one, but the first load has not seen it.
    let reserve = Command::Reserve {
        reservation: ReservationId::new("r").unwrap(),
        quantity: Quantity::new(1).unwrap(),
        expires_at: None,
        in_stock: false,
        now: Time::from_millis(0),
    };
    let reserved = executor.execute(request("HELD", reserve));
    let late = async {
        loads(2).await;
        for given in 1..=2 {
            odd.given.send_replace(given);
            executor.execute(request("MUG", receive())).await.unwrap();
        }
    };
    let (reserved, ()) = join!(reserved, late);
    assert_eq!(reserved.unwrap().version, 2);
    assert_eq!(executor.execute(request("HELD", receive())).await.unwrap().version, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_been_foretold_and_was_lost_is_done_by_whoever_asks_again() {
    let ground = Ground::new().await;
    let odd = Odd::new(&PostgresLog::new(ground.pool("").await), |nth| {
        if nth == 1 { Fate::LostBefore } else { Fate::Fine }
    });
    let executor = executor(Arc::clone(&odd) as Arc<dyn Log>).await;
    executor.execute(request("A", receive())).await.unwrap();
    let open = cart::Command::Open { customer: None, currency: Currency::GBP, expires_at: None };
    let open = Request { origin: Origin::Derived, ..request("C", open) };
    let sequel = Sequel::default();
    // What begins a stream is read before it is decided again: until then it comes behind what followed from it.
    let begins = executor.execute_ahead(open.clone(), Vec::new(), &sequel).await.unwrap();
    let follows = executor.execute_ahead(request("A", receive()), Vec::new(), &sequel).await.unwrap();
    assert!(matches!(follows.durable().await, Err(ExecuteError::Unavailable(_))));
    assert!(sequel.has_fallen());
    // Nobody else appends meanwhile: it is told by itself that the id is free.
    let in_turn = tokio::time::timeout(Duration::from_secs(20), executor.execute_in_turn(open)).await;
    assert_eq!(in_turn.unwrap().unwrap().version, 1);
    assert!(matches!(begins.durable().await, Err(ExecuteError::Unavailable(_))));
    assert_eq!(executor.execute(request("A", receive())).await.unwrap().version, 2);
    assert_eq!(odd.lost.load(Ordering::Relaxed), 1);
}
