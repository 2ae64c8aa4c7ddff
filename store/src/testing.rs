//! A schema and a stream of its own for each test, on the servers that all tests share.

#![expect(clippy::expect_used, reason = "a test that cannot have its servers cannot go on")]

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{AnyCommand, value::Time};
use sqlx::{Executor as _, PgPool, Postgres, Transaction};
use stack::Stack;
use uuid::Uuid;

use crate::{
    archive::Archive,
    broker::{NatsBroker, NatsOptions},
    engine::{Engine, Parts},
    executor::{Cause, Limits, Origin, Request},
    log::{Answer, Batch, Log, Metadata, NewEvent, Position, digest},
    ports::{Clock, Machine},
    schema::{self, Tables},
    secrets::{Fingerprints, MasterKey},
};

/// The role that `serve` would use.
pub const ROLE: &str = "daybook_test_app";

/// Bytes that a test's stream may hold. The broker reserves them, and the tests of a whole run share one broker.
const STREAM_BYTES_MAX: i64 = 4 << 20;

/// A clock on which whoever sleeps for so long does so for ever.
pub struct Unending(pub Range<Duration>);

#[async_trait]
impl Clock for Unending {
    fn now_us(&self) -> i64 {
        Machine.now_us()
    }

    fn elapsed_us(&self) -> i64 {
        Machine.elapsed_us()
    }

    async fn sleep(&self, duration: Duration) {
        if self.0.contains(&duration) {
            std::future::pending::<()>().await;
        }
        Machine.sleep(duration).await;
    }

    async fn until(&self, moment: Time) {
        Machine.until(moment).await;
    }
}

/// A test's own ground: dropped schemas are left to the throw-away servers.
pub struct Ground {
    /// What the names of its schemas start with; its stream's prefix too.
    pub prefix: String,
    /// Postgres as the owner.
    pub owner_url: String,
    /// Postgres as the serving role.
    pub app_url: String,
    /// NATS.
    pub nats_url: String,
}

impl Ground {
    /// Lays the log's and the keys' tables in schemas of their own, on the servers that all tests share.
    pub async fn new() -> Self {
        let servers = stack::testing::shared();
        let app_url = servers.url_for(ROLE, &servers.app_password);
        Self::on(&servers.owner_url, &servers.app_password, app_url, &servers.nats_url).await
    }

    /// The same on servers that the test may break.
    pub async fn alone(servers: &Stack) -> Self {
        let app_url = servers.url_for(ROLE, servers.app_password());
        Self::on(servers.owner_url(), servers.app_password(), app_url, servers.nats_url()).await
    }

    async fn on(owner_url: &str, password: &str, app_url: String, nats_url: &str) -> Self {
        schema::ensure_role(owner_url, ROLE, password).await.expect("the serving role");
        let ground = Self {
            prefix: format!("t{}", Uuid::now_v7().simple()),
            owner_url: owner_url.to_owned(),
            app_url,
            nats_url: nats_url.to_owned(),
        };
        ground.lay(&schema::log_tables()).await;
        ground.lay(&schema::key_tables()).await;
        ground
    }

    /// Lays further tables.
    pub async fn lay(&self, tables: &Tables) {
        schema::migrate(&self.owner_url, &self.prefix, ROLE, tables).await.expect("the test's tables");
    }

    /// A pool of the serving role on one of the test's schemas.
    pub async fn pool(&self, suffix: &str) -> PgPool {
        schema::connect(&self.app_url, &self.prefix, suffix, 8).await.expect("the serving role connects")
    }

    /// A pool of the owner on one of the test's schemas, to break things with.
    pub async fn owner_pool(&self, suffix: &str) -> PgPool {
        schema::connect(&self.owner_url, &self.prefix, suffix, 2).await.expect("the owner connects")
    }

    /// The test's own stream.
    pub async fn broker(&self) -> Arc<NatsBroker> {
        let options = NatsOptions {
            url: self.nats_url.clone(),
            prefix: self.prefix.clone(),
            bytes_max: STREAM_BYTES_MAX,
        };
        Arc::new(NatsBroker::connect(&options).await.expect("a broker's address"))
    }

    /// A running store, with nobody following yet.
    pub async fn engine(&self) -> Engine {
        self.engine_at(Arc::new(Machine)).await
    }

    /// The same with a clock of the test's own.
    pub async fn engine_at(&self, clock: Arc<dyn Clock>) -> Engine {
        self.engine_of(clock, Archive::default()).await
    }

