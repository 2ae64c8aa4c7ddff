//! Errands as operators see them: listed, and carried again when somebody asks for it.

use domain::value::Time;
use serde::Serialize;
use sqlx::{Row as _, postgres::PgRow, types::time::OffsetDateTime};
use store::log::Position;
use uuid::Uuid;

use super::{
    Channel, Queue, State,
    queue::{moment, time},
};

/// An errand as it is told.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Errand))]
pub struct Listed {
    /// Its id.
    pub id: Uuid,
    /// Which way.
    pub channel: Channel,
    /// The endpoint, of a webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What it tells.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the receiver knows it by.
    pub message: String,
    /// The event that it tells of.
    pub position: Option<Position>,
    /// What has become of it.
    pub state: State,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next, while it waits.
    #[serde(serialize_with = "rfc3339")]
    pub next_at: Option<Time>,
    /// Why the last try failed, or why there is none.
    pub reason: Option<String>,
    /// When it was made.
    #[serde(with = "store::rfc3339")]
    pub created_at: Time,
    /// When it was over.
    #[serde(serialize_with = "rfc3339")]
    pub ended_at: Option<Time>,
}

/// A moment that may not have come.
pub(crate) fn rfc3339<S: serde::Serializer>(time: &Option<Time>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => store::rfc3339::serialize(time, to),
        None => to.serialize_none(),
    }
}

/// Which errands.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Of these channels.
    pub channels: &'a [Channel],
    /// In that state.
    pub state: Option<State>,
    /// Of that lane.
    pub lane: Option<&'a str>,
    /// Made and named before that one.
    pub before: Option<(Time, Uuid)>,
    /// At most so many.
    pub limit: i64,
}

/// Errands that are carried again by one request.
pub const AGAIN_MAX: usize = 10_000;

const LISTED: &str =
    "id, channel, lane, kind, message, position, state, attempts, next_at, reason, created_at, ended_at";

