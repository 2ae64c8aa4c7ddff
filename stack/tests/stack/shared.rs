//! The stack that all test binaries of one run share.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::child;
use crate::look::{eventually, listens};

/// A shell that runs two test processes at once, as `cargo test` would, and ends after them.
fn run() -> Command {
    let child = child::command("shared", Path::new(""));
    let words: Vec<_> = std::iter::once(child.get_program()).chain(child.get_args()).collect();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "\"$@\" & \"$@\"; wait", "run"]).args(words).env("STACK_TEST_ROLE", "shared");
    shell.env("STACK_TEST_DATA", "").env_remove("DATABASE_URL").env_remove("NATS_URL");
    shell.stdout(Stdio::piped());
    shell
}

#[test]
fn processes_of_one_run_share_a_stack_that_ends_with_the_run() {
    let run = run().spawn().unwrap();
    let mine = format!("-{}-", run.id());
    let output = run.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let urls: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("stack:owner_url=")).collect();
    assert_eq!(urls.len(), 2, "{text}");
    assert_eq!(urls[0], urls[1]);
    eventually("the servers end with the run", || !listens(urls[0]));
    let left = || fs::read_dir(env::temp_dir()).unwrap().flatten().map(|entry| entry.file_name());
    eventually("their data as well", || {
        !left().any(|name| {
            name.to_string_lossy().starts_with("daybook-test-") && name.to_string_lossy().contains(&mine)
        })
    });
}

#[test]
fn two_runs_side_by_side_have_a_stack_each() {
    let runs = [run().spawn().unwrap(), run().spawn().unwrap()];
    let said = runs.map(|run| child::says(run.wait_with_output().unwrap().stdout.as_slice()));
    assert_ne!(said[0]["owner_url"], said[1]["owner_url"]);
    eventually("all servers are gone", || said.iter().all(|said| !listens(&said["owner_url"])));
}

#[test]
fn servers_given_by_the_environment_are_used() {
    let mut run = run();
    run.env("DATABASE_URL", "postgres://given/daybook").env("NATS_URL", "nats://given");
    let said = child::says(run.output().unwrap().stdout.as_slice());
    assert_eq!(
        (said["owner_url"].as_str(), said["nats_url"].as_str()),
        ("postgres://given/daybook", "nats://given")
    );
}
