//! Knows who uses servers that another process started: those stay until the last of them is gone.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{StackError, file};
use crate::place;
use crate::process::Process;

/// One use of somebody else's servers, written down where owner and keeper look before they stop them. It ends
/// with its process, however that ends.
#[derive(Debug)]
pub(crate) struct Guest {
    path: PathBuf,
}

impl Guest {
    /// Writes it down. Only then may the state be relied on: who stops the servers withdraws it, and then looks.
    pub fn register(run: &Path) -> Result<Guest, StackError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let folder = folder(run);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(file("create", &folder)(error));
            }
            _ => {}
        }
        let Process { pid, started } = Process::current();
        let path = folder.join(format!("{pid}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        place::write_private(&path, &format!("{pid} {started}\n"), None)?;
        Ok(Guest { path })
    }

    /// The processes that use the servers now.
    pub fn pids(run: &Path) -> Vec<u32> {
        let entries = fs::read_dir(folder(run)).into_iter().flatten().flatten();
        let texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
        let named = texts.filter_map(|text| {
            let (pid, started) = text.trim_end().split_once(' ')?;
            Some(Process { pid: pid.parse().ok()?, started: started.to_owned() })
        });
        named.filter(Process::is_alive).map(|process| process.pid).collect()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn folder(run: &Path) -> PathBuf {
    run.join("guests")
}
