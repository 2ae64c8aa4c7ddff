//! The rows of errands: made once, taken for a while, settled.

use std::{sync::Arc, time::Duration};

use domain::value::Time;
use sqlx::{PgPool, Row as _, postgres::PgRow, types::time::OffsetDateTime};
use store::ports::Clock;
pub(crate) use store::rfc3339::moment;
use tokio::sync::Notify;

use super::{Channel, Errand, Lane, NewErrand, Origin, Outcome};

/// Who takes an errand has it for so long; then it is carried again.
pub const TAKEN_MS: i64 = 120_000;
/// Longer than any try may take, and shorter than [`TAKEN_MS`].
pub const NOW_MAX: Duration = Duration::from_secs(60);
/// What has ended is remembered for so long, so that whoever goes through the log again makes nothing of it.
pub const KEPT_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// What has been due for so long is carried by nobody.
const WAITING_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// Rows that are forgotten in one statement.
const FORGOTTEN_AT_ONCE: i64 = 5_000;
/// Characters of a reason.
const REASON_MAX: usize = 300;

pub(super) const COLUMNS: &str =
    "id, channel, lane, kind, message, position, event_id, nth, payload, attempts, created_at";

/// The errands' rows; cheap to clone.
#[derive(Clone)]
pub struct Queue {
    pub(super) pool: PgPool,
    pub(super) clock: Arc<dyn Clock>,
    /// Wakes whoever carries in this process, channel by channel.
    made: Arc<[Notify; 4]>,
}

/// A moment as the domain counts it.
pub(crate) fn time(moment: OffsetDateTime) -> Time {
    Time::from_millis(i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(0))
}

