//! Runs one projection: events in order, a batch and its checkpoint in one transaction, poison set aside.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use sqlx::{Acquire, PgConnection, PgPool};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Checkpoint, CheckpointError, Lease, TOO_NEW_PAUSE, parked, skipped};
use crate::{
    feed::{Entry, Feed},
    log::{DecodeError, Log, LogError, Position, Recorded, without_meaning},
    ports::Clock,
};

/// Events that one transaction takes.
const BATCH: usize = 2_000;
/// How long a follower waits for events before it looks after its lease.
const WAIT: Duration = Duration::from_millis(500);

/// A read model's code: it turns events into rows, in the transaction that moves its checkpoint.
#[async_trait]
pub trait Projection: Send + Sync + 'static {
    /// Its name, and its checkpoint's.
    fn name(&self) -> &'static str;

    /// Applies events in order. Each is given once, and again only if the transaction was rolled back.
    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError>;

    /// Empties the read model.
    async fn clear(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error>;
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

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("{0}; this process is too old to follow, another may go on")]
    TooNew(DecodeError),
}

impl From<sqlx::Error> for FollowError {
    fn from(error: sqlx::Error) -> Self {
        Self::Apply(error.into())
    }
}

impl From<LogError> for FollowError {
    fn from(error: LogError) -> Self {
        Self::Apply(error.into())
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
    pub progress: watch::Sender<Position>,
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
        self.lease.give_up().await;
    }

    /// Follows until something fails, and says how long to wait before trying again.
    async fn turn(&mut self) -> Duration {
        let name = self.projection.name();
        match self.follow().await {
            Ok(()) => Duration::from_millis(500),
            Err(FollowError::TooNew(error)) => {
                self.lease.meter().failed();
                tracing::error!(follower = name, %error, "an event is newer than this program: upgrade it");
                self.lease.give_up().await;
                TOO_NEW_PAUSE
            }
            Err(FollowError::Checkpoint(CheckpointError::Fenced)) => {
                self.lease.lost();
                Duration::from_millis(500)
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
        let mut position = self.begin().await?;
        let skipped = skipped::ids(&mut *self.pool.acquire().await?, self.projection.name()).await?;
        loop {
            self.progress.send_replace(position);
            self.lease.meter().reached(position);
            let entries = self.feed.after(position, BATCH, WAIT).await?;
            if !self.lease.hold().await {
                return Ok(());
            }
            let entries = self.without(&skipped, entries).await?;
            let entries = self.understood(&entries).await?;
            if let Some(end) = entries.last().map(|entry| entry.position) {
                self.take(position, end, entries).await?;
                self.lease.meter().handled(entries.len());
                position = end;
            }
        }
    }

    /// Finds the checkpoint, emptying the read model when it was filled from another log.
    async fn begin(&self) -> Result<Position, FollowError> {
        let name = self.projection.name();
        let fence = self.lease.fence().ok_or(CheckpointError::Fenced)?;
        let head = self.log.head().await?;
        if head.incarnation != self.feed.incarnation() {
            return Err(CheckpointError::OtherLog.into());
        }
        let mut transaction = self.pool.begin().await?;
        let checkpoint = Checkpoint::lock(&mut transaction, name, fence).await?;
        if checkpoint.is_of(&*self.log, &head).await? {
            // A restore to a later place leaves the rows true; tokens of the log's new life must find them so.
            if let Some(renewed) = checkpoint.renewed(&head) {
                renewed.save(&mut transaction, name, fence, checkpoint.position).await?;
                transaction.commit().await?;
            }
            return Ok(checkpoint.position);
        }
        tracing::warn!(follower = name, position = checkpoint.position, "the log was restored: rebuilding");
        self.projection.clear(&mut transaction).await?;
        sqlx::query("DELETE FROM parked_streams WHERE follower = $1")
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        Checkpoint::empty().save(&mut transaction, name, fence, checkpoint.position).await?;
        transaction.commit().await?;
        Ok(0)
    }

    /// The same events; those that are skipped mean nothing, so that no place in their streams is left out.
    async fn without(
        &self,
        skipped: &HashSet<Uuid>,
        mut entries: Vec<Arc<Entry>>,
    ) -> Result<Vec<Arc<Entry>>, FollowError> {
        for entry in entries.iter_mut().filter(|entry| skipped.contains(&entry.event_id)) {
            let stored = self.log.read(entry.position - 1, 1).await?;
            if let Some(Ok(event)) = stored.first().map(without_meaning) {
                *entry = Arc::new(entry.saying(event));
            }
        }
        Ok(entries)
    }

    /// What comes before the first event of a newer program; a stream that is set aside anyway may hold any.
    async fn understood<'e>(&self, entries: &'e [Arc<Entry>]) -> Result<&'e [Arc<Entry>], FollowError> {
        if !entries.iter().any(|entry| entry.too_new().is_some()) {
            return Ok(entries);
        }
        let parked = parked::keys(&mut *self.pool.acquire().await?, self.projection.name()).await?;
        let newer = |entry: &Arc<Entry>| entry.too_new().filter(|_| !parked.contains(&entry.key)).cloned();
        match entries.iter().enumerate().find_map(|(nth, entry)| Some((nth, newer(entry)?))) {
            None => Ok(entries),
            Some((0, error)) => Err(FollowError::TooNew(error)),
            Some((nth, _)) => Ok(&entries[..nth]),
        }
    }

