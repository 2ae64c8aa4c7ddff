//! Starting, attaching, stopping, starting again.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use stack::{Options, Stack, StackError};

use crate::child::Holder;
use crate::look::{self, Temp, address, cluster_id, eventually, listens, nats_info, postgres_asks_for};

fn start(temp: &Temp) -> Result<Stack, StackError> {
    Stack::start_or_attach(Options { servers: Some(look::servers()), ..Options::new(temp.data()) })
}

#[test]
fn both_servers_answer_and_ask_for_a_password() {
    let temp = Temp::new("answer");
    let stack = start(&temp).unwrap();
    assert!(stack.owned());
    assert_eq!(postgres_asks_for(stack.owner_url()), 10);
    let info = nats_info(stack.nats_url());
    assert!(info.contains("\"auth_required\":true") && info.contains("\"jetstream\":true"), "{info}");
    for secret in ["secrets", "state"] {
        let mode = fs::metadata(stack.data_dir().join("run").join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
}

#[test]
fn postgres_is_reached_through_a_socket_where_its_path_fits() {
    let temp = Temp::new("a \"b\" 100%");
    let stack = start(&temp).unwrap();
    let url = stack.owner_url().to_owned();
    let (server, query) = url.split_once('?').unwrap();
    assert!(query.ends_with("a%20%22b%22%20100%25/data/postgres-socket"), "{query}");
    assert_eq!(postgres_asks_for(server), 10, "its port is there as well");
    asked_with_psql(&url);
    let home = PathBuf::from(fs::read_to_string(temp.data().join("run/home")).unwrap());
    let dir = home.join("postgres-socket");
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    stack.stop();
    // As if the id of a server that was killed had gone to another process of the servers' user.
    let other = stack::testing::private();
    let socket = format!("{}/.s.PGSQL.{}", dir.display(), address(server).split_once(':').unwrap().1);
    fs::write(&socket, "").unwrap();
    fs::write(format!("{socket}.lock"), format!("{}\n", other.nats_pid().unwrap().unwrap())).unwrap();
    fs::write(dir.join("notes"), "somebody's").unwrap();
    let again = start(&temp).unwrap();
    assert!(dir.join("notes").exists());
    assert_eq!(again.owner_url(), url);
    asked_with_psql(&url);
}

#[test]
fn postgres_is_reached_through_its_port_where_a_sockets_path_does_not_fit() {
    for name in ["far_".repeat(25).as_str(), "one, two"] {
        let temp = Temp::new(name);
        let stack = start(&temp).unwrap();
        assert!(!stack.owner_url().contains('?'), "{}", stack.owner_url());
        asked_with_psql(stack.owner_url());
    }
}

/// A client that others wrote gets an answer.
fn asked_with_psql(url: &str) {
    let psql = stack::testing::postgres_program("psql").args(["-X", "-c", "SELECT 1", url]).output().unwrap();
    assert!(psql.status.success(), "{}", String::from_utf8_lossy(&psql.stderr));
}

#[test]
fn a_second_handle_attaches_and_leaves_the_servers_running() {
    let temp = Temp::new("attach");
    let first = start(&temp).unwrap();
    let second = start(&temp).unwrap();
    assert!(!second.owned());
    assert_eq!(second.owner_pid(), std::process::id());
    assert_eq!((second.owner_url(), second.nats_url()), (first.owner_url(), first.nats_url()));
    assert_eq!(
        (second.app_password(), second.nats_data_dir()),
        (first.app_password(), first.nats_data_dir())
    );
    assert!(matches!(second.stop_nats(), Err(StackError::NotOwner { .. })));
    second.stop();
    assert!(listens(first.owner_url()) && listens(first.nats_url()));
}

#[test]
fn another_process_attaches_and_the_servers_end_with_the_last_that_uses_them() {
    let temp = Temp::new("processes");
    let owner = Holder::start(&temp.data());
    assert_eq!(owner.says["owned"], "true");
    let guest = start(&temp).unwrap();
    assert!(!guest.owned());
    assert_eq!(guest.owner_pid(), owner.pid());
    assert_eq!(guest.owner_url(), owner.says["owner_url"]);
    drop(owner);
    assert!(listens(guest.owner_url()) && listens(guest.nats_url()), "they are still in use");
    let later = start(&temp).unwrap();
    assert!(!later.owned());
    assert_eq!(postgres_asks_for(later.owner_url()), 10);
    assert!(matches!(
        Stack::start_or_attach(Options { fresh: true, ..Options::new(temp.data()) }),
        Err(StackError::Owned { pid, .. }) if pid == std::process::id()
    ));
    let urls = (guest.owner_url().to_owned(), guest.nats_url().to_owned());
    drop(guest);
    assert!(listens(later.owner_url()) && listens(later.nats_url()), "they are still in use");
    drop(later);
    eventually("nobody uses them", || !listens(&urls.0) && !listens(&urls.1));
    let next = start(&temp).unwrap();
    assert!(next.owned());
    assert_eq!(next.owner_url(), urls.0);
}

#[test]
fn an_owner_that_lives_on_leaves_its_servers_to_those_who_use_them() {
    let temp = Temp::new("leave");
    let owner = start(&temp).unwrap();
    let guest = Holder::start(&temp.data());
    assert_eq!(guest.says["owned"], "false");
    let urls = (owner.owner_url().to_owned(), owner.nats_url().to_owned());
    owner.stop();
    assert!(listens(&urls.0) && listens(&urls.1), "they are still in use");
    // Killed: it could not say that it has gone.
    guest.kill();
    eventually("nobody uses them", || !listens(&urls.0) && !listens(&urls.1));
    assert!(start(&temp).unwrap().owned());
}

#[test]
fn many_at_once_agree_on_one_owner() {
    let temp = Temp::new("many");
    let stacks: Vec<Stack> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..6).map(|_| scope.spawn(|| start(&temp).unwrap())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(stacks.iter().filter(|stack| stack.owned()).count(), 1);
    assert!(stacks.iter().all(|stack| stack.owner_url() == stacks[0].owner_url()));
    let urls = (stacks[0].owner_url().to_owned(), stacks[0].nats_url().to_owned());
    // The first of them leaves its servers to the others, and right after the last one nothing is there any more.
    drop(stacks);
    drop(temp);
    eventually("nobody uses them", || !listens(&urls.0) && !listens(&urls.1));
}

#[test]
fn a_restart_keeps_data_passwords_and_ports_within_two_seconds() {
    let temp = Temp::new("restart");
    let first = start(&temp).unwrap();
    let before = (first.owner_url().to_owned(), first.nats_url().to_owned(), first.app_password().to_owned());
    let cluster = cluster_id(first.nats_data_dir().unwrap().parent().unwrap());
    first.stop();
    assert!(!listens(&before.0) && !listens(&before.1));
    let clock = Instant::now();
    let second = start(&temp).unwrap();
    let warm = clock.elapsed();
    assert!(warm < Duration::from_secs(2), "{warm:?}");
    assert!(second.owned());
    assert_eq!(cluster_id(second.nats_data_dir().unwrap().parent().unwrap()), cluster);
    assert_eq!((second.owner_url(), second.nats_url()), (before.0.as_str(), before.1.as_str()));
    assert_eq!(second.app_password(), before.2);
}

#[test]
fn fresh_starts_over_but_not_under_an_owner() {
    let temp = Temp::new("fresh");
    let fresh = || {
        let servers = Some(look::servers());
        Stack::start_or_attach(Options { servers, fresh: true, ..Options::new(temp.data()) })
    };
    let first = start(&temp).unwrap();
    let home = first.nats_data_dir().unwrap().parent().unwrap().to_owned();
    let cluster = cluster_id(&home);
    assert!(matches!(fresh(), Err(StackError::Owned { pid, .. }) if pid == std::process::id()));
    first.stop();
    let second = fresh().unwrap();
    assert_ne!(cluster_id(&home), cluster);
    assert_eq!(postgres_asks_for(second.owner_url()), 10);
}

#[test]
fn a_taken_port_is_given_up_for_another() {
    let temp = Temp::new("clash");
    let first = start(&temp).unwrap();
    let (postgres, nats) = (first.owner_url().to_owned(), first.nats_url().to_owned());
    first.stop();
    let _taken = [TcpListener::bind(address(&postgres)).unwrap(), TcpListener::bind(address(&nats)).unwrap()];
    let second = start(&temp).unwrap();
    assert_ne!(second.owner_url(), postgres);
    assert_ne!(second.nats_url(), nats);
    assert_eq!(postgres_asks_for(second.owner_url()), 10);
    assert!(nats_info(second.nats_url()).starts_with("INFO"));
}

#[test]
fn a_given_server_is_used_and_not_started() {
    let temp = Temp::new("given");
    let options = Options {
        servers: Some(look::servers()),
        database_url: Some("postgres://me:secret@db.example/daybook".into()),
        nats_url: Some("nats://nats.example".into()),
        ..Options::new(temp.data())
    };
    let stack = Stack::start_or_attach(options.clone()).unwrap();
    assert_eq!(stack.owner_url(), "postgres://me:secret@db.example/daybook");
    assert_eq!(stack.url_for("app", "pw"), "postgres://app:pw@db.example/daybook");
    assert_eq!(stack.nats_url(), "nats://nats.example");
    assert!(matches!(stack.stop_nats(), Err(StackError::NotLocal { .. })));
    assert!(matches!(
        Stack::start_or_attach(Options { fresh: true, ..options }),
        Err(StackError::FreshGiven)
    ));
}
