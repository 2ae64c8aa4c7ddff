//! What can be done about events that a follower has set aside, and what comes of it.

use sqlx::PgConnection;
use uuid::Uuid;

use super::ApplyError;
use crate::log::{Head, LogError, Position};

/// What somebody wants done about a stream or an instance that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Try the first event again now, and go on with all that waits behind it.
    Retry,
    /// Go on without the first event, and try the next ones.
    Skip {
        /// Which one that is: nobody skips another one by mistake.
        position: Position,
        /// Why.
        reason: Option<String>,
    },
    /// Go on without everything that waits: follow again from here.
    Release {
        /// Why.
        reason: String,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedied {
    /// Events that had waited and were taken after all.
    pub taken: usize,
    /// Events that are left out from now on.
    pub skipped: Vec<Position>,
    /// What still waits.
    pub left: Left,
}

/// What still waits after a remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// An event failed again, and everything behind it waits.
    Failed {
        /// Which.
        position: Position,
        /// Why.
        reason: String,
    },
    /// Nobody has tried yet.
    Untried {
        /// The first that waits.
        position: Position,
        /// Whether a process follows; otherwise the next one that does will try.
        followed: bool,
    },
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum RemedyError {
    /// Nothing of that name waits.
    #[error("{follower} has not set {what} aside; `daybook followers list` shows what it has")]
    NotAside {
        /// Who.
        follower: String,
        /// Which stream or instance.
        what: String,
    },
    /// Another event is the first that waits.
    #[error("{what} waits with position {first}, not {named}: only the first event can be skipped")]
    NotFirst {
        /// Which stream or instance.
        what: String,
        /// The first one.
        first: Position,
        /// The one that was named.
        named: Position,
    },
    /// What waits is of another life of the log.
    #[error(
        "the log was restored since {0} followed it: start `daybook serve`, which goes on or begins anew"
    )]
    OtherLife(String),
    /// The log or the read model's database failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl From<sqlx::Error> for RemedyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Apply(error.into())
    }
}

impl From<LogError> for RemedyError {
    fn from(error: LogError) -> Self {
        Self::Apply(error.into())
    }
}

/// A follower's checkpoint, locked: nobody else moves it or sees to what it has set aside until the transaction ends.
pub(super) struct Locked {
    follower: String,
    pub(super) position: Position,
    /// What it applies of the log behind this is counted.
    pub(super) counted_after: Position,
    incarnation: Option<Uuid>,
}

impl Locked {
    /// `None` when nobody has ever followed under that name.
    pub(super) async fn of(
        connection: &mut PgConnection,
        follower: &str,
    ) -> Result<Option<Self>, sqlx::Error> {
        let found: Option<(Position, Position, Option<Uuid>)> = sqlx::query_as(
            "SELECT position, COALESCE(counted_after, position), incarnation FROM followers \
             WHERE name = $1 FOR UPDATE",
        )
        .bind(follower)
        .fetch_optional(connection)
        .await?;
        let locked = |(position, counted_after, incarnation)| Self {
            follower: follower.to_owned(),
            position,
            counted_after,
            incarnation,
        };
        Ok(found.map(locked))
    }

    /// That what it has set aside is of the log as it is now.
    pub(super) fn is_of(&self, head: &Head) -> Result<(), RemedyError> {
        match self.incarnation {
            Some(incarnation) if incarnation != head.incarnation => {
                Err(RemedyError::OtherLife(self.follower.clone()))
            }
            // It has begun anew, and what it had set aside before is forgotten.
            Some(_) | None => Ok(()),
        }
    }
}
