//! Why there is nothing to stand on.

use std::io;

use stack::StackError;
use store::{
    broker::BrokerError, engine::StartError, log::Position, schema::SchemaError, secrets::MasterKeyError,
};

/// Why there is nothing to stand on.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// Local servers did not start.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// Tables could not be laid or reached.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The broker's address is not one.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The store did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A file of the data directory could not be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The local master key is not one.
    #[error("the master key in the data directory: {0}")]
    MasterKey(#[from] MasterKeyError),
    /// The database has no tables of Daybook's.
    #[error("there is no log in schema {0}: run `daybook migrate` as the owner first")]
    NotMigrated(String),
    /// The role may not read the log.
    #[error(
        "there is no log in schema {0} that the role in DATABASE_URL may read: run `daybook migrate` as the owner, for an \
         analyst with DAYBOOK_ANALYST_ROLE naming the role"
    )]
    Unreadable(String),
    /// The head of the log was moved, or events were put behind it.
    #[error(
        "log_head in schema {schema} (at {head}) does not agree with where the log ends ({end}): somebody has changed it, \
         or has added events by hand; `daybook verify` tells what, and \"The log was changed\" in docs/OPERATIONS.md what to do"
    )]
    HeadAstray {
        /// Where.
        schema: String,
        /// Where the head stands.
        head: Position,
        /// Where the log ends.
        end: Position,
    },
    /// The database's tables are older than this program.
    #[error("the tables in schema {schema} lack {steps}: run `daybook migrate` as the owner first")]
    Outdated {
        /// Where.
        schema: String,
        /// What is to be done.
        steps: String,
    },
    /// The database's tables were laid by another program.
    #[error("in schema {schema} {steps} was done in another form: these tables belong to another program")]
    Foreign {
        /// Where.
        schema: String,
        /// What differs.
        steps: String,
    },
    /// Only the owner may do it.
    #[error("DAYBOOK_OWNER_DATABASE_URL is not set: only the owner of the tables may do this")]
    NoOwner,
    /// Accounts and tokens cannot be read.
    #[error(transparent)]
    Identity(#[from] api::identity::Error),
    /// The search index has no place.
    #[error(transparent)]
    Index(#[from] projections::search::IndexError),
    /// Something must be set.
    #[error(
        "{0} is not set: DATABASE_URL, NATS_URL and DAYBOOK_MASTER_KEY are needed together (`daybook settings` lists all)"
    )]
    Unset(&'static str),
}
