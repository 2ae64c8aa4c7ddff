//! What cannot be: told with what to do, and nothing is written.

use std::{fs, os::unix::fs::symlink, path::Path, process::Output};

use crate::ground::{Ground, files, said};

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
        (export(&["--into", "a-file/x.ndjson"]), &["a-file/x.ndjson", "there is no folder a-file"]),
        (export(&["--into", "x.ndjson/"]), &["x.ndjson/ is a folder: name a file in it"]),
        (export(&["--into", "/proc/x.ndjson"]), &["/proc/x.ndjson", "/proc takes nothing new"]),
        (export(&["--by-type", "--into", "nowhere/.."]), &["is no name"]),
        (export(&["--into", ""]), &["--into"]),
        (export(&["--into", "postgres://me:hunter2@db/mine"]), &["no address"]),
        (export(&["--open"]), &["DAYBOOK_MASTER_KEY"]),
        (export(&["--restart"]), &["stdout"]),
        (vec!["export", "--format", "xlsx"], &["ndjson", "csv", "parquet"]),
        (vec!["show", "everything"], &["no position", "no stream"]),
        (vec!["show", "parcel-1"], &["no stream"]),
    ] {
        let output = ground.events(&args).output().unwrap();
        is_refused(&output, 2, words);
        assert!(!said(&output).contains("hunter2") && !said(&output).contains("goes on"), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    for what in ["999999", "00000000-0000-4000-8000-000000000000", "order-nobody"] {
        is_refused(&ground.events(&["show", what]).output().unwrap(), 1, &["there is no event", what]);
    }
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
    let note = r#"{"asked": {"--format": "csv"}, "incarnation": "00000000-0000-4000-8000-000000000000", "upto": 5,
                   "after": 0, "rows": 0, "files": {}, "segments": 0}"#;
    fs::write(work.join("progress.json"), note).unwrap();
    is_refused(
        &ground.events(&other).output().unwrap(),
        2,
        &["unfinished export of something else", "--restart"],
    );
    // Whatever somebody has put there stays there.
    fs::write(work.join("mine.txt"), "mine").unwrap();
    ground.fine(&[&other[..], &["--restart"]].concat());
    assert_eq!(files(&work), [("mine.txt".into(), b"mine".to_vec())]);
    fs::remove_dir_all(&work).unwrap();
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

/// Everything under a folder: its paths, what they are, and what is in them.
fn all_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        let about = path.symlink_metadata().unwrap();
        if about.is_dir() {
            found.push((name, vec![]));
            found.extend(all_of(&path));
        } else if about.is_symlink() {
            found.push((name, fs::read_link(&path).unwrap().to_string_lossy().into_owned().into_bytes()));
        } else {
            found.push((name, fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_neither_taken_nor_changed_nor_removed() {
    let ground = Ground::empty().await;
    let note = r#"{"asked": {}, "incarnation": "00000000-0000-4000-8000-000000000000", "upto": 5,
                   "after": 0, "rows": 0, "files": {}, "segments": 0}"#;
    // What lies where the unfinished one would, by their paths.
    for (nth, there) in [
        &[("x.partial", "a file")][..],
        &[("x.partial/mine.txt", "mine"), ("x.partial/below/mine.txt", "mine")],
        &[("x.partial/lock", ""), ("x.partial/mine.txt", "mine")],
        &[("x.partial/lock", "mine")],
        &[("x.partial/content/mine.txt", "mine"), ("x.partial/lock", "")],
        &[("x.partial/progress.new", "mine")],
        &[("x.partial/progress.json", r#"{"done": 3}"#), ("x.partial/content/mine.txt", "mine")],
        &[("x.partial -> elsewhere", ""), ("elsewhere/content/mine.txt", "mine")],
        &[("x.partial -> elsewhere", ""), ("elsewhere/lock", "")],
        &[("x.partial -> elsewhere", ""), ("elsewhere/progress.json", note)],
        &[("x.partial -> nowhere", "")],
        &[
            ("x.partial/content -> ../elsewhere", ""),
            ("elsewhere/a", "mine"),
            ("x.partial/progress.json", note),
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let folder = ground.directory.join(nth.to_string());
        for (path, text) in there {
            let (path, to) = path.split_once(" -> ").map_or((*path, None), |(path, to)| (path, Some(to)));
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match to {
                Some(to) => symlink(to, path).unwrap(),
                None => fs::write(path, text).unwrap(),
            }
        }
        let before = all_of(&folder);
        for args in [
            &["events", "export", "--format", "csv"][..],
            &["events", "export", "--format", "parquet", "--by-type"],
            &["replay", "--projection", "sales"],
        ] {
            for restart in [None, Some("--restart")] {
                let mut command = ground.daybook();
                command.args(args).args(["--into", "x"]).args(restart).current_dir(&folder);
                is_refused(
                    &command.output().unwrap(),
                    2,
                    &["x.partial is in the way", "move it away", "--into"],
                );
                assert!(all_of(&folder) == before, "{there:?} after {args:?} {restart:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_before_it_had_noted_anything_is_begun() {
    let ground = Ground::empty().await;
    let work = ground.directory.join("x.partial");
    for there in [&[][..], &[("lock", "")], &[("lock", ""), ("progress.new", "{\"asked\"")]] {
        for args in [&["events", "export", "--format", "csv"][..], &["replay", "--projection", "sales"]] {
            fs::create_dir(&work).unwrap();
            for (name, text) in there {
                fs::write(work.join(name), text).unwrap();
            }
            let output = ground.daybook().args(args).args(["--into", "x"]).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{there:?}: {}", said(&output));
            assert!(ground.has("x") && !work.exists(), "{there:?}");
            let made = ground.directory.join("x");
            if made.is_dir() { fs::remove_dir_all(made).unwrap() } else { fs::remove_file(made).unwrap() }
        }
    }
}