    /// The same with the files of what was put away.
    pub async fn engine_with(&self, archive: Archive) -> Engine {
        self.engine_of(Arc::new(Machine), archive).await
    }

    async fn engine_of(&self, clock: Arc<dyn Clock>, archive: Archive) -> Engine {
        let parts = Parts {
            pool: self.pool("").await,
            keys: self.pool("_keys").await,
            archive,
            broker: self.broker().await,
            master: master_key().into(),
            limits: Limits::default(),
            clock,
        };
        Engine::start(parts).await.expect("the store starts")
    }

    /// While it lives, nobody appends.
    pub async fn nobody_appends(&self) -> Transaction<'static, Postgres> {
        let mut transaction = self.owner_pool("").await.begin().await.expect("a transaction");
        transaction.execute("SELECT FROM log_head FOR UPDATE").await.expect("the head is locked");
        transaction
    }

    /// Returns once an append waits for whoever has the lock.
    pub async fn an_append_waits(&self, lock: &mut Transaction<'static, Postgres>) {
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut **lock)
            .await
            .expect("the lock is held");
        let owner = self.owner_pool("").await;
        eventually("an append waits", || async {
            let waits = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))",
            );
            waits.bind(pid).fetch_one(&owner).await.unwrap_or(false).then_some(())
        })
        .await;
    }

    /// Runs a statement as the owner.
    pub async fn as_owner(&self, sql: &str) {
        self.owner_pool("").await.execute(sql).await.expect("the owner's statement");
    }
}

/// The same for every test.
#[must_use]
pub const fn master_key() -> MasterKey {
    MasterKey::new([7; 32])
}

/// A client's command under a new id.
#[must_use]
pub fn request(aggregate_id: &str, command: impl Into<AnyCommand>) -> Request {
    request_as(Uuid::now_v7(), aggregate_id, command)
}

/// A client's command under an id.
#[must_use]
pub fn request_as(command_id: Uuid, aggregate_id: &str, command: impl Into<AnyCommand>) -> Request {
    let command = command.into();
    Request {
        aggregate_id: aggregate_id.into(),
        fingerprint: Fingerprints::new(&master_key()).of(&command).expect("a command is JSON"),
        command,
        command_id,
        origin: Origin::Client,
        expected_version: None,
        cause: Cause {
            actor: "guest".into(),
            correlation_id: command_id,
            causation_id: command_id,
            occurred_at: None,
            traceparent: None,
        },
    }
}

/// An event in whatever form it had once: its stored name, its version, and what stood under its outer tag.
pub type Row = (&'static str, &'static str, serde_json::Value);

/// Appends events as another process would have written them once, with the answer to the command that they came from. The
/// last one's position.
///
/// # Panics
/// When they are not taken.
pub async fn write(log: &dyn Log, request: &Request, rows: &[Row]) -> Position {
    let stream = request.stream();
    let locked = log.lock().await.expect("the log's head");
    let version = i64::try_from(log.load(&stream, 0).await.expect("the stream").len()).expect("few events");
    let now_us = Machine.now_us();
    let metadata = Metadata {
        occurred_at: domain::value::Time::from_millis(now_us.div_euclid(1_000)),
        actor: request.cause.actor.clone(),
        correlation_id: request.cause.correlation_id,
        causation_id: request.cause.causation_id,
        command_id: request.command_id,
        traceparent: None,
    };
    let metadata = serde_json::to_string(&metadata).expect("metadata is JSON");
    let events = rows.iter().zip(version + 1..).map(|((event_type, event_version, fields), sequence)| {
        let mut row = NewEvent {
            stream: stream.clone(),
            sequence,
            event_type,
            event_version,
            payload: serde_json::json!({ *event_type: fields }).to_string(),
            metadata: metadata.clone(),
            event_id: Uuid::now_v7(),
            recorded_at_us: now_us,
            digest: [0; 32],
        };
        row.digest = digest(&row);
        Arc::new(row)
    });
    let count = i32::try_from(rows.len()).expect("few events");
    let position = locked.head().position + i64::from(count);
    let answer = Answer {
        command_id: request.command_id,
        fingerprint: request.fingerprint,
        version: version + i64::from(count),
        position,
        events: count,
        refusal: None,
        expires_at_us: None,
        recorded_at_us: now_us,
        stream: stream.clone(),
    };
    let batch = Batch { events: events.collect(), answers: vec![answer], ..Batch::default() };
    locked.append(&batch).await.expect("the events are taken");
    position
}

/// Tries until it holds; polls, because what it waits for happens elsewhere.
///
/// # Panics
/// When it does not hold within 20 seconds.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut probe: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
