//! Knows how to create, configure and start a Postgres cluster, and when it answers.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::error::{StackError, file};
use crate::place::{self, Ground, User};
use crate::process::{self, Server, Signal, StopSteps, TICK};
use crate::secrets::{self, Secrets};
use crate::server::Kind;
use crate::url;

/// The superuser, which also owns the database.
pub(crate) const OWNER: &str = "daybook_owner";
pub(crate) const DATABASE: &str = "daybook";

/// How to end `initdb`, which an owner that died may have left behind.
pub(crate) const INITDB_STOP: StopSteps = &[(Signal::TERM, Duration::from_secs(5))];

/// Durability is never traded away here: a test or a benchmark on this server says what users will see.
const SETTINGS: [&str; 13] = [
    "listen_addresses=127.0.0.1",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "max_connections=400",
    "shared_buffers=256MB",
    "max_wal_size=2GB",
    "jit=off",
    // Whoever waits for another for a second is told, and for whom.
    "log_lock_waits=on",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_destination=stderr",
    "logging_collector=off",
];

/// The directory of its Unix socket, which only its user and root may enter.
const SOCKETS: &str = "postgres-socket";
/// Bytes of the path of a Unix socket on every system, which a data directory's path may exceed.
const SOCKET_PATH_MAX: usize = 103;

/// What clients connect through. It listens on a port either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    /// As most servers of others are reached.
    Network,
    /// What takes less of the processor, where the data directory's path is short enough.
    Socket,
}

/// One Postgres server.
#[derive(Debug)]
pub(crate) struct Postgres {
    program: PathBuf,
    ground: Ground,
    password: String,
    through: Through,
}

impl Postgres {
    pub fn new(program: PathBuf, ground: &Ground, secrets: &Secrets, through: Through) -> Postgres {
        Postgres { program, ground: ground.clone(), password: secrets.owner.clone(), through }
    }

    pub fn url(&self, port: u16) -> String {
        let server = format!("postgres://{OWNER}:{}@127.0.0.1:{port}/{DATABASE}", self.password);
        match self.socket(port).as_deref().and_then(|socket| socket.rsplit_once('/')) {
            Some((dir, _)) => format!("{server}?host={}", url::escaped(dir).replace("%2F", "/")),
            None => server,
        }
    }

    /// A program that belongs to this server, to be run as its user.
    pub fn companion(&self, name: &str) -> Result<Command, StackError> {
        companion(&self.program, name, self.ground.user)
    }

    pub fn cluster(&self) -> PathBuf {
        self.ground.home.join("postgres")
    }

    /// The socket for this port, if there is to be one. Where an address has a comma, clients read two.
    fn socket(&self, port: u16) -> Option<String> {
        let dir = self.ground.home.join(SOCKETS);
        let socket = dir.join(format!(".s.PGSQL.{port}")).into_os_string().into_string().ok()?;
        let fits = socket.len() <= SOCKET_PATH_MAX && !socket.contains(',');
        (fits && self.through == Through::Socket).then_some(socket)
    }

    /// Creates the cluster and its database unless they are there. They appear under their name only when they
    /// are complete, so a crash in between leaves nothing that looks like a cluster.
    pub fn create(&self) -> Result<(), StackError> {
        if self.cluster().is_dir() {
            return Ok(());
        }
        remove_incomplete(&self.ground.home)?;
        let name = format!("postgres.new-{}", secrets::password()?);
        let new = self.ground.make_dir(&name)?;
        let password_file = self.ground.home.join(format!("{name}.password"));
        place::write_private(&password_file, &self.password, self.ground.user)?;
        let initialised = self.initdb(&new, &password_file);
        fs::remove_file(&password_file).map_err(file("remove", &password_file))?;
        initialised?;
        self.create_database(&new)?;
        fs::rename(&new, self.cluster()).map_err(file("rename", &new))
    }

    fn initdb(&self, cluster: &Path, password_file: &Path) -> Result<(), StackError> {
        let mut args: Vec<OsString> =
            vec!["-D".into(), cluster.into(), "--pwfile".into(), password_file.into()];
        // The pinned build has no ICU, and the C collation is the same on every system.
        args.extend(["--encoding=UTF8", "--locale=C", "--locale-provider=libc"].map(OsString::from));
        args.extend(["--auth=scram-sha-256", "--username", OWNER].map(OsString::from));
        let mut initdb =
            Server::spawn("initdb", &self.program.with_file_name("initdb"), args, &[], &self.ground)?;
        let succeeded = loop {
            match initdb.ended() {
                Some(succeeded) => break succeeded,
                None => thread::sleep(TICK),
            }
        };
        initdb.stop(INITDB_STOP);
        if succeeded { Ok(()) } else { Err(self.failed("initdb")) }
    }

