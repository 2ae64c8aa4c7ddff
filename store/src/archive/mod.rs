//! Where closed streams are put away: files of whole events, and how one event of them is read.

mod choose;
mod file;
mod line;
mod run;

use std::{
    collections::{HashMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use sqlx::{PgConnection, Row as _};

use self::file::Block;
use crate::log::{Position, StoredEvent};

pub use choose::Kept;
pub use file::name;
pub(crate) use file::sha256_of;
pub use run::{Archived, ArchivedFile, Archiving, ArchivingError, Step, Told};

/// The setting that names the directory.
pub const SETTING: &str = "DAYBOOK_ARCHIVE_DIR";
/// Events that a file is meant to hold: they are in memory while it is written.
pub const EVENTS_PER_FILE: usize = 100_000;
/// Blocks kept in memory, of some 64 KiB each: followers and loads read several files at once.
const BLOCKS: usize = 64;

/// Why an archived event, or its file, could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Nobody said where the files are.
    #[error(
        "position {0} is in the archive: set {SETTING} to the directory that holds its files (see \"Archiving\" in docs/OPERATIONS.md)"
    )]
    NoDirectory(Position),
    /// The file system's.
    #[error("the archive's file {}: {source}; {SETTING} must name the directory that holds the archive", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is not what was written.
    #[error("the archive's file {} is damaged: {reason}; put the copy from your backup in its place", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: Box<str>,
    },
    /// A row names a file that has none.
    #[error(
        "position {position} was put into file {file}, and there is no such row in archive_files: run `daybook verify`"
    )]
    NoFile {
        /// Which event.
        position: Position,
        /// The file's number.
        file: i32,
    },
    /// A row names another place than the event's.
    #[error(
        "position {position} of file {file} is another event than archived_events tells: run `daybook verify`"
    )]
    Elsewhere {
        /// Which event.
        position: Position,
        /// The file's number.
        file: i32,
    },
    /// More than an archive's file can hold.
    #[error("a file of the archive would be larger than 2 GiB: one stream is too large to be put away")]
    TooLarge,
}

/// Where an event was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's number in `archive_files`.
    pub file: i32,
    /// Where in it the event's block begins, in bytes.
    pub block: i32,
}

/// The files of closed streams, to be read; cheap to clone. The default has no directory.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    directory: Option<PathBuf>,
    /// The files' names by their numbers. A file never changes, so what is known stays true.
    names: RwLock<HashMap<i32, PathBuf>>,
    /// Blocks that were read lately, the newest in front.
    blocks: Mutex<VecDeque<(Place, Arc<Block>)>>,
}

impl Archive {
    /// The archive in a directory.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { inner: Arc::new(Inner { directory: Some(directory.into()), ..Inner::default() }) }
    }

    /// Where it is, if that is known.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.inner.directory.as_deref()
    }

    /// Learns the names of files that it does not know yet.
    ///
    /// # Errors
    /// The database's.
    pub async fn learn(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let Some(directory) = self.directory() else { return Ok(()) };
        let known: Vec<i32> = self.names(|names| names.keys().copied().collect());
        let rows = sqlx::query(
            "SELECT file, first_position, last_position, sha256 FROM archive_files WHERE file <> ALL($1)",
        )
        .bind(known)
        .fetch_all(connection)
        .await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            let name = name(row.try_get(1)?, row.try_get(2)?, row.try_get::<&[u8], _>(3)?);
            found.insert(row.try_get(0)?, directory.join(name));
        }
        self.inner.names.write().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(())
    }

    /// Whether it knows a file's name, or could not read it anyhow.
    #[must_use]
    pub fn knows(&self, file: i32) -> bool {
        self.directory().is_none() || self.names(|names| names.contains_key(&file))
    }

    /// The event that was put into a file whose name it knows.
    ///
    /// # Errors
    /// When the file is not there, or does not hold the event.
    pub async fn event(&self, place: Place, position: Position) -> Result<StoredEvent, ArchiveError> {
        if self.directory().is_none() {
            return Err(ArchiveError::NoDirectory(position));
        }
        let path = self.names(|names| names.get(&place.file).cloned());
        let path = path.ok_or(ArchiveError::NoFile { position, file: place.file })?;
        if let Some(block) = self.kept(place) {
            return block.event(position);
        }
        let reading = path.clone();
        let read = tokio::task::spawn_blocking(move || file::read_block(&reading, place.block)).await;
        let block = Arc::new(read.map_err(|error| ArchiveError::File { path, source: error.into() })??);
        self.keep(place, &block);
        block.event(position)
    }

    fn names<T>(&self, look: impl FnOnce(&HashMap<i32, PathBuf>) -> T) -> T {
        look(&self.inner.names.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn kept(&self, place: Place) -> Option<Arc<Block>> {
        let mut blocks = self.inner.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let at = blocks.iter().position(|(known, _)| *known == place)?;
        if at > 0 {
            let kept = blocks.remove(at)?;
            blocks.push_front(kept);
        }
        blocks.front().map(|(_, block)| Arc::clone(block))
    }

    fn keep(&self, place: Place, block: &Arc<Block>) {
        let mut blocks = self.inner.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.push_front((place, Arc::clone(block)));
        blocks.truncate(BLOCKS);
    }
}
