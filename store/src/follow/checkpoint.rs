//! How far a follower has come, and in which life of the log.

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::log::{Head, Link, Log, LogError, Position};

/// Everything up to `position` is done; `link` is the log's chain there, if a batch ends there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which life of the log; `None` before the first event.
    pub incarnation: Option<Uuid>,
    /// The last position whose work is done.
    pub position: Position,
    /// The chain link there; `None` in the middle of a batch, where there is none.
    pub link: Option<Link>,
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
            "SELECT incarnation, position, link FROM followers WHERE name = $1 AND fence = $2 FOR UPDATE",
        )
        .bind(name)
        .bind(fence)
        .fetch_optional(connection)
        .await?
        .ok_or(CheckpointError::Fenced)?;
        let link: Option<Vec<u8>> = row.try_get(2)?;
        Ok(Self {
            incarnation: row.try_get(0)?,
            position: row.try_get(1)?,
            link: link.and_then(|link| link.try_into().ok()),
        })
    }

    /// Whether work after `from` may be added to what was done up to here: it is the same life of the log.
    #[must_use]
    pub fn goes_on_in(&self, head: &Head, from: Position) -> bool {
        self.incarnation.is_none_or(|incarnation| incarnation == head.incarnation) && from <= head.position
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
            "UPDATE followers SET incarnation = $4, position = $5, link = $6 \
             WHERE name = $1 AND fence = $2 AND position = $3",
        )
        .bind(name)
        .bind(fence)
        .bind(from)
        .bind(self.incarnation)
        .bind(self.position)
        .bind(self.link.as_ref().map(|link| &link[..]))
        .execute(connection)
        .await?;
        if moved.rows_affected() == 1 { Ok(()) } else { Err(CheckpointError::Fenced) }
    }

    /// The checkpoint at `position` of the log as it is now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn at(log: &dyn Log, head: &Head, position: Position) -> Result<Self, LogError> {
        let (end, link) = log.link_at(position).await?;
        let link = (end == position).then_some(link);
        Ok(Self { incarnation: Some(head.incarnation), position, link })
    }

    /// Whether what was done up to here was done on this very log, and not on one that a restore has cut off since.
    /// In another life of the log, only a link can prove it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn is_of(&self, log: &dyn Log, head: &Head) -> Result<bool, LogError> {
        if self.position == 0 || self.position > head.position || self.incarnation == Some(head.incarnation) {
            return Ok(self.position <= head.position);
        }
        let here = log.link_at(self.position).await?;
        Ok(self.link.is_some_and(|link| here == (self.position, link)))
    }
}
