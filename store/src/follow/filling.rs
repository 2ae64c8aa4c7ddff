//! Fills a read model from the log's beginning, beside the one that serves.

use std::sync::Arc;

use sqlx::{PgConnection, PgPool};

use super::{
    Checkpoint, CheckpointError, Lease, Projection,
    ahead::stretch,
    applying::{Applying, FollowError, empty},
};
use crate::{
    log::{Log, LogError, Position},
    ports::{Clock, Ids},
};

/// Why a read model could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// Another process fills it.
    #[error(
        "another process fills {0} beside the one that serves: wait for it, or stop it and wait 4 seconds"
    )]
    Busy(&'static str),
    /// Another process has taken over: this one stood still for too long.
    #[error("another process has begun to fill it meanwhile")]
    Fenced,
    /// The log was restored meanwhile.
    #[error("the log was restored meanwhile: begin again")]
    OtherLog,
    /// An event of a newer program.
    #[error("{0}")]
    TooNew(String),
    /// The log or the database failed.
    #[error("{0}")]
    Failed(String),
}

impl From<FollowError> for FillError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Checkpoint(CheckpointError::Fenced) => Self::Fenced,
            FollowError::Checkpoint(CheckpointError::OtherLog) => Self::OtherLog,
            FollowError::TooNew(error) => {
                Self::TooNew(format!("{error}: take the program that the shop runs"))
            }
            FollowError::Checkpoint(error) => Self::Failed(error.to_string()),
            FollowError::Apply(error) => Self::Failed(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for FillError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<LogError> for FillError {
    fn from(error: LogError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A read model that is being filled.
pub struct Filling {
    applying: Applying,
    lease: Lease,
    position: Position,
}

impl Filling {
    /// Empties the read model in the schema that `pool` sees, with its own checkpoint there. What the one in `serving` goes
    /// on without, this one goes on without too.
    ///
    /// # Errors
    /// When another process is at it, or a database fails.
    pub async fn begin(
        projection: Arc<dyn Projection>,
        (pool, serving): (PgPool, &str),
        log: Arc<dyn Log>,
        (clock, ids): (Arc<dyn Clock>, &dyn Ids),
    ) -> Result<Self, FillError> {
        let name = projection.name();
        let incarnation = log.head().await?.incarnation;
        let mut lease = Lease::new(pool.clone(), clock, name, ids.next());
        if !lease.hold().await {
            return Err(FillError::Busy(name));
        }
        let fence = lease.fence().ok_or(FillError::Fenced)?;
        let mut transaction = crate::transaction::begin(&pool).await?;
        let checkpoint = Checkpoint::lock(&mut transaction, name, fence).await.map_err(FollowError::from)?;
        empty(&mut transaction, &*projection).await?;
        sqlx::query("DELETE FROM skipped_events WHERE follower = $1")
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(&format!(
            "INSERT INTO skipped_events SELECT * FROM {serving}.skipped_events WHERE follower = $1"
        ))
        .bind(name)
        .execute(&mut *transaction)
        .await?;
        let emptied = Checkpoint::empty().save(&mut transaction, name, fence, checkpoint.position).await;
        emptied.map_err(FollowError::from)?;
        transaction.commit().await?;
        Ok(Self { applying: Applying { projection, pool, log, incarnation, feed: None }, lease, position: 0 })
    }

    /// How far it is filled.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Fills it up to a position of the log, telling how far it has come.
    ///
    /// # Errors
    /// When another process has taken over, or a database fails; it may be called again after the latter.
    pub async fn up_to(
        &mut self,
        until: Position,
        tell: &(dyn Fn(Position) + Sync),
    ) -> Result<(), FillError> {
        let (log, follows) = (Arc::clone(&self.applying.log), self.applying.projection.follows());
        let skipped = self.applying.skipped().await?;
        let mut connection = self.applying.connect().await?;
        let mut next = stretch(&*log, self.position, until, follows).await?;
        while next.end > self.position {
            if !self.lease.hold().await {
                return Err(FillError::Fenced);
            }
            let fence = self.lease.fence().ok_or(FillError::Fenced)?;
            let this = self.applying.prepare(&skipped, next).await?;
            let (taken, read) = futures::join!(
                self.applying.take(&mut connection, fence, self.position, &this),
                stretch(&*log, this.end, until, follows)
            );
            taken?;
            self.position = this.end;
            tell(self.position);
            next = read?;
        }
        Ok(())
    }

    /// Makes sure, until the transaction ends, that nobody else fills it in `schema`.
    ///
    /// # Errors
    /// When another process has taken over, or the database fails.
    pub async fn hold_in(&self, connection: &mut PgConnection, schema: &str) -> Result<(), FillError> {
        let held =
            sqlx::query(&format!("SELECT FROM {schema}.followers WHERE name = $1 AND fence = $2 FOR UPDATE"))
                .bind(self.applying.projection.name())
                .bind(self.lease.fence())
                .fetch_optional(connection)
                .await?;
        held.map(drop).ok_or(FillError::Fenced)
    }

    /// Lets others fill it.
    pub async fn end(mut self) {
        self.lease.give_up().await;
    }
}
