//! `daybook scenario` from outside: what it prints, and its exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const KEPT: &str = "Feature: f
  Scenario: s
    When cart \"C1\": Open {currency: GBP}
    Then Opened {currency: GBP}
";

/// A folder of its own, gone when the test is.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("daybook-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn run(&self, file: &str, arguments: &[&str]) -> Output {
        let path = self.0.join("a.feature");
        fs::write(&path, file).unwrap();
        let run = ["scenario", "run", path.to_str().unwrap()];
        daybook(&[&run, arguments].concat())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn daybook(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command.args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_exit_status_tells_kept_broken_and_unreadable_apart() {
    let folder = Folder::new("status");
    let kept = folder.run(KEPT, &[]);
    assert_eq!(kept.status.code(), Some(0));
    assert!(told(&kept).contains("\n1 scenario passed, 0 failed in 0."), "{kept:?}");
    let broken = folder.run(&KEPT.replace("Then Opened {currency: GBP}", "Then nothing happens"), &[]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(told(&broken).contains("got         cart \"C1\": Opened {currency: GBP}"), "{broken:?}");
    let unreadable = folder.run(&KEPT.replace("Then Opened", "Then Openned"), &[]);
    assert_eq!(unreadable.status.code(), Some(2));
    assert!(
        told(&unreadable).contains("a.feature:4:10: cart has no event \"Openned\"; did you mean \"Opened\"?")
    );
    let level = folder.run(KEPT, &["--level", "htttp"]);
    assert_eq!(level.status.code(), Some(2));
    let missing = daybook(&["scenario", "run", "nowhere.feature"]);
    assert_eq!(missing.status.code(), Some(2));
}

/// With the servers that all tests share, as somebody would name their own.
fn on_servers(arguments: &[&str]) -> Command {
    let servers = stack::testing::shared();
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command
        .args(arguments)
        .env("DATABASE_URL", &servers.owner_url)
        .env("NATS_URL", &servers.nats_url)
        .env("DAYBOOK_LOG", "error");
    command
}

const READ: &str = "Feature: f
  Scenario: s
    When cart \"C1\": Open {currency: GBP}
    Then Opened {currency: GBP}
    And the cart \"C1\" reads {status: open, ..}
";

const LONG: &str = "Feature: f
  Scenario: s
    Given 900 times stock of \"MUG\": Receive {quantity: 1}
    When stock of \"MUG\": Receive {quantity: 1}
    Then Received
";

#[test]
fn every_level_plays_on_servers_that_are_given_and_leaves_nothing_there() {
    let folder = Folder::new("levels");
    let path = folder.0.join("a.feature");
    fs::write(&path, READ).unwrap();
    for (level, summary) in [
        ("store", "1 scenario passed, 0 failed, 1 step skipped in "),
        ("http", "1 scenario passed, 0 failed in "),
    ] {
        let output =
            on_servers(&["scenario", "run", path.to_str().unwrap(), "--level", level]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(told(&output).contains(summary), "{output:?}");
    }
    fs::write(&path, READ.replace("status: open", "satus: open")).unwrap();
    let broken =
        on_servers(&["scenario", "run", path.to_str().unwrap(), "--level", "http"]).output().unwrap();
    assert_eq!(broken.status.code(), Some(1));
    let difference = "there is no member \"satus\"; did you mean \"status\"?";
    assert!(told(&broken).contains(difference), "{broken:?}");
    assert_eq!(schemas_beginning_with("s0"), [""; 0]);

    // The same when somebody stops it on the way.
    fs::write(&path, LONG).unwrap();
    let mut long =
        on_servers(&["scenario", "run", path.to_str().unwrap(), "--level", "store"]).spawn().unwrap();
    while schemas_beginning_with("s0").len() < 3 {
        assert_eq!(long.try_wait().unwrap(), None);
    }
    let stopped = Command::new("kill").args(["-INT", &long.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert_eq!(long.wait().unwrap().code(), Some(1));
    assert_eq!(schemas_beginning_with("s0"), [""; 0]);
}

/// The schemas of the shared database with such names.
fn schemas_beginning_with(prefix: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = sqlx::PgPool::connect(&stack::testing::shared().owner_url).await.unwrap();
        sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, $1)")
            .bind(prefix)
            .fetch_all(&pool)
            .await
            .unwrap()
    })
}

#[test]
fn a_history_that_is_not_there_or_not_named_as_one_is_told() {
    let unnamed = daybook(&["scenario", "record", "--stream", "teapot-1"]);
    assert_eq!(unnamed.status.code(), Some(2));
    let told = String::from_utf8(unnamed.stderr).unwrap();
    assert!(told.contains("\"teapot-1\" is not a stream such as order-O1"), "{told}");
    assert_eq!(daybook(&["scenario", "record"]).status.code(), Some(2));
}

#[test]
fn results_are_written_for_programs() {
    let folder = Folder::new("results");
    let junit = folder.0.join("junit.xml");
    let output = folder.run(KEPT, &["--json", "--junit", junit.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["ok"], &json["passed"]), (&true.into(), &1.into()));
    assert!(fs::read_to_string(junit).unwrap().contains("<testcase name=\"s\""));
}

#[test]
fn coverage_is_asked_for_with_files_and_told_by_itself_without() {
    let folder = Folder::new("coverage");
    let output = folder.run(KEPT, &["--coverage"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("no scenario sees cart.LineAdded"));
    assert!(!told(&folder.run(KEPT, &[])).contains("no scenario sees"));
}
