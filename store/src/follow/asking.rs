//! Sees to an instance that a reactor has set aside, from any process: the one that runs the reactor looks within a second.

use std::time::Duration;

use sqlx::{PgConnection, PgPool, Row};
use time::OffsetDateTime;

use super::{Left, Remedied, Remedy, RemedyError, remedy::Locked, skipped::Leaving};
use crate::{
    log::{Head, Log, Position, StoredEvent},
    ports::Clock,
};

/// How often it is looked what came of it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One lane of one reactor, as the log's database has it.
#[derive(Clone, Copy)]
pub struct Aside<'a> {
    /// The log's database.
    pub pool: &'a PgPool,
    /// Whose lane.
    pub follower: &'a str,
    /// Which lane.
    pub lane: &'a str,
}

/// What was asked for.
struct Asked {
    /// When, by the database.
    at: OffsetDateTime,
    /// Up to where events waited then, and how many that were, without those that are left out.
    last: Position,
    events: i64,
    followed: bool,
}

impl Aside<'_> {
    /// Does it, and waits up to `patience` for what comes of it.
    ///
    /// # Errors
    /// When nothing waits there, or another event than was named is the first; then nothing has changed.
    pub async fn remedy(
        &self,
        log: &dyn Log,
        clock: &dyn Clock,
        remedy: &Remedy,
        patience: Duration,
    ) -> Result<Remedied, RemedyError> {
        let head = log.head().await?;
        let skipped = self.left_out_by(log, remedy).await?;
        let asked = self.ask(&head, remedy, &skipped).await?;
        let mut remedied = Remedied {
            taken: 0,
            skipped: skipped.iter().map(|event| event.position).collect(),
            left: Left::Nothing,
        };
        let mut patience = clock.sleep(patience);
        loop {
            let (left, tried) = self.look(&asked, &mut remedied).await?;
            if tried {
                return Ok(Remedied { left, ..remedied });
            }
            tokio::select! {
                () = clock.sleep(LOOK_EVERY) => {}
                () = &mut patience => return Ok(Remedied { left, ..remedied }),
            }
        }
    }

    /// The events that are going to be left out.
    async fn left_out_by(&self, log: &dyn Log, remedy: &Remedy) -> Result<Vec<StoredEvent>, RemedyError> {
        let positions = match remedy {
            Remedy::Retry => vec![],
            Remedy::Skip { position, .. } => vec![*position],
            Remedy::Release { .. } => {
                let all = "SELECT position FROM waiting_events WHERE follower = $1 AND lane = $2 ORDER BY 1";
                sqlx::query_scalar(all).bind(self.follower).bind(self.lane).fetch_all(self.pool).await?
            }
        };
        let mut events = Vec::with_capacity(positions.len());
        for position in positions {
            let event = log.read(position - 1, 1).await?.into_iter().next();
            events.extend(event.filter(|event| event.position == position));
        }
        Ok(events)
    }

    /// One transaction: whoever runs the reactor sees all of it or nothing.
    async fn ask(&self, head: &Head, remedy: &Remedy, skip: &[StoredEvent]) -> Result<Asked, RemedyError> {
        let mut transaction = crate::transaction::begin(self.pool).await?;
        let locked = Locked::of(&mut transaction, self.follower).await?;
        let first: Option<Position> = sqlx::query_scalar(
            "SELECT position FROM waiting_events WHERE follower = $1 AND lane = $2 \
             ORDER BY position LIMIT 1",
        )
        .bind(self.follower)
        .bind(self.lane)
        .fetch_optional(&mut *transaction)
        .await?;
        let what = || self.lane.to_owned();
        let Some((locked, first)) = locked.zip(first) else {
            return Err(RemedyError::NotAside { follower: self.follower.to_owned(), what: what() });
        };
        locked.is_of(head)?;
        let reason = match remedy {
            Remedy::Retry => None,
            Remedy::Skip { position, .. } if *position != first => {
                return Err(RemedyError::NotFirst { what: what(), first, named: *position });
            }
            Remedy::Skip { reason, .. } => reason.as_deref(),
            Remedy::Release { reason } => Some(reason.as_str()),
        };
        let leaving = Leaving { follower: self.follower, aside: self.lane, events: skip, reason };
        leaving.write(&mut transaction).await?;
        let asked = self.without(&mut transaction, &leaving.positions()).await?;
        transaction.commit().await?;
        leaving.tell();
        Ok(asked)
    }

    /// Takes events out of the lane, and tells whoever runs the reactor to look.
    async fn without(
        &self,
        connection: &mut PgConnection,
        positions: &[Position],
    ) -> Result<Asked, sqlx::Error> {
        sqlx::query("DELETE FROM waiting_events WHERE follower = $1 AND lane = $2 AND position = ANY($3)")
            .bind(self.follower)
            .bind(self.lane)
            .bind(positions)
            .execute(&mut *connection)
            .await?;
        sqlx::query("INSERT INTO asked_lanes (follower, lane) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(self.follower)
            .bind(self.lane)
            .execute(&mut *connection)
            .await?;
        let row = sqlx::query(
            "SELECT clock_timestamp(), COALESCE(max(position), 0), count(*), \
                    EXISTS (SELECT FROM followers WHERE name = $1 AND lease_expires_at > now()) \
             FROM waiting_events WHERE follower = $1 AND lane = $2",
        )
        .bind(self.follower)
        .bind(self.lane)
        .fetch_one(connection)
        .await?;
        Ok(Asked {
            at: row.try_get(0)?,
            last: row.try_get(1)?,
            events: row.try_get(2)?,
            followed: row.try_get(3)?,
        })
    }

    /// What still waits, and whether there is anything to wait for.
    async fn look(&self, asked: &Asked, remedied: &mut Remedied) -> Result<(Left, bool), RemedyError> {
        let row = sqlx::query(
            "SELECT position, reason, COALESCE(tried_at > $3, false), \
                    (SELECT count(*) FROM waiting_events w \
                     WHERE w.follower = $1 AND w.lane = $2 AND w.position <= $4) \
             FROM waiting_events WHERE follower = $1 AND lane = $2 ORDER BY position LIMIT 1",
        )
        .bind(self.follower)
        .bind(self.lane)
        .bind(asked.at)
        .bind(asked.last)
        .fetch_optional(self.pool)
        .await?;
        let waiting = row.as_ref().map_or(Ok(0), |row| row.try_get::<i64, _>(3))?;
        remedied.taken = usize::try_from(asked.events - waiting).unwrap_or(0);
        let Some(row) = row else { return Ok((Left::Nothing, true)) };
        let position = row.try_get(0)?;
        if row.try_get(2)? {
            return Ok((Left::Failed { position, reason: row.try_get(1)? }, true));
        }
        Ok((Left::Untried { position, followed: asked.followed }, !asked.followed))
    }
}
