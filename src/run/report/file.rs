//! A file that stands under its name only when all of it is written.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::ReportFailure;

/// A place for a file, and the unfinished file beside it; dropping it leaves nothing.
pub struct Place {
    path: PathBuf,
    work: PathBuf,
    file: File,
    replace: bool,
    named: bool,
}

impl Place {
    /// Makes sure that the file can be written there, before anything else is done for it.
    ///
    /// # Errors
    /// When there is one already and it is not to be replaced, another process makes it, or none can be made.
    pub fn take(path: &Path, replace: bool) -> Result<Self, ReportFailure> {
        let path = followed(path)?;
        if path.is_dir() {
            return Err(ReportFailure::IsFolder(path));
        }
        // A device or a pipe would be gone, and a file in its place.
        if path.exists() && !path.is_file() {
            return Err(ReportFailure::NoFile(path));
        }
        if !replace && path.exists() {
            return Err(ReportFailure::Exists(path));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.exists() {
            let folder = folder.to_owned();
            return Err(ReportFailure::NoFolder { path, folder });
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let work = folder.join(name);
        match own(&work) {
            Ok(Some(file)) => Ok(Self { path, work, file, replace, named: false }),
            Ok(None) => Err(ReportFailure::Busy(path)),
            Err(source) => Err(ReportFailure::File { path: work, source }),
        }
    }

    /// Writes all of it, and gives it its name.
    ///
    /// # Errors
    /// The file system's.
    pub fn fill(mut self, text: &str) -> Result<(), ReportFailure> {
        if !self.replace && fs::symlink_metadata(&self.path).is_ok() {
            return Err(ReportFailure::Exists(self.path.clone()));
        }
        let written = self.write(text);
        written.map_err(|source| ReportFailure::File { path: self.path.clone(), source })
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        fs::rename(&self.work, &self.path)?;
        self.named = true;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Once it has its name, what is called like the unfinished one is somebody else's.
        if !self.named {
            let _ = fs::remove_file(&self.work);
        }
    }
}

/// The file that is meant: through a link, the one that it leads to, so that the link stays what it is.
fn followed(path: &Path) -> Result<PathBuf, ReportFailure> {
    if !fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink()) {
        return Ok(path.to_owned());
    }
    match fs::canonicalize(path) {
        Ok(file) => Ok(file),
        // A pipe that is reached through /dev/stdout has no path of its own.
        Err(_) if path.exists() => Ok(path.to_owned()),
        Err(_) => Err(ReportFailure::LeadsNowhere(path.to_owned())),
    }
}

/// Makes the unfinished file this process's, empty; what a process left there that was killed is thrown away. `None` when
/// another process has it.
fn own(work: &Path) -> io::Result<Option<File>> {
    loop {
        if fs::symlink_metadata(work).is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is no file, and in the way"));
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(work)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever had it before may have given it its name, or taken it away, in between.
        if is_at(&file, work)? {
            file.set_len(0)?;
            return Ok(Some(file));
        }
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let file = file.metadata()?;
    Ok(fs::symlink_metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (file.dev(), file.ino())))
}