    /// In single-user mode, which needs no client program and no port.
    fn create_database(&self, cluster: &Path) -> Result<(), StackError> {
        let run = |source| StackError::Run { program: self.program.clone(), source };
        let log = self.ground.log("initdb");
        let sink = fs::File::options().append(true).open(&log).map_err(file("open", &log))?;
        let mut single = process::command(&self.program, self.ground.user)
            .args(["--single", "-j", "-D"])
            .arg(cluster)
            .args(["-c", "exit_on_error=on", "postgres"])
            .stdin(Stdio::piped())
            .stdout(sink.try_clone().map_err(file("open", &log))?)
            .stderr(sink)
            .spawn()
            .map_err(run)?;
        if let Some(mut input) = single.stdin.take() {
            input.write_all(format!("CREATE DATABASE {DATABASE} OWNER {OWNER}").as_bytes()).map_err(run)?;
        }
        let status = single.wait().map_err(run)?;
        if status.success() { Ok(()) } else { Err(self.failed("initdb")) }
    }

    fn failed(&self, server: &'static str) -> StackError {
        let log = self.ground.log(server);
        StackError::Exited { server, tail: process::tail(&log), log }
    }
}

/// A program that lies beside the server's own.
pub(crate) fn companion(server: &Path, name: &str, user: Option<User>) -> Result<Command, StackError> {
    let program = server.with_file_name(name);
    if program.is_file() {
        Ok(process::command(&program, user))
    } else {
        Err(StackError::NotBeside { program })
    }
}

fn remove_incomplete(home: &Path) -> Result<(), StackError> {
    for entry in fs::read_dir(home).map_err(file("list", home))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("postgres.new-") {
            // A password file is no directory.
            let _ = fs::remove_file(entry.path());
            place::remove(&entry.path())?;
        }
    }
    Ok(())
}

impl Kind for Postgres {
    const NAME: &'static str = "postgres";
    /// Fast, then immediate shutdown.
    const STOP: StopSteps = &[(Signal::INT, Duration::from_secs(20)), (Signal::QUIT, Duration::from_secs(5))];

    fn prepare(&self, port: u16) -> Result<(PathBuf, Vec<OsString>), StackError> {
        let cluster = self.cluster();
        process::remove_foreign_pid_file(&cluster.join("postmaster.pid"), &self.ground.home);
        let mut args: Vec<OsString> = vec!["-D".into(), cluster.into(), "-p".into(), port.to_string().into()];
        args.extend(SETTINGS.iter().flat_map(|setting| ["-c".into(), setting.into()]));
        let mut sockets = String::new();
        if let Some(socket) = self.socket(port) {
            let dir = self.ground.make_dir(SOCKETS)?;
            // Its lock is such a file too; with that, Postgres removes a socket that was left itself.
            process::remove_foreign_pid_file(Path::new(&format!("{socket}.lock")), &self.ground.home);
            sockets = format!("\"{}\"", dir.to_string_lossy().replace('"', "\"\""));
        }
        args.extend(["-c".into(), format!("unix_socket_directories={sockets}").into()]);
        Ok((self.program.clone(), args))
    }

    /// Reads what `pg_ctl -w` reads: line 1 of `postmaster.pid` is the pid, line 8 the status.
    fn is_ready(&self, _port: u16, pid: u32) -> bool {
        let text = fs::read_to_string(self.cluster().join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        lines.next() == Some(pid.to_string().as_str()) && matches!(lines.nth(6), Some("ready" | "standby"))
    }

    /// After `kill -9` of the postmaster its backends need a moment to notice.
    fn is_passing(tail: &str) -> bool {
        tail.lines().rev().take(3).any(|line| line.contains("pre-existing shared memory block"))
    }

    fn make_way(&self) {
        if let Ok(cluster) = self.cluster().canonicalize() {
            process::stop_orphans(&cluster);
        }
    }
}
