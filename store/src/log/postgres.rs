//! The log on Postgres: one statement an append, dense positions through the one row of `log_head`.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Executor, PgConnection, PgExecutor, PgPool, Row};
use uuid::Uuid;

use super::{
    Answer, AppendError, Batch, Head, Link, LockedLog, Log, LogError, Portion, Position, Sequence, Snapshot,
    StoredEvent, StreamId, Take, TakePast,
    append::append,
    connections::Connections,
    history::{self, Read},
    row::{answer, fixed, head_of, stored},
    snapshot,
    through::{Through, is_away, part_of_stream},
};
use crate::{archive::Archive, outage::Reason};

/// The log in a Postgres schema, which the pool's `search_path` names.
#[derive(Clone, Debug)]
pub struct PostgresLog {
    pub(super) pool: PgPool,
    /// The connection that appends.
    writer: Connections,
    /// Those that read streams whole.
    readers: Connections,
    /// Where events were put away.
    through: Arc<Through>,
}

impl PostgresLog {
    /// The log that this pool's connections see; without an archive, it cannot give events that were put away.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self::with_archive(pool, Archive::default())
    }

    /// The log that this pool's connections see, with the files of what was put away.
    #[must_use]
    pub fn with_archive(pool: PgPool, archive: Archive) -> Self {
        Self {
            writer: Connections::new(pool.clone()),
            readers: Connections::new(pool.clone()),
            pool,
            through: Arc::new(Through::new(archive)),
        }
    }

    async fn writer(&self) -> Result<PgConnection, LogError> {
        match self.writer.used() {
            // Whoever appends finds out.
            Some((connection, doubt)) => {
                doubt.end();
                Ok(connection)
            }
            None => self.writer.open().await,
        }
    }

    /// The events of a stream after a sequence and up to another.
    async fn part(
        &self,
        stream: &StreamId,
        (after, upto): (Sequence, Sequence),
    ) -> Result<Vec<StoredEvent>, LogError> {
        let rows = sqlx::query(&part_of_stream())
            .bind(stream.aggregate_type.as_str())
            .bind(&*stream.id)
            .bind(after)
            .bind(upto)
            .fetch_all(&self.pool)
            .await?;
        match rows.first().map(|row| is_away(row, 4)).transpose()? {
            Some(true) => self.through.load(&self.pool, stream, (after, upto)).await,
            Some(false) | None => Ok(rows.iter().map(stored).collect::<Result<_, _>>()?),
        }
    }
}

#[async_trait]
impl Log for PostgresLog {
    async fn head(&self) -> Result<Head, LogError> {
        let row =
            sqlx::query("SELECT position, link, incarnation FROM log_head").fetch_one(&self.pool).await?;
        Ok(head_of(&row)?)
    }

    async fn load(&self, stream: &StreamId, after: Sequence) -> Result<Vec<StoredEvent>, LogError> {
        let events = self.part(stream, (after, Sequence::MAX)).await?;
        dense(after, events.iter().map(|event| event.sequence))?;
        Ok(events)
    }

    async fn one(&self, stream: &StreamId, sequence: Sequence) -> Result<Option<StoredEvent>, LogError> {
        Ok(self.part(stream, (sequence - 1, sequence)).await?.pop())
    }

