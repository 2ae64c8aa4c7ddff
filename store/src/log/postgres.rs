//! The log on Postgres: one statement an append, dense positions through the one row of `log_head`.

use async_trait::async_trait;
use domain::AggregateType;
use sqlx::{PgConnection, PgPool, Postgres, Row, Transaction, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Answer, AppendError, Batch, Head, Link, LockedLog, Log, LogError, Position, Sequence, StoredEvent,
    StreamId, link,
};

/// The compare-and-set on the head comes first: everything else joins the row that it returns, so that nothing is
/// written when the head has moved, and the head is locked before any other row. There is no ON CONFLICT: a violation
/// aborts the batch, and its constraint says which rule it broke.
const APPEND: &str = r"
WITH head AS (
    UPDATE log_head SET position = $2, link = $3
    WHERE position = $1 AND incarnation = $4
    RETURNING position
), new_events AS (
    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                        position, event_id, recorded_at, digest)
    SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload::json,
           e.metadata::json, $1 + e.nth, e.event_id, e.recorded_at, e.digest
    FROM head, UNNEST($5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[],
                      $12::uuid[], $13::timestamptz[], $14::bytea[])
         WITH ORDINALITY AS e (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                               event_id, recorded_at, digest, nth)
), new_link AS (
    INSERT INTO log_links (last_position, link) SELECT $2, $3 FROM head WHERE $2 > $1
), new_answers AS (
    INSERT INTO commands (command_id, fingerprint, aggregate_type, aggregate_id, version, position, events, refusal,
                          recorded_at, expires_at)
    SELECT c.command_id, c.fingerprint, c.aggregate_type, c.aggregate_id, c.version, c.position, c.events,
           c.refusal::json, c.recorded_at, c.expires_at
    FROM head, UNNEST($15::uuid[], $16::bytea[], $17::text[], $18::text[], $19::bigint[], $20::bigint[], $21::int[],
                      $22::text[], $23::timestamptz[], $24::timestamptz[])
         AS c (command_id, fingerprint, aggregate_type, aggregate_id, version, position, events, refusal,
               recorded_at, expires_at)
)
SELECT position FROM head";

const COLUMNS: &str = "position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text, \
                       metadata::text, event_id, recorded_at";

/// The log in a Postgres schema, which the pool's `search_path` names.
#[derive(Clone, Debug)]
pub struct PostgresLog {
    pool: PgPool,
}

impl PostgresLog {
    /// The log that this pool's connections see.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
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
        let sql = format!(
            "SELECT {COLUMNS} FROM events \
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence > $3 ORDER BY sequence"
        );
        let rows = sqlx::query(&sql)
            .bind(stream.aggregate_type.as_str())
            .bind(&*stream.id)
            .bind(after)
            .fetch_all(&self.pool)
            .await?;
        let events = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
        dense(after, events.iter().map(|event| event.sequence))?;
        Ok(events)
    }

    async fn read(&self, after: Position, limit: i64) -> Result<Vec<StoredEvent>, LogError> {
        read(&mut *self.pool.acquire().await?, after, limit).await
    }

    async fn append(&self, head: &Head, batch: &Batch) -> Result<Head, AppendError> {
        let mut connection = self.pool.acquire().await.map_err(AppendError::Unknown)?;
        append(&mut connection, head, batch).await
    }

    async fn lock(&self) -> Result<Box<dyn LockedLog>, LogError> {
        let mut transaction = self.pool.begin().await?;
        let row = sqlx::query("SELECT position, link, incarnation FROM log_head FOR UPDATE")
            .fetch_one(&mut *transaction)
            .await?;
        let head = head_of(&row)?;
        Ok(Box::new(Locked { transaction, head }))
    }

    async fn answers(&self, command_ids: &[Uuid]) -> Result<Vec<Answer>, LogError> {
        let rows = sqlx::query(
            "SELECT command_id, fingerprint, aggregate_type, aggregate_id, version, position, events, \
                    refusal::text, recorded_at, expires_at \
             FROM commands WHERE command_id = ANY($1)",
        )
        .bind(command_ids)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.iter().map(answer).collect::<Result<_, _>>()?)
    }

    async fn link_at(&self, position: Position) -> Result<(Position, Link), LogError> {
        let row = sqlx::query(
            "SELECT last_position, link FROM log_links WHERE last_position <= $1 ORDER BY last_position DESC LIMIT 1",
        )
        .bind(position)
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some(row) => Ok((row.try_get(0)?, fixed(row.try_get::<&[u8], _>(1)?)?)),
            None => Ok((0, [0; 32])),
        }
    }
}

struct Locked {
    transaction: Transaction<'static, Postgres>,
    head: Head,
}

#[async_trait]
impl LockedLog for Locked {
    fn head(&self) -> Head {
        self.head
    }

    async fn read(&mut self, after: Position, limit: i64) -> Result<Vec<StoredEvent>, LogError> {
        read(&mut self.transaction, after, limit).await
    }

    async fn append(mut self: Box<Self>, batch: &Batch) -> Result<Head, AppendError> {
        let head = append(&mut self.transaction, &self.head, batch).await?;
        self.transaction.commit().await.map_err(AppendError::Unknown)?;
        Ok(head)
    }
}

async fn read(
    connection: &mut PgConnection,
    after: Position,
    limit: i64,
) -> Result<Vec<StoredEvent>, LogError> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE position > $1 ORDER BY position LIMIT $2");
    let rows = sqlx::query(&sql).bind(after).bind(limit).fetch_all(connection).await?;
    let events = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
    dense(after, events.iter().map(|event| event.position))?;
    Ok(events)
}

