//! Knows where files may lie and which user the servers run as.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::error::{StackError, file};
use crate::process;

/// An unprivileged user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub uid: u32,
    pub gid: u32,
}

/// Where one stack lives, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// What the caller named.
    pub data: PathBuf,
    /// Lock, state, secrets, pids, logs: only for the user that started the stack.
    pub run: PathBuf,
    /// The servers' own data.
    pub home: PathBuf,
    /// Whom the servers run as; `None` is the user that started the stack.
    pub user: Option<User>,
}

impl Ground {
    /// A server's log file.
    pub fn log(&self, name: &str) -> PathBuf {
        self.run.join(format!("{name}.log"))
    }

    /// Makes a directory for a server, which must own it.
    pub fn make_dir(&self, name: &str) -> Result<PathBuf, StackError> {
        let path = self.home.join(name);
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(file("create", &path)(error));
            }
            _ => give(&path, self.user)?,
        }
        Ok(path)
    }
}

impl User {
    /// Whom root's servers run as. The owner of data that is already there comes first.
    pub fn unprivileged(existing: Option<&Path>) -> Result<Option<User>, StackError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let owner = existing.and_then(|path| fs::metadata(path).ok());
        if let Some(owner) = owner.filter(|meta| meta.uid() != 0) {
            return Ok(Some(User { uid: owner.uid(), gid: owner.gid() }));
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let find = |name: &str| {
            let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
            let mut named = fields.filter(|fields| fields.first() == Some(&name));
            named.find_map(|fields| {
                Some(User { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
            })
        };
        find("postgres").or_else(|| find("nobody")).map(Some).ok_or(StackError::NoUser)
    }

    fn reaches(self, dir: &Path) -> bool {
        let mut probe = process::command(Path::new("/bin/sh"), Some(self));
        probe.args(["-c", "test -x \"$1\"", "probe"]).arg(dir);
        probe.status().is_ok_and(|status| status.success())
    }
}

/// The directory itself where the servers' user can enter it, otherwise one under `/var/tmp` that stands for it.
pub(crate) fn reachable(dir: &Path, user: Option<User>) -> Result<PathBuf, StackError> {
    let Some(user) = user else {
        return Ok(dir.to_owned());
    };
    if user.reaches(dir) {
        return Ok(dir.to_owned());
    }
    let stand_in = PathBuf::from(format!("/var/tmp/daybook-{:016x}", fnv1a(dir)));
    own_dir(&stand_in)?;
    if user.reaches(&stand_in) {
        Ok(stand_in)
    } else {
        Err(StackError::Unreachable { uid: user.uid, path: dir.into() })
    }
}

/// Where the servers keep their data. Recorded on first use, so that a parent's later change of permissions does
/// not make the data seem lost; without a record, whatever the stand-in holds belongs to a removed directory.
pub(crate) fn home(data: &Path, run: &Path, user: Option<User>) -> Result<PathBuf, StackError> {
    let record = run.join("home");
    let recorded = fs::read_to_string(&record).ok().map(PathBuf::from).filter(|home| home.is_dir());
    if let Some(home) = recorded {
        return Ok(home);
    }
    let home = reachable(data, user)?;
    if home != data {
        remove(&home.join("postgres"))?;
        remove(&home.join("nats"))?;
    }
    write_private(&record, &home.to_string_lossy(), None)?;
    Ok(home)
}

/// Makes the data directory and its private part, and gives their absolute paths.
pub(crate) fn data_dir(data: &Path) -> Result<(PathBuf, PathBuf), StackError> {
    if !data.exists() {
        if let Some(parent) = data.parent() {
            fs::create_dir_all(parent).map_err(file("create", parent))?;
        }
        own_dir(data)?;
    }
    let data = data.canonicalize().map_err(file("find", data))?;
    let run = data.join("run");
    match DirBuilder::new().mode(0o700).create(&run) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(file("create", &run)(error)),
        _ => Ok((data, run)),
    }
}

/// Makes a directory of ours, or checks that the one found there is: others may write beside it.
pub(crate) fn own_dir(path: &Path) -> Result<(), StackError> {
    // Root's servers run as somebody else, who must be able to enter (but not list) the directory.
    let mode = if geteuid().is_root() { 0o711 } else { 0o700 };
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let meta = fs::symlink_metadata(path).map_err(file("look at", path))?;
            if !meta.is_dir() || meta.uid() != geteuid().as_raw() {
                return Err(StackError::Foreign { path: path.to_owned() });
            }
        }
        Err(error) => return Err(file("create", path)(error)),
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(file("set permissions of", path))
}

/// Writes a file that only its owner can read, in one step: a reader sees the old or the new text.
pub(crate) fn write_private(path: &Path, text: &str, user: Option<User>) -> Result<(), StackError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(name);
    let _ = fs::remove_file(&new);
    let mut open = OpenOptions::new();
    let mut out = open.write(true).create_new(true).mode(0o600).open(&new).map_err(file("write", &new))?;
    out.write_all(text.as_bytes()).map_err(file("write", &new))?;
    give(&new, user)?;
    fs::rename(&new, path).map_err(file("write", path))
}

/// Hands a file over to the servers' user.
pub(crate) fn give(path: &Path, user: Option<User>) -> Result<(), StackError> {
    match user {
        Some(user) => chown(path, Some(user.uid), Some(user.gid)).map_err(file("change the owner of", path)),
        None => Ok(()),
    }
}

/// Removes a directory that may not be there.
pub(crate) fn remove(dir: &Path) -> Result<(), StackError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file("remove", dir)(error)),
        _ => Ok(()),
    }
}

/// FNV-1a: the standard library's hash may change between releases, and the name must not.
fn fnv1a(path: &Path) -> u64 {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
