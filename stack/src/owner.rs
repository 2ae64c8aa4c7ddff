//! Knows who owns a data directory: the lock, and the state that the owner publishes to others.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::{StackError, file};
use crate::place;
use crate::process::Process;

/// The lock file, held. Owner and keeper share one open file, so the lock is free only when both are gone:
/// the next owner finds the servers of a killed one stopped.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// The lock, unless somebody holds it.
    pub fn try_take(run: &Path) -> Result<Option<Lock>, StackError> {
        let path = run.join("lock");
        let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let lock = open.map_err(file("open", &path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { file: lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(file("lock", &path)(error.into())),
        }
    }

    /// Whether somebody holds it.
    pub fn is_held(run: &Path) -> Result<bool, StackError> {
        Lock::try_take(run).map(|lock| lock.is_none())
    }

    /// Writes the owner's pid into the lock file, for people and for error messages.
    pub fn sign(&mut self, run: &Path, owner: &Process) -> Result<(), StackError> {
        let signed = self.file.set_len(0).and_then(|()| writeln!(self.file, "{}", owner.pid));
        signed.map_err(file("write", &run.join("lock")))
    }

    /// The pid in the lock file, 0 when there is none.
    pub fn holder(run: &Path) -> u32 {
        fs::read_to_string(run.join("lock")).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// The same open file for the keeper.
    pub fn share(&self, run: &Path) -> Result<File, StackError> {
        self.file.try_clone().map_err(file("open", &run.join("lock")))
    }
}

/// What the owner publishes. Without an owner it only remembers the ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub owner: Option<Process>,
    pub database_url: String,
    pub nats_url: String,
    /// Where JetStream's store lies, when the server is ours.
    pub nats_dir: Option<PathBuf>,
    pub postgres_port: Option<u16>,
    pub nats_port: Option<u16>,
}

impl State {
    /// What was published last; an unreadable state is none.
    pub fn read(run: &Path) -> State {
        let text = fs::read_to_string(run.join("state")).unwrap_or_default();
        let of = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let owner = of("owner").and_then(|owner| {
            let (pid, started) = owner.split_once(' ')?;
            Some(Process { pid: pid.parse().ok()?, started: started.to_owned() })
        });
        State {
            owner,
            database_url: of("database_url").unwrap_or_default().to_owned(),
            nats_url: of("nats_url").unwrap_or_default().to_owned(),
            nats_dir: of("nats_dir").map(PathBuf::from),
            postgres_port: of("postgres_port").and_then(|port| port.parse().ok()),
            nats_port: of("nats_port").and_then(|port| port.parse().ok()),
        }
    }

    /// The state, if its owner lives. The lock is asked as well, since after a reboot a pid can repeat.
    pub fn of_live_owner(run: &Path) -> Result<Option<(State, u32)>, StackError> {
        let state = State::read(run);
        let owner = state.owner.clone().filter(Process::is_alive);
        let owner = if Lock::is_held(run)? { owner } else { None };
        Ok(owner.map(|owner| (state, owner.pid)))
    }

    pub fn publish(&self, run: &Path) -> Result<(), StackError> {
        let mut lines = vec![
            self.owner.as_ref().map(|owner| format!("owner={} {}", owner.pid, owner.started)),
            self.postgres_port.map(|port| format!("postgres_port={port}")),
            self.nats_port.map(|port| format!("nats_port={port}")),
        ];
        if self.owner.is_some() {
            lines.push(Some(format!("database_url={}", self.database_url)));
            lines.push(Some(format!("nats_url={}", self.nats_url)));
            lines.push(self.nats_dir.as_ref().map(|dir| format!("nats_dir={}", dir.display())));
        }
        let lines: Vec<String> = lines.into_iter().flatten().collect();
        place::write_private(&run.join("state"), &(lines.join("\n") + "\n"), None)
    }

    /// Keeps the ports for the next start and tells everybody that there are no servers.
    pub fn withdraw(&self, run: &Path) -> Result<(), StackError> {
        State { owner: None, ..self.clone() }.publish(run)
    }
}
