//! Why nothing was replayed.

use std::{io, path::PathBuf};

use store::{follow::FillError, log::LogError, schema::SchemaError};

use crate::analytics::{AnalyticsError, TableError};

/// Why nothing was replayed, or not to the end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The schema is the shop's own.
    #[error(
        "schema {0} is one of the log's own: a replay goes into a schema of its own, named with --schema"
    )]
    OfTheLog(String),
    /// The schema is somebody else's.
    #[error(
        "schema {0} holds something that is not a replay: name another one with --schema, which is made then"
    )]
    Occupied(String),
    /// A replay of something else is there.
    #[error(
        "{place} holds a replay of something else ({difference}): name another place, or begin again with --restart"
    )]
    Other {
        /// Where.
        place: String,
        /// What differs.
        difference: String,
    },
    /// Another process is at it.
    #[error("another process replays into {0}")]
    Busy(String),
    /// Nothing is replayed there.
    #[error("there is no replay {0}")]
    Nowhere(String),
    /// An address that is none of Postgres. It is not repeated, since it may hold a password.
    #[error(
        "what --into names looks like an address, and is none of a Postgres database: write postgres://…, or name a folder \
         without :// in its name"
    )]
    NoDatabase,
    /// Something that is not of the replay stands on its tables.
    #[error(
        "schema {schema} cannot be begun again, since something of somebody else's depends on its tables: {what}; drop that \
         first, or name another schema with --schema"
    )]
    StoodOn {
        /// Which.
        schema: String,
        /// What depends on what.
        what: String,
    },
    /// The role cannot make a schema.
    #[error(
        "schema {schema} cannot be laid: {source}; its role needs the right to create schemas, or an empty one of its own"
    )]
    NotLaid {
        /// Which.
        schema: String,
        /// What the database says.
        source: SchemaError,
    },
    /// There is no room for temporary tables.
    #[error(
        "what goes into a folder is folded in temporary tables, and this database takes none ({0}): name another one with \
         --scratch, in which the role may make some"
    )]
    NoScratch(SchemaError),
    /// The database is not reached.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Events were not applied.
    #[error("the replayed rows: {0}; the same command goes on where it was")]
    Fill(#[from] FillError),
    /// The destination's.
    #[error("the replay's database: {0}")]
    Database(#[from] sqlx::Error),
    /// The log's.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The folder's.
    #[error(transparent)]
    Folder(#[from] AnalyticsError),
    /// The rows are not in their files.
    #[error(transparent)]
    Tables(#[from] TableError),
    /// A file that a running replay is steered by.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl ReplayError {
    /// Whether something was asked for that cannot be.
    #[must_use]
    pub const fn is_wrong_input(&self) -> bool {
        match self {
            Self::OfTheLog(_)
            | Self::Occupied(_)
            | Self::Other { .. }
            | Self::Nowhere(_)
            | Self::NoDatabase
            | Self::StoodOn { .. }
            | Self::NotLaid { .. }
            | Self::NoScratch(_)
            | Self::Schema(SchemaError::Address(_) | SchemaError::Name(_)) => true,
            Self::Folder(error) | Self::Tables(TableError::Written(error)) => error.is_wrong_input(),
            Self::Busy(_)
            | Self::Schema(_)
            | Self::Fill(_)
            | Self::Database(_)
            | Self::Tables(_)
            | Self::Log(_)
            | Self::File { .. } => false,
        }
    }
}