async fn append(connection: &mut PgConnection, head: &Head, batch: &Batch) -> Result<Head, AppendError> {
    let last = head.position + batch.events.len() as i64;
    let link = if batch.events.is_empty() {
        head.link
    } else {
        link(&head.link, last, batch.events.iter().map(|event| &event.digest))
    };
    let events = &batch.events;
    let answers = &batch.answers;
    let row = sqlx::query(APPEND)
        .bind(head.position)
        .bind(last)
        .bind(&link[..])
        .bind(head.incarnation)
        .bind(column(events, |event| event.stream.aggregate_type.as_str()))
        .bind(column(events, |event| &*event.stream.id))
        .bind(column(events, |event| event.sequence))
        .bind(column(events, |event| event.event_type))
        .bind(column(events, |event| event.event_version))
        .bind(column(events, |event| event.payload.as_str()))
        .bind(column(events, |event| event.metadata.as_str()))
        .bind(column(events, |event| event.event_id))
        .bind(column(events, |event| moment(event.recorded_at_us)))
        .bind(column(events, |event| &event.digest[..]))
        .bind(column(answers, |answer| answer.command_id))
        .bind(column(answers, |answer| &answer.fingerprint[..]))
        .bind(column(answers, |answer| answer.stream.aggregate_type.as_str()))
        .bind(column(answers, |answer| &*answer.stream.id))
        .bind(column(answers, |answer| answer.version))
        .bind(column(answers, |answer| answer.position))
        .bind(column(answers, |answer| answer.events))
        .bind(column(answers, |answer| answer.refusal.as_deref()))
        .bind(column(answers, |answer| moment(answer.recorded_at_us)))
        .bind(column(answers, |answer| answer.expires_at_us.map(moment)))
        .fetch_optional(connection)
        .await
        .map_err(append_error)?;
    match row {
        Some(_) => Ok(Head { position: last, link, incarnation: head.incarnation }),
        None => Err(AppendError::Missed),
    }
}

fn column<'a, T, C>(rows: &'a [T], value: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}

fn append_error(error: sqlx::Error) -> AppendError {
    match &error {
        sqlx::Error::Database(database) => match database.constraint() {
            Some("commands_id") => AppendError::Answered,
            Some("events_stream" | "events_position" | "log_links_position") => AppendError::StreamMoved,
            // Class 57: the server is being shut down or killed this session; class 08: the connection; 25P03 and 55P03:
            // the session or the head's lock waited too long.
            _ if database.code().is_some_and(|code| {
                code.starts_with("57") || code.starts_with("08") || code == "25P03" || code == "55P03"
            }) =>
            {
                AppendError::Unknown(error)
            }
            _ => AppendError::Refused(error),
        },
        sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            AppendError::Refused(error)
        }
        _ => AppendError::Unknown(error),
    }
}

fn dense(after: i64, found: impl Iterator<Item = i64>) -> Result<(), LogError> {
    let mut after = after;
    for found in found {
        if found != after + 1 {
            return Err(LogError::Gap { after, found });
        }
        after = found;
    }
    Ok(())
}

fn head_of(row: &PgRow) -> Result<Head, sqlx::Error> {
    Ok(Head {
        position: row.try_get(0)?,
        link: fixed(row.try_get::<&[u8], _>(1)?)?,
        incarnation: row.try_get(2)?,
    })
}

fn stored(row: &PgRow) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        position: row.try_get(0)?,
        aggregate_type: row.try_get::<&str, _>(1)?.into(),
        aggregate_id: row.try_get::<&str, _>(2)?.into(),
        sequence: row.try_get(3)?,
        event_type: row.try_get::<&str, _>(4)?.into(),
        event_version: row.try_get::<&str, _>(5)?.into(),
        payload: row.try_get::<&str, _>(6)?.into(),
        metadata: row.try_get::<&str, _>(7)?.into(),
        event_id: row.try_get(8)?,
        recorded_at_us: micros(row.try_get(9)?),
    })
}

fn answer(row: &PgRow) -> Result<Answer, sqlx::Error> {
    let aggregate_type: AggregateType = row
        .try_get::<&str, _>(2)?
        .parse()
        .map_err(|error: domain::UnknownAggregate| sqlx::Error::Decode(error.into()))?;
    Ok(Answer {
        command_id: row.try_get(0)?,
        fingerprint: fixed(row.try_get::<&[u8], _>(1)?)?,
        stream: StreamId { aggregate_type, id: row.try_get::<&str, _>(3)?.into() },
        version: row.try_get(4)?,
        position: row.try_get(5)?,
        events: row.try_get(6)?,
        refusal: row.try_get(7)?,
        recorded_at_us: micros(row.try_get(8)?),
        expires_at_us: row.try_get::<Option<OffsetDateTime>, _>(9)?.map(micros),
    })
}

fn fixed(bytes: &[u8]) -> Result<[u8; 32], sqlx::Error> {
    bytes.try_into().map_err(|_| sqlx::Error::Decode(format!("{} bytes where 32 belong", bytes.len()).into()))
}

fn moment(micros: i64) -> OffsetDateTime {
    // Any i64 of microseconds that a clock gives is within the years that OffsetDateTime holds.
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

pub(crate) fn micros(moment: OffsetDateTime) -> i64 {
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}
