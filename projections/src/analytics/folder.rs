//! What lies in the folder of an unfinished export: by its names and its note it is known as Daybook's, and nothing else is
//! taken for it, written over or removed.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::log::Position;
use uuid::Uuid;

use super::{AnalyticsError, segments};

/// What becomes the export.
pub(super) const CONTENT: &str = "content";
/// Held as long as a process is at it; always empty.
pub(super) const LOCK: &str = "lock";
const NOTE: &str = "progress.json";
/// The next note, on its way.
const NEXT: &str = "progress.new";
/// What is wanted of a replay, and how far it is.
pub(crate) const WISHES: &str = "wishes.json";
pub(crate) const STANDING: &str = "standing.json";
/// Every name there is, but those of segments.
const NAMES: [&str; 8] = [CONTENT, LOCK, NOTE, NEXT, WISHES, "wishes.new", STANDING, "standing.new"];
/// What may be there before there is a note.
const BEFORE: [&str; 2] = [LOCK, NEXT];

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    /// What was asked for.
    pub asked: Value,
    /// Which life of the log it is read from.
    pub incarnation: Uuid,
    /// Up to where.
    pub upto: Position,
    /// Up to where it is done.
    pub after: Position,
    /// Rows written up to there.
    pub rows: u64,
    /// How many bytes of each file are true: what is behind them was written after this note.
    pub files: BTreeMap<String, u64>,
    /// How many segments are.
    pub segments: u64,
}

impl Note {
    /// The note of an unfinished export; nothing where it was ended before it had noted anything.
    ///
    /// # Errors
    /// When the folder is none of an unfinished export, or cannot be read.
    pub fn find(folder: &Path) -> Result<Option<Self>, AnalyticsError> {
        let foreign = || AnalyticsError::Foreign(folder.to_owned());
        let about = folder.symlink_metadata().map_err(AnalyticsError::at(folder))?;
        // What a link leads to is somebody's own.
        if !about.is_dir() {
            return Err(foreign());
        }
        let mut names = vec![];
        for entry in fs::read_dir(folder).map_err(AnalyticsError::at(folder))? {
            let entry = entry.map_err(AnalyticsError::at(folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What a process that is at it has renamed meanwhile is there under its new name.
            let Ok(about) = entry.metadata() else { continue };
            let is_kind = about.is_file() || name == CONTENT && about.is_dir();
            if is_made(&name) && !is_kind || name == LOCK && about.len() > 0 {
                return Err(foreign());
            }
            names.push(name);
        }
        let path = folder.join(NOTE);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|_| foreign()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(AnalyticsError::at(path)(error)),
            // The lock comes first, and after it the first note.
            Err(_) if names.is_empty() => Ok(None),
            Err(_)
                if names.iter().any(|name| name == LOCK)
                    && names.iter().all(|name| BEFORE.contains(&&**name)) =>
            {
                Ok(None)
            }
            Err(_) => Err(foreign()),
        }
    }

    /// Writes it in one step.
    pub fn keep(&self, folder: &Path) -> Result<(), AnalyticsError> {
        let (path, beside) = (folder.join(NOTE), folder.join(NEXT));
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().map_err(AnalyticsError::at(&path))
    }
}

/// The file that is locked as long as a process is at it.
pub(super) fn lock(folder: &Path) -> Result<File, AnalyticsError> {
    let path = folder.join(LOCK);
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    lock.map_err(AnalyticsError::at(path))
}

/// Removes what was made there, and the folder unless there is more in it.
pub(super) fn sweep(folder: &Path) -> Result<(), AnalyticsError> {
    let mut names = vec![];
    for entry in fs::read_dir(folder).map_err(AnalyticsError::at(folder))? {
        let name = entry.map_err(AnalyticsError::at(folder))?.file_name();
        names.extend(name.to_str().filter(|name| is_made(name)).map(str::to_owned));
    }
    // As long as anything is left it has a note, by which it is known; the lock is the last to go.
    names.sort_by_key(|name| (name == LOCK, name == NOTE));
    for name in names {
        remove(&folder.join(name))?;
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
            Err(AnalyticsError::at(folder)(error))
        }
        _ => Ok(()),
    }
}

/// Removes a file, or a folder with all that is in it, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), AnalyticsError> {
    let is_folder = path.symlink_metadata().is_ok_and(|about| about.is_dir());
    let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(AnalyticsError::at(path)(error)),
        _ => Ok(()),
    }
}

fn is_made(name: &str) -> bool {
    NAMES.contains(&name) || segments::is_one(name)
}
