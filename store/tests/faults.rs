//! Appends whose outcome is lost on the way, in both directions: nothing is lost, nothing is doubled.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use domain::{
    inventory_item::Command,
    value::{Quantity, ReservationId, Time},
};
use store::{
    executor::{self, ExecuteError, Executor, Limits},
    log::{
        Answer, AppendError, Batch, Head, Link, LockedLog, Log, LogError, Position, PostgresLog, Sequence,
        Snapshot, StoredEvent, StreamId, Take, TakePast,
    },
    ports::Machine,
    testing::{Ground, request},
};
use uuid::Uuid;

/// A log that loses every third answer after committing, and every fifth request before.
struct Lossy {
    log: PostgresLog,
    appends: AtomicU32,
    lost: AtomicU32,
}

impl Lossy {
    fn gone(&self) -> AppendError {
        self.lost.fetch_add(1, Ordering::Relaxed);
        AppendError::Unknown(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()))
    }
}

#[async_trait]
impl Log for Lossy {
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
        self.log.history(stream, snapshot, take).await
    }
    async fn save(&self, head: &Head, snapshot: &Snapshot) -> Result<(), LogError> {
        self.log.save(head, snapshot).await
    }
    async fn read_each(&self, after: Position, limit: i64, take: Take<'_>) -> Result<(), LogError> {
        self.log.read_each(after, limit, take).await
    }
    async fn append(&self, head: &Head, batch: &Batch) -> Result<Head, AppendError> {
        let nth = self.appends.fetch_add(1, Ordering::Relaxed);
        if nth % 5 == 4 {
            return Err(self.gone());
        }
        let appended = self.log.append(head, batch).await?;
        if nth % 3 == 2 { Err(self.gone()) } else { Ok(appended) }
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
    let lossy = Arc::new(Lossy { log: log.clone(), appends: AtomicU32::new(0), lost: AtomicU32::new(0) });
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
    let events = log.load(&StreamId::new(domain::AggregateType::InventoryItem, "A"), 0).await.unwrap();
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
