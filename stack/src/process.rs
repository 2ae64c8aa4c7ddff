//! Knows processes: whether one still lives, whether it is the one that was meant, and how to start and end one.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::error::{StackError, file};
use crate::place::{Ground, User};

/// How often anything is polled.
pub(crate) const TICK: Duration = Duration::from_millis(10);
const LOG_BYTES_MAX: u64 = 32 << 20;
const TAIL_LINES: usize = 12;

/// Signals to send in turn, each with the time it is given; SIGKILL follows.
pub(crate) type StopSteps = &'static [(Signal, Duration)];

/// A process and the moment it started, so that a reused pid is not taken for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub pid: u32,
    pub started: String,
}

impl Process {
    pub fn current() -> Process {
        Process::named(std::process::id())
    }

    /// The process that has this pid now.
    pub fn named(pid: u32) -> Process {
        Process { pid, started: started(pid).unwrap_or_default() }
    }

    pub fn is_alive(&self) -> bool {
        started(self.pid).is_some_and(|now| self.started.is_empty() || now == self.started)
    }
}

/// When the process started, in the system's own words; `None` when it is gone or only a zombie is left.
fn started(pid: u32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        // The state (field 3), and later the start (22).
        let fields = stat(pid)?;
        let dead = matches!(fields.first().map(String::as_str), Some("Z" | "X"));
        return if dead { None } else { fields.into_iter().nth(19) };
    }
    ask_ps("lstart=", pid)
}

/// The fields of the process's `stat` (proc(5)) from the third on, behind the name in brackets, which may hold blanks.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// Whether the pid belongs to a live process with the command line of that server of this home. Nothing less will
/// do: in a container pids repeat after a restart, and our own command line may name the directory too.
fn is_ours(pid: u32, name: &str, home: &Path) -> bool {
    let mark = match name {
        "nats" => format!("-c {}/nats.conf", home.display()),
        _ => format!("-D {}/postgres", home.display()),
    };
    let line = match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).replace('\0', " ")),
        Err(_) => ask_ps("command=", pid),
    };
    started(pid).is_some() && line.is_some_and(|line| line.contains(&mark))
}

fn ask_ps(what: &str, pid: u32) -> Option<String> {
    let output = Command::new("ps").args(["-o", what, "-p", &pid.to_string()]).output().ok()?;
    let words: Vec<_> = std::str::from_utf8(&output.stdout).ok()?.split_whitespace().collect();
    if words.is_empty() { None } else { Some(words.join(" ")) }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // A failure means that it is gone already, which every caller finds out by waiting.
        let _ = kill_process(pid, signal);
    }
}

/// Runs `gone` until it is true or the time is over.
fn wait(limit: Duration, mut gone: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if gone() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(TICK);
    }
}

fn stop(pid: u32, steps: StopSteps, mut gone: impl FnMut() -> bool) {
    // A paused process receives nothing else before this.
    signal(pid, Signal::CONT);
    for (step, limit) in steps {
        signal(pid, *step);
        if wait(*limit, &mut gone) {
            return;
        }
    }
    signal(pid, Signal::KILL);
    wait(Duration::from_secs(10), gone);
}

/// A command as the given user, away from a working directory that the user may not be able to enter.
pub(crate) fn command(program: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// A server process that this process started.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pid_file: PathBuf,
}

