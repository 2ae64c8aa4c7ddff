//! Reads the log where some of its events were put away: rows where there are rows, and files where there are not.
//!
//! The log's last event is never put away, and neither is a part of a stream but from its beginning. So a gap between rows
//! is where files have to be looked at, and without one nothing more is asked than a log without an archive asks.

use std::sync::atomic::{AtomicI64, Ordering};

use futures::TryStreamExt as _;
use sqlx::{PgConnection, PgPool, Row as _, ValueRef as _, postgres::PgRow};

use super::{
    LogError, Portion, Position, Sequence, StoredEvent, StreamId, Take,
    row::{COLUMNS, NAME_COLUMNS, THIN_COLUMNS, stored},
};
use crate::archive::{Archive, ArchiveError, Place};

/// What [`COLUMNS`] are of an event that was put away.
const AWAY: &str = "position, aggregate_type, aggregate_id, sequence, NULL, NULL, NULL, NULL, NULL, NULL";
/// Where the rows of one stream are.
const OF_STREAM: &str =
    "WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 AND sequence <= $4";

/// What a log knows of its archive.
#[derive(Debug, Default)]
pub(super) struct Through {
    archive: Archive,
    /// Up to where events were put away, as far as is known: behind it, rows alone are read until they have a gap.
    end: AtomicI64,
}

/// How far a reading came.
struct Reached {
    position: Position,
    /// How many more events are wanted.
    left: i64,
    why: Why,
}

enum Why {
    /// There is no more, or no more is wanted.
    Done,
    /// The next row is that of another position.
    Gap { found: Position },
    /// The next event was put into a file whose name is to be learnt.
    NewFile { place: Place },
}

impl Through {
    pub(super) const fn new(archive: Archive) -> Self {
        Self { archive, end: AtomicI64::new(0) }
    }

    /// At most so many events after a position, in order and without a gap; returns the last position.
    pub(super) async fn read_each(
        &self,
        connection: &mut PgConnection,
        (after, limit): (Position, i64),
        portion: Portion<'_>,
        take: Take<'_>,
    ) -> Result<Position, LogError> {
        // What is read of rows alone, and of rows beside files, where it is not asked which kinds are unwanted.
        let (alone, beside, unwanted) = match portion {
            Portion::But(kinds) if !kinds.is_empty() => (THIN_COLUMNS, COLUMNS, kinds),
            Portion::All | Portion::But(_) => (COLUMNS, COLUMNS, &[][..]),
            Portion::Names => (NAME_COLUMNS, NAME_COLUMNS, &[][..]),
        };
        let unwanted: Vec<&str> = unwanted.iter().map(|kind| kind.as_str()).collect();
        let mut reached = Reached { position: after, left: limit, why: Why::Done };
        if after >= self.end.load(Ordering::Relaxed) {
            reached = rows(connection, reached, (alone, &unwanted), take).await?;
            let Why::Gap { found } = reached.why else { return Ok(reached.position) };
            if self.look(connection).await? <= reached.position {
                return Err(LogError::Gap { after: reached.position, found });
            }
        }
        let mut learnt = None;
        loop {
            reached = self.rows_and_files(connection, reached, (beside, &unwanted), take).await?;
            match reached.why {
                Why::Done => return Ok(reached.position),
                Why::Gap { found } => return Err(LogError::Gap { after: reached.position, found }),
                Why::NewFile { place } if learnt == Some(place) => {
                    let position = reached.position + 1;
                    return Err(ArchiveError::NoFile { position, file: place.file }.into());
                }
                Why::NewFile { place } => learnt = Some(place),
            }
            self.archive.learn(connection).await?;
        }
    }

    /// The same where some were put away.
    async fn rows_and_files(
        &self,
        connection: &mut PgConnection,
        Reached { position: after, left: limit, .. }: Reached,
        (columns, unwanted): (&str, &[&str]),
        take: Take<'_>,
    ) -> Result<Reached, LogError> {
        // Bounded and in order each for itself: the whole rest of both would be read and sorted otherwise.
        let page = "WHERE position > $1 ORDER BY position LIMIT $2";
        let sql = format!(
            "(SELECT {columns}, NULL::int, NULL::int FROM events {page}) UNION ALL \
             (SELECT {AWAY}, file, place FROM archived_events {page}) ORDER BY 1 LIMIT $2"
        );
        let mut rows = sqlx::query(&sql).bind(after).bind(limit).fetch(connection);
        let mut reached = Reached { position: after, left: limit, why: Why::Done };
        while let Some(row) = rows.try_next().await? {
            let found: Position = row.try_get(0)?;
            if found != reached.position + 1 {
                return Ok(Reached { why: Why::Gap { found }, ..reached });
            }
            if !unwanted.contains(&row.try_get(1)?) {
                take(match place(&row)? {
                    None => stored(&row)?,
                    Some(place) if !self.archive.knows(place.file) => {
                        return Ok(Reached { why: Why::NewFile { place }, ..reached });
                    }
                    Some(place) => self.put_away(&row, place).await?,
                });
            }
            (reached.position, reached.left) = (found, reached.left - 1);
        }
        Ok(reached)
    }

