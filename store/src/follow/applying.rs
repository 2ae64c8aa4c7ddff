//! Applies events with a projection's code, in the transaction that moves its checkpoint; poison is set aside.

use std::{collections::HashSet, sync::Arc};

use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use uuid::Uuid;

use super::{ApplyError, Checkpoint, CheckpointError, Projection, applied::Applied, parked, skipped};
use crate::{
    feed::{Entry, Feed},
    log::{DecodeError, Head, Log, LogError, Position, Recorded, without_meaning},
};

#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
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

/// A part of the log as one projection sees it: the events that it follows, up to `end`.
#[derive(Default)]
pub(super) struct Stretch {
    pub end: Position,
    pub entries: Vec<Arc<Entry>>,
}

/// One projection at its work, under a lease.
pub(super) struct Applying {
    pub projection: Arc<dyn Projection>,
    /// The read model's database, where its checkpoint lies too.
    pub pool: PgPool,
    pub log: Arc<dyn Log>,
    /// Which life of the log the events are of.
    pub incarnation: Uuid,
    /// The newest events, for whoever follows them as they come.
    pub feed: Option<Feed>,
}

impl Applying {
    fn name(&self) -> &'static str {
        self.projection.name()
    }

    /// Finds the checkpoint, emptying the read model when it was filled from another log.
    pub async fn begin(&self, fence: i64) -> Result<Position, FollowError> {
        let name = self.name();
        let head = self.log.head().await?;
        if head.incarnation != self.incarnation {
            return Err(CheckpointError::OtherLog.into());
        }
        let mut transaction = crate::transaction::begin(&self.pool).await?;
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
        empty(&mut transaction, &*self.projection).await?;
        Checkpoint::empty().save(&mut transaction, name, fence, checkpoint.position).await?;
        transaction.commit().await?;
        Ok(0)
    }

    /// The events that it goes on without.
    pub async fn skipped(&self) -> Result<HashSet<Uuid>, FollowError> {
        Ok(skipped::ids(&mut *self.pool.acquire().await?, self.name()).await?)
    }

    /// The same stretch as it is to be applied: what is skipped means nothing, so that no place in its stream is left out,
    /// and the first event of a newer program ends it.
    pub async fn prepare(
        &self,
        skipped: &HashSet<Uuid>,
        mut stretch: Stretch,
    ) -> Result<Stretch, FollowError> {
        without_skipped(&*self.log, skipped, &mut stretch).await?;
        if !stretch.entries.iter().any(|entry| entry.too_new().is_some()) {
            return Ok(stretch);
        }
        // A stream that is set aside anyway may hold any.
        let parked = parked::keys(&mut *self.pool.acquire().await?, self.name()).await?;
        let newer = |entry: &Arc<Entry>| entry.too_new().filter(|_| !parked.contains(&entry.key)).cloned();
        match stretch.entries.iter().enumerate().find_map(|(nth, entry)| Some((nth, newer(entry)?))) {
            None => Ok(stretch),
            Some((0, error)) => Err(FollowError::TooNew(error)),
            Some((nth, _)) => {
                stretch.end = stretch.entries[nth].position - 1;
                stretch.entries.truncate(nth);
                Ok(stretch)
            }
        }
    }

    /// A connection of the follower's own. What is lost with a crash of the database is applied again, since the checkpoint
    /// goes back with the rows: nobody has to wait until it is on the disk.
    pub async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.pool.acquire().await?.detach();
        connection.execute("SET synchronous_commit = off").await?;
        Ok(connection)
    }

    /// Applies what stands behind `from` and moves the checkpoint, all or nothing.
    pub async fn take(
        &self,
        connection: &mut PgConnection,
        fence: i64,
        from: Position,
        stretch: &Stretch,
    ) -> Result<(), FollowError> {
        let place = self.place(stretch.end);
        if stretch.entries.is_empty() {
            let (head, next) = place.await?;
            return Ok(next
                .advance(connection, (self.name(), fence), (&head, from), &Applied::default())
                .await?);
        }
        let mut transaction = connection.begin().await?;
        // Where that is in the log is asked meanwhile; it is of no matter before the checkpoint moves.
        let (place, applied) = futures::join!(place, self.apply_healthy(&mut transaction, fence, stretch));
        let (head, next) = place?;
        let applied = match applied {
            Err(FollowError::Apply(error)) if error.is_poison() => {
                transaction.rollback().await?;
                transaction = connection.begin().await?;
                self.apply_each(&mut transaction, fence, stretch).await?
            }
            applied => applied?,
        };
        next.advance(&mut transaction, (self.name(), fence), (&head, from), &applied).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Where a position is in the log, and where the log stands.
    async fn place(&self, end: Position) -> Result<(Head, Checkpoint), CheckpointError> {
        match self.feed.as_ref().and_then(|feed| feed.head_with(end)) {
            // This process has appended it: it need not be asked.
            Some(head) => {
                let link = Some((head.position, head.link));
                Ok((head, Checkpoint { incarnation: Some(head.incarnation), position: end, link }))
            }
            None => Checkpoint::at(&*self.log, self.incarnation, end).await,
        }
    }

    /// The entries of streams that are not set aside, under the checkpoint's lock.
    async fn healthy<'s>(
        &self,
        connection: &mut PgConnection,
        fence: i64,
        stretch: &'s Stretch,
    ) -> Result<(parked::Keys, Vec<&'s Arc<Entry>>), FollowError> {
        let parked = match Checkpoint::lock_healthy(connection, self.name(), fence).await? {
            true => parked::Keys::new(),
            false => parked::keys(connection, self.name()).await?,
        };
        let healthy = stretch.entries.iter().filter(|entry| !parked.contains(&entry.key)).collect();
        Ok((parked, healthy))
    }

    /// Applies all at once.
    async fn apply_healthy(
        &self,
        connection: &mut PgConnection,
        fence: i64,
        stretch: &Stretch,
    ) -> Result<Applied, FollowError> {
        let (_, healthy) = self.healthy(connection, fence, stretch).await?;
        apply_all(&*self.projection, connection, &healthy).await?;
        let mut applied = Applied::default();
        healthy.iter().for_each(|entry| applied.add(&entry.key.0, entry.event_id, entry.position));
        Ok(applied)
    }

    /// Applies one by one, setting aside the streams of those that cannot be taken.
    async fn apply_each(
        &self,
        connection: &mut PgConnection,
        fence: i64,
        stretch: &Stretch,
    ) -> Result<Applied, FollowError> {
        let (mut parked, entries) = self.healthy(connection, fence, stretch).await?;
        apply_each(&*self.projection, connection, &entries, &mut parked).await
    }
}

