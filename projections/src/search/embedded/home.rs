//! The directory of an embedded index: one process at a time, one generation that counts, and what is being filled.

use std::{
    fs::{self, File, Metadata, TryLockError},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::search::index::IndexError;

/// The file that says which generation counts.
const CURRENT: &str = "current";
/// The file whose lock says that a process is at work here.
const LOCK: &str = "lock";
/// Directories beside the one that was named that are tried when others have it.
const BESIDE_MAX: u32 = 64;

/// A directory that this process has for itself.
pub(super) struct Home {
    root: PathBuf,
    /// Ends with the process, however that ends.
    lock: Mutex<File>,
}

impl Home {
    /// Takes a directory.
    pub fn take(root: &Path) -> Result<Self, IndexError> {
        let unusable = |error: &io::Error| {
            let root = root.display();
            IndexError::Failed(format!("{root}: {error}; name a directory to write to in DAYBOOK_INDEX_DIR"))
        };
        fs::create_dir_all(root).map_err(|error| unusable(&error))?;
        let lock = File::create(root.join(LOCK)).map_err(|error| unusable(&error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), lock: Mutex::new(lock) }),
            Err(TryLockError::WouldBlock) => Err(IndexError::Locked(root.to_owned())),
            Err(TryLockError::Error(error)) => Err(unusable(&error)),
        }
    }

    /// Takes the directory again if it was wiped, and the lock's file with it: that locks nobody out any more.
    fn retake(&self) -> Result<(), IndexError> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = lock.metadata().map_err(|error| told(&self.root, &error))?;
        let same = |there: Metadata| (there.dev(), there.ino()) == (mine.dev(), mine.ino());
        if !fs::metadata(self.root.join(LOCK)).is_ok_and(same) {
            let Self { lock: again, .. } = Self::take(&self.root)?;
            *lock = again.into_inner().unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Takes a directory, or one beside it when another process has it.
    pub fn take_any(root: &Path) -> Result<Self, IndexError> {
        let mut taken = Self::take(root);
        for nth in 2..=BESIDE_MAX {
            match taken {
                Err(IndexError::Locked(_)) => {
                    let mut name = root.as_os_str().to_owned();
                    name.push(format!("-{nth}"));
                    taken = Self::take(Path::new(&name));
                }
                taken => return taken,
            }
        }
        taken
    }

    /// The generation that counts, if there is one.
    pub fn current(&self) -> Option<PathBuf> {
        let name = fs::read_to_string(self.root.join(CURRENT)).ok()?;
        let directory = self.root.join(number(name.trim())?.to_string());
        directory.is_dir().then_some(directory)
    }

    /// An empty directory for another generation.
    pub fn fresh(&self) -> Result<PathBuf, IndexError> {
        let newest = self.generations()?.into_iter().max().unwrap_or(0);
        let directory = self.root.join((newest + 1).to_string());
        fs::create_dir(&directory).map_err(|error| told(&directory, &error))?;
        Ok(directory)
    }

    /// Lets a generation count from now on, in one step, and removes all others.
    pub fn point_to(&self, generation: &Path) -> Result<(), IndexError> {
        let name = generation.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.retake()?;
        let next = self.root.join("next");
        let write = || -> io::Result<()> {
            let mut file = File::create(&next)?;
            file.write_all(name.as_bytes())?;
            file.sync_all()?;
            fs::rename(&next, self.root.join(CURRENT))?;
            File::open(&self.root)?.sync_all()
        };
        write().map_err(|error| told(&self.root, &error))?;
        self.sweep()
    }

    /// Nothing counts any more.
    pub fn forget(&self) {
        if let Err(error) = fs::remove_file(self.root.join(CURRENT)) {
            tracing::debug!(%error, "there was no generation of the search index to forget");
        }
    }

    /// Removes what does not count: a fill that was cut off leaves its directory behind.
    pub fn sweep(&self) -> Result<(), IndexError> {
        let keep = self.current();
        let all = self.generations()?.into_iter().map(|generation| self.root.join(generation.to_string()));
        for directory in all.filter(|directory| Some(directory) != keep.as_ref()) {
            if let Err(error) = fs::remove_dir_all(&directory) {
                tracing::warn!(directory = %directory.display(), %error, "an old search index stays");
            }
        }
        Ok(())
    }

    fn generations(&self) -> Result<Vec<u64>, IndexError> {
        self.retake()?;
        let entries = fs::read_dir(&self.root).map_err(|error| told(&self.root, &error))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| number(&name)).collect())
    }
}

fn number(name: &str) -> Option<u64> {
    name.parse().ok()
}

fn told(path: &Path, error: &io::Error) -> IndexError {
    IndexError::Failed(format!("{}: {error}", path.display()))
}
