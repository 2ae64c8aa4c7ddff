//! Why the store cannot be used at the moment, in a word that a client or an operator can act on.

use std::{fmt, sync::Arc};

use crate::log::{AppendError, DecodeError, LogError};

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Postgres does not answer, or broke off.
    Unreachable,
    /// Postgres takes no writes: a standby, or `default_transaction_read_only`.
    ReadOnly,
    /// Postgres has no room left.
    DiskFull,
    /// What is asked for holds an event of a newer program.
    TooNew,
    /// Anything else; the text says what.
    Other,
}

impl Reason {
    /// As clients are told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::ReadOnly => "read_only",
            Self::DiskFull => "disk_full",
            Self::TooNew => "too_new",
            Self::Other => "other",
        }
    }

    /// What an error of the database means. SQLSTATE 25006 is a write in a read-only transaction, 53100 a full disk, which
    /// every "No space left on device" becomes; classes 08 and 57 are connections that ended.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => match database.code().as_deref() {
                Some("25006") => Self::ReadOnly,
                Some("53100") => Self::DiskFull,
                Some(code) if code.starts_with("08") || code.starts_with("57") => Self::Unreachable,
                Some(_) | None => Self::Other,
            },
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Tls(_) => Self::Unreachable,
            _ => Self::Other,
        }
    }
}

/// Why the store could not do something, for the log and, in a word, for the client.
#[derive(Clone, Debug)]
pub struct Outage {
    /// What stands in the way.
    pub reason: Reason,
    text: Arc<str>,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Outage {
    /// Something holds an event of a newer program.
    #[must_use]
    pub fn too_new(text: &str) -> Self {
        Self { reason: Reason::TooNew, text: text.into() }
    }
}

impl From<&str> for Outage {
    fn from(text: &str) -> Self {
        Self { reason: Reason::Other, text: text.into() }
    }
}

impl From<String> for Outage {
    fn from(text: String) -> Self {
        Self { reason: Reason::Other, text: text.into() }
    }
}

impl From<&sqlx::Error> for Outage {
    fn from(error: &sqlx::Error) -> Self {
        Self { reason: Reason::of(error), text: error.to_string().into() }
    }
}

impl From<&LogError> for Outage {
    fn from(error: &LogError) -> Self {
        let reason = match error {
            LogError::Database(error) => Reason::of(error),
            LogError::Decode { source: DecodeError::Unknown { .. }, .. } => Reason::TooNew,
            LogError::Decode { source: DecodeError::Malformed { .. }, .. }
            | LogError::OtherLog
            | LogError::Standby
            | LogError::Archive(_)
            | LogError::Gap { .. } => Reason::Other,
        };
        Self { reason, text: error.to_string().into() }
    }
}

impl From<&AppendError> for Outage {
    fn from(error: &AppendError) -> Self {
        let reason = match error {
            AppendError::Unknown(error) | AppendError::Refused(error) => Reason::of(error),
            AppendError::Missed
            | AppendError::Answered
            | AppendError::StreamMoved
            | AppendError::OtherLog => Reason::Other,
        };
        Self { reason, text: error.to_string().into() }
    }
}
