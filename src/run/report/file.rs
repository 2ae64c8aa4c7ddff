//! A file that stands under its name only when all of it is written.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::ReportFailure;

/// A place for a file, and the unfinished file beside it; dropping it leaves nothing.
pub struct Place {
    path: PathBuf,
    work: PathBuf,
    file: File,
    replace: bool,
}

impl Place {
    /// Makes sure that the file can be written there, before anything else is done for it.
    ///
    /// # Errors
    /// When there is one already and it is not to be replaced, or none can be made.
    pub fn take(path: &Path, replace: bool) -> Result<Self, ReportFailure> {
        if path.is_dir() {
            return Err(ReportFailure::IsFolder(path.to_owned()));
        }
        // A device or a pipe would be gone, and a file in its place.
        if path.exists() && !path.is_file() {
            return Err(ReportFailure::NoFile(path.to_owned()));
        }
        if !replace && path.exists() {
            return Err(ReportFailure::Exists(path.to_owned()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.exists() {
            return Err(ReportFailure::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        // Two at once have one each; the last to be done is the one that stays.
        name.push(format!(".{}.partial", std::process::id()));
        let work = folder.join(name);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&work);
        let file = file.map_err(|source| ReportFailure::File { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), work, file, replace })
    }

    /// Writes all of it, and gives it its name.
    ///
    /// # Errors
    /// The file system's.
    pub fn fill(mut self, text: &str) -> Result<(), ReportFailure> {
        if !self.replace && self.path.exists() {
            return Err(ReportFailure::Exists(self.path.clone()));
        }
        let written = self.write(text);
        written.map_err(|source| ReportFailure::File { path: self.path.clone(), source })
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        fs::rename(&self.work, &self.path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Once it has its name there is none of the other any more.
        let _ = fs::remove_file(&self.work);
    }
}
