//! Streams that a projection could not take: set aside, one by one, until somebody sees to them.

use std::{collections::HashSet, sync::Arc};

use sqlx::{Acquire as _, PgConnection, PgExecutor, PgPool, Row};
use time::OffsetDateTime;

use super::{
    Applied, ApplyError, Left, Projection, Remedied, Remedy, RemedyError, remedy::Locked, skipped,
    skipped::Leaving,
};
use crate::{
    feed::Entry,
    log::{Decoded, Log, Position, Recorded, StoredEvent, StreamId, decode_stream, without_meaning},
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
    /// Since when.
    pub parked_at: OffsetDateTime,
}

crate::from_row!(ParkedStream { follower, aggregate_type, aggregate_id, first_position, reason, parked_at });

/// The keys of what a follower has set aside, as `Entry::key` has them.
pub(super) type Keys = HashSet<(Arc<str>, Arc<str>)>;

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
        "a stream is parked: this follower goes on without it until somebody sees to it"
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
    pub async fn list(executor: impl PgExecutor<'_>) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query_as("SELECT * FROM parked_streams ORDER BY follower, first_position");
        rows.fetch_all(executor).await
    }
}

/// Sees to a stream that a projection has set aside, whichever process follows: applies what it has missed up to the
/// projection's checkpoint, as far as that goes, without what is to be left out.
///
/// # Errors
/// When the stream is not set aside, another event than was named is its first, or a database fails; then nothing has
/// changed.
pub async fn see_to(
    pool: &PgPool,
    log: &dyn Log,
    projection: &dyn Projection,
    stream: &StreamId,
    remedy: &Remedy,
) -> Result<Remedied, RemedyError> {
    let name = projection.name();
    let head = log.head().await?;
    let mut transaction = crate::transaction::begin(pool).await?;
    // The checkpoint's lock keeps the follower from moving on in the meantime.
    let locked = Locked::of(&mut transaction, name).await?;
    let first: Option<Position> = sqlx::query_scalar(
        "SELECT first_position FROM parked_streams \
         WHERE follower = $1 AND aggregate_type = $2 AND aggregate_id = $3",
    )
    .bind(name)
    .bind(stream.aggregate_type.as_str())
    .bind(&*stream.id)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some((locked, first)) = locked.zip(first) else {
        return Err(RemedyError::NotAside { follower: name.to_owned(), what: stream.to_string() });
    };
    locked.is_of(&head)?;
    let all = log.load(stream, 0).await?;
    // What comes later may be of a newer program, and is not asked for.
    let known =
        all.iter().zip(decode_stream(&all)).take_while(|(event, _)| event.position <= locked.position);
    let known = known.filter(|(event, _)| event.position >= first);
    let (missed, decoded): (Vec<StoredEvent>, Vec<Decoded>) =
        known.map(|(event, decoded)| (event.clone(), decoded)).unzip();
    let (leave_out, reason) = match remedy {
        Remedy::Retry => (vec![], None),
        Remedy::Skip { position, .. } if *position != first => {
            return Err(RemedyError::NotFirst { what: stream.to_string(), first, named: *position });
        }
        Remedy::Skip { reason, .. } => (missed.iter().take(1).cloned().collect(), reason.as_deref()),
        Remedy::Release { reason } => (missed.clone(), Some(reason.as_str())),
    };
    let aside = stream.to_string();
    let leaving = Leaving { follower: name, aside: &aside, events: &leave_out, reason };
    leaving.write(&mut transaction).await?;
    let skipped = skipped::ids(&mut transaction, name).await?;
    let read = missed.iter().zip(decoded).map(|(event, decoded)| match skipped.contains(&event.event_id) {
        true => (event.position, without_meaning(event)),
        false => (event.position, decoded),
    });
    let (applied, failed) = apply_missed(&mut transaction, projection, read.collect()).await?;
    let mut sums = Applied::default();
    for event in missed[..applied].iter().filter(|event| event.position > locked.counted_after) {
        sums.add(&event.aggregate_type, event.event_id, event.position);
    }
    sums.write(&mut transaction, name, locked.position).await?;
    let left = left(&mut transaction, name, stream, failed).await?;
    transaction.commit().await?;
    leaving.tell();
    let left_out = missed[..applied].iter().filter(|event| skipped.contains(&event.event_id)).count();
    Ok(Remedied { taken: applied - left_out, skipped: leaving.positions(), left })
}

/// Where an event cannot be taken, and why.
type Failed = (Position, String);

/// Applies what was missed, as far as that goes: how many events that is, and what the next one fails at.
async fn apply_missed(
    connection: &mut PgConnection,
    projection: &dyn Projection,
    missed: Vec<(Position, Decoded)>,
) -> Result<(usize, Option<Failed>), RemedyError> {
    let (mut readable, mut unread) = (Vec::<Recorded>::new(), None);
    for (position, decoded) in missed {
        match decoded {
            Ok(recorded) => readable.push(recorded),
            Err(error) => {
                unread = Some((position, error.to_string()));
                break;
            }
        }
    }
    let mut savepoint = connection.begin().await?;
    match projection.apply(&mut savepoint, &readable.iter().collect::<Vec<_>>()).await {
        Ok(()) => {
            savepoint.commit().await?;
            return Ok((readable.len(), unread));
        }
        Err(error) if error.is_poison() => savepoint.rollback().await?,
        Err(error) => return Err(error.into()),
    }
    for (applied, event) in readable.iter().enumerate() {
        let mut savepoint = connection.begin().await?;
        match projection.apply(&mut savepoint, &[event]).await {
            Ok(()) => savepoint.commit().await?,
            Err(error) if error.is_poison() => {
                savepoint.rollback().await?;
                return Ok((applied, Some((event.position, error.to_string()))));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((readable.len(), unread))
}

/// Writes down what still waits.
async fn left(
    connection: &mut PgConnection,
    follower: &str,
    stream: &StreamId,
    failed: Option<Failed>,
) -> Result<Left, ApplyError> {
    let sql = match &failed {
        None => {
            "DELETE FROM parked_streams WHERE follower = $1 AND aggregate_type = $2 AND aggregate_id = $3"
        }
        Some(_) => {
            "UPDATE parked_streams SET first_position = $4, reason = $5 \
             WHERE follower = $1 AND aggregate_type = $2 AND aggregate_id = $3"
        }
    };
    let mut query = sqlx::query(sql).bind(follower).bind(stream.aggregate_type.as_str()).bind(&*stream.id);
    if let Some((position, reason)) = &failed {
        query = query.bind(position).bind(reason);
    }
    query.execute(connection).await?;
    Ok(failed.map_or(Left::Nothing, |(position, reason)| Left::Failed { position, reason }))
}
