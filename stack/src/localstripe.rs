//! Knows how to run localstripe, an imitation of Stripe's API that tests call instead of Stripe.
//!
//! It is a program of its own under the GPL: installed from PyPI for tests, linked to nothing and shipped with nothing.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::pip::{self, Wheels};
use crate::start::Log;
use crate::{StackError, error::file};

const WHEELS: Wheels = Wheels {
    name: "localstripe",
    folder: "localstripe-1.15.10",
    requirements: include_str!("requirements/localstripe.txt"),
    source: Some(include_str!("requirements/localstripe-source.txt")),
    program: "localstripe/server.py",
};

const SCRIPT: &str = include_str!("localstripe.py");

/// A running localstripe. It ends with its input, and that with this process, however that ends.
#[derive(Debug)]
pub(crate) struct Localstripe {
    child: Child,
    url: String,
}

impl Localstripe {
    /// Installs it if it is not there, and waits until it listens.
    pub fn start(servers: &Path, log: Log<'_>) -> Result<Localstripe, StackError> {
        std::fs::create_dir_all(servers).map_err(file("create", servers))?;
        let check = |tree: &Path| match python(tree).arg("--version").status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("it does not run ({status})")),
            Err(error) => Err(format!("cannot run python3: {error}")),
        };
        pip::install_tried(&WHEELS, servers, log, check).map_err(|pip| StackError::NoServer {
            server: WHEELS.name,
            pip,
            installed: "not looked for".to_owned(),
            advice: "  install Python 3.11 or newer with pip",
        })?;
        let mut python = python(&servers.join(WHEELS.folder));
        python.stdin(Stdio::piped()).stdout(Stdio::piped());
        let run = |source| StackError::Run { program: "python3".into(), source };
        let mut child = python.spawn().map_err(run)?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(run)?;
        }
        let Ok(port) = line.trim().parse::<u16>() else {
            let _ = child.kill();
            return Err(run(std::io::Error::other("it ended before it listened")));
        };
        log(&format!("localstripe listens on 127.0.0.1:{port}"));
        Ok(Localstripe { child, url: format!("http://127.0.0.1:{port}") })
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Localstripe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The script, with the installed packages to import from.
fn python(tree: &Path) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", SCRIPT]).env("PYTHONPATH", tree).env("PYTHONDONTWRITEBYTECODE", "1").current_dir("/");
    command
}
