//! Replays the log through a projection into tables that nobody else follows into: up to a moment, and with no lease.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{
    FillError, Projection,
    ahead::stretch,
    applying::{FollowError, Stretch, apply_all, apply_each, without_skipped},
    parked,
};
use crate::{
    feed::Entry,
    history::Moment,
    log::{Log, LogError, Position, Recorded, without_meaning},
};

/// A part of the log as a replay applies it.
#[derive(Default)]
pub struct Part {
    /// The last position that it reaches.
    pub end: Position,
    /// What the projection follows of it, in order. Entries of one position belong together.
    pub entries: Vec<Arc<Entry>>,
}

/// Reads what had happened by a moment.
///
/// By a time of business, what occurred later counts for nothing, wherever it stands. Where something that counts stands
/// behind it in its stream, its place is kept by an event that means nothing, at the position of the one that counts.
pub struct ReplaySource {
    projection: Arc<dyn Projection>,
    log: Arc<dyn Log>,
    incarnation: Uuid,
    to: Moment,
    /// What the read model that serves goes on without.
    skipped: HashSet<Uuid>,
    /// Hashes of the streams of which something was left out: 8 bytes a stream, and never too few.
    late: HashSet<u64>,
}

impl ReplaySource {
    /// Reads for a projection what had happened to the log in that life by `to`, without the events in `skipped`.
    #[must_use]
    pub fn new(
        projection: Arc<dyn Projection>,
        log: Arc<dyn Log>,
        (incarnation, to): (Uuid, Moment),
        skipped: HashSet<Uuid>,
    ) -> Self {
        Self { projection, log, incarnation, to, skipped, late: HashSet::new() }
    }

    /// Learns what an earlier run left out up to a position.
    ///
    /// # Errors
    /// When the log cannot be read, or was restored.
    pub async fn pass(&mut self, upto: Position) -> Result<(), FillError> {
        let mut after = 0;
        while matches!(self.to, Moment::Time(_)) && after < upto {
            after = self.next(after, upto).await?.end;
        }
        Ok(())
    }

    /// The next part after a position, which ends at `until` at the latest; at `after` itself when nothing is there.
    ///
    /// # Errors
    /// When the log cannot be read, or was restored.
    pub async fn next(&mut self, after: Position, until: Position) -> Result<Part, FillError> {
        let mut read = stretch(&*self.log, after, until, self.projection.follows()).await?;
        if self.log.head().await?.incarnation != self.incarnation {
            return Err(FillError::OtherLog);
        }
        without_skipped(&*self.log, &self.skipped, &mut read).await?;
        let Stretch { end, entries: read } = read;
        let mut entries = Vec::with_capacity(read.len());
        for entry in read {
            match &entry.event {
                Ok(recorded) if !self.to.counts(recorded) => {
                    self.late.insert(hash(&entry));
                }
                Ok(recorded) if self.late.contains(&hash(&entry)) => {
                    entries.extend(self.before(&entry, recorded).await?);
                    entries.push(entry);
                }
                _ => entries.push(entry),
            }
        }
        Ok(Part { end, entries })
    }

    /// What keeps the places of those that were left out right before an event in its stream.
    async fn before(&self, entry: &Entry, recorded: &Recorded) -> Result<Vec<Arc<Entry>>, LogError> {
        let mut kept = vec![];
        for sequence in (1..recorded.sequence).rev() {
            let stored = self.log.one(&recorded.stream, sequence).await?;
            match stored.as_ref().map(without_meaning) {
                Some(Ok(left_out)) if !self.to.counts(&left_out) => {
                    kept.push(Arc::new(entry.saying(Recorded { position: entry.position, ..left_out })));
                }
                _ => break,
            }
        }
        kept.reverse();
        Ok(kept)
    }
}

/// Of an entry's stream.
fn hash(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    entry.key.hash(&mut hasher);
    hasher.finish()
}

/// Applies what was read, and sets aside the streams that the projection cannot take, as a follower does.
pub struct Replaying {
    projection: Arc<dyn Projection>,
    parked: parked::Keys,
}

impl Replaying {
    /// Begins, or goes on, in the tables that the connection sees; what was set aside there stays aside.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(
        projection: Arc<dyn Projection>,
        connection: &mut PgConnection,
    ) -> Result<Self, sqlx::Error> {
        let parked = parked::keys(connection, projection.name()).await?;
        Ok(Self { projection, parked })
    }

    /// Applies entries in the caller's transaction; how many of them mean something, and belong to streams that are not set
    /// aside.
    ///
    /// # Errors
    /// When the database fails, or an event is of a newer program: then the transaction must not be committed, and this is
    /// of no more use.
    pub async fn take(
        &mut self,
        transaction: &mut PgConnection,
        entries: &[Arc<Entry>],
    ) -> Result<usize, FillError> {
        let healthy: Vec<_> = entries.iter().filter(|entry| !self.parked.contains(&entry.key)).collect();
        if healthy.is_empty() {
            return Ok(0);
        }
        let mut savepoint = transaction.begin().await?;
        match apply_all(&*self.projection, &mut savepoint, &healthy).await {
            Ok(()) => savepoint.commit().await?,
            Err(FollowError::Apply(error)) if error.is_poison() => {
                savepoint.rollback().await?;
                apply_each(&*self.projection, transaction, &healthy, &mut self.parked).await?;
            }
            Err(error) => return Err(error.into()),
        }
        let means = |entry: &Entry| entry.event.as_ref().is_ok_and(|recorded| !recorded.events.is_empty());
        Ok(healthy.iter().filter(|entry| means(entry) && !self.parked.contains(&entry.key)).count())
    }
}
