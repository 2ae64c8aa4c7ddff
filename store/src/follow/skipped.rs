//! Events that a follower goes on without, because somebody said so: now, and when it goes through the log again.

use std::collections::HashSet;

use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::log::{Position, StoredEvent};

/// An event that a follower goes on without.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SkippedEvent {
    /// Who.
    pub follower: String,
    /// Which event.
    pub position: Position,
    /// The stream that it is of.
    pub stream: String,
    /// Why, if somebody said so.
    pub reason: Option<String>,
    /// When that was said.
    pub skipped_at: OffsetDateTime,
}

impl SkippedEvent {
    /// All of a schema, follower by follower, in their order.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(pool: &PgPool) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query_as(
            "SELECT follower, position, stream, reason, skipped_at FROM skipped_events ORDER BY follower, position",
        );
        rows.fetch_all(pool).await
    }
}

/// The ids of all that a follower goes on without. Whoever follows reads them when it begins: what is skipped later has
/// been passed already.
pub(super) async fn ids(
    connection: &mut PgConnection,
    follower: &str,
) -> Result<HashSet<Uuid>, sqlx::Error> {
    let ids = sqlx::query_scalar("SELECT event_id FROM skipped_events WHERE follower = $1").bind(follower);
    Ok(ids.fetch_all(connection).await?.into_iter().collect())
}

/// Writes down that a follower goes on without these.
pub(super) async fn write(
    connection: &mut PgConnection,
    follower: &str,
    events: &[StoredEvent],
    reason: Option<&str>,
) -> Result<(), sqlx::Error> {
    let stream = |event: &StoredEvent| format!("{}-{}", event.aggregate_type, event.aggregate_id);
    for event in events {
        tracing::warn!(
            follower, position = event.position, stream = %stream(event), reason,
            "an event is skipped: this follower goes on without it for good"
        );
    }
    sqlx::query(
        "INSERT INTO skipped_events (follower, event_id, position, stream, reason) \
         SELECT $1, event_id, position, stream, $5 \
         FROM UNNEST($2::uuid[], $3::bigint[], $4::text[]) AS e (event_id, position, stream) ON CONFLICT DO NOTHING",
    )
    .bind(follower)
    .bind(events.iter().map(|event| event.event_id).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.position).collect::<Vec<_>>())
    .bind(events.iter().map(stream).collect::<Vec<_>>())
    .bind(reason)
    .execute(connection)
    .await
    .map(drop)
}
