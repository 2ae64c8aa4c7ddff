//! What is left after a crash: nothing that runs, and all the data.

use std::fs;
use std::process::Command;

use stack::{Options, Stack};

use crate::child::Holder;
use crate::look::{self, Temp, cluster_id, eventually, listens, nats_info, postgres_asks_for};

fn start(temp: &Temp) -> Stack {
    Stack::start_or_attach(Options { servers: Some(look::servers()), ..Options::new(temp.data()) }).unwrap()
}

#[test]
fn servers_do_not_outlive_a_killed_owner_and_their_data_is_found_again() {
    let temp = Temp::new("killed");
    let owner = Holder::start(&temp.data());
    let (postgres, nats) = (owner.says["owner_url"].clone(), owner.says["nats_url"].clone());
    let home = fs::read_to_string(temp.data().join("run/home")).unwrap();
    let cluster = cluster_id(home.as_ref());
    owner.kill();
    eventually("both servers are gone", || !listens(&postgres) && !listens(&nats));
    let next = start(&temp);
    assert!(next.owned());
    assert_eq!(cluster_id(home.as_ref()), cluster);
    assert_eq!(next.owner_url(), postgres);
}

#[test]
fn a_killed_owners_servers_stay_for_those_who_use_them() {
    let temp = Temp::new("guests");
    let owner = Holder::start(&temp.data());
    let guest = start(&temp);
    assert!(!guest.owned());
    owner.kill();
    let later = start(&temp);
    assert!(!later.owned(), "the keeper owns them");
    assert_eq!(postgres_asks_for(guest.owner_url()), 10);
    let postgres = guest.owner_url().to_owned();
    drop((guest, later));
    eventually("nobody uses them", || !listens(&postgres));
}

#[test]
fn the_next_start_need_not_wait_for_the_keeper() {
    let temp = Temp::new("hurry");
    let owner = Holder::start(&temp.data());
    let postgres = owner.says["owner_url"].clone();
    owner.kill();
    let next = start(&temp);
    assert!(next.owned());
    assert_eq!(next.owner_url(), postgres);
    assert_eq!(postgres_asks_for(&postgres), 10);
}

#[test]
fn servers_left_by_a_killed_owner_and_keeper_are_stopped_by_the_next_start() {
    let temp = Temp::new("both");
    let owner = Holder::start(&temp.data());
    let (owner_pid, postgres) = (owner.pid(), owner.says["owner_url"].clone());
    let keeper =
        children(owner_pid).into_iter().find(|pid| command_line(pid).contains("daybook-keeper")).unwrap();
    assert!(Command::new("kill").args(["-KILL", &keeper]).status().unwrap().success());
    let left: Vec<String> = ["postgres", "nats"]
        .map(|name| {
            fs::read_to_string(temp.data().join(format!("run/{name}.pid"))).unwrap().trim().to_owned()
        })
        .into();
    owner.kill();
    assert!(listens(&postgres), "nobody stopped it");
    let next = start(&temp);
    assert!(next.owned());
    assert_eq!(postgres_asks_for(&postgres), 10);
    assert!(left.iter().all(|pid| !command_line(pid).contains("daybook-stack")), "the old servers are gone");
}

#[test]
fn a_killed_server_comes_back_on_its_port() {
    let stack = stack::testing::private();
    let pid = stack.postgres_pid().unwrap();
    stack.kill_postgres().unwrap();
    stack.start_postgres().unwrap();
    assert_ne!(stack.postgres_pid().unwrap(), pid);
    assert_eq!(postgres_asks_for(stack.owner_url()), 10);
    stack.kill_nats().unwrap();
    assert!(!listens(stack.nats_url()));
    stack.start_nats().unwrap();
    assert!(nats_info(stack.nats_url()).starts_with("INFO"));
}

/// As one that waits for a lock whose holder was killed too: it does not notice that the first process is gone.
#[cfg(target_os = "linux")]
#[test]
fn what_hangs_of_a_killed_postgres_does_not_keep_the_next_from_starting() {
    let stack = stack::testing::private();
    let postgres = stack.postgres_pid().unwrap().unwrap();
    let hangs =
        children(postgres).into_iter().find(|pid| command_line(pid).contains("checkpointer")).unwrap();
    assert!(Command::new("kill").args(["-STOP", &hangs]).status().unwrap().success());
    stack.kill_postgres().unwrap();
    stack.start_postgres().unwrap();
    assert!(!command_line(&hangs).contains("checkpointer"), "it was ended");
    assert_eq!(postgres_asks_for(stack.owner_url()), 10);
}

#[test]
fn wiping_nats_removes_its_store_and_stopping_does_not() {
    let stack = stack::testing::private();
    let mark = stack.nats_data_dir().unwrap().join("jetstream/mark");
    fs::write(&mark, "").unwrap();
    stack.restart_nats().unwrap();
    assert!(mark.exists());
    stack.wipe_nats().unwrap();
    assert!(!mark.exists());
    assert!(nats_info(stack.nats_url()).contains("\"jetstream\":true"));
}

#[test]
fn a_private_stack_leaves_nothing_even_when_a_server_is_paused() {
    let stack = stack::testing::private();
    let (data, nats) = (stack.data_dir().to_owned(), stack.nats_url().to_owned());
    stack.pause_nats().unwrap();
    stack.stop();
    assert!(!data.exists());
    assert!(!listens(&nats));
}

fn children(pid: u32) -> Vec<String> {
    let output = Command::new("ps").args(["-A", "-o", "ppid=,pid="]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let pairs = text.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
    pairs.filter(|(parent, _)| *parent == pid.to_string()).map(|(_, child)| child.trim().to_owned()).collect()
}

fn command_line(pid: &str) -> String {
    let output = Command::new("ps").args(["-o", "command=", "-p", pid]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
