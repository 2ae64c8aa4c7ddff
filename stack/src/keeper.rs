//! Knows the keeper: a small shell process that outlives even a killed owner, and stops its servers once nobody else
//! uses them.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::StackError;
use crate::owner::Lock;
use crate::place::{self, Ground};
use crate::process::Process;

/// The file by which an owner that lives on says that it has left.
const LEFT: &str = "left";

/// A running keeper.
#[derive(Debug)]
pub(crate) struct Keeper {
    child: Child,
}

impl Keeper {
    /// Starts it before any server, in a process group of its own, so that Ctrl-C does not reach it.
    pub fn start(
        owner: &Process,
        lock: &Lock,
        ground: &Ground,
        throw_away: bool,
    ) -> Result<Keeper, StackError> {
        let shell = Path::new("/bin/sh");
        let script = ground.run.join("daybook-keeper.sh");
        place::write_private(&script, include_str!("keeper.sh"), None)?;
        let child = Command::new(shell)
            .arg(&script)
            .args([&owner.pid.to_string(), &owner.started])
            .args([&ground.run, &ground.home, &ground.data])
            .arg(if throw_away { "remove" } else { "keep" })
            .current_dir("/")
            .stdin(lock.share(&ground.run)?)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| StackError::Run { program: shell.to_owned(), source })?;
        Ok(Keeper { child })
    }

    /// Whether it still watches.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// The owner leaves the servers to it: it stops them once nobody uses them.
    pub fn take_over(&self, run: &Path) -> Result<(), StackError> {
        place::write_private(&run.join(LEFT), "", None)
    }

    /// What an earlier owner left to its keeper is over.
    pub fn forget_leaving(run: &Path) {
        let _ = fs::remove_file(run.join(LEFT));
    }

    /// Its work is done: the owner has stopped the servers itself.
    pub fn dismiss(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
