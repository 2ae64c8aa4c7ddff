//! The folder beside an export in which it lies until it is complete, and the note there of how far it has come.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde_json::Value;
use store::log::Position;
use uuid::Uuid;

use super::{
    AnalyticsError,
    folder::{self, CONTENT, LOCK, Note, remove},
    segments::{self, make_folder_of},
};

/// What the folder's name ends with.
const ENDS: &str = ".partial";

/// The unfinished export.
#[derive(Debug)]
pub struct Work {
    target: PathBuf,
    folder: PathBuf,
    /// Whether the export is a folder of files.
    is_folder: bool,
    note: Note,
    /// What is to lie in the folder beside what was exported: a file's name and text.
    beside: Option<(&'static str, Vec<u8>)>,
    /// Held as long as this process is at it.
    _lock: File,
}

impl Work {
    /// Begins an export of `after < position <= upto` of the log in that life, or goes on with the same one. What an earlier
    /// one with other wishes left is in the way, unless `restart` throws it away.
    ///
    /// # Errors
    /// When there is something in its place or in its folder's, somebody else is at it, or it cannot be written.
    pub fn begin(
        target: &Path,
        is_folder: bool,
        asked: &Value,
        (after, upto): (Position, Position),
        incarnation: Uuid,
        restart: bool,
    ) -> Result<Self, AnalyticsError> {
        if target.file_name().is_none() {
            return Err(AnalyticsError::NoName(target.to_owned()));
        }
        // Without a slash at its end, and whatever else means nothing.
        let target: PathBuf = target.components().collect();
        let folder = Self::folder_of(&target);
        if is_taken(&target, is_folder) {
            return Err(AnalyticsError::Exists(target));
        }
        match fs::create_dir(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => drop(Note::find(&folder)?),
            Err(error) => return Err(unmade(target, &folder, error)),
        }
        let lock = folder::lock(&folder)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AnalyticsError::InUse(target)),
            Err(TryLockError::Error(error)) => return Err(AnalyticsError::at(folder.join(LOCK))(error)),
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
        let found = Note::find(&folder)?.filter(|_| !restart);
        let goes_on = found.is_some();
        let note = found.unwrap_or(fresh);
        let different = |difference: String| AnalyticsError::Other { work: folder.clone(), difference };
        if let Some(name) = differs(&note.asked, asked) {
            return Err(different(format!("{name} is another one")));
        }
        if note.incarnation != incarnation {
            return Err(different("the log was restored since, or another database serves it".to_owned()));
        }
        let work = Self { target, folder, is_folder, note, beside: None, _lock: lock };
        if !goes_on {
            remove(&work.folder.join(CONTENT))?;
        }
        work.cut()?;
        work.note.keep(&work.folder)?;
        Ok(work)
    }

    /// The folder in which whatever goes to `target` lies until it is complete.
    #[must_use]
    pub fn folder_of(target: &Path) -> PathBuf {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(ENDS);
        target.with_file_name(name)
    }

    /// Whether an unfinished export or replay lies in such a folder.
    #[must_use]
    pub fn is_begun(folder: &Path) -> bool {
        matches!(Note::find(folder), Ok(Some(_)))
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

    /// Lets a file lie beside what was exported when all of it is in its place. It is not counted among that.
    pub(crate) fn put_beside(&mut self, name: &'static str, text: Vec<u8>) {
        self.beside = Some((name, text));
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
        self.note.keep(&self.folder)
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
        if let Some((name, text)) = &self.beside {
            let path = content.join(name);
            let written = File::create(&path).and_then(|mut file| {
                file.write_all(text)?;
                file.sync_all()
            });
            written.map_err(AnalyticsError::at(&path))?;
        }
        // A name is on the disk once its folder is.
        let mut folders: BTreeSet<&Path> = files.iter().filter_map(|(path, _)| path.parent()).collect();
        folders.extend(self.is_folder.then_some(&*content));
        for folder in folders {
            sync_folder(folder)?;
        }
        // A folder that is empty gives way; anything else may have come since this began.
        if is_taken(&self.target, self.is_folder) {
            return Err(AnalyticsError::Exists(self.target));
        }
        fs::rename(&content, &self.target).map_err(AnalyticsError::at(&self.target))?;
        sync_folder(around(&self.folder))?;
        folder::sweep(&self.folder)?;
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
        let gone = self.note.files.keys().any(|file| !self.path(file).exists());
        if gone || !segments::are_there(&self.folder, self.note.segments) {
            return Err(self.unusable("a file of it is gone"));
        }
        Ok(())
    }

    fn unusable(&self, reason: &str) -> AnalyticsError {
        AnalyticsError::Unusable { work: self.folder.clone(), reason: reason.to_owned() }
    }
}

/// Whether something is in the place already; of folders, an empty one is not.
fn is_taken(target: &Path, is_folder: bool) -> bool {
    match target.symlink_metadata() {
        Ok(about) if about.is_dir() && is_folder => {
            fs::read_dir(target).map_or(true, |mut entries| entries.next().is_some())
        }
        about => about.is_ok(),
    }
}

/// The folder that a path is in.
fn around(path: &Path) -> &Path {
    path.parent().filter(|around| !around.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Why nothing can be made there.
fn unmade(target: PathBuf, folder: &Path, source: io::Error) -> AnalyticsError {
    let around = around(folder).to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AnalyticsError::at(folder)(source),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if !around.is_dir() => {
            AnalyticsError::NoFolder { path: target, folder: around }
        }
        _ => AnalyticsError::Unwritable { path: target, folder: around, source },
    }
}

fn sync_folder(folder: &Path) -> Result<(), AnalyticsError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(AnalyticsError::at(folder))
}

/// What was asked for otherwise.
pub(crate) fn differs(then: &Value, now: &Value) -> Option<String> {
    let (Some(then), Some(now)) = (then.as_object(), now.as_object()) else { return None };
    now.iter().find(|(name, value)| then.get(*name) != Some(value)).map(|(name, _)| name.clone())
}

/// Every file there is, in the order of their names. No link is followed.
fn list(path: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<(), AnalyticsError> {
    let Ok(about) = path.symlink_metadata() else { return Ok(()) };
    if !about.is_dir() {
        files.push((path.to_owned(), about.len()));
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(AnalyticsError::at(path))?;
    let mut paths = vec![];
    for entry in entries {
        paths.push(entry.map_err(AnalyticsError::at(path))?.path());
    }
    paths.sort_unstable();
    paths.iter().try_for_each(|path| list(path, files))
}
