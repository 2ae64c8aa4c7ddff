//! Knows how to configure a NATS server with JetStream, and when it answers.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::StackError;
use crate::place::{self, Ground};
use crate::process::{Signal, StopSteps};
use crate::secrets::Secrets;
use crate::server::Kind;

const ANSWER: Duration = Duration::from_millis(500);

/// One NATS server.
#[derive(Debug)]
pub(crate) struct Nats {
    program: PathBuf,
    ground: Ground,
    token: String,
}

impl Nats {
    pub fn new(program: PathBuf, ground: &Ground, secrets: &Secrets) -> Nats {
        Nats { program, ground: ground.clone(), token: secrets.nats.clone() }
    }

    /// JetStream's store.
    pub fn store_dir(&self) -> PathBuf {
        self.ground.home.join("nats")
    }

    pub fn url(&self, port: u16) -> String {
        format!("nats://{}@127.0.0.1:{port}", self.token)
    }

    /// Sent to every client before it authenticates, so that ours is not taken for another on the same port.
    fn server_name(&self, port: u16) -> String {
        format!("daybook-{}-{port}", std::process::id())
    }
}

impl Kind for Nats {
    const NAME: &'static str = "nats";
    const STOP: StopSteps = &[(Signal::TERM, Duration::from_secs(10))];
    /// By default its collector goes through what is in use whenever as much again has been taken. It has little in use: with four
    /// times as much it takes some 100 MB instead of 60, and a twelfth less of the processor (docs/BENCHMARKS.md), and near the
    /// limit no more memory for that.
    const ENVIRONMENT: &[(&str, &str)] = &[("GOGC", "400"), ("GOMEMLIMIT", "1GiB")];

    fn prepare(&self, port: u16) -> Result<(PathBuf, Vec<OsString>), StackError> {
        let store = self.ground.make_dir("nats")?;
        let config = self.ground.home.join("nats.conf");
        // Streams reserve what they may hold of it, however little that is, and each is bounded by itself.
        let text = format!(
            "server_name: \"{}\"\nlisten: \"127.0.0.1:{port}\"\nauthorization {{ token: \"{}\" }}\n\
             max_payload: 8MB\njetstream {{\n  store_dir: {:?}\n  max_memory_store: 256MB\n  \
             max_file_store: 1TB\n}}\n",
            self.server_name(port),
            self.token,
            store.to_string_lossy(),
        );
        place::write_private(&config, &text, self.ground.user)?;
        Ok((self.program.clone(), vec!["-c".into(), config.into()]))
    }

    fn is_ready(&self, port: u16, _pid: u32) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let Ok(stream) = TcpStream::connect_timeout(&address, ANSWER) else {
            return false;
        };
        if stream.set_read_timeout(Some(ANSWER)).is_err() {
            return false;
        }
        let mut line = String::new();
        let read = BufReader::new(stream).read_line(&mut line);
        read.is_ok() && line.starts_with("INFO ") && line.contains(&self.server_name(port))
    }
}