impl Server {
    /// Starts a program in a process group of its own, so that Ctrl-C reaches only us. It records its pid itself
    /// before it becomes the server: there is no moment at which it runs and nobody could find it.
    pub fn spawn(
        name: &str,
        program: &Path,
        args: Vec<OsString>,
        environment: &[(&str, &str)],
        ground: &Ground,
    ) -> Result<Server, StackError> {
        let pid_file = ground.run.join(format!("{name}.pid"));
        let pid_sink = File::create(&pid_file).map_err(file("write", &pid_file))?;
        let log = open_log(&ground.log(name))?;
        let log_too = log.try_clone().map_err(file("open", &pid_file))?;
        let child = command(Path::new("/bin/sh"), ground.user)
            .args(["-c", "echo $$ >&0 && exec \"$@\" </dev/null", "daybook"])
            .arg(program)
            .args(args)
            .envs(environment.iter().copied().filter(|(name, _)| env::var_os(name).is_none()))
            .stdin(pid_sink)
            .stdout(log)
            .stderr(log_too)
            .process_group(0)
            .spawn()
            .map_err(|source| StackError::Run { program: program.to_owned(), source })?;
        Ok(Server { child, pid_file })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it succeeded, once it has ended.
    pub fn ended(&mut self) -> Option<bool> {
        self.child.try_wait().ok().flatten().map(|status| status.success())
    }

    pub fn signal(&self, which: Signal) {
        signal(self.pid(), which);
    }

    pub fn stop(&mut self, steps: StopSteps) {
        if self.ended().is_none() {
            stop(self.pid(), steps, || self.child.try_wait().is_ok_and(|status| status.is_some()));
        }
        let _ = fs::remove_file(&self.pid_file);
    }
}

/// Stops a server that an earlier owner left behind: only if its recorded pid is still a process of this home.
pub(crate) fn stop_left_behind(name: &str, ground: &Ground, steps: StopSteps) {
    let pid_file = ground.run.join(format!("{name}.pid"));
    let pid = fs::read_to_string(&pid_file).ok().and_then(|text| text.trim().parse().ok());
    if let Some(pid) = pid.filter(|pid| is_ours(*pid, name, &ground.home)) {
        stop(pid, steps, || !is_ours(pid, name, &ground.home));
    }
    let _ = fs::remove_file(&pid_file);
}

/// Postgres refuses to start while its own pid file, or its socket's lock, names a live process of the same user,
/// which after a crash may be anybody; it is removed only then, since it also guards against surviving backends.
pub(crate) fn remove_foreign_pid_file(pid_file: &Path, home: &Path) {
    let first = fs::read_to_string(pid_file).ok().and_then(|text| text.lines().next()?.trim().parse().ok());
    if first.is_some_and(|pid| started(pid).is_some() && !is_ours(pid, "postgres", home)) {
        let _ = fs::remove_file(pid_file);
    }
}

/// Ends what is left of a Postgres whose first process was killed. Most of it notices at once; what waits for a lock
/// whose holder was killed too never does, and nothing starts on the cluster while it has the old one's memory. Only on Linux,
/// and where processes of that user may be looked at.
pub(crate) fn stop_orphans(cluster: &Path) {
    let works_here = |pid: u32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == cluster);
    let is_orphan = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let parent = stat(pid).and_then(|fields| fields.get(1)?.parse().ok());
        line.starts_with(b"postgres: ") && works_here(pid) && parent.is_some_and(|parent| !works_here(parent))
    };
    let names = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.file_name());
    for pid in names.filter_map(|name| name.to_str()?.parse().ok()).filter(|pid| is_orphan(*pid)) {
        // They have nothing left to do in order.
        stop(pid, &[], || !is_orphan(pid));
    }
}

fn open_log(path: &Path) -> Result<File, StackError> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() > LOG_BYTES_MAX) {
        let _ = fs::rename(path, path.with_extension("log.1"));
    }
    File::options().append(true).create(true).open(path).map_err(file("open", path))
}

/// The end of a log file.
pub(crate) fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use super::*;

    #[test]
    fn a_variable_that_is_set_already_stays_as_it_is() {
        let directory = env::temp_dir().join(format!("daybook-variables-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (data, run, home) = (directory.clone(), directory.clone(), directory.clone());
        let ground = Ground { data, run, home, user: None };
        let environment = [("DAYBOOK_TEST_NEW", "ours"), ("PATH", "ours")];
        let mut server =
            Server::spawn("env", Path::new("/usr/bin/env"), vec![], &environment, &ground).unwrap();
        assert!(server.child.wait().unwrap().success());
        let said = fs::read_to_string(ground.log("env")).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert!(said.lines().any(|line| line == "DAYBOOK_TEST_NEW=ours"), "{said}");
        assert!(!said.lines().any(|line| line == "PATH=ours"), "{said}");
    }
}