impl Queue {
    /// Errands, the newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, wanted: Wanted<'_>) -> Result<Vec<Listed>, sqlx::Error> {
        // Words of the table's own indexes stand in the text, so that every plan sees that they fit.
        let state = match wanted.state {
            Some(State::Dead) => "state = 'dead'",
            Some(_) => "state = $2",
            None => "$2::text IS NULL",
        };
        let lane = if wanted.lane.is_some() { "lane = $3 AND lane <> ''" } else { "$3::text IS NULL" };
        let before = match wanted.before {
            Some(_) => "(created_at, id) < ($4, $5)",
            None => "$4::timestamptz IS NULL AND $5::uuid IS NULL",
        };
        let sql = format!(
            "SELECT found.* FROM UNNEST($1::text[]) AS wanted(channel) CROSS JOIN LATERAL ( \
                 SELECT {LISTED} FROM errands \
                 WHERE errands.channel = wanted.channel AND {state} AND {lane} AND {before} \
                       AND ($2::text IS NULL OR state = $2) \
                 ORDER BY created_at DESC, id DESC LIMIT $6) AS found \
             ORDER BY created_at DESC, id DESC LIMIT $6"
        );
        let rows = sqlx::query(&sql)
            .bind(words(wanted.channels))
            .bind(wanted.state.map(State::as_str))
            .bind(wanted.lane)
            .bind(wanted.before.map(|(time, _)| moment(time)))
            .bind(wanted.before.map(|(_, id)| id))
            .bind(wanted.limit)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(listed).collect()
    }

    /// One errand.
    ///
    /// # Errors
    /// The database's.
    pub async fn show(&self, channels: &[Channel], id: Uuid) -> Result<Option<Listed>, sqlx::Error> {
        let sql = format!("SELECT {LISTED} FROM errands WHERE channel = ANY($1) AND id = $2");
        let row = sqlx::query(&sql).bind(words(channels)).bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(listed).transpose()
    }

    /// Lets an errand be carried again, from now on as often as a new one, unless it waits anyway: then at once. It is what
    /// it was, under the same name. `None` when there is none.
    ///
    /// # Errors
    /// The database's.
    pub async fn again(&self, channels: &[Channel], id: Uuid) -> Result<Option<Listed>, sqlx::Error> {
        let sql = format!(
            "UPDATE errands SET state = 'waiting', attempts = 0, next_at = $3, ended_at = NULL, reason = NULL \
             WHERE channel = ANY($1) AND id = $2 RETURNING {LISTED}"
        );
        let row = sqlx::query(&sql)
            .bind(words(channels))
            .bind(id)
            .bind(moment(self.clock.now()))
            .fetch_optional(&self.pool)
            .await?;
        let known = row.as_ref().map(listed).transpose()?;
        if let Some(known) = &known {
            self.wake(known.channel);
        }
        Ok(known)
    }

    /// The same for the first [`AGAIN_MAX`] of a lane that were made in that time and are in one of these states. How many that
    /// were, and when the last of them was made.
    ///
    /// # Errors
    /// The database's.
    pub async fn all_again(
        &self,
        lane: &str,
        (from, to): (Time, Time),
        states: &[State],
    ) -> Result<(usize, Option<Time>), sqlx::Error> {
        let states: Vec<_> = states.iter().map(|state| state.as_str()).collect();
        let done: Vec<OffsetDateTime> = sqlx::query_scalar(
            "UPDATE errands SET state = 'waiting', attempts = 0, next_at = $5, ended_at = NULL, reason = NULL \
             WHERE id IN (SELECT id FROM errands \
                          WHERE lane = $1 AND lane <> '' AND created_at >= $2 AND created_at < $3 AND state = ANY($4) \
                          ORDER BY created_at, id LIMIT $6 FOR UPDATE) \
             RETURNING created_at",
        )
        .bind(lane)
        .bind(moment(from))
        .bind(moment(to))
        .bind(states)
        .bind(moment(self.clock.now()))
        .bind(i64::try_from(AGAIN_MAX).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await?;
        self.wake(Channel::Webhook);
        Ok((done.len(), done.into_iter().max().map(time)))
    }

    /// Gives up all that waits in a lane.
    ///
    /// # Errors
    /// The database's.
    pub async fn give_up(&self, lane: &str, reason: &str) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(
            "UPDATE errands SET state = 'dead', reason = $2, ended_at = $3 \
             WHERE lane = $1 AND lane <> '' AND state = 'waiting'",
        )
        .bind(lane)
        .bind(reason)
        .bind(moment(self.clock.now()))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// Forgets a lane.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_lane(&self, lane: &str) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM errands WHERE lane = $1 AND lane <> ''")
            .bind(lane)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn words(channels: &[Channel]) -> Vec<&'static str> {
    channels.iter().map(|channel| channel.as_str()).collect()
}

fn word<W: std::str::FromStr<Err = super::UnknownWord>>(text: String) -> Result<W, sqlx::Error> {
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn listed(row: &PgRow) -> Result<Listed, sqlx::Error> {
    let channel: Channel = word(row.try_get(1)?)?;
    let state: State = word(row.try_get(6)?)?;
    let (lane, message): (String, Uuid) = (row.try_get(2)?, row.try_get(4)?);
    let next_at = time(row.try_get(8)?);
    let ended_at: Option<OffsetDateTime> = row.try_get(11)?;
    Ok(Listed {
        id: row.try_get(0)?,
        channel,
        endpoint: (channel == Channel::Webhook).then_some(lane),
        kind: row.try_get(3)?,
        message: super::named(message),
        position: row.try_get(5)?,
        state,
        attempts: row.try_get(7)?,
        next_at: (state == State::Waiting).then_some(next_at),
        reason: row.try_get(9)?,
        created_at: time(row.try_get(10)?),
        ended_at: ended_at.map(time),
    })
}
