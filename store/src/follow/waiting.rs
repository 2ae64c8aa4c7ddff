//! Events that a reactor has set aside: of one instance that cannot be served for now, in their order.

use std::collections::{BTreeSet, HashMap};

use sqlx::{PgConnection, PgPool, Row};

use crate::log::Position;

/// How long a set-aside lane waits for its next try, at first and at most.
const PAUSE_US: (i64, i64) = (1_000_000, 60_000_000);

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
}

impl WaitingEvent {
    /// All that wait, in the order in which they will be served.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(pool: &PgPool) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT follower, lane, position, reason FROM waiting_events ORDER BY follower, lane, position",
        )
        .fetch_all(pool)
        .await?;
        let one = |row: &sqlx::postgres::PgRow| {
            Ok(Self {
                follower: row.try_get(0)?,
                lane: row.try_get(1)?,
                position: row.try_get(2)?,
                reason: row.try_get(3)?,
            })
        };
        rows.iter().map(one).collect()
    }
}

/// The lanes that a reactor has set aside, as they lie in the database.
pub(super) struct Waiting {
    pool: PgPool,
    follower: &'static str,
    lanes: HashMap<Box<str>, Lane>,
}

struct Lane {
    positions: BTreeSet<Position>,
    /// When it is tried again; `None` while it is being tried.
    next_us: Option<i64>,
    pause_us: i64,
}

impl Waiting {
    /// What was set aside before.
    pub(super) async fn load(pool: PgPool, follower: &'static str) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query("SELECT lane, position FROM waiting_events WHERE follower = $1")
            .bind(follower)
            .fetch_all(&pool)
            .await?;
        let mut lanes: HashMap<Box<str>, Lane> = HashMap::new();
        for row in &rows {
            let lane: &str = row.try_get(0)?;
            lanes.entry(lane.into()).or_insert_with(|| Lane::new(0)).positions.insert(row.try_get(1)?);
        }
        Ok(Self { pool, follower, lanes })
    }

    /// Forgets everything: the log is another one.
    pub(super) async fn clear(connection: &mut PgConnection, follower: &str) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM waiting_events WHERE follower = $1")
            .bind(follower)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Whether a lane waits, so that its further events have to wait as well.
    pub(super) fn holds(&self, lane: &str) -> bool {
        self.lanes.contains_key(lane)
    }

    /// Writes events behind those of their lanes that wait already.
    pub(super) fn write(
        &self,
        lane: &str,
        positions: &[Position],
        reason: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send + use<> {
        let query = sqlx::query(
            "INSERT INTO waiting_events (follower, lane, position, reason) \
             SELECT $1, $2, position, $4 FROM UNNEST($3::bigint[]) AS position ON CONFLICT DO NOTHING",
        )
        .bind(self.follower)
        .bind(lane.to_owned())
        .bind(positions.to_vec())
        .bind(reason.to_owned());
        let pool = self.pool.clone();
        async move { query.execute(&pool).await.map(drop) }
    }

    /// They are written: they are remembered, and tried from `now_us` on.
    pub(super) fn written(&mut self, lane: &str, positions: &[Position], now_us: i64) {
        let known = self.lanes.entry(lane.into()).or_insert_with(|| Lane::new(now_us + PAUSE_US.0));
        known.positions.extend(positions);
    }

    /// The first event of each lane whose time has come; each is being tried from now on.
    pub(super) fn due(&mut self, now_us: i64) -> Vec<(Box<str>, Position)> {
        let due = self.lanes.iter_mut().filter(|(_, lane)| lane.next_us.is_some_and(|next| next <= now_us));
        due.filter_map(|(name, lane)| {
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

    /// An event was served: the next of its lane is tried at once.
    pub(super) fn served(&mut self, lane: &str, position: Position) {
        let Some(known) = self.lanes.get_mut(lane) else { return };
        known.positions.remove(&position);
        known.next_us = Some(0);
        known.pause_us = PAUSE_US.0;
        if known.positions.is_empty() {
            self.lanes.remove(lane);
        }
    }

    /// An event could not be served again: the lane waits longer.
    pub(super) fn failed(&mut self, lane: &str, now_us: i64) {
        if let Some(known) = self.lanes.get_mut(lane) {
            known.next_us = Some(now_us + known.pause_us);
            known.pause_us = (known.pause_us * 2).min(PAUSE_US.1);
        }
    }
}

impl Lane {
    const fn new(next_us: i64) -> Self {
        Self { positions: BTreeSet::new(), next_us: Some(next_us), pause_us: PAUSE_US.0 }
    }
}
