//! Runs one projection: events in order, a batch and its checkpoint in one transaction.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::AggregateType;
use sqlx::{Executor as _, PgConnection, PgPool};
use tokio::sync::watch;

use super::{
    CheckpointError, Lease, Progress, TOO_NEW_PAUSE,
    ahead::{concerns, stretch},
    applying::{Applying, FollowError, Stretch},
};
use crate::{
    feed::{Entry, Feed},
    log::{Log, LogError, Position, Recorded},
    ports::Clock,
    trace,
};

/// Events that one transaction takes when they come as they happen.
const BATCH: usize = 2_000;
/// How far behind a follower reads the log itself, in long stretches.
const FAR_BEHIND: Position = 10_000;
/// From one transaction to the next, at the least: what comes meanwhile goes together. Shorter, and followers would leave no
/// processor to anybody else; longer, and readers would wait.
const PACE: Duration = Duration::from_millis(8);
/// The same while nobody waits.
const PACE_AT_LEISURE: Duration = Duration::from_millis(100);
/// For how long it goes on at the quicker pace after somebody has waited.
const WANTED_US: i64 = 1_000_000;
/// Small batches come thick and fast: they are not planned one by one, but once for the whole session, perhaps while a table
/// is empty. So the plan must not be one that is only good as long as it is: rows are found by their keys.
const SMALL_BATCHES: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
                             SET enable_hashjoin = off; SET enable_mergejoin = off";
/// How long a follower waits for events before it looks after its lease.
const WAIT: Duration = Duration::from_millis(500);

/// A read model's code: it turns events into rows, in the transaction that moves its checkpoint.
#[async_trait]
pub trait Projection: Send + Sync + 'static {
    /// Its name, and its checkpoint's.
    fn name(&self) -> &'static str;

    /// The kinds of aggregates whose events it is given.
    fn follows(&self) -> &'static [AggregateType];

    /// Where its rows are.
    fn tables(&self) -> &'static [ReadTable];

    /// Applies events in order. Each is given once, and again only if the transaction was rolled back.
    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError>;

    /// Empties the read model.
    async fn clear(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        for table in self.tables() {
            sqlx::query(&format!("DELETE FROM {}", table.name)).execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// A table whose rows follow from the log and from nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadTable {
    /// Its name.
    pub name: &'static str,
    /// The columns of its primary key.
    pub key: &'static [&'static str],
}

/// Why events were not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// An event that this projection cannot take, however often it is tried.
    #[error("{0}")]
    Poison(String),
    /// The database failed. A value that it cannot hold (classes 22 and 23) counts as poison.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl ApplyError {
    /// Poison, because of an error.
    pub fn poison(reason: &dyn std::fmt::Display) -> Self {
        Self::Poison(reason.to_string())
    }

    pub(super) fn is_poison(&self) -> bool {
        match self {
            Self::Poison(_) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
            }
            Self::Database(
                sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_),
            ) => true,
            Self::Database(_) | Self::Log(_) => false,
        }
    }
}

/// A projection with everything that it takes to follow.
pub struct Follower {
    /// What is followed with.
    pub projection: Arc<dyn Projection>,
    /// The read model's database, where its checkpoint lies too.
    pub pool: PgPool,
    /// The log.
    pub log: Arc<dyn Log>,
    /// The log's newest events.
    pub feed: Feed,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Which process follows.
    pub lease: Lease,
    /// Tells this process how far the follower has come.
    pub progress: Progress,
}

