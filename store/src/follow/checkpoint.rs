//! How far a follower has come, and in which life of the log.

use sqlx::{PgConnection, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use super::{Applied, LEASES_ALONE, applied::ADD};
use crate::log::{Head, Link, Log, LogError, Position};

/// Everything up to `position` is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which life of the log; `None` before the first event.
    pub incarnation: Option<Uuid>,
    /// The last position whose work is done.
    pub position: Position,
    /// Where the batch that holds it ends, and the chain link there: a batch is in the log as a whole or not at all.
    /// `None` before the first event, and where an older program stopped in the middle of a batch.
    pub link: Option<(Position, Link)>,
}

/// Why a checkpoint could not be read or moved.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The database could not be reached or refused.
    #[error("the checkpoint cannot be moved: {0}")]
    Database(#[from] sqlx::Error),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log was restored while it was followed.
    #[error("the log is another one than the checkpoint's")]
    OtherLog,
    /// Another process holds the lease now.
    #[error("another process has taken over")]
    Fenced,
}

impl Checkpoint {
    /// Reads a follower's checkpoint and locks it until the transaction ends, if `fence` is still the newest.
    ///
    /// # Errors
    /// When another process has taken over, or the database fails.
    pub async fn lock(
        connection: &mut PgConnection,
        name: &str,
        fence: i64,
    ) -> Result<Self, CheckpointError> {
        let row = sqlx::query(
            "SELECT incarnation, position, link, link_position FROM followers WHERE name = $1 AND fence = $2 FOR UPDATE",
        )
        .bind(name)
        .bind(fence)
        .fetch_optional(connection)
        .await?
        .ok_or(CheckpointError::Fenced)?;
        Ok(Self::read(&row)?)
    }

    /// Locks a follower's checkpoint until the transaction ends, if `fence` is still the newest; whether no stream is set aside.
    ///
    /// # Errors
    /// When another process has taken over, or the database fails.
    pub(super) async fn lock_healthy(
        connection: &mut PgConnection,
        name: &str,
        fence: i64,
    ) -> Result<bool, CheckpointError> {
        let sql = "SELECT NOT EXISTS (SELECT FROM parked_streams WHERE follower = $1) FROM followers \
                   WHERE name = $1 AND fence = $2 FOR UPDATE";
        let healthy = sqlx::query_scalar(sql).bind(name).bind(fence).fetch_optional(connection).await?;
        healthy.ok_or(CheckpointError::Fenced)
    }

    /// The checkpoints of everybody who follows into this schema, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn all(pool: &PgPool) -> Result<Vec<(String, Self)>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT incarnation, position, link, link_position, name FROM followers \
             WHERE name <> ALL($1) ORDER BY name",
        )
        .bind(&LEASES_ALONE[..])
        .fetch_all(pool)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(4)?, Self::read(row)?))).collect()
    }

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let position = row.try_get(1)?;
        let link = row.try_get::<Option<Vec<u8>>, _>(2)?.and_then(|link| Link::try_from(link).ok());
        // An older program moves the position without a word of where the link is: at the position itself.
        let end = row.try_get::<Option<Position>, _>(3)?.filter(|end| *end >= position).unwrap_or(position);
        Ok(Self { incarnation: row.try_get(0)?, position, link: link.map(|link| (end, link)) })
    }

    /// Moves a follower's checkpoint from `from` to here, as a compare-and-set under its lease.
    ///
    /// # Errors
    /// When another process has taken over or moved it, or the database fails.
    pub async fn save(
        &self,
        connection: &mut PgConnection,
        name: &str,
        fence: i64,
        from: Position,
    ) -> Result<(), CheckpointError> {
        let moved = sqlx::query(
            "UPDATE followers SET incarnation = $4, position = $5, link = $6, link_position = $7 \
             WHERE name = $1 AND fence = $2 AND position = $3",
        )
        .bind(name)
        .bind(fence)
        .bind(from)
        .bind(self.incarnation)
        .bind(self.position)
        .bind(self.link.as_ref().map(|(_, link)| &link[..]))
        .bind(self.link.map(|(end, _)| end))
        .execute(connection)
        .await?;
        if moved.rows_affected() == 1 { Ok(()) } else { Err(CheckpointError::Fenced) }
    }

    /// The same for work that was done on the log with this head, with what it has applied; `OtherLog` when what was done
    /// before was done on another.
    pub(super) async fn advance(
        &self,
        connection: &mut PgConnection,
        (name, fence): (&str, i64),
        (head, from): (&Head, Position),
        applied: &Applied,
    ) -> Result<(), CheckpointError> {
        if from > head.position {
            return Err(CheckpointError::OtherLog);
        }
        let sql = format!(
            "WITH moved AS ( \
                 UPDATE followers SET incarnation = $8, position = $9, link = $10, link_position = $11, \
                                      counted_after = COALESCE(counted_after, $7) \
                 WHERE name = $1 AND fence = $6 AND position = $7 AND (incarnation IS NULL OR incarnation = $8) \
                 RETURNING true), \
             counted AS ({ADD}) \
             SELECT true FROM moved"
        );
        let moved = applied
            .bind(sqlx::query(&sql), name)
            .bind(fence)
            .bind(from)
            .bind(self.incarnation)
            .bind(self.position)
            .bind(self.link.as_ref().map(|(_, link)| &link[..]))
            .bind(self.link.map(|(end, _)| end))
            .fetch_optional(&mut *connection)
            .await?;
        if moved.is_some() {
            return Ok(());
        }
        let sql = "SELECT EXISTS (SELECT FROM followers WHERE name = $1 AND fence = $2 AND position = $3)";
        let query = sqlx::query_scalar(sql).bind(name).bind(fence).bind(from);
        match query.fetch_one(connection).await? {
            true => Err(CheckpointError::OtherLog),
            false => Err(CheckpointError::Fenced),
        }
    }

    /// Nothing is done yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self { incarnation: None, position: 0, link: None }
    }

    /// The checkpoint at `position` of a log that is in the life `incarnation`.
    ///
    /// # Errors
    /// When the log is in another life by now, or cannot be read.
    pub async fn at(
        log: &dyn Log,
        incarnation: Uuid,
        position: Position,
    ) -> Result<(Head, Self), CheckpointError> {
        let (head, link) = log.link_after(position).await?;
        if head.incarnation != incarnation {
            return Err(CheckpointError::OtherLog);
        }
        Ok((head, Self { incarnation: Some(incarnation), position, link }))
    }

    /// The same place in the present life of the log, if it is another one: what was done up to here is true there too.
    #[must_use]
    pub fn renewed(&self, head: &Head) -> Option<Self> {
        let other = self.position > 0 && self.incarnation != Some(head.incarnation);
        other.then(|| Self { incarnation: Some(head.incarnation), ..self.clone() })
    }

    /// Whether what was done up to here was done on this very log, and not on one that a restore has cut off since.
    /// Where there is no link to prove it, it is taken for granted within one life.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn is_of(&self, log: &dyn Log, head: &Head) -> Result<bool, LogError> {
        if self.position == 0 {
            return Ok(true);
        }
        match self.link {
            _ if self.position > head.position => Ok(false),
            Some(there) => Ok(log.link_at(there.0).await? == there),
            None => Ok(self.incarnation == Some(head.incarnation)),
        }
    }
}
