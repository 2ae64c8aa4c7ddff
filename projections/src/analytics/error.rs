//! Why an export did not come about.

use std::{io, path::PathBuf};

use domain::shape::Untraceable;
use store::log::LogError;

/// Why an export did not come about.
#[derive(Debug, thiserror::Error)]
pub enum AnalyticsError {
    /// The file system's, of a file or folder.
    #[error("{}: {source}; what was written so far stays, and the same command goes on from there", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What is written to a stream is not taken.
    #[error("writing the export: {0}")]
    Stream(#[from] io::Error),
    /// There is something in the place of the export.
    #[error("{} is there already: name another place, or remove it", .0.display())]
    Exists(PathBuf),
    /// The folder around it is not there.
    #[error("{} cannot be made: there is no folder {}", path.display(), folder.display())]
    NoFolder {
        /// What was to be made.
        path: PathBuf,
        /// Where.
        folder: PathBuf,
    },
    /// Nothing can be made in the folder around it.
    #[error("{} cannot be made: {} takes nothing new ({source})", path.display(), folder.display())]
    Unwritable {
        /// What was to be made.
        path: PathBuf,
        /// Where.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It would have no name.
    #[error("{:?} is no name for what is to be made: name a file or a folder that is not there yet", .0.display())]
    NoName(PathBuf),
    /// What is where an unfinished export would lie is somebody's own.
    #[error(
        "{} is in the way, and no unfinished export or replay: it is left as it is; move it away, or name another place with \
         --into",
        .0.display()
    )]
    Foreign(PathBuf),
    /// Another process is at it.
    #[error("another process is writing {}", .0.display())]
    InUse(PathBuf),
    /// An unfinished export of something else is in the way.
    #[error(
        "{} holds an unfinished export of something else ({difference}): say what was said then, and it goes on; or begin \
         again with --restart",
        work.display()
    )]
    Other {
        /// Where.
        work: PathBuf,
        /// What differs.
        difference: String,
    },
    /// The note of how far an export has come cannot be used.
    #[error("{} cannot be gone on with ({reason}): begin again with --restart", work.display())]
    Unusable {
        /// Where.
        work: PathBuf,
        /// Why not.
        reason: String,
    },
    /// An event cannot be put into columns.
    #[error(transparent)]
    Event(#[from] LogError),
    /// The columns of a type cannot be told.
    #[error("the columns of {table}: {source}")]
    Columns {
        /// Of which.
        table: String,
        /// Why not.
        source: Untraceable,
    },
    /// Parquet's.
    #[error("writing Parquet: {0}")]
    Parquet(parquet::errors::ParquetError),
    /// A line cannot be written.
    #[error("writing CSV: {0}")]
    Csv(#[from] csv::Error),
}

impl AnalyticsError {
    /// The file system's word about a path.
    pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Whether nobody reads what is written any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        match self {
            Self::Stream(error) => closed(error),
            _ => false,
        }
    }

    /// Whether something was asked for that cannot be.
    #[must_use]
    pub const fn is_wrong_input(&self) -> bool {
        match self {
            Self::Exists(_)
            | Self::NoFolder { .. }
            | Self::Unwritable { .. }
            | Self::NoName(_)
            | Self::Foreign(_)
            | Self::Other { .. }
            | Self::Unusable { .. } => true,
            Self::File { .. }
            | Self::Stream(_)
            | Self::InUse(_)
            | Self::Event(_)
            | Self::Columns { .. }
            | Self::Parquet(_)
            | Self::Csv(_) => false,
        }
    }
}

impl From<parquet::errors::ParquetError> for AnalyticsError {
    fn from(error: parquet::errors::ParquetError) -> Self {
        use parquet::errors::ParquetError;
        match error {
            // A full disk and a closed pipe are told as what they are.
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(source) => Self::Stream(*source),
                Err(source) => Self::Parquet(ParquetError::External(source)),
            },
            error => Self::Parquet(error),
        }
    }
}
