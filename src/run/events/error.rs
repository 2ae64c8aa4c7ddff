//! Why events could not be shown or exported.

use std::path::PathBuf;

use projections::analytics::AnalyticsError;

/// Why events could not be shown or exported.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The end is before the beginning.
    #[error("{from} is after {to}: nothing lies between them")]
    Backwards {
        /// The flag of the beginning.
        from: &'static str,
        /// That of the end.
        to: &'static str,
    },
    /// The event happens to other aggregates.
    #[error("{event} is no event of {kinds}: leave --aggregate out, or name another --event")]
    NotOfThose {
        /// Which event.
        event: &'static str,
        /// Which kinds were named.
        kinds: String,
    },
    /// Neither a position, nor an id, nor a stream.
    #[error(
        "{0:?} is no position (a number from 1), no event's id (a UUID) and no stream (such as order-O1)"
    )]
    NoPlace(String),
    /// There is no such event.
    #[error("there is no event {0}")]
    NoEvent(String),
    /// What makes several files goes to one place.
    #[error("--by-type and --partition make several files: name a folder for them with --into")]
    ManyFiles,
    /// One file, and a folder was named.
    #[error("{} is a folder: name a file in it, or say --by-type or --partition day", .0.display())]
    IsFolder(PathBuf),
    /// A server, and a file or folder was to be named.
    #[error("--into names a file or a folder by its path, without :// in it, and no address")]
    IsAddress,
    /// Nobody can read that.
    #[error("Parquet is nothing for a terminal: name a file with --into, or lead stdout into one")]
    Terminal,
    /// Stdout has no place that could be gone on with.
    #[error("--restart is about a file or folder, and this goes to stdout")]
    NothingToRestart,
    /// Personal data stays closed.
    #[error(
        "--open needs DAYBOOK_MASTER_KEY, and in DAYBOOK_VAULT_DATABASE_URL (default: DATABASE_URL) a role that may read the \
         keys of personal data: {0}; without --open it is exported as it is sealed"
    )]
    MayNotOpen(&'static str),
    /// The export was not written.
    #[error(transparent)]
    Analytics(#[from] AnalyticsError),
    /// The part that writes has ended without a word.
    #[error("the export's writer ended: {0}")]
    Writer(#[from] tokio::task::JoinError),
}

impl EventsError {
    /// Whether nobody reads the result any more.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Analytics(error) if error.is_closed())
    }

    /// Whether something was asked for that cannot be.
    pub const fn is_wrong_input(&self) -> bool {
        match self {
            Self::Analytics(error) => error.is_wrong_input(),
            Self::NoEvent(_) | Self::Writer(_) => false,
            Self::Backwards { .. }
            | Self::NotOfThose { .. }
            | Self::NoPlace(_)
            | Self::ManyFiles
            | Self::IsFolder(_)
            | Self::IsAddress
            | Self::Terminal
            | Self::NothingToRestart
            | Self::MayNotOpen(_) => true,
        }
    }
}
