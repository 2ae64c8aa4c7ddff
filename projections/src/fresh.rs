//! How new an answer has to be, how new it is, and why there is none.

use std::time::Duration;

use sqlx::{Row, postgres::PgRow};
use store::{executor::Token, log::Position};
use uuid::Uuid;

/// What an answer has to reflect, and how long it may be waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// Everything up to here; `None` takes whatever there is.
    pub at_least: Option<Token>,
    /// How long to wait for it.
    pub wait: Duration,
}

/// An answer, and what it is known to reflect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh<T> {
    /// The answer.
    pub value: T,
    /// The answer reflects every event up to here, perhaps later ones too.
    pub reflects: Token,
    /// The first event that is missing because its stream was set aside, if there is one.
    pub stale_since: Option<Position>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The read model has not come so far in time.
    #[error("the read model has come to position {reflects} only")]
    Behind {
        /// How far it has come.
        reflects: Position,
    },
    /// Something that the answer needs was set aside before what it has to reflect.
    #[error("a stream that the answer needs is set aside from position {first_position} on")]
    Parked {
        /// The first event that is missing.
        first_position: Position,
    },
    /// The token is of another life of the log than the read model.
    #[error("the token belongs to another life of the log")]
    WrongIncarnation,
    /// The database that answers was a standby and is one no longer: nobody fills its read models any more.
    #[error("the read database no longer follows the one that is written to")]
    CutOff,
    /// The cursor was not given by this list.
    #[error("the cursor is not one of this list")]
    BadCursor,
    /// The search index failed, or there is none.
    #[error("products cannot be searched: {0}")]
    Index(String),
    /// The database failed, or holds what cannot be understood.
    #[error("the read model cannot be read: {0}")]
    Database(#[from] sqlx::Error),
}

impl<T> Fresh<T> {
    /// The same freshness with something made of the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Fresh<U> {
        Fresh { value: change(self.value), reflects: self.reflects, stale_since: self.stale_since }
    }

    /// An answer that nothing is missing of.
    pub const fn whole(value: T, reflects: Token) -> Self {
        Self { value, reflects, stale_since: None }
    }

    pub(crate) fn seen(value: T, seen: &Seen) -> Self {
        Self { value, reflects: seen.reflects(), stale_since: seen.parked_from }
    }

    /// The same where it rests on another answer, too: both reflect what the lesser one does, and nothing when they are of
    /// different lives of the log, which have their beginning in common.
    pub(crate) fn resting_on<U>(self, other: &Fresh<U>) -> Self {
        let (one, other_reflects) = (self.reflects, other.reflects);
        let same = one.incarnation == other_reflects.incarnation;
        let position = if same { one.position.min(other_reflects.position) } else { 0 };
        let stale_since = self.stale_since.into_iter().chain(other.stale_since).min();
        Self { reflects: Token { position, ..one }, stale_since, ..self }
    }

    pub(crate) fn try_map<U>(
        self,
        change: impl FnOnce(T) -> Result<U, QueryError>,
    ) -> Result<Fresh<U>, QueryError> {
        let Self { value, reflects, stale_since } = self;
        Ok(Fresh { value: change(value)?, reflects, stale_since })
    }
}

/// What the rows of one snapshot reflect: a follower's checkpoint, and what was set aside of what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub incarnation: Option<Uuid>,
    pub position: Position,
    pub parked_from: Option<Position>,
}

impl Seen {
    pub(crate) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            incarnation: row.try_get("seen_incarnation")?,
            position: row.try_get("seen_position")?,
            parked_from: row.try_get("seen_parked_from")?,
        })
    }

    /// What may be claimed: a stream that was set aside is reflected only up to where that happened.
    pub(crate) fn reflects(&self) -> Token {
        let healthy = self.parked_from.map_or(self.position, |first| first - 1);
        Token { incarnation: self.incarnation.unwrap_or_default(), position: self.position.min(healthy) }
    }

    /// Whether that is enough.
    pub(crate) fn meets(&self, at_least: Option<Token>) -> Result<(), QueryError> {
        // Before the first event every log is alike.
        let Some(token) = at_least.filter(|token| token.position > 0) else {
            return Ok(());
        };
        match self.incarnation {
            Some(incarnation) if incarnation != token.incarnation => Err(QueryError::WrongIncarnation),
            None => Err(QueryError::Behind { reflects: self.position }),
            Some(_) => match self.parked_from {
                Some(first_position) if first_position <= token.position => {
                    Err(QueryError::Parked { first_position })
                }
                _ if self.position < token.position => Err(QueryError::Behind { reflects: self.position }),
                _ => Ok(()),
            },
        }
    }
}
