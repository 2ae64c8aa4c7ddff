//! Where the followers of a log stand, as their databases have it: one statement a database.

use sqlx::{PgPool, Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::log::{Position, micros_of, moment_us};

/// Rows of `followers` that are a lease and no more: whoever holds them reads nothing that a checkpoint stands for.
pub const LEASES_ALONE: [&str; 4] = ["relay", "timers", "search", "audit"];

/// Where one follower stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub name: String,
    /// Whether a running process has it.
    pub followed: bool,
    /// Up to where its work is done; `None` where there is no checkpoint, or one of another life of the log.
    pub position: Option<Position>,
    /// Events that it has yet to see.
    pub behind: Option<Position>,
    /// How long the oldest of them has been there; `None` also where that one was put away.
    pub behind_us: Option<i64>,
    /// Streams that it has set aside.
    pub parked: i64,
    /// Instances that it has set aside.
    pub lanes: i64,
    /// Events that wait in them.
    pub waiting: i64,
    /// Events that it goes on without for good.
    pub skipped: i64,
    /// Up to where it was compared with the log, and in how many blocks of it something else was applied; `None` before.
    pub audited: Option<(Position, i64)>,
    incarnation: Option<Uuid>,
    checkpoint: Position,
}

/// Timers that should have fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// How many.
    pub timers: i64,
    /// How late the first of them is.
    pub late_us: i64,
}

/// Where the log stands, with its own followers and others'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standings {
    /// The log's last position.
    pub head: Position,
    /// Timers that should have fired.
    pub overdue: Overdue,
    /// By name, the log's own first.
    pub followers: Vec<Standing>,
}

/// What any schema says of its own followers.
const KNOWN: &str = "
    SELECT f.name, f.lease_expires_at > now() AS followed, f.incarnation, f.position AS checkpoint,
           COALESCE(p.streams, 0) AS parked, COALESCE(w.lanes, 0) AS lanes, COALESCE(w.events, 0) AS waiting,
           COALESCE(s.events, 0) AS skipped, f.audited_to,
           (SELECT count(*) FROM differing_blocks d WHERE d.follower = f.name) AS differing
    FROM followers f
         LEFT JOIN (SELECT follower, count(*) AS streams FROM parked_streams GROUP BY 1) p ON p.follower = f.name
         LEFT JOIN (SELECT follower, count(DISTINCT lane) AS lanes, count(*) AS events
                    FROM waiting_events GROUP BY 1) w ON w.follower = f.name
         LEFT JOIN (SELECT follower, count(*) AS events FROM skipped_events GROUP BY 1) s ON s.follower = f.name
    ORDER BY f.name";

/// Of a schema beside the log's: its followers, as far as they can be told without the log.
pub(super) async fn beside(pool: &PgPool) -> Result<Vec<Standing>, sqlx::Error> {
    sqlx::query(KNOWN).fetch_all(pool).await?.iter().map(Standing::read).collect()
}

/// Of the log's schema: where the log stands, with its own followers and those `beside` it.
pub(super) async fn of_log(
    pool: &PgPool,
    now_us: i64,
    beside: Vec<Standing>,
) -> Result<Standings, sqlx::Error> {
    // An event that was put away has no row: how long it has been there is not told then.
    let sql = format!(
        "SELECT known.*, next.recorded_at, h.position, h.incarnation, t.overdue, t.oldest, \
                ARRAY(SELECT e.recorded_at \
                      FROM UNNEST($2::bigint[]) WITH ORDINALITY AS u (checkpoint, nth) \
                           LEFT JOIN events e ON e.position = u.checkpoint + 1 ORDER BY u.nth) \
         FROM log_head h \
              CROSS JOIN (SELECT count(*) AS overdue, min(due_at) AS oldest FROM timers \
                          WHERE fired_at IS NULL AND due_at <= $1) t \
              LEFT JOIN ({KNOWN}) known ON true \
              LEFT JOIN events next ON next.position = known.checkpoint + 1 \
         ORDER BY known.name"
    );
    let rows = sqlx::query(&sql)
        .bind(moment_us(now_us))
        .bind(beside.iter().map(|standing| standing.checkpoint).collect::<Vec<_>>())
        .fetch_all(pool)
        .await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let (head, life): (Position, Uuid) = (first.try_get(11)?, first.try_get(12)?);
    let oldest: Option<OffsetDateTime> = first.try_get(14)?;
    let late_us = oldest.map_or(0, |oldest| now_us - micros_of(oldest));
    let mut followers = Vec::new();
    for row in &rows {
        if row.try_get::<Option<&str>, _>(0)?.is_some() {
            followers.push(Standing::read(row)?.judged(head, life, now_us, row.try_get(10)?));
        }
    }
    let next: Vec<Option<OffsetDateTime>> = first.try_get(15)?;
    let beside = beside.into_iter().zip(next);
    followers.extend(beside.map(|(standing, next)| standing.judged(head, life, now_us, next)));
    Ok(Standings { head, overdue: Overdue { timers: first.try_get(13)?, late_us }, followers })
}

impl Standings {
    /// Asks the log's database and the one beside it, where read models are written.
    ///
    /// # Errors
    /// The databases'.
    pub async fn ask(log: &PgPool, read: &PgPool, now_us: i64) -> Result<Self, sqlx::Error> {
        of_log(log, now_us, beside(read).await?).await
    }
}

impl Standing {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let audited_to: Option<Position> = row.try_get(8)?;
        Ok(Self {
            name: row.try_get(0)?,
            followed: row.try_get(1)?,
            incarnation: row.try_get(2)?,
            checkpoint: row.try_get(3)?,
            parked: row.try_get(4)?,
            lanes: row.try_get(5)?,
            waiting: row.try_get(6)?,
            skipped: row.try_get(7)?,
            audited: audited_to.zip(row.try_get(9)?),
            position: None,
            behind: None,
            behind_us: None,
        })
    }

    /// With what the log says of it; `next` is when the first event came that it has not seen.
    fn judged(self, head: Position, life: Uuid, now_us: i64, next: Option<OffsetDateTime>) -> Self {
        let of_this_life = self.incarnation.map_or(self.checkpoint == 0, |incarnation| incarnation == life);
        if LEASES_ALONE.contains(&self.name.as_str()) || !of_this_life {
            return self;
        }
        let behind = (head - self.checkpoint).max(0);
        let behind_us = match (behind, next) {
            (0, _) => Some(0),
            (_, next) => next.map(|next| (now_us - micros_of(next)).max(0)),
        };
        Self { position: Some(self.checkpoint), behind: Some(behind), behind_us, ..self }
    }
}