    /// The events of a stream after a sequence and up to another, of which the first was put away.
    pub(super) async fn load(
        &self,
        pool: &PgPool,
        stream: &StreamId,
        (after, upto): (Sequence, Sequence),
    ) -> Result<Vec<StoredEvent>, LogError> {
        let sql = format!(
            "SELECT {COLUMNS}, NULL::int, NULL::int FROM events {OF_STREAM} UNION ALL \
             SELECT {AWAY}, file, place FROM archived_events {OF_STREAM} ORDER BY 4"
        );
        let mut connection = pool.acquire().await?;
        let rows = sqlx::query(&sql)
            .bind(stream.aggregate_type.as_str())
            .bind(&*stream.id)
            .bind(after)
            .bind(upto)
            .fetch_all(&mut *connection)
            .await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            events.push(match place(row)? {
                None => stored(row)?,
                Some(place) => {
                    if !self.archive.knows(place.file) {
                        self.archive.learn(&mut connection).await?;
                    }
                    self.put_away(row, place).await?
                }
            });
        }
        Ok(events)
    }

    /// Up to where events are put away by now.
    async fn look(&self, connection: &mut PgConnection) -> Result<Position, sqlx::Error> {
        let end = sqlx::query_scalar("SELECT coalesce(max(last_position), 0) FROM archive_files")
            .fetch_one(connection)
            .await?;
        self.end.fetch_max(end, Ordering::Relaxed);
        Ok(end)
    }

    async fn put_away(&self, row: &PgRow, place: Place) -> Result<StoredEvent, LogError> {
        let position = row.try_get(0)?;
        let event = self.archive.event(place, position).await?;
        let same = *event.aggregate_type == *row.try_get::<&str, _>(1)?
            && *event.aggregate_id == *row.try_get::<&str, _>(2)?
            && event.sequence == row.try_get::<Sequence, _>(3)?;
        if same { Ok(event) } else { Err(ArchiveError::Elsewhere { position, file: place.file }.into()) }
    }
}

/// Whole events of a part of a stream; the first row says whether some were put away.
pub(super) fn part_of_stream() -> String {
    format!(
        "SELECT {COLUMNS} FROM events {OF_STREAM} UNION ALL \
         SELECT {AWAY} FROM archived_events {OF_STREAM} ORDER BY sequence"
    )
}

/// Whether a row stands for an event that was put away: then nothing is in this column.
pub(super) fn is_away(row: &PgRow, column: usize) -> Result<bool, sqlx::Error> {
    Ok(row.try_get_raw(column)?.is_null())
}

/// Where the event is, if it was put away.
fn place(row: &PgRow) -> Result<Option<Place>, sqlx::Error> {
    let (file, block): (Option<i32>, Option<i32>) = (row.try_get(10)?, row.try_get(11)?);
    Ok(file.zip(block).map(|(file, block)| Place { file, block }))
}

/// These columns of rows alone, up to the first gap, but for kinds of aggregates that nobody wants.
async fn rows(
    connection: &mut PgConnection,
    Reached { position: after, left: limit, .. }: Reached,
    (columns, unwanted): (&str, &[&str]),
    take: Take<'_>,
) -> Result<Reached, LogError> {
    let sql = format!("SELECT {columns} FROM events WHERE position > $1 ORDER BY position LIMIT $2");
    let query = sqlx::query(&sql).bind(after).bind(limit);
    let query = if unwanted.is_empty() { query } else { query.bind(unwanted) };
    let mut rows = query.fetch(connection);
    let mut reached = Reached { position: after, left: limit, why: Why::Done };
    while let Some(row) = rows.try_next().await? {
        let found: Position = row.try_get(0)?;
        if found != reached.position + 1 {
            return Ok(Reached { why: Why::Gap { found }, ..reached });
        }
        (reached.position, reached.left) = (found, reached.left - 1);
        if !unwanted.contains(&row.try_get(1)?) {
            take(stored(&row)?);
        }
    }
    Ok(reached)
}
