//! Knows how to bring one server up on a port, keep that port, and bring it down.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::place::Ground;
use crate::process::{self, Server, Signal, StopSteps, TICK};
use crate::{StackError, ports};

/// Long enough for Postgres to replay `max_wal_size` after a crash.
const READY: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_millis(100);
/// How long a reason that passes by itself is left to do so.
const PATIENCE: Duration = Duration::from_secs(3);
const PORTS_MAX: usize = 5;

/// What differs between the servers.
pub(crate) trait Kind {
    const NAME: &'static str;
    const STOP: StopSteps;
    /// Variables that the server is started with, unless this process was started with them.
    const ENVIRONMENT: &[(&str, &str)] = &[];

    /// Writes what the server reads, and gives its program and arguments.
    fn prepare(&self, port: u16) -> Result<(PathBuf, Vec<OsString>), StackError>;

    /// Whether the process answers on the port.
    fn is_ready(&self, port: u16, pid: u32) -> bool;

    /// Whether the server gave up for a reason that passes by itself.
    fn is_passing(_tail: &str) -> bool {
        false
    }

    /// Does away with such a reason that has not passed.
    fn make_way(&self) {}
}

/// A server of this stack, running or stopped for a while.
#[derive(Debug)]
pub(crate) struct Local<K> {
    pub kind: K,
    pub port: u16,
    ground: Ground,
    server: Mutex<Option<Server>>,
}

impl<K: Kind> Local<K> {
    /// Starts on the wanted port when it is free, otherwise on another.
    pub fn start(kind: K, ground: &Ground, wanted: Option<u16>) -> Result<Local<K>, StackError> {
        let mut clashes = 0;
        let mut port = ports::pick(wanted)?;
        let server = loop {
            match launch(&kind, ground, port) {
                // Somebody took the port between our look and the server's.
                Err(StackError::Exited { .. }) if clashes < PORTS_MAX && !ports::is_free(port) => {
                    clashes += 1;
                    port = ports::pick(None)?;
                }
                other => break other?,
            }
        };
        Ok(Local { kind, port, ground: ground.clone(), server: Mutex::new(Some(server)) })
    }

    /// Starts again on the same port, which clients know; does nothing when it runs.
    pub fn start_again(&self) -> Result<(), StackError> {
        let mut server = self.server();
        if server.as_mut().is_some_and(|server| server.ended().is_none()) {
            return Ok(());
        }
        *server = Some(launch(&self.kind, &self.ground, self.port)?);
        Ok(())
    }

    /// Asks it to end, and insists after a while.
    pub fn stop(&self) {
        if let Some(mut server) = self.server().take() {
            server.stop(K::STOP);
        }
    }

    /// `kill -9`.
    pub fn kill(&self) {
        if let Some(mut server) = self.server().take() {
            server.stop(&[]);
        }
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(server) = self.server().as_ref() {
            server.signal(signal);
        }
    }

    pub fn pid(&self) -> Option<u32> {
        self.server().as_ref().map(Server::pid)
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn launch<K: Kind>(kind: &K, ground: &Ground, port: u16) -> Result<Server, StackError> {
    let log = ground.log(K::NAME);
    let begun = Instant::now();
    let deadline = begun + READY;
    let mut server = spawn(kind, ground, port)?;
    loop {
        if kind.is_ready(port, server.pid()) {
            return Ok(server);
        }
        let late = Instant::now() >= deadline;
        if server.ended().is_some() {
            let tail = process::tail(&log);
            if late || !K::is_passing(&tail) {
                return Err(StackError::Exited { server: K::NAME, log, tail });
            }
            if begun.elapsed() > PATIENCE {
                kind.make_way();
            }
            thread::sleep(RETRY);
            server = spawn(kind, ground, port)?;
        } else if late {
            server.stop(K::STOP);
            let tail = process::tail(&log);
            return Err(StackError::NotReady { server: K::NAME, log, waited_s: READY.as_secs(), tail });
        }
        thread::sleep(TICK);
    }
}

fn spawn<K: Kind>(kind: &K, ground: &Ground, port: u16) -> Result<Server, StackError> {
    let (program, args) = kind.prepare(port)?;
    Server::spawn(K::NAME, &program, args, K::ENVIRONMENT, ground)
}
