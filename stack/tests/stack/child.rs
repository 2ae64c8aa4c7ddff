//! Runs this very test binary as another process that holds a stack.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use stack::{Options, Stack};

use crate::look;

/// Another process with a stack; it stops in order when dropped.
pub struct Holder {
    child: std::process::Child,
    /// Kept open: a child that cannot print fails.
    _output: Box<dyn std::io::Read>,
    pub says: HashMap<String, String>,
}

/// A command that runs this binary's `child_process` test in a role.
pub fn command(role: &str, data: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child::child_process", "--nocapture", "--test-threads=1"]);
    command.env("STACK_TEST_ROLE", role).env("STACK_TEST_DATA", data);
    command
}

/// The `key=value` lines that a child prints, up to `done`.
pub fn says(output: impl std::io::Read) -> HashMap<String, String> {
    let lines = BufReader::new(output).lines().map(Result::unwrap);
    let lines = lines.take_while(|line| line != "stack:done");
    lines
        .filter_map(|line| {
            let (key, value) = line.split_once("stack:")?.1.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        })
        .collect()
}

impl Holder {
    pub fn start(data: &Path) -> Holder {
        let mut command = command("hold", data);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let says = says(&mut output);
        assert!(says.contains_key("owner_url"), "the child has a stack: {says:?}");
        Holder { child, _output: Box::new(output), says }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// No test of its own: the body of the other processes.
#[test]
fn child_process() {
    let Ok(role) = env::var("STACK_TEST_ROLE") else {
        return;
    };
    let data = env::var("STACK_TEST_DATA").unwrap();
    let out = |key: &str, value: &str| {
        // Not `println!`: the harness may be in the middle of a line.
        writeln!(std::io::stdout(), "\nstack:{key}={value}").unwrap();
    };
    match role.as_str() {
        "shared" => {
            let stack = stack::testing::shared();
            out("owner_url", &stack.owner_url);
            out("nats_url", &stack.nats_url);
            out("app_password", &stack.app_password);
        }
        "hold" => {
            let stack =
                Stack::start_or_attach(Options { servers: Some(look::servers()), ..Options::new(data) })
                    .unwrap();
            out("owned", &stack.owned().to_string());
            out("owner_url", stack.owner_url());
            out("nats_url", stack.nats_url());
            writeln!(std::io::stdout(), "stack:done").unwrap();
            std::io::stdin().lines().for_each(drop);
        }
        "nats_without_programs" => {
            let options = Options { database_url: Some("postgres://given".into()), ..Options::new(data) };
            let error = Stack::start_or_attach(options).unwrap_err();
            out("error", &error.to_string().replace('\n', " / "));
        }
        "postgres_without_pip" => {
            let options = Options { nats_url: Some("nats://given".into()), ..Options::new(data) };
            let stack = Stack::start_or_attach(options).unwrap();
            out("asks_for", &look::postgres_asks_for(stack.owner_url()).to_string());
        }
        other => panic!("no role {other}"),
    }
    writeln!(std::io::stdout(), "stack:done").unwrap();
}
