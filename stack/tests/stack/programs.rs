//! Finding the server programs, and the user that they run as.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use stack::{Options, Stack};

use crate::child;
use crate::look::{Temp, nats_info, postgres_asks_for};

#[test]
fn without_python_and_servers_the_error_says_what_to_install() {
    let temp = Temp::new("nothing");
    let output = child::command("nats_without_programs", &temp.data()).env("PATH", "").output().unwrap();
    let said = child::says(output.stdout.as_slice());
    for part in ["cannot run python3", "no nats-server on PATH", "apt install", "brew install", "NATS_URL"] {
        assert!(said["error"].contains(part), "{part} in {}", said["error"]);
    }
}

/// Only where Debian's build is installed is there anything to find.
#[test]
fn without_pip_an_installed_postgres_is_found_off_the_path() {
    if !Path::new("/usr/lib/postgresql").is_dir() {
        return;
    }
    let temp = Temp::new("debian");
    let output = child::command("postgres_without_pip", &temp.data()).env("PATH", "").output().unwrap();
    assert_eq!(child::says(output.stdout.as_slice())["asks_for"], "10");
}

#[test]
fn programs_are_installed_once_by_many_at_once() {
    let temp = Temp::new("install");
    let start = |name: &str| {
        let servers = Some(temp.0.join("servers"));
        let database_url = Some("postgres://given".to_owned());
        Stack::start_or_attach(Options { servers, database_url, ..Options::new(temp.0.join(name)) })
    };
    std::thread::scope(|scope| {
        let starts = ["a", "b", "c"].map(|name| scope.spawn(move || start(name).unwrap()));
        for stack in starts.map(|start| start.join().unwrap()) {
            assert!(nats_info(stack.nats_url()).starts_with("INFO"));
        }
    });
}

/// Only root has to change its user; for others this is an ordinary start.
#[test]
fn servers_start_below_a_directory_that_only_root_may_enter() {
    let temp = Temp::new("root");
    fs::set_permissions(&temp.0, Permissions::from_mode(0o700)).unwrap();
    let stack = Stack::start_or_attach(Options::new(temp.data())).unwrap();
    assert_eq!(postgres_asks_for(stack.owner_url()), 10);
    let home = fs::read_to_string(temp.data().join("run/home")).unwrap();
    assert_ne!(fs::metadata(format!("{home}/postgres")).unwrap().uid(), 0);
}