impl Queue {
    /// The rows in the schema that `pool` sees.
    #[must_use]
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>) -> Self {
        Self { pool, clock, made: Arc::default() }
    }

    /// Makes errands, each unless it was made before.
    ///
    /// # Errors
    /// The database's.
    pub async fn put(&self, errands: &[NewErrand]) -> Result<(), sqlx::Error> {
        if errands.is_empty() {
            return Ok(());
        }
        let all = |of: fn(&NewErrand) -> String| errands.iter().map(of).collect::<Vec<_>>();
        let origins: Vec<_> = errands.iter().map(|errand| errand.origin).collect();
        sqlx::query(
            "INSERT INTO errands (id, channel, lane, kind, message, position, event_id, nth, payload, \
                                  state, reason, next_at, created_at, ended_at) \
             SELECT e.id, e.channel, e.lane, e.kind, e.message, e.position, e.event_id, e.nth, e.payload, \
                    CASE WHEN e.dead IS NULL THEN 'waiting' ELSE 'dead' END, e.dead, $11, $11, \
                    CASE WHEN e.dead IS NULL THEN NULL ELSE $11 END \
             FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::bigint[], $7::uuid[], \
                         $8::int[], $9::text[], $10::text[]) \
                  AS e(id, channel, lane, kind, message, position, event_id, nth, payload, dead) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(errands.iter().map(|errand| errand.id).collect::<Vec<_>>())
        .bind(all(|errand| errand.channel.as_str().to_owned()))
        .bind(all(|errand| errand.lane.clone()))
        .bind(all(|errand| errand.kind.to_owned()))
        .bind(errands.iter().map(|errand| errand.message).collect::<Vec<_>>())
        .bind(origins.iter().map(|origin| origin.map(|origin| origin.position)).collect::<Vec<_>>())
        .bind(origins.iter().map(|origin| origin.map(|origin| origin.event_id)).collect::<Vec<_>>())
        .bind(origins.iter().map(|origin| origin.and_then(|origin| i32::try_from(origin.nth).ok())).collect::<Vec<_>>())
        .bind(errands.iter().map(|errand| errand.payload.clone()).collect::<Vec<_>>())
        .bind(errands.iter().map(|errand| errand.dead).collect::<Vec<_>>())
        .bind(moment(self.clock.now()))
        .execute(&self.pool)
        .await?;
        for errand in errands {
            self.wake(errand.channel);
        }
        Ok(())
    }

    /// Takes errands that are due: the longest due of each lane first, no more of it than it has room for.
    ///
    /// # Errors
    /// The database's.
    pub async fn take(&self, channel: Channel, lanes: &[Lane]) -> Result<Vec<Errand>, sqlx::Error> {
        if lanes.is_empty() {
            return Ok(vec![]);
        }
        let now = self.clock.now();
        let sql = format!(
            "WITH due AS ( \
                 SELECT found.id FROM UNNEST($2::text[], $3::bigint[]) AS wanted(lane, room) \
                 CROSS JOIN LATERAL ( \
                     SELECT id FROM errands \
                     WHERE channel = $1 AND state = 'waiting' AND errands.lane = wanted.lane AND next_at <= $4 \
                     ORDER BY next_at LIMIT wanted.room FOR UPDATE SKIP LOCKED) AS found) \
             UPDATE errands SET attempts = attempts + 1, next_at = $5 \
             WHERE id IN (SELECT id FROM due) RETURNING {COLUMNS}"
        );
        let rows = sqlx::query(&sql)
            .bind(channel.as_str())
            .bind(lanes.iter().map(|lane| lane.name.clone()).collect::<Vec<_>>())
            .bind(lanes.iter().map(|lane| i64::try_from(lane.at_once).unwrap_or(1)).collect::<Vec<_>>())
            .bind(moment(now))
            .bind(moment(now.plus_millis(TAKEN_MS)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(errand).collect()
    }

    /// Makes an errand of no event that whoever makes it carries at once; `None` when it was made before.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_taken(&self, new: &NewErrand) -> Result<Option<Errand>, sqlx::Error> {
        let now = self.clock.now();
        let sql = format!(
            "INSERT INTO errands (id, channel, lane, kind, message, payload, state, attempts, next_at, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 'waiting', 1, $7, $8) ON CONFLICT (id) DO NOTHING RETURNING {COLUMNS}"
        );
        let row = sqlx::query(&sql)
            .bind(new.id)
            .bind(new.channel.as_str())
            .bind(&new.lane)
            .bind(new.kind)
            .bind(new.message)
            .bind(&new.payload)
            .bind(moment(now.plus_millis(TAKEN_MS)))
            .bind(moment(now))
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(errand).transpose()
    }

    /// Takes this one errand if it is due.
    ///
    /// # Errors
    /// The database's.
    pub async fn take_one(&self, id: uuid::Uuid) -> Result<Option<Errand>, sqlx::Error> {
        let now = self.clock.now();
        let sql = format!(
            "UPDATE errands SET attempts = attempts + 1, next_at = $2 \
             WHERE id = $1 AND state = 'waiting' AND next_at <= $3 RETURNING {COLUMNS}"
        );
        let row = sqlx::query(&sql)
            .bind(id)
            .bind(moment(now.plus_millis(TAKEN_MS)))
            .bind(moment(now))
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(errand).transpose()
    }

    /// Writes down what came of a try, unless somebody has taken the errand since; whether it is over for good and nobody
    /// was told.
    ///
    /// # Errors
    /// The database's.
    pub async fn settle(
        &self,
        errand: &Errand,
        outcome: &Outcome,
        pause: Option<Duration>,
    ) -> Result<bool, sqlx::Error> {
        let now = self.clock.now();
        let next = pause.map(|pause| now.plus_millis(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)));
        let (state, reason) = match outcome {
            Outcome::Done => ("done", None),
            Outcome::Void(reason) => ("void", Some(*reason)),
            Outcome::Again(reason) if next.is_some() => ("waiting", Some(reason.as_str())),
            Outcome::Again(reason) | Outcome::Never(reason) => ("dead", Some(reason.as_str())),
        };
        let reason = reason.map(|reason| reason.chars().take(REASON_MAX).collect::<String>());
        let ended = state != "waiting";
        sqlx::query(
            "UPDATE errands SET state = $3, reason = $4, next_at = COALESCE($5, next_at), ended_at = $6 \
             WHERE id = $1 AND attempts = $2 AND state = 'waiting'",
        )
        .bind(errand.id)
        .bind(errand.attempts)
        .bind(state)
        .bind(reason)
        .bind(next.filter(|_| !ended).map(moment))
        .bind(ended.then(|| moment(now)))
        .execute(&self.pool)
        .await?;
        Ok(state == "dead")
    }

    /// Forgets what ended long ago.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_old(&self) -> Result<u64, sqlx::Error> {
        let forgotten = sqlx::query(
            "DELETE FROM errands WHERE id IN ( \
                 SELECT id FROM errands WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        )
        .bind(moment(self.clock.now().plus_millis(-KEPT_MS)))
        .bind(FORGOTTEN_AT_ONCE)
        .execute(&self.pool)
        .await?;
        Ok(forgotten.rows_affected())
    }

    /// Gives up what nobody is going to carry: what waits for an endpoint that is gone or disabled, and what has waited longer
    /// than any errand is tried, because its channel is closed.
    ///
    /// # Errors
    /// The database's.
    pub async fn give_up_left(&self, disabled: &str) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        sqlx::query(
            "UPDATE errands SET state = 'dead', ended_at = $1, \
                                reason = CASE WHEN next_at < $2 THEN 'it has waited for too long' ELSE $3 END \
             WHERE state = 'waiting' AND (next_at < $2 OR channel = 'webhook' AND NOT EXISTS ( \
                 SELECT FROM webhook_endpoints w WHERE w.id::text = errands.lane AND w.disabled_at IS NULL))",
        )
        .bind(moment(now))
        .bind(moment(now.plus_millis(-WAITING_MS)))
        .bind(disabled)
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// Returns when this process has made an errand of that channel.
    pub async fn made(&self, channel: Channel) {
        self.made[channel as usize].notified().await;
    }

    /// Somebody has made errands of that channel due.
    pub fn wake(&self, channel: Channel) {
        self.made[channel as usize].notify_waiters();
    }
}

pub(super) fn errand(row: &PgRow) -> Result<Errand, sqlx::Error> {
    let channel: String = row.try_get(1)?;
    let position: Option<i64> = row.try_get(5)?;
    let origin = match (position, row.try_get(6)?, row.try_get::<Option<i32>, _>(7)?) {
        (Some(position), Some(event_id), Some(nth)) => {
            Some(Origin { position, event_id, nth: usize::try_from(nth).unwrap_or(0) })
        }
        _ => None,
    };
    Ok(Errand {
        id: row.try_get(0)?,
        channel: channel.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        lane: row.try_get(2)?,
        kind: row.try_get(3)?,
        message: row.try_get(4)?,
        origin,
        payload: row.try_get(8)?,
        attempts: row.try_get(9)?,
        created_at: time(row.try_get(10)?),
    })
}
