//! Which streams may be put away: closed by their own state, old enough, and nothing points at them any more.

use std::{collections::HashMap, sync::Arc};

use domain::{AggregateType, AnyState};
use futures::TryStreamExt as _;
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::{ArchivingError, file::Leaving};
use crate::{
    follow::LEASES_ALONE,
    log::{
        COLUMNS, Log, LogError, Position, StoredEvent, StreamId, decode_stream, digest, fixed, moment_us,
        stored,
    },
};

/// Events that are looked at together.
const SLICE: i64 = 20_000;

/// Streams that stay where they are, by the first reason that was found, of the kinds that are ever closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Their newest event is not old enough.
    pub young: u64,
    /// A follower has not passed them, or they hold the log's last event.
    pub followed: u64,
    /// A timer, an event that was set aside, or a stream that was set aside points at them.
    pub awaited: u64,
    /// Something more is expected of them.
    pub open: u64,
    /// They hold an event that this program does not know.
    pub unreadable: u64,
    /// The follower that is furthest behind, if any streams wait for it, and its checkpoint.
    pub held_back_by: Option<(String, Position)>,
}

/// All streams that pass everything but their own state, in the order of their last positions.
pub(super) struct Candidates {
    /// How many events they have.
    pub events: i64,
    /// Up to where they were looked at, in their events.
    pub looked: i64,
}

/// How far the slowest follower has come, and who that is.
struct Slowest {
    name: Option<String>,
    position: Position,
}

impl Candidates {
    /// Writes them into a table of this connection.
    pub(super) async fn find(
        connection: &mut PgConnection,
        followers: &[PgPool],
        before_us: i64,
        kept: &mut Kept,
    ) -> Result<Self, ArchivingError> {
        let (head, incarnation): (Position, Uuid) =
            sqlx::query_as("SELECT position, incarnation FROM log_head").fetch_one(&mut *connection).await?;
        // Before the streams are read: what a follower passes meanwhile is none of theirs that it had not passed.
        let mut slowest = Slowest { name: None, position: head - 1 };
        slowest.look(connection, incarnation).await?;
        let (mut types, mut ids) = parked(connection).await?;
        for pool in followers {
            let mut other = pool.acquire().await?;
            slowest.look(&mut other, incarnation).await?;
            let (more_types, more_ids) = parked(&mut other).await?;
            types.extend(more_types);
            ids.extend(more_ids);
        }
        sqlx::raw_sql(
            "DROP TABLE IF EXISTS pg_temp.archive_streams, pg_temp.archive_candidates;
             CREATE TEMP TABLE archive_streams (
                 aggregate_type text, aggregate_id text, last_position bigint, events bigint, newest timestamptz)",
        )
        .execute(&mut *connection)
        .await?;
        let ending: Vec<_> =
            AggregateType::ALL.iter().filter(|known| known.ends()).map(|known| known.as_str()).collect();
        sqlx::query(
            "INSERT INTO archive_streams SELECT aggregate_type, aggregate_id, max(position), count(*), max(recorded_at) \
             FROM events WHERE aggregate_type = ANY($1) GROUP BY 1, 2",
        )
        .bind(ending)
        .execute(&mut *connection)
        .await?;
        kept.young = sqlx::query("DELETE FROM archive_streams WHERE newest >= $1")
            .bind(moment_us(before_us))
            .execute(&mut *connection)
            .await?
            .rows_affected();
        kept.followed = sqlx::query("DELETE FROM archive_streams WHERE last_position > $1")
            .bind(slowest.position)
            .execute(&mut *connection)
            .await?
            .rows_affected();
        kept.held_back_by = slowest.name.filter(|_| kept.followed > 0).map(|name| (name, slowest.position));
        kept.awaited =
            sqlx::query(AWAITED).bind(types).bind(ids).execute(&mut *connection).await?.rows_affected();
        sqlx::raw_sql(
            "CREATE TEMP TABLE archive_candidates AS
                 SELECT aggregate_type, aggregate_id, (sum(events) OVER (ORDER BY last_position))::bigint AS upto
                 FROM archive_streams;
             CREATE INDEX ON archive_candidates (upto);
             ANALYZE archive_candidates;
             DROP TABLE archive_streams",
        )
        .execute(&mut *connection)
        .await?;
        let events = sqlx::query_scalar("SELECT coalesce(max(upto), 0) FROM archive_candidates")
            .fetch_one(connection)
            .await?;
        Ok(Self { events, looked: 0 })
    }

