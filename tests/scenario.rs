//! `daybook scenario` from outside: what it prints, and its exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
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

/// The document's blocks in order, each with its language.
fn blocks(document: &str) -> Vec<(&str, &str)> {
    let parts = document.split("\n```").skip(1).step_by(2);
    parts.map(|part| part.split_once('\n').unwrap()).collect()
}

/// How long a run took is always another figure.
fn timeless(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| match line.rsplit_once(" in ") {
        Some((start, took)) if took.ends_with(" s") => format!("{start} in … s\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn the_documents_examples_go_as_it_says() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/SCENARIOS.md");
    let document = fs::read_to_string(document).unwrap();
    // What its words change in the file above, run by run.
    let mut changes = [
        ("", ""),
        ("Then Reserved {reservation: ada", "Then Resreved {reservation: ada"),
        ("Then Reserved {reservation: ada, quantity: 1}", "Then Reserved {reservation: ada, quantity: 2}"),
        ("", ""),
    ]
    .into_iter();
    let folder = Folder::new("document");
    let carts = folder.0.join("scenarios/cart");
    fs::create_dir_all(&carts).unwrap();
    let mut feature = ("", String::new());
    for (language, block) in blocks(&document) {
        if let Some((title, _)) = block.strip_prefix("Feature: ").and_then(|rest| rest.split_once('\n')) {
            let _ = fs::remove_file(carts.join(&feature.1));
            feature = (block, format!("{}.feature", title.to_lowercase()));
        } else if language == "gherkin" {
            let played = folder.run(&format!("{CHECK_OUT}{block}\n    Then CheckedOut\n"), &[]);
            assert_eq!(played.status.code(), Some(0), "{block}\n{}", told(&played));
        } else if let Some(run) = block.strip_prefix("$ daybook ") {
            let (arguments, expected) = run.split_once('\n').unwrap();
            let (from, to) = changes.next().expect("the test knows of every run");
            assert!(feature.0.contains(from), "{from}");
            fs::write(carts.join(&feature.1), feature.0.replace(from, to)).unwrap();
            let arguments: Vec<_> = arguments.split(' ').collect();
            let mut command = match arguments.contains(&"--level") {
                true => on_servers(&arguments),
                false => Command::new(env!("CARGO_BIN_EXE_daybook")),
            };
            if !arguments.contains(&"--level") {
                command.args(&arguments);
            }
            let output = command.current_dir(&folder.0).output().unwrap();
            assert_eq!(timeless(&told(&output)), timeless(expected), "{output:?}");
        }
    }
    assert_eq!(changes.next(), None, "the document has every run that the test knows of");
}

const CHECK_OUT: &str = "Feature: f
  Scenario: s
    Given cart \"C1\": Opened {currency: GBP}
    And cart \"C1\": LineAdded {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}
";

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
fn results_are_written_too_when_nothing_could_be_played() {
    let folder = Folder::new("no-results");
    let junit = folder.0.join("junit.xml");
    let written = |file: &str, arguments: &[&str]| {
        fs::write(&junit, "yesterday's").unwrap();
        let output = folder.run(file, &[&["--junit", junit.to_str().unwrap()], arguments].concat());
        assert_eq!(output.status.code(), Some(2));
        fs::read_to_string(&junit).unwrap()
    };
    let problem = written(&KEPT.replace("Then Opened", "Then Openned"), &[]);
    assert!(problem.contains("a.feature:4:10: cart has no event &quot;Openned&quot;"), "{problem}");
    assert!(problem.contains("tests=\"1\" failures=\"0\" errors=\"1\""), "{problem}");
    let none = written(KEPT, &["--tag", "nosuch"]);
    assert!(none.contains("no scenario is chosen by --tag nosuch; there are no tags here"), "{none}");
}

#[test]
fn tags_are_words_and_choose_something() {
    let folder = Folder::new("tags");
    for tag in ["", "@", "not:", "not:@", " ", "a b"] {
        let output = folder.run(KEPT, &["--tag", tag]);
        assert_eq!(output.status.code(), Some(2), "{tag:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("a tag is a word such as slow"),
            "{output:?}"
        );
    }
    let output = folder.run(&format!("@slow\n{KEPT}"), &["--tag", "slwo"]);
    assert_eq!(output.status.code(), Some(2));
    let meant = "no scenario is chosen by --tag slwo; did you mean \"slow\"?";
    assert!(String::from_utf8_lossy(&output.stderr).contains(meant), "{output:?}");
    let coverage = folder.run(&format!("@slow\n{KEPT}"), &["--tag", "slow", "--coverage"]);
    assert!(told(&coverage).contains("event types are seen in a Then"), "{coverage:?}");
}

#[test]
fn printing_ends_quietly_with_its_reader_and_loudly_on_a_full_disk() {
    for arguments in [&["settings"][..], &["scenario", "run"], &["scenario", "coverage"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
        command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::piped());
        // Nobody has ever read from it.
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let closed = command.stdout(write).output().unwrap();
        assert_eq!((closed.status.code(), closed.stderr.as_slice()), (Some(141), &[][..]), "{arguments:?}");
        if let Ok(full) = fs::File::options().write(true).open("/dev/full") {
            let full = command.stdout(full).output().unwrap();
            assert_eq!(full.status.code(), Some(1), "{arguments:?}");
            let why = String::from_utf8(full.stderr).unwrap();
            assert!(why.starts_with("daybook: printing the result: "), "{why}");
        }
    }
}

#[test]
fn only_files_are_played_and_each_once() {
    let folder = Folder::new("once");
    let sub = folder.0.join("sub");
    fs::create_dir_all(&sub).unwrap();
    fs::write(sub.join("a.feature"), KEPT).unwrap();
    symlink(&sub, sub.join("again")).unwrap();
    symlink("loop", sub.join("loop")).unwrap();
    let fifo = folder.0.join("pipe.feature");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let run = |paths: &[&Path]| {
        let paths: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
        daybook(&[&["scenario", "run"], paths.as_slice()].concat())
    };
    for paths in [&[sub.as_path()][..], &[&sub, &sub, &sub.join("a.feature")], &[&folder.0]] {
        let played = run(paths);
        assert!(told(&played).contains("\n1 scenario passed, 0 failed in "), "{played:?}");
    }
    let pipe = run(&[&fifo]);
    assert_eq!(pipe.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&pipe.stderr).contains("neither a file nor a folder"), "{pipe:?}");
}

