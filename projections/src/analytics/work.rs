//! The folder beside an export in which it lies until it is complete, and the note there of how far it has come.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::log::Position;
use uuid::Uuid;

use super::{
    AnalyticsError,
    segments::{self, make_folder_of},
};

/// What the folder's name ends with.
const ENDS: &str = ".partial";
/// What becomes the export.
const CONTENT: &str = "content";
const NOTE: &str = "progress.json";
const LOCK: &str = "lock";

/// The unfinished export.
#[derive(Debug)]
pub struct Work {
    target: PathBuf,
    folder: PathBuf,
    /// Whether the export is a folder of files.
    is_folder: bool,
    note: Note,
    /// Held as long as this process is at it.
    _lock: File,
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    /// What was asked for.
    asked: Value,
    /// Which life of the log it is read from.
    incarnation: Uuid,
    /// Up to where.
    upto: Position,
    /// Up to where it is done.
    after: Position,
    /// Rows written up to there.
    rows: u64,
    /// How many bytes of each file are true: what is behind them was written after this note.
    files: BTreeMap<String, u64>,
    /// How many segments are.
    segments: u64,
}

impl Work {
    /// Begins an export of `after < position <= upto` of the log in that life, or goes on with the same one. What an earlier
    /// one with other wishes left is in the way, unless `restart` throws it away.
    ///
    /// # Errors
    /// When there is something in its place, somebody else is at it, or it cannot be written.
    pub fn begin(
        target: &Path,
        is_folder: bool,
        asked: &Value,
        (after, upto): (Position, Position),
        incarnation: Uuid,
        restart: bool,
    ) -> Result<Self, AnalyticsError> {
        let folder = Self::folder_of(target);
        if is_taken(target) {
            return Err(AnalyticsError::Exists(target.to_owned()));
        }
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let around = folder.parent().unwrap_or(Path::new(".")).to_owned();
                return Err(AnalyticsError::NoFolder { path: target.to_owned(), folder: around });
            }
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(AnalyticsError::at(&folder)(error));
            }
            _ => {}
        }
        let path = folder.join(LOCK);
        let lock = File::create(&path).map_err(AnalyticsError::at(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AnalyticsError::InUse(target.to_owned())),
            Err(TryLockError::Error(error)) => return Err(AnalyticsError::at(&path)(error)),
        }
        let fresh = Note {
            asked: asked.clone(),
            incarnation,
            upto,
            after,
            rows: 0,
            files: BTreeMap::new(),
            segments: 0,
        };
        let found = if restart { None } else { read(&folder)? };
        let goes_on = found.is_some();
        let note = found.unwrap_or(fresh);
        let different = |difference: String| AnalyticsError::Other { work: folder.clone(), difference };
        if let Some(name) = differs(&note.asked, asked) {
            return Err(different(format!("{name} is another one")));
        }
        if note.incarnation != incarnation {
            return Err(different("the log was restored since, or another database serves it".to_owned()));
        }
        let work = Self { target: target.to_owned(), folder, is_folder, note, _lock: lock };
        if !goes_on {
            let content = work.folder.join(CONTENT);
            remove(&content)?;
        }
        work.cut()?;
        work.keep()?;
        Ok(work)
    }

    /// The folder in which whatever goes to `target` lies until it is complete.
    #[must_use]
    pub fn folder_of(target: &Path) -> PathBuf {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(ENDS);
        target.with_file_name(name)
    }

    /// Whether a process is at work in such a folder.
    #[must_use]
    pub fn is_held(folder: &Path) -> bool {
        let lock = File::open(folder.join(LOCK)).map(|lock| lock.try_lock_shared());
        matches!(lock, Ok(Err(TryLockError::WouldBlock)))
    }

    /// Up to where it is done.
    #[must_use]
    pub const fn after(&self) -> Position {
        self.note.after
    }

    /// Up to where it is to go.
    #[must_use]
    pub const fn upto(&self) -> Position {
        self.note.upto
    }

    /// How many rows are written.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.note.rows
    }

    /// Where a file of the export lies for now.
    fn path(&self, file: &str) -> PathBuf {
        let content = self.folder.join(CONTENT);
        if self.is_folder { content.join(file) } else { content }
    }

    /// Whether nothing has been written to a file yet.
    pub(super) fn is_new(&self, file: &str) -> bool {
        !self.note.files.contains_key(file)
    }

    /// Adds to a file.
    pub(super) fn append(&mut self, file: &str, bytes: &[u8]) -> Result<(), AnalyticsError> {
        let path = self.path(file);
        if self.is_new(file) {
            make_folder_of(&path)?;
        }
        let written = OpenOptions::new().append(true).create(true).open(&path).and_then(|mut out| {
            out.write_all(bytes)?;
            Ok(())
        });
        written.map_err(AnalyticsError::at(&path))?;
        *self.note.files.entry(file.to_owned()).or_default() += bytes.len() as u64;
        Ok(())
    }

    /// Adds a segment of Parquet.
    pub(super) fn add_segment(&mut self, pieces: &[(String, Vec<u8>)]) -> Result<(), AnalyticsError> {
        segments::write(&self.folder, self.note.segments, pieces)?;
        self.note.segments += 1;
        Ok(())
    }

    /// Notes that everything up to a position is written. The files that were added to are on the disk before the note is.
    pub(super) fn done(
        &mut self,
        after: Position,
        rows: u64,
        touched: &[String],
    ) -> Result<(), AnalyticsError> {
        for file in touched {
            let path = self.path(file);
            File::open(&path).and_then(|file| file.sync_data()).map_err(AnalyticsError::at(&path))?;
        }
        (self.note.after, self.note.rows) = (after, self.note.rows + rows);
        self.keep()
    }

    /// Puts the export in its place, and says what it consists of: names and bytes.
    pub(super) fn finish(self) -> Result<Vec<(PathBuf, u64)>, AnalyticsError> {
        let content = self.folder.join(CONTENT);
        if self.note.segments > 0 {
            // Half of it may be there from a time before; it is made anew.
            remove(&content)?;
            segments::join(&self.folder, self.note.segments, |file| self.path(file))?;
        }
        if self.is_folder {
            fs::create_dir_all(&content).map_err(AnalyticsError::at(&content))?;
        } else {
            // Nothing was selected: an empty file is the truth.
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(&content)
                .and_then(|file| file.sync_all())
                .map_err(AnalyticsError::at(&content))?;
        }
        let mut files = vec![];
        list(&content, &mut files)?;
        // A name is on the disk once its folder is.
        let mut folders: BTreeSet<&Path> = files.iter().filter_map(|(path, _)| path.parent()).collect();
        folders.extend(self.is_folder.then_some(&*content));
        for folder in folders {
            sync_folder(folder)?;
        }
        // A folder that is empty gives way; anything else may have come since this began.
        if is_taken(&self.target) {
            return Err(AnalyticsError::Exists(self.target));
        }
        fs::rename(&content, &self.target).map_err(AnalyticsError::at(&self.target))?;
        let around = self.folder.parent().filter(|around| !around.as_os_str().is_empty());
        let around = around.unwrap_or(Path::new("."));
        sync_folder(around)?;
        fs::remove_dir_all(&self.folder).map_err(AnalyticsError::at(&self.folder))?;
        let placed = files.into_iter().map(|(path, bytes)| {
            let within = path.strip_prefix(&content).unwrap_or(Path::new(""));
            let whole = within.as_os_str().is_empty();
            (if whole { self.target.clone() } else { self.target.join(within) }, bytes)
        });
        Ok(placed.collect())
    }

    /// Takes away what was written after the note.
    fn cut(&self) -> Result<(), AnalyticsError> {
        let mut files = vec![];
        list(&self.folder.join(CONTENT), &mut files)?;
        for (path, bytes) in files {
            let within = path.strip_prefix(self.folder.join(CONTENT)).unwrap_or(Path::new(""));
            let mut known = self.note.files.iter();
            let known = known.find(|(file, _)| !self.is_folder || Path::new(file) == within);
            match known.map(|(_, known)| *known) {
                None => fs::remove_file(&path).map_err(AnalyticsError::at(&path))?,
                Some(known) if known > bytes => return Err(self.unusable("a file is shorter than it was")),
                Some(known) => {
                    let file = OpenOptions::new().write(true).open(&path);
                    file.and_then(|file| file.set_len(known)).map_err(AnalyticsError::at(&path))?;
                }
            }
        }
        let missing = |file: &&String| !self.path(file).exists();
        match self.note.files.keys().find(missing) {
            Some(_) => Err(self.unusable("a file of it is gone")),
            None => Ok(()),
        }
    }

    fn unusable(&self, reason: &str) -> AnalyticsError {
        AnalyticsError::Unusable { work: self.folder.clone(), reason: reason.to_owned() }
    }

    /// Writes the note in one step.
    fn keep(&self) -> Result<(), AnalyticsError> {
        let (path, beside) = (self.folder.join(NOTE), self.folder.join("progress.new"));
        let write = || {
            let mut file = File::create(&beside)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&serde_json::to_vec(&self.note)?)?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().map_err(AnalyticsError::at(&path))
    }
}

