//! What cannot be: told with what to do, and nothing is written.

use std::{fs, process::Output};

use crate::ground::{Ground, said};

#[track_caller]
fn is_refused(output: &Output, status: i32, words: &[&str]) {
    let told = said(output);
    assert_eq!(output.status.code(), Some(status), "{told}");
    for word in words {
        assert!(told.contains(word), "{word} in {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_told_with_what_to_say_instead() {
    let ground = Ground::traded().await;
    fs::write(ground.directory.join("a-file"), "mine").unwrap();
    let export = |more: &[&'static str]| [&["export", "--format", "ndjson"], more].concat();
    for (args, words) in [
        (export(&["--event", "Placd"]), &["the nearest name is Placed"][..]),
        (export(&["--aggregate", "ordr"]), &["'order'"]),
        (export(&["--event", "Placed", "--aggregate", "cart"]), &["Placed is no event of cart"]),
        (export(&["--from", "2010-02-30"]), &["2010-02-30", "as 2010-12-01"]),
        (export(&["--from", "2010-12-02", "--to", "2010-12-01"]), &["--from is after --to"]),
        (export(&["--from-position", "9", "--to-position", "8"]), &["--from-position is after"]),
        (export(&["--from-position", "0"]), &["0"]),
        (export(&["--correlation", "me"]), &["--correlation"]),
        (export(&["--by-type"]), &["name a folder for them with --into"]),
        (export(&["--into", "a-file"]), &["a-file is there already"]),
        (export(&["--into", "."]), &["is a folder"]),
        (export(&["--into", "nowhere/x.ndjson"]), &["there is no folder nowhere"]),
        (export(&["--open"]), &["DAYBOOK_MASTER_KEY"]),
        (export(&["--restart"]), &["stdout"]),
        (vec!["export", "--format", "xlsx"], &["ndjson", "csv", "parquet"]),
        (vec!["show", "everything"], &["no position", "no stream"]),
        (vec!["show", "parcel-1"], &["no stream"]),
    ] {
        let output = ground.events(&args).output().unwrap();
        is_refused(&output, 2, words);
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    for what in ["999999", "00000000-0000-4000-8000-000000000000", "order-nobody"] {
        is_refused(&ground.events(&["show", what]).output().unwrap(), 1, &["there is no event", what]);
    }
    let output = ground.events(&export(&["--into", "a-file/x.ndjson"])).output().unwrap();
    is_refused(&output, 1, &["a-file/x.ndjson"]);
    assert_eq!(ground.read("a-file"), b"mine");
    let left: Vec<_> =
        fs::read_dir(&ground.directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("partial")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_export_is_not_mixed_with_another() {
    let ground = Ground::traded().await;
    let work = ground.directory.join("x.partial");
    fs::create_dir(&work).unwrap();
    let first = ["export", "--format", "csv", "--into", "x"];
    let other = ["export", "--format", "csv", "--into", "x", "--aggregate", "order"];
    // Its note is left as an export leaves it that is killed at its beginning.
    let full = [&first[..], &["--to-position", "1"]].concat();
    ground.fine(&full);
    fs::remove_file(ground.directory.join("x")).unwrap();
    fs::create_dir(&work).unwrap();
    fs::write(work.join("progress.json"), "{").unwrap();
    is_refused(&ground.events(&first).output().unwrap(), 2, &["--restart"]);
    let note = r#"{"asked": {"--format": "csv"}, "incarnation": "00000000-0000-4000-8000-000000000000", "upto": 5,
                   "after": 0, "rows": 0, "files": {}, "segments": 0}"#;
    fs::write(work.join("progress.json"), note).unwrap();
    is_refused(
        &ground.events(&other).output().unwrap(),
        2,
        &["unfinished export of something else", "--restart"],
    );
    ground.fine(&[&other[..], &["--restart"]].concat());
    assert!(!work.exists());
    let text = String::from_utf8(ground.read("x")).unwrap();
    assert!(text.lines().skip(1).all(|line| line.contains(",order,")) && text.lines().count() > 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_or_closed_is_told() {
    let ground = Ground::empty().await;
    let away =
        ground.events(&["stats"]).env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none").output().unwrap();
    is_refused(&away, 1, &["database", "Connection refused"]);
    let garbage = ground.events(&["stats"]).env("DATABASE_URL", "garbage").output().unwrap();
    is_refused(&garbage, 2, &["not a Postgres address"]);
    let elsewhere = ground.events(&["stats"]).env("DAYBOOK_SCHEMA", "no_such_log").output().unwrap();
    is_refused(&elsewhere, 1, &["DAYBOOK_ANALYST_ROLE"]);
}
