//! Knows the throw-away stacks that tests run on.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::{geteuid, getppid};

use crate::localstripe::Localstripe;
use crate::pip::{self, Wheels};
use crate::process::Process;
use crate::start::{Life, Log};
use crate::{Options, Stack, StackError, place, postgres, provision, secrets, url};

/// The servers that all tests of one `cargo test` run share.
#[derive(Debug)]
pub struct TestStack {
    /// Postgres as a superuser that may create databases, schemas and roles.
    pub owner_url: String,
    /// NATS with JetStream.
    pub nats_url: String,
    /// The password that the tests give to the application's role, the same in all test binaries of the run.
    pub app_password: String,
}

impl TestStack {
    /// The same database as another role.
    pub fn url_for(&self, user: &str, password: &str) -> String {
        url::with_credentials(&self.owner_url, user, password)
    }
}

/// The stack of this `cargo test` run: whichever test needs it first starts it, the others attach, and it ends,
/// with its data, when `cargo` does. Two runs side by side have one each. `DATABASE_URL` and `NATS_URL`, when set,
/// name servers to use instead.
///
/// # Panics
/// When the servers cannot be started: no test could go on.
pub fn shared() -> &'static TestStack {
    static SHARED: OnceLock<TestStack> = OnceLock::new();
    SHARED.get_or_init(|| start_shared().unwrap_or_else(|error| panic!("the tests' servers: {error}")))
}

/// A stack for one test alone, which may break it: it ends with the test, its data with it.
///
/// # Panics
/// When the servers cannot be started: the test could not go on.
pub fn private() -> Stack {
    start_private().unwrap_or_else(|error| panic!("the test's servers: {error}"))
}

/// The address of the localstripe of this test binary, an imitation of Stripe that others wrote: whichever test needs it
/// first starts it, and it ends with the process.
///
/// # Panics
/// When it cannot be started: no test could go on.
pub fn stripe() -> &'static str {
    static SHARED: OnceLock<Localstripe> = OnceLock::new();
    let started = || Localstripe::start(&servers(), &|line| eprintln!("stack: {line}"));
    let shared = SHARED.get_or_init(|| started().unwrap_or_else(|error| panic!("localstripe: {error}")));
    shared.url()
}

/// A client program that belongs to the tests' Postgres, such as `pg_dump`.
///
/// # Panics
/// When there is no such program: the test could not go on.
pub fn postgres_program(name: &str) -> Command {
    find_program(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What the tests' receivers are written with: a mail server, and the reference of how webhooks are verified.
const RECEIVERS: Wheels = Wheels {
    name: "receivers",
    folder: "receivers-1",
    requirements: include_str!("requirements/receivers.txt"),
    source: None,
    program: "standardwebhooks/__init__.py",
};

/// What holds an API against its description: Schemathesis, and the rules of OpenAPI.
const DESCRIPTIONS: Wheels = Wheels {
    name: "descriptions",
    folder: "descriptions-1",
    requirements: include_str!("requirements/descriptions.txt"),
    source: None,
    program: "schemathesis/__init__.py",
};

/// What analysts open files with: DuckDB and pandas.
const ANALYSTS: Wheels = Wheels {
    name: "analysts",
    folder: "analysts-1",
    requirements: include_str!("requirements/analysts.txt"),
    source: None,
    program: "duckdb/__init__.py",
};

/// Python with the packages that tests' receivers need.
///
/// # Panics
/// When they cannot be installed: the test could not go on.
pub fn python() -> Command {
    python_with(&RECEIVERS)
}

/// Python with the packages that hold an API against its description.
///
/// # Panics
/// When they cannot be installed: the test could not go on.
pub fn python_for_descriptions() -> Command {
    python_with(&DESCRIPTIONS)
}

/// Python with the packages that analysts open files with.
///
/// # Panics
/// When they cannot be installed: the test could not go on.
pub fn python_for_analysts() -> Command {
    python_with(&ANALYSTS)
}

fn python_with(wheels: &Wheels) -> Command {
    let servers = servers();
    let tell: Log<'_> = &|line| eprintln!("stack: {line}");
    std::fs::create_dir_all(&servers).unwrap_or_else(|error| panic!("{}: {error}", servers.display()));
    pip::install_tried(wheels, &servers, tell, |_| Ok(()))
        .unwrap_or_else(|error| panic!("{}: {error}", wheels.name));
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", servers.join(wheels.folder)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn find_program(name: &str) -> Result<Command, StackError> {
    // The tests' user runs it: it only speaks to the server.
    let programs = provision::find(&servers(), (true, false), None, &|line| eprintln!("stack: {line}"))?;
    let server = programs.postgres.unwrap_or_default();
    postgres::companion(&server, name, None)
}

fn start_shared() -> Result<TestStack, StackError> {
    let given = |name| env::var(name).ok().filter(|url| !url.is_empty());
    let parent = getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    let owner = Process::named(parent);
    let started: String = owner.started.chars().filter(char::is_ascii_alphanumeric).collect();
    let options = Options {
        database_url: given("DATABASE_URL"),
        nats_url: given("NATS_URL"),
        ..options(&format!("test-{}-{parent}-{started}", geteuid().as_raw()))?
    };
    let stack = Stack::start(options, Life { owner, throw_away: true, detached: true })?;
    Ok(TestStack {
        owner_url: stack.owner_url().to_owned(),
        nats_url: stack.nats_url().to_owned(),
        app_password: stack.app_password().to_owned(),
    })
}

fn start_private() -> Result<Stack, StackError> {
    let options = options(&format!("private-{}-{}", std::process::id(), secrets::password()?))?;
    Stack::start(options, Life { owner: Process::current(), throw_away: true, detached: false })
}

fn options(name: &str) -> Result<Options<'static>, StackError> {
    let data = env::temp_dir().join(format!("daybook-{name}"));
    // The name can be guessed and the directory is everybody's, so it may have been made by somebody else.
    place::own_dir(&data)?;
    Ok(Options { servers: Some(servers()), log: &|line| eprintln!("stack: {line}"), ..Options::new(data) })
}

/// The workspace's own servers, so that they are installed once and not per run.
fn servers() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().filter(|root| root.is_dir());
    match workspace {
        Some(root) => root.join(".daybook/servers"),
        None => env::temp_dir().join(format!("daybook-servers-{}", geteuid().as_raw())),
    }
}