    /// The events of the next ones that are closed; `None` when there are no more candidates.
    pub(super) async fn next(
        &mut self,
        connection: &mut PgConnection,
        log: &dyn Log,
        kept: &mut Kept,
    ) -> Result<Option<Vec<Vec<Leaving>>>, ArchivingError> {
        let upto: Option<i64> = sqlx::query_scalar(
            "SELECT coalesce((SELECT max(upto) FROM archive_candidates WHERE upto > $1 AND upto <= $1 + $2), \
                             (SELECT min(upto) FROM archive_candidates WHERE upto > $1))",
        )
        .bind(self.looked)
        .bind(SLICE)
        .fetch_one(&mut *connection)
        .await?;
        let Some(upto) = upto else { return Ok(None) };
        let streams = streams(connection, self.looked, upto).await?;
        let mut closed = Vec::new();
        for events in streams {
            match is_closed(log, &events).await? {
                Some(true) => closed.push(events),
                Some(false) => kept.open += 1,
                None => kept.unreadable += 1,
            }
        }
        self.looked = upto;
        Ok(Some(closed))
    }
}

/// A lane is an instance, and an instance is called as the order, cart or payment that it is about.
const AWAITED: &str = "
DELETE FROM archive_streams
WHERE aggregate_id IN (SELECT instance FROM timers UNION ALL SELECT lane FROM waiting_events)
   OR (aggregate_type, aggregate_id) IN (
          SELECT events.aggregate_type, events.aggregate_id FROM events JOIN waiting_events USING (position)
          UNION ALL SELECT * FROM UNNEST($1::text[], $2::text[]))";

impl Slowest {
    /// Looks at the followers of a schema. A checkpoint of another life of the log counts for nothing.
    async fn look(&mut self, connection: &mut PgConnection, incarnation: Uuid) -> Result<(), sqlx::Error> {
        let rows: Vec<(String, Position)> = sqlx::query_as(
            "SELECT name, CASE WHEN incarnation = $1 THEN position ELSE 0 END FROM followers \
             WHERE incarnation IS NOT NULL OR name <> ALL($2)",
        )
        .bind(incarnation)
        .bind(&LEASES_ALONE[..])
        .fetch_all(connection)
        .await?;
        for (name, position) in rows {
            if position < self.position {
                *self = Self { name: Some(name), position };
            }
        }
        Ok(())
    }
}

async fn parked(connection: &mut PgConnection) -> Result<(Vec<String>, Vec<String>), sqlx::Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT aggregate_type, aggregate_id FROM parked_streams")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().unzip())
}

/// The rows of the candidates in a slice, stream by stream, each in order and as its digest has it.
async fn streams(
    connection: &mut PgConnection,
    after: i64,
    upto: i64,
) -> Result<Vec<Vec<Leaving>>, ArchivingError> {
    let sql = format!(
        "SELECT {COLUMNS}, digest FROM archive_candidates JOIN events USING (aggregate_type, aggregate_id) \
         WHERE upto > $1 AND upto <= $2 ORDER BY position"
    );
    let mut rows = sqlx::query(&sql).bind(after).bind(upto).fetch(connection);
    let mut streams: Vec<Vec<Leaving>> = Vec::new();
    let mut places: HashMap<(Arc<str>, Arc<str>), usize> = HashMap::new();
    while let Some(row) = rows.try_next().await? {
        let leaving = Leaving { event: stored(&row)?, digest: fixed(row.try_get::<&[u8], _>(10)?)? };
        if digest(&leaving.event) != leaving.digest {
            return Err(ArchivingError::Altered(leaving.event.position));
        }
        let key = (leaving.event.aggregate_type.clone(), leaving.event.aggregate_id.clone());
        let place = *places.entry(key).or_insert_with(|| {
            streams.push(Vec::new());
            streams.len() - 1
        });
        streams[place].push(leaving);
    }
    Ok(streams)
}

/// Whether the stream that ends with these events is closed; `None` when one of its events is not known.
async fn is_closed(log: &dyn Log, events: &[Leaving]) -> Result<Option<bool>, ArchivingError> {
    let Some(first) = events.first().map(|leaving| &leaving.event) else { return Ok(Some(false)) };
    let Ok(aggregate_type) = first.aggregate_type.parse() else { return Ok(None) };
    // What was put away before, and what a command has added since.
    let whole = match first.sequence {
        1 => None,
        _ => Some(log.load(&StreamId::new(aggregate_type, &first.aggregate_id), 0).await?),
    };
    let folded = match &whole {
        Some(whole) => fold(aggregate_type, whole.iter()),
        None => fold(aggregate_type, events.iter().map(|leaving| &leaving.event)),
    };
    Ok(folded?.map(|state| state.is_closed()))
}

fn fold<'a>(
    aggregate_type: AggregateType,
    events: impl Iterator<Item = &'a StoredEvent>,
) -> Result<Option<AnyState>, LogError> {
    let (mut state, mut last) = (AnyState::initial(aggregate_type), 0);
    for decoded in decode_stream(events) {
        state = match decoded {
            Ok(recorded) if recorded.sequence != last + 1 => {
                return Err(LogError::Gap { after: last, found: recorded.sequence });
            }
            Ok(recorded) => {
                last = recorded.sequence;
                recorded.events.into_iter().fold(state, AnyState::evolve)
            }
            Err(_) => return Ok(None),
        };
    }
    Ok(Some(state))
}