    /// Applies consecutive entries and moves the checkpoint, all or nothing.
    async fn take(&self, from: Position, end: Position, entries: &[Arc<Entry>]) -> Result<(), FollowError> {
        let name = self.projection.name();
        let fence = self.lease.fence().ok_or(CheckpointError::Fenced)?;
        let (head, next) = Checkpoint::at(&*self.log, self.feed.incarnation(), end).await?;
        let mut transaction = self.pool.begin().await?;
        let checkpoint = Checkpoint::lock(&mut transaction, name, fence).await?;
        if !checkpoint.goes_on_in(&head, from) {
            return Err(CheckpointError::OtherLog.into());
        }
        let mut parked = parked::keys(&mut transaction, name).await?;
        let healthy: Vec<&Arc<Entry>> = entries.iter().filter(|entry| !parked.contains(&entry.key)).collect();
        let mut savepoint = transaction.begin().await?;
        match self.apply_all(&mut savepoint, &healthy).await {
            Ok(()) => savepoint.commit().await?,
            Err(FollowError::Apply(error)) if error.is_poison() => {
                savepoint.rollback().await?;
                self.apply_each(&mut transaction, &healthy, &mut parked).await?;
            }
            Err(error) => return Err(error),
        }
        next.save(&mut transaction, name, fence, from).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn apply_all(
        &self,
        connection: &mut PgConnection,
        entries: &[&Arc<Entry>],
    ) -> Result<(), FollowError> {
        let events = entries
            .iter()
            .map(|entry| match &entry.event {
                Ok(recorded) => Ok(recorded),
                Err(error @ DecodeError::Unknown { .. }) => Err(FollowError::TooNew(error.clone())),
                Err(error @ DecodeError::Malformed { .. }) => Err(ApplyError::poison(error).into()),
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.projection.apply(connection, &events).await?)
    }

    /// Applies one by one, setting aside the streams of those that cannot be taken.
    async fn apply_each(
        &self,
        connection: &mut PgConnection,
        entries: &[&Arc<Entry>],
        parked: &mut parked::Keys,
    ) -> Result<(), FollowError> {
        for entry in entries {
            if parked.contains(&entry.key) {
                continue;
            }
            let mut savepoint = connection.begin().await?;
            match self.apply_all(&mut savepoint, &[entry]).await {
                Ok(()) => savepoint.commit().await?,
                Err(FollowError::Apply(error)) if error.is_poison() => {
                    savepoint.rollback().await?;
                    parked::park(connection, self.projection.name(), entry, &error.to_string()).await?;
                    parked.insert(entry.key.clone());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
