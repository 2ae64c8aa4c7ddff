//! Events that a reactor has set aside: of one instance that cannot be served for now, in their order.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use sqlx::{PgConnection, PgPool, Row};
use time::OffsetDateTime;

use crate::log::Position;

/// How long a set-aside lane waits for its next try, at first and at most.
const PAUSE_US: (i64, i64) = (1_000_000, 60_000_000);
/// Lanes that are tried again at once: thousands may wait for one cause, and must not take every connection there is.
const AT_ONCE: usize = 32;

/// An event of a lane that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingEvent {
    /// Who set it aside.
    pub follower: String,
    /// The instance that it concerns.
    pub lane: String,
    /// Which event.
    pub position: Position,
    /// Why the lane waits.
    pub reason: String,
    /// How often it was tried again since it was set aside.
    pub tries: i32,
    /// When the last of these tries began.
    pub tried_at: Option<OffsetDateTime>,
}

crate::from_row!(WaitingEvent { follower, lane, position, reason, tries, tried_at });

impl WaitingEvent {
    /// All that wait, in the order in which they will be served.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(pool: &PgPool) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query_as(
            "SELECT follower, lane, position, reason, tries, tried_at FROM waiting_events \
             ORDER BY follower, lane, position",
        );
        rows.fetch_all(pool).await
    }
}

/// A lane that waits, seen as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingLane {
    /// Who set it aside.
    pub follower: String,
    /// The instance; of an event that could not be read, its stream.
    pub lane: String,
    /// Its first event.
    pub position: Position,
    /// Why that could not be served.
    pub reason: String,
    /// Since when it waits.
    pub since: OffsetDateTime,
    /// How often it was tried again.
    pub tries: i32,
    /// When the last of these tries began.
    pub tried_at: Option<OffsetDateTime>,
    /// Events that wait, this one included.
    pub events: i64,
}

crate::from_row!(WaitingLane { follower, lane, position, reason, since, tries, tried_at, events });

impl WaitingLane {
    /// All that wait.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(pool: &PgPool) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query_as(
            "SELECT DISTINCT ON (follower, lane) follower, lane, position, reason, since, tries, tried_at, \
                    count(*) OVER (PARTITION BY follower, lane) AS events \
             FROM waiting_events ORDER BY follower, lane, position",
        );
        rows.fetch_all(pool).await
    }
}

/// The lanes that a reactor has set aside, as they lie in the database.
pub(super) struct Waiting {
    pool: PgPool,
    follower: &'static str,
    /// The lease's: whoever has lost it writes nothing more.
    fence: i64,
    lanes: HashMap<Arc<str>, Lane>,
}

struct Lane {
    positions: BTreeSet<Position>,
    /// When it is tried again; `None` while it is being tried.
    next_us: Option<i64>,
    pause_us: i64,
    /// Somebody has seen to it while it was being tried.
    seen_to: bool,
}

impl Waiting {
    /// What was set aside before.
    pub(super) async fn load(pool: PgPool, follower: &'static str, fence: i64) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query("SELECT lane, position FROM waiting_events WHERE follower = $1")
            .bind(follower)
            .fetch_all(&pool)
            .await?;
        let mut lanes: HashMap<Arc<str>, Lane> = HashMap::new();
        for row in &rows {
            let lane: &str = row.try_get(0)?;
            lanes.entry(lane.into()).or_insert_with(|| Lane::new(0)).positions.insert(row.try_get(1)?);
        }
        Ok(Self { pool, follower, fence, lanes })
    }

    /// Older programs noted an event that they could not read and passed it: it is tried again like any other.
    pub(super) async fn adopt(connection: &mut PgConnection, follower: &str) -> Result<(), sqlx::Error> {
        sqlx::query(
            "WITH noted AS (DELETE FROM parked_streams WHERE follower = $1 \
                            RETURNING aggregate_type || '-' || aggregate_id AS lane, first_position, reason) \
             INSERT INTO waiting_events (follower, lane, position, reason) \
             SELECT $1, lane, first_position, reason FROM noted ON CONFLICT DO NOTHING",
        )
        .bind(follower)
        .execute(connection)
        .await
        .map(drop)
    }

