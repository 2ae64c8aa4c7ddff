//! Snapshots: the state of a long stream after one of its events, so that a load reads only what came later.
//!
//! A snapshot is a copy that may be thrown away. It counts only for the program that folds as its writer did, and only
//! while the log holds the very event that it was taken after.

use sqlx::PgPool;

use super::{Head, Sequence, StreamId};

/// Names how this program folds: a hash of the domain's and the upcasters' sources. Another program's snapshots are passed
/// over, since a state that is shaped alike may still mean something else.
pub const FOLD: &str = env!("DAYBOOK_FOLD");

/// A state worth keeping.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Whose.
    pub stream: StreamId,
    /// The last event in it.
    pub sequence: Sequence,
    /// As JSON.
    pub state: String,
}

/// A stream's events from its snapshot on; the first row is then the event that it was taken after, with the state beside.
/// Without one, or with one of another fold or log, all events; of those that were put away the sequence alone. `$3` is
/// the fold.
pub const HISTORY: &str = "
WITH kept AS MATERIALIZED (
    SELECT sequence, s.state FROM snapshots s JOIN events e USING (aggregate_type, aggregate_id, sequence)
    WHERE s.aggregate_type = $1 AND s.aggregate_id = $2 AND s.fold = $3 AND s.event_id = e.event_id
)
SELECT sequence, event_type, event_version, payload,
       CASE WHEN sequence = (SELECT sequence FROM kept) THEN (SELECT state FROM kept) END
FROM events
WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence >= COALESCE((SELECT sequence FROM kept), 1)
UNION ALL
SELECT sequence, NULL, NULL, NULL, NULL FROM archived_events
WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence >= COALESCE((SELECT sequence FROM kept), 1)
ORDER BY sequence";

/// The link proves that the log still holds everything that the state was folded from.
const SAVE: &str = "
INSERT INTO snapshots (aggregate_type, aggregate_id, fold, sequence, event_id, state)
SELECT aggregate_type, aggregate_id, $4, sequence, event_id, $5::json FROM events
WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3
  AND EXISTS (SELECT FROM log_head WHERE incarnation = $6)
  AND EXISTS (SELECT FROM log_links WHERE last_position = $7 AND link = $8)
ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE
SET fold = excluded.fold, sequence = excluded.sequence, event_id = excluded.event_id, state = excluded.state,
    saved_at = now()
WHERE snapshots.fold <> excluded.fold OR snapshots.sequence <= excluded.sequence
   OR snapshots.event_id NOT IN (SELECT event_id FROM events e WHERE e.aggregate_type = excluded.aggregate_type
                                 AND e.aggregate_id = excluded.aggregate_id AND e.sequence = snapshots.sequence)";

/// Keeps a state that was folded from the log up to `head`.
///
/// # Errors
/// The database's.
pub async fn save(pool: &PgPool, head: &Head, snapshot: &Snapshot) -> Result<(), sqlx::Error> {
    sqlx::query(SAVE)
        .bind(snapshot.stream.aggregate_type.as_str())
        .bind(&*snapshot.stream.id)
        .bind(snapshot.sequence)
        .bind(FOLD)
        .bind(&snapshot.state)
        .bind(head.incarnation)
        .bind(head.position)
        .bind(&head.link[..])
        .execute(pool)
        .await?;
    Ok(())
}