/// Reads on until a line begins like this.
fn until(lines: &mut impl Iterator<Item = std::io::Result<String>>, start: &str) -> String {
    lines.map(Result::unwrap).find(|line| line.starts_with(start)).unwrap()
}

#[test]
fn watching_outlives_its_folder_and_ends_as_the_last_round_did() {
    let folder = Folder::new("watch");
    let sub = folder.0.join("sub");
    let write = |text: &str| {
        fs::create_dir_all(&sub).unwrap();
        fs::write(sub.join("a.feature"), text).unwrap();
    };
    write(KEPT);
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command.args(["scenario", "run", "--watch", sub.to_str().unwrap()]).stdout(Stdio::piped());
    let mut watching = command.spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    until(&mut lines, "1 scenario passed, 0 failed");
    until(&mut lines, "Watching");
    fs::remove_dir_all(&sub).unwrap();
    until(&mut lines, "Watching");
    write(&KEPT.replace("Then Opened {currency: GBP}", "Then nothing happens"));
    until(&mut lines, "0 scenarios passed, 1 failed");
    until(&mut lines, "Watching");
    write(KEPT);
    until(&mut lines, "1 scenario passed, 0 failed");
    until(&mut lines, "Watching");
    let stopped = Command::new("kill").args(["-INT", &watching.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert_eq!(watching.wait().unwrap().code(), Some(0));
}

#[test]
fn coverage_is_asked_for_with_files_and_told_by_itself_without() {
    let folder = Folder::new("coverage");
    let output = folder.run(KEPT, &["--coverage"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("no scenario sees cart.LineAdded"));
    assert!(!told(&folder.run(KEPT, &[])).contains("no scenario sees"));
}