    async fn history(&self, stream: &StreamId, snapshot: bool, take: TakePast<'_>) -> Result<(), LogError> {
        let mut used = self.readers.used();
        loop {
            let (mut connection, doubt) = match used.take() {
                Some((connection, doubt)) => (connection, Some(doubt)),
                None => (self.readers.open().await?, None),
            };
            let mut begun = false;
            let read = history::rows(&mut connection, (stream, snapshot), take, &mut begun).await;
            let broken = matches!(&read, Err(LogError::Database(_)));
            let tries_again = broken && doubt.is_some() && !begun;
            if let Some(doubt) = doubt.filter(|_| !broken) {
                doubt.end();
            }
            match read {
                Ok(Read::All) => {
                    self.readers.keep(connection);
                    return Ok(());
                }
                Ok(Read::Away) => return history::events(stream, self.load(stream, 0).await?, take),
                Err(_) if tries_again => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn save(&self, head: &Head, snapshot: &Snapshot) -> Result<(), LogError> {
        Ok(snapshot::save(&self.pool, head, snapshot).await?)
    }

    async fn read_each(
        &self,
        after: Position,
        limit: i64,
        portion: Portion<'_>,
        take: Take<'_>,
    ) -> Result<Position, LogError> {
        self.through.read_each(&mut *self.pool.acquire().await?, (after, limit), portion, take).await
    }

    async fn append(&self, head: &Head, batch: &Batch) -> Result<Head, AppendError> {
        let mut connection = self.writer().await.map_err(|error| match error {
            LogError::Database(error) => AppendError::Unknown(error),
            _ => AppendError::OtherLog,
        })?;
        let appended = append(&mut connection, head, batch).await;
        // One that broke, or that was given up while it was busy, is closed; so is one that began while the database was
        // read-only, for it would stay so.
        let keep = match &appended {
            Err(AppendError::Unknown(_) | AppendError::OtherLog) => false,
            Err(AppendError::Refused(error)) => Reason::of(error) != Reason::ReadOnly,
            Ok(_) | Err(AppendError::Missed | AppendError::Answered | AppendError::StreamMoved) => true,
        };
        match keep {
            true => self.writer.keep(connection),
            false => self.writer.close(),
        }
        if matches!(appended, Err(AppendError::StreamMoved)) {
            // What it rests on was perhaps read from a server that is no longer the one that is written to.
            self.readers.close();
        }
        appended
    }

    async fn lock(&self) -> Result<Box<dyn LockedLog>, LogError> {
        // Which life is on its database was asked on this very connection, as for an append without the lock.
        let mut connection = self.writer().await?;
        // What is read here is best planned for how much that is.
        connection.execute("BEGIN; SET LOCAL plan_cache_mode = auto").await?;
        let row = sqlx::query("SELECT position, link, incarnation FROM log_head WHERE only_row FOR UPDATE")
            .fetch_one(&mut connection)
            .await?;
        let head = head_of(&row)?;
        let (writer, through) = (self.writer.clone(), Arc::clone(&self.through));
        Ok(Box::new(Locked { connection, writer, head, through }))
    }

    async fn answers(&self, command_ids: &[Uuid]) -> Result<Vec<Answer>, LogError> {
        answers(&self.pool, command_ids).await
    }

    async fn link_at(&self, position: Position) -> Result<(Position, Link), LogError> {
        link_at(&self.pool, position).await
    }

    async fn link_after(&self, position: Position) -> Result<(Head, Option<(Position, Link)>), LogError> {
        let row = sqlx::query(
            "SELECT h.position, h.link, h.incarnation, l.last_position, l.link FROM log_head h LEFT JOIN LATERAL \
             (SELECT last_position, link FROM log_links WHERE last_position >= $1 \
              ORDER BY last_position LIMIT 1) l ON true",
        )
        .bind(position)
        .fetch_one(&self.pool)
        .await?;
        let end: Option<Position> = row.try_get(3)?;
        let link =
            end.map(|end| Ok::<_, sqlx::Error>((end, fixed(row.try_get::<&[u8], _>(4)?)?))).transpose()?;
        Ok((head_of(&row)?, link))
    }
}

/// A transaction that has the head's lock. Unless it is committed its connection is closed, which ends it.
struct Locked {
    connection: PgConnection,
    writer: Connections,
    head: Head,
    through: Arc<Through>,
}

#[async_trait]
impl LockedLog for Locked {
    fn head(&self) -> Head {
        self.head
    }

    async fn answers(&mut self, command_ids: &[Uuid]) -> Result<Vec<Answer>, LogError> {
        answers(&mut self.connection, command_ids).await
    }

    async fn link_at(&mut self, position: Position) -> Result<(Position, Link), LogError> {
        link_at(&mut self.connection, position).await
    }

    async fn read(&mut self, after: Position, limit: i64) -> Result<Vec<StoredEvent>, LogError> {
        let mut events = Vec::new();
        let take: Take<'_> = &mut |event| events.push(event);
        self.through.read_each(&mut self.connection, (after, limit), Portion::All, take).await?;
        Ok(events)
    }

    async fn append(mut self: Box<Self>, batch: &Batch) -> Result<Head, AppendError> {
        let head = append(&mut self.connection, &self.head, batch).await?;
        self.connection.execute("COMMIT").await.map_err(AppendError::Unknown)?;
        self.writer.keep(self.connection);
        Ok(head)
    }
}

async fn answers(executor: impl PgExecutor<'_>, command_ids: &[Uuid]) -> Result<Vec<Answer>, LogError> {
    let rows = sqlx::query(
        "SELECT command_id, fingerprint, aggregate_type, aggregate_id, version, position, events, \
                refusal::text, recorded_at, expires_at \
         FROM commands WHERE command_id = ANY($1)",
    )
    .bind(command_ids)
    .fetch_all(executor)
    .await?;
    Ok(rows.iter().map(answer).collect::<Result<_, _>>()?)
}

async fn link_at(executor: impl PgExecutor<'_>, position: Position) -> Result<(Position, Link), LogError> {
    let row = sqlx::query(
        "SELECT last_position, link FROM log_links WHERE last_position <= $1 ORDER BY last_position DESC LIMIT 1",
    )
    .bind(position)
    .fetch_optional(executor)
    .await?;
    match row {
        Some(row) => Ok((row.try_get(0)?, fixed(row.try_get::<&[u8], _>(1)?)?)),
        None => Ok((0, [0; 32])),
    }
}

pub(super) fn dense(after: i64, found: impl IntoIterator<Item = i64>) -> Result<(), LogError> {
    let mut after = after;
    for found in found {
        if found != after + 1 {
            return Err(LogError::Gap { after, found });
        }
        after = found;
    }
    Ok(())
}