/// Whether something is in the place already; an empty folder is not.
fn is_taken(target: &Path) -> bool {
    match fs::read_dir(target) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => target.symlink_metadata().is_ok(),
    }
}

fn sync_folder(folder: &Path) -> Result<(), AnalyticsError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(AnalyticsError::at(folder))
}

fn read(folder: &Path) -> Result<Option<Note>, AnalyticsError> {
    let path = folder.join(NOTE);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| AnalyticsError::Unusable { work: folder.to_owned(), reason: error.to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AnalyticsError::at(path)(error)),
    }
}

/// What was asked for otherwise.
pub(crate) fn differs(then: &Value, now: &Value) -> Option<String> {
    let (Some(then), Some(now)) = (then.as_object(), now.as_object()) else { return None };
    now.iter().find(|(name, value)| then.get(*name) != Some(value)).map(|(name, _)| name.clone())
}

fn remove(path: &Path) -> Result<(), AnalyticsError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(AnalyticsError::at(path)(error)),
        _ => Ok(()),
    }
}

/// Every file there is, in the order of their names.
fn list(path: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<(), AnalyticsError> {
    if path.is_file() {
        let bytes = path.metadata().map_err(AnalyticsError::at(path))?.len();
        files.push((path.to_owned(), bytes));
        return Ok(());
    }
    let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
    let mut paths = vec![];
    for entry in entries {
        paths.push(entry.map_err(AnalyticsError::at(path))?.path());
    }
    paths.sort_unstable();
    paths.iter().try_for_each(|path| list(path, files))
}