/// What is skipped means nothing from here on.
pub(super) async fn without_skipped(
    log: &dyn Log,
    skipped: &HashSet<Uuid>,
    stretch: &mut Stretch,
) -> Result<(), LogError> {
    for entry in stretch.entries.iter_mut().filter(|entry| skipped.contains(&entry.event_id)) {
        let stored = log.read(entry.position - 1, 1).await?;
        if let Some(Ok(event)) = stored.first().map(without_meaning) {
            *entry = Arc::new(entry.saying(event));
        }
    }
    Ok(())
}

/// Applies entries with a projection's code, all at once.
pub(super) async fn apply_all(
    projection: &dyn Projection,
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
        .collect::<Result<Vec<&Recorded>, _>>()?;
    Ok(projection.apply(connection, &events).await?)
}

/// The same one by one, setting aside the streams of those that cannot be taken.
pub(super) async fn apply_each(
    projection: &dyn Projection,
    connection: &mut PgConnection,
    entries: &[&Arc<Entry>],
    parked: &mut parked::Keys,
) -> Result<Applied, FollowError> {
    let mut applied = Applied::default();
    for entry in entries {
        if parked.contains(&entry.key) {
            continue;
        }
        let mut savepoint = connection.begin().await?;
        match apply_all(projection, &mut savepoint, &[entry]).await {
            Ok(()) => {
                savepoint.commit().await?;
                applied.add(&entry.key.0, entry.event_id, entry.position);
            }
            Err(FollowError::Apply(error)) if error.is_poison() => {
                savepoint.rollback().await?;
                parked::park(connection, projection.name(), entry, &error.to_string()).await?;
                parked.insert(entry.key.clone());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(applied)
}

/// Empties a read model: its rows, what it has set aside and what it has counted. The checkpoint is the caller's.
pub(super) async fn empty(
    connection: &mut PgConnection,
    projection: &dyn Projection,
) -> Result<(), sqlx::Error> {
    projection.clear(connection).await?;
    sqlx::query("DELETE FROM parked_streams WHERE follower = $1")
        .bind(projection.name())
        .execute(&mut *connection)
        .await?;
    Applied::clear(connection, projection.name()).await
}