    /// Forgets everything: the log is another one.
    pub(super) async fn clear(connection: &mut PgConnection, follower: &str) -> Result<(), sqlx::Error> {
        for table in ["waiting_events", "parked_streams"] {
            let sql = format!("DELETE FROM {table} WHERE follower = $1");
            sqlx::query(&sql).bind(follower).execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// Whether any lane waits.
    pub(super) fn any(&self) -> bool {
        !self.lanes.is_empty()
    }

    /// Whether a lane waits, so that its further events have to wait as well.
    pub(super) fn holds(&self, lane: &str) -> bool {
        self.lanes.contains_key(lane)
    }

    /// Writes events behind those of their lanes that wait already. Nobody takes the lease meanwhile: he would not see
    /// them.
    pub(super) fn write(
        &self,
        lane: &str,
        positions: &[Position],
        reason: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send + use<> {
        let query = sqlx::query(
            "INSERT INTO waiting_events (follower, lane, position, reason) \
             SELECT $1, $2, position, $4 FROM UNNEST($3::bigint[]) AS position \
             WHERE EXISTS (SELECT FROM followers WHERE name = $1 AND fence = $5 FOR SHARE) ON CONFLICT DO NOTHING",
        )
        .bind(self.follower)
        .bind(lane.to_owned())
        .bind(positions.to_vec())
        .bind(reason.to_owned())
        .bind(self.fence);
        let pool = self.pool.clone();
        async move { query.execute(&pool).await.map(drop) }
    }

    /// They are written: they are remembered, and tried from `now_us` on.
    pub(super) fn written(&mut self, lane: &str, positions: &[Position], now_us: i64) {
        let known = self.lanes.entry(lane.into()).or_insert_with(|| Lane::new(now_us + PAUSE_US.0));
        known.positions.extend(positions);
    }

    /// The first event of each lane whose time has come, the longest due first and as many as may be tried at once; each is
    /// being tried from now on.
    pub(super) fn due(&mut self, now_us: i64) -> Vec<(Arc<str>, Position)> {
        let tried = self.lanes.values().filter(|lane| lane.next_us.is_none()).count();
        let room = AT_ONCE.saturating_sub(tried);
        if room == 0 {
            return vec![];
        }
        let since = |lane: &Lane| lane.next_us.filter(|next| *next <= now_us);
        let lanes = self.lanes.iter_mut();
        let mut due: Vec<_> = lanes.filter_map(|(name, lane)| Some((since(lane)?, name, lane))).collect();
        if due.len() > room {
            due.select_nth_unstable_by_key(room, |(since, ..)| *since);
            due.truncate(room);
        }
        due.into_iter()
            .filter_map(|(_, name, lane)| {
                lane.next_us = None;
                Some((name.clone(), *lane.positions.first()?))
            })
            .collect()
    }

    /// Takes the row of an event away that was served after all.
    pub(super) fn erase(
        &self,
        lane: &str,
        position: Position,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send + use<> {
        let query =
            sqlx::query("DELETE FROM waiting_events WHERE follower = $1 AND lane = $2 AND position = $3")
                .bind(self.follower)
                .bind(lane.to_owned())
                .bind(position);
        let pool = self.pool.clone();
        async move { query.execute(&pool).await.map(drop) }
    }

    /// Writes down that the first event of a lane could not be served again, in a try that began so long ago; whether it
    /// waits any more.
    pub(super) fn note(
        &self,
        lane: &str,
        position: Position,
        ago_us: i64,
        reason: &str,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send + use<> {
        let query = sqlx::query(
            "UPDATE waiting_events SET reason = $4, tries = tries + 1, \
                                       tried_at = clock_timestamp() - $5 * interval '1 microsecond' \
             WHERE follower = $1 AND lane = $2 AND position = $3",
        )
        .bind(self.follower)
        .bind(lane.to_owned())
        .bind(position)
        .bind(reason.to_owned())
        .bind(ago_us);
        let pool = self.pool.clone();
        async move { Ok(query.execute(&pool).await?.rows_affected() > 0) }
    }

    /// The lanes that somebody has seen to since the last time, with what waits in them now.
    pub(super) fn asked(&self) -> impl Future<Output = Result<Vec<Asked>, sqlx::Error>> + Send + use<> {
        let query = sqlx::query_as(
            "WITH asked AS (DELETE FROM asked_lanes WHERE follower = $1 RETURNING lane) \
             SELECT lane, ARRAY(SELECT position FROM waiting_events w WHERE w.follower = $1 AND w.lane = asked.lane) \
             FROM asked",
        )
        .bind(self.follower);
        let pool = self.pool.clone();
        async move { query.fetch_all(&pool).await }
    }

    /// Somebody has seen to a lane: that is what waits in it now, and it is tried at once.
    pub(super) fn seen_to(&mut self, lane: &str, positions: Vec<Position>) {
        let Some(known) = self.lanes.get_mut(lane) else { return };
        known.positions = positions.into_iter().collect();
        known.pause_us = PAUSE_US.0;
        if known.next_us.is_some() {
            known.next_us = Some(0);
            self.drop_if_empty(lane);
        } else {
            known.seen_to = true;
        }
    }

    /// An event was served: the next of its lane is tried at once.
    pub(super) fn served(&mut self, lane: &str, position: Position) {
        let Some(known) = self.lanes.get_mut(lane) else { return };
        known.positions.remove(&position);
        *known = Lane { positions: std::mem::take(&mut known.positions), ..Lane::new(0) };
        self.drop_if_empty(lane);
    }

    /// An event could not be served again: the lane waits longer, unless somebody has seen to it meanwhile.
    pub(super) fn failed(&mut self, lane: &str, now_us: i64) {
        let Some(known) = self.lanes.get_mut(lane) else { return };
        if std::mem::take(&mut known.seen_to) {
            known.next_us = Some(now_us);
        } else {
            known.next_us = Some(now_us + known.pause_us);
            known.pause_us = (known.pause_us * 2).min(PAUSE_US.1);
        }
        self.drop_if_empty(lane);
    }

    /// A lane in which nothing waits any more is one like all others.
    fn drop_if_empty(&mut self, lane: &str) {
        if self.lanes.get(lane).is_some_and(|known| known.positions.is_empty()) {
            self.lanes.remove(lane);
        }
    }
}

/// A lane that somebody has seen to, and what waits in it.
pub(super) type Asked = (String, Vec<Position>);

impl Lane {
    const fn new(next_us: i64) -> Self {
        Self { positions: BTreeSet::new(), next_us: Some(next_us), pause_us: PAUSE_US.0, seen_to: false }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;

    use super::*;

    #[tokio::test]
    async fn of_many_that_are_due_some_are_tried_at_once_and_the_longest_due_first() {
        let pool = PgPoolOptions::new().connect_lazy("postgres://nobody@localhost/none").unwrap();
        let mut waiting = Waiting { pool, follower: "picky", fence: 1, lanes: HashMap::new() };
        let lanes = 3 * AT_ONCE as i64;
        for nth in 0..lanes {
            waiting.written(&format!("{nth}"), &[nth], nth);
        }
        let later_us = 10 * PAUSE_US.1;
        for round in 0..3 {
            let due = waiting.due(later_us);
            let mut positions: Vec<_> = due.iter().map(|(_, position)| *position).collect();
            positions.sort_unstable();
            let first = round * AT_ONCE as i64;
            assert_eq!(positions, Vec::from_iter(first..first + AT_ONCE as i64));
            assert_eq!(waiting.due(later_us), []);
            for (lane, position) in due {
                if round == 0 {
                    waiting.served(&lane, position);
                } else {
                    waiting.failed(&lane, later_us);
                }
            }
        }
        assert_eq!(waiting.due(later_us), [], "those that failed wait again");
        assert_eq!(waiting.due(2 * later_us).len(), AT_ONCE);
    }
}
