//! Streams that a projection could not take: set aside, one by one, until somebody releases them.

use std::collections::HashSet;

use sqlx::{PgConnection, PgPool, Row};

use super::{ApplyError, Projection};
use crate::{
    feed::Entry,
    log::{Log, Position, StreamId, decode_stream},
};

/// A stream that a follower has set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedStream {
    /// Who set it aside.
    pub follower: String,
    /// The aggregate's type, as stored.
    pub aggregate_type: String,
    /// The aggregate's id.
    pub aggregate_id: String,
    /// The first event that was not applied.
    pub first_position: Position,
    /// Why.
    pub reason: String,
}

/// The keys of what a follower has set aside, as `Entry::key` has them.
pub(super) type Keys = HashSet<(Box<str>, Box<str>)>;

pub(super) async fn keys(connection: &mut PgConnection, follower: &str) -> Result<Keys, sqlx::Error> {
    let rows = sqlx::query("SELECT aggregate_type, aggregate_id FROM parked_streams WHERE follower = $1")
        .bind(follower)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get::<&str, _>(0)?.into(), row.try_get::<&str, _>(1)?.into())))
        .collect()
}

pub(super) async fn park(
    connection: &mut PgConnection,
    follower: &str,
    entry: &Entry,
    reason: &str,
) -> Result<(), sqlx::Error> {
    tracing::error!(
        follower, position = entry.position, stream = %format!("{}-{}", entry.key.0, entry.key.1), reason,
        "a stream is parked: this follower goes on without it until it is released"
    );
    sqlx::query(
        "INSERT INTO parked_streams (follower, aggregate_type, aggregate_id, first_position, reason) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(follower)
    .bind(&*entry.key.0)
    .bind(&*entry.key.1)
    .bind(entry.position)
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(())
}

impl ParkedStream {
    /// Everything that the followers of this schema have set aside.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(pool: &PgPool) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT follower, aggregate_type, aggregate_id, first_position, reason FROM parked_streams \
             ORDER BY follower, first_position",
        )
        .fetch_all(pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Self {
                    follower: row.try_get(0)?,
                    aggregate_type: row.try_get(1)?,
                    aggregate_id: row.try_get(2)?,
                    first_position: row.try_get(3)?,
                    reason: row.try_get(4)?,
                })
            })
            .collect()
    }
}

/// Applies what a parked stream has missed, from the log up to the projection's checkpoint, and lets it follow again. How
/// many events that were; `None` when the stream is not parked.
///
/// # Errors
/// When the stream is still not to be taken: then it stays parked and nothing has changed.
pub async fn release(
    pool: &PgPool,
    log: &dyn Log,
    projection: &dyn Projection,
    stream: &StreamId,
) -> Result<Option<usize>, ApplyError> {
    let mut transaction = pool.begin().await?;
    // The checkpoint's lock keeps the follower from moving on in the meantime.
    let checkpoint: Option<Position> =
        sqlx::query_scalar("SELECT position FROM followers WHERE name = $1 FOR UPDATE")
            .bind(projection.name())
            .fetch_optional(&mut *transaction)
            .await?;
    let Some(checkpoint) = checkpoint else { return Ok(None) };
    let first: Option<Position> = sqlx::query_scalar(
        "DELETE FROM parked_streams WHERE follower = $1 AND aggregate_type = $2 AND aggregate_id = $3 \
         RETURNING first_position",
    )
    .bind(projection.name())
    .bind(stream.aggregate_type.as_str())
    .bind(&*stream.id)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(first) = first else { return Ok(None) };
    let all = log.load(stream, 0).await?;
    // What comes later may be of a newer program, and is not asked for.
    let known = decode_stream(&all).zip(&all).take_while(|(_, event)| event.position <= checkpoint);
    let missed = known.filter(|(_, event)| event.position >= first);
    let missed = missed.map(|(recorded, _)| recorded.map_err(|error| ApplyError::poison(&error)));
    let missed = missed.collect::<Result<Vec<_>, _>>()?;
    projection.apply(&mut transaction, &missed.iter().collect::<Vec<_>>()).await?;
    transaction.commit().await?;
    Ok(Some(missed.len()))
}