impl Follower {
    /// Follows until `stop` says so or its sender is gone, then gives up the lease.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let pause = tokio::select! {
                pause = self.turn() => pause,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.progress.reached(None);
        self.lease.give_up().await;
    }

    /// Follows until something fails, and says how long to wait before trying again.
    async fn turn(&mut self) -> Duration {
        let name = self.projection.name();
        let followed = self.follow().await;
        self.progress.reached(None);
        match followed {
            Ok(()) => Duration::from_millis(500),
            Err(FollowError::TooNew(error)) => {
                self.lease.meter().failed();
                tracing::error!(follower = name, %error, "an event is newer than this program: upgrade it");
                self.lease.give_up().await;
                TOO_NEW_PAUSE
            }
            Err(FollowError::Checkpoint(CheckpointError::Fenced)) => {
                self.lease.lost();
                // Whoever has it now is asked at once: after a swap of tables it is nobody.
                Duration::ZERO
            }
            Err(error) => {
                self.lease.meter().failed();
                tracing::warn!(follower = name, %error, "a follower starts again");
                Duration::from_millis(500)
            }
        }
    }

    /// Follows while this process holds the lease.
    async fn follow(&mut self) -> Result<(), FollowError> {
        if !self.lease.hold().await {
            return Ok(());
        }
        let applying = Applying {
            projection: Arc::clone(&self.projection),
            pool: self.pool.clone(),
            log: Arc::clone(&self.log),
            incarnation: self.feed.incarnation(),
            feed: Some(self.feed.clone()),
        };
        let mut position = applying.begin(self.lease.fence().ok_or(CheckpointError::Fenced)?).await?;
        let skipped = applying.skipped().await?;
        let mut connection = applying.connect().await?;
        connection.execute(SMALL_BATCHES).await?;
        let (mut ahead, mut began_us) = (None, None);
        loop {
            self.progress.reached(Some(position));
            self.lease.meter().reached(position);
            let next = match ahead.take() {
                Some(next) => next,
                None => {
                    self.pace(began_us).await;
                    self.next(position).await?
                }
            };
            began_us = Some(self.clock.elapsed_us());
            if !self.lease.hold().await {
                return Ok(());
            }
            let next = applying.prepare(&skipped, next).await?;
            if next.end > position {
                let fence = self.lease.fence().ok_or(CheckpointError::Fenced)?;
                let traced_us = trace::is_collected().then(|| self.clock.now_us());
                let (taken, read) = futures::join!(
                    applying.take(&mut connection, fence, position, &next),
                    self.read_ahead(next.end)
                );
                taken?;
                if let Some(traced_us) = traced_us {
                    trace::applied(traced_us, self.projection.name(), &next.entries);
                }
                ahead = read?;
                // What it is not given is done with as well.
                self.lease.meter().handled(usize::try_from(next.end - position).unwrap_or(0));
                position = next.end;
            }
        }
    }

    /// Waits until the next transaction may begin after one that began then: at leisure while nobody waits.
    async fn pace(&self, began_us: Option<i64>) {
        let Some(began_us) = began_us else { return };
        let mut wanted_us = self.progress.wanted_us();
        if *wanted_us.borrow_and_update() < began_us - WANTED_US {
            tokio::select! {
                () = self.clock.rest(began_us, PACE_AT_LEISURE) => return,
                _ = wanted_us.changed() => {}
            }
        }
        self.clock.rest(began_us, PACE).await;
    }

    /// What comes after a position, as soon as something does.
    async fn next(&self, after: Position) -> Result<Stretch, LogError> {
        if let Some(stretch) = self.read_ahead(after).await? {
            return Ok(stretch);
        }
        let entries = self.feed.after(after, BATCH, WAIT).await?;
        let end = entries.last().map_or(after, |entry| entry.position);
        let concerned = |entry: &Arc<Entry>| concerns(self.projection.follows(), &entry.key.0);
        Ok(Stretch { end, entries: entries.into_iter().filter(concerned).collect() })
    }

    /// What comes after a position that lies far behind.
    async fn read_ahead(&self, after: Position) -> Result<Option<Stretch>, LogError> {
        let tip = *self.feed.tip().borrow();
        if tip - after < FAR_BEHIND {
            return Ok(None);
        }
        Ok(Some(stretch(&*self.log, after, tip, self.projection.follows()).await?))
    }
}
