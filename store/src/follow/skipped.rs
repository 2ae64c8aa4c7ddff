//! Events that a follower goes on without, because somebody said so: now, and when it goes through the log again.

use std::{collections::HashSet, sync::Arc};

use sqlx::{PgConnection, PgPool, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::log::{Position, StoredEvent};

/// An event that a follower goes on without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedEvent {
    /// Who.
    pub follower: String,
    /// Which event.
    pub position: Position,
    /// The stream, or the instance, that was set aside with it.
    pub aside: String,
    /// Why, if somebody said so.
    pub reason: Option<String>,
    /// When that was said.
    pub skipped_at: OffsetDateTime,
}

crate::from_row!(SkippedEvent { follower, position, aside, reason, skipped_at });

impl SkippedEvent {
    /// All of a schema, follower by follower, in their order.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(pool: &PgPool) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query_as(
            "SELECT follower, position, aside, reason, skipped_at FROM skipped_events ORDER BY follower, position",
        );
        rows.fetch_all(pool).await
    }
}

/// All that a follower goes on without: the ids of events, with what was set aside with each. Whoever follows reads them
/// when it begins: what is skipped later has been passed already.
pub(super) async fn all(
    connection: &mut PgConnection,
    follower: &str,
) -> Result<HashSet<(Uuid, Arc<str>)>, sqlx::Error> {
    let rows = sqlx::query("SELECT event_id, aside FROM skipped_events WHERE follower = $1")
        .bind(follower)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<&str, _>(1)?.into()))).collect()
}

/// The ids of the events that a projection goes on without, in the schema that the connection sees; a projection sets aside
/// streams alone.
///
/// # Errors
/// The database's.
pub async fn ids(connection: &mut PgConnection, projection: &str) -> Result<HashSet<Uuid>, sqlx::Error> {
    Ok(all(connection, projection).await?.into_iter().map(|(id, _)| id).collect())
}

/// Events that are to be left out, and what was set aside with them.
#[derive(Clone, Copy)]
pub(super) struct Leaving<'a> {
    pub follower: &'a str,
    pub aside: &'a str,
    pub events: &'a [StoredEvent],
    pub reason: Option<&'a str>,
}

impl Leaving<'_> {
    /// Writes them down.
    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO skipped_events (follower, aside, event_id, position, reason) \
             SELECT $1, $2, event_id, position, $5 \
             FROM UNNEST($3::uuid[], $4::bigint[]) AS e (event_id, position) ON CONFLICT DO NOTHING",
        )
        .bind(self.follower)
        .bind(self.aside)
        .bind(self.events.iter().map(|event| event.event_id).collect::<Vec<_>>())
        .bind(self.positions())
        .bind(self.reason)
        .execute(connection)
        .await
        .map(drop)
    }

    /// Says so, once it is certain.
    pub(super) fn tell(&self) {
        let Self { follower, aside, reason, .. } = *self;
        for StoredEvent { position, .. } in self.events {
            tracing::warn!(follower, position, aside, reason, "an event is skipped for good");
        }
    }

    pub(super) fn positions(&self) -> Vec<Position> {
        self.events.iter().map(|event| event.position).collect()
    }
}
