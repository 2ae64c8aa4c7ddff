//! Knows the faults that tests inject: a server that is away, killed, paused or has lost its data.

use std::path::PathBuf;
use std::process::Command;

use crate::nats::Nats;
use crate::place;
use crate::postgres::Postgres;
use crate::process::Signal;
use crate::server::Local;
use crate::{Stack, StackError};

/// Every function fails with [`StackError::NotOwner`] on an attached stack, and with [`StackError::NotLocal`] for a
/// server that was given by URL. A server that is started again keeps its port.
impl Stack {
    /// Stops NATS in order.
    pub fn stop_nats(&self) -> Result<(), StackError> {
        self.nats().map(Local::stop)
    }

    /// Kills NATS with SIGKILL.
    pub fn kill_nats(&self) -> Result<(), StackError> {
        self.nats().map(Local::kill)
    }

    /// Starts NATS again and waits until it answers; does nothing while it runs.
    pub fn start_nats(&self) -> Result<(), StackError> {
        self.nats()?.start_again()
    }

    /// Stops NATS and starts it again.
    pub fn restart_nats(&self) -> Result<(), StackError> {
        self.stop_nats()?;
        self.start_nats()
    }

    /// Kills NATS, removes everything that JetStream stored, and starts it again.
    pub fn wipe_nats(&self) -> Result<(), StackError> {
        let nats = self.nats()?;
        nats.kill();
        place::remove(&nats.kind.store_dir())?;
        nats.start_again()
    }

    /// Freezes NATS: its connections stay open and nothing answers.
    pub fn pause_nats(&self) -> Result<(), StackError> {
        self.nats().map(|nats| nats.signal(Signal::STOP))
    }

    /// Lets a paused NATS go on.
    pub fn resume_nats(&self) -> Result<(), StackError> {
        self.nats().map(|nats| nats.signal(Signal::CONT))
    }

    /// The pid of NATS, `None` while it is stopped.
    pub fn nats_pid(&self) -> Result<Option<u32>, StackError> {
        self.nats().map(Local::pid)
    }

    /// Stops Postgres in order, ending its connections.
    pub fn stop_postgres(&self) -> Result<(), StackError> {
        self.postgres().map(Local::stop)
    }

    /// Kills Postgres with SIGKILL; its backends end by themselves.
    pub fn kill_postgres(&self) -> Result<(), StackError> {
        self.postgres().map(Local::kill)
    }

    /// Starts Postgres again and waits until it answers; does nothing while it runs.
    pub fn start_postgres(&self) -> Result<(), StackError> {
        self.postgres()?.start_again()
    }

    /// Stops Postgres and starts it again.
    pub fn restart_postgres(&self) -> Result<(), StackError> {
        self.stop_postgres()?;
        self.start_postgres()
    }

    /// The pid of Postgres's postmaster, `None` while it is stopped.
    pub fn postgres_pid(&self) -> Result<Option<u32>, StackError> {
        self.postgres().map(Local::pid)
    }

    /// A program that belongs to Postgres, such as `pg_basebackup`, to be run as the server's user.
    pub fn postgres_program(&self, name: &str) -> Result<Command, StackError> {
        self.postgres()?.kind.companion(name)
    }

    /// Where Postgres keeps its data: to be replaced by a backup while the server is stopped.
    pub fn postgres_data_dir(&self) -> Result<PathBuf, StackError> {
        Ok(self.postgres()?.kind.cluster())
    }

    /// Makes a directory beside Postgres's data that the server may write to.
    pub fn beside_postgres(&self, name: &str) -> Result<PathBuf, StackError> {
        let owned = self.owned.as_ref().ok_or(StackError::NotOwner { pid: self.owner_pid() })?;
        owned.ground.make_dir(name)
    }

    fn nats(&self) -> Result<&Local<Nats>, StackError> {
        let owned = self.owned.as_ref().ok_or(StackError::NotOwner { pid: self.owner_pid() })?;
        owned.nats.as_ref().ok_or(StackError::NotLocal { server: "nats" })
    }

    fn postgres(&self) -> Result<&Local<Postgres>, StackError> {
        let owned = self.owned.as_ref().ok_or(StackError::NotOwner { pid: self.owner_pid() })?;
        owned.postgres.as_ref().ok_or(StackError::NotLocal { server: "postgres" })
    }
}
