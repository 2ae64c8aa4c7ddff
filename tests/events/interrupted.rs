//! Exports that are killed, cut off or run out of room, and go on.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::Value as Json;

use crate::ground::{Ground, files, said};

/// How far an export has come, as far as it has noted that.
fn noted(work: &Path) -> i64 {
    let note = fs::read(work.join("progress.json")).ok();
    let note: Option<Json> = note.and_then(|text| serde_json::from_slice(&text).ok());
    note.and_then(|note| note["after"].as_i64()).unwrap_or(0)
}

/// Runs it and kills it once it has noted so much, and some steps later; whether it was killed.
fn killed(ground: &Ground, args: &[&str], work: &Path, (position, steps): (i64, u64)) -> bool {
    let mut child = ground.events(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut left = steps;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{args:?} ended with {status}");
            return false;
        }
        if noted(work) >= position {
            if left == 0 {
                break;
            }
            left -= 1;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap().signal() == Some(9)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_killed_and_goes_on_equals_one_that_was_not() {
    let ground = Ground::traded().await;
    let head = ground.head().await;
    // Another one each time; what it was is told when the test fails.
    let mut chance = u64::from(std::process::id());
    let mut next = |below: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % below
    };
    let mut kills = 0;
    for (format, more) in [
        ("ndjson", &[][..]),
        ("csv", &["--by-type"]),
        ("parquet", &["--by-type", "--partition", "day"]),
        ("parquet", &[]),
    ] {
        let export = |into: &str| -> Vec<String> {
            let args = ["export", "--format", format, "--checkpoint", "7", "--into", into];
            args.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
        };
        let (whole, pieces) = (format!("whole-{kills}.{format}"), format!("pieces-{kills}.{format}"));
        let args = export(&whole);
        ground.fine(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let args = export(&pieces);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let work = ground.directory.join(format!("{pieces}.partial"));
        for nth in 0..6 {
            let span = u64::try_from(head / 7).unwrap().max(1);
            let position = noted(&work) + i64::try_from(next(span)).unwrap();
            if !killed(&ground, &args, &work, (position, next(200))) {
                // It was done first; the last of the kills may come too late.
                assert!(nth > 0, "{format} was never killed");
                break;
            }
            kills += 1;
            assert!(
                !ground.has(&pieces) || !work.join("content").exists(),
                "{format}: half of it is in its place"
            );
        }
        if !ground.has(&pieces) {
            let output = ground.events(&args).output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
        }
        let [whole, pieces] = [whole, pieces].map(|name| files(&ground.directory.join(name)));
        assert!(!whole.is_empty());
        let names = |files: &[(std::path::PathBuf, Vec<u8>)]| -> Vec<_> {
            files.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect()
        };
        assert_eq!(names(&whole), names(&pieces), "{format} after {kills} kills");
        assert!(whole == pieces, "{format} differs after {kills} kills");
    }
    assert!(kills >= 20, "only {kills} kills");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_read_enough_goes_and_nobody_complains() {
    let ground = Ground::traded().await;
    for args in [
        &["export", "--format", "ndjson"][..],
        &["export", "--format", "csv"],
        &["tail", "--from-position", "1", "--json"],
        &["tail", "-n", "3"],
    ] {
        let mut child = ground.events(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        drop(reader);
        let begun = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(141), "{args:?}");
        assert!(begun.elapsed().as_secs() < 10, "{args:?} noticed it late");
        let complaints = said(&output);
        assert!(!complaints.contains("daybook:"), "{args:?}: {complaints}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_with_room_again_it_goes_on() {
    let ground = Ground::traded().await;
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = ground.events(&["export", "--format", "ndjson"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("No space left"), "{}", said(&output));

    let disk = ground.directory.join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=128k", "daybook"]).arg(&disk).output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        eprintln!("NOT TRIED: a full disk needs the right to mount one");
        return;
    }
    let _unmounted = Mounted(&disk);
    for (format, more) in [("ndjson", None), ("parquet", Some("--by-type"))] {
        let (here, there) = (format!("whole.{format}"), format!("disk/whole.{format}"));
        let args = |into: &str| -> Vec<String> {
            let args = ["export", "--format", format, "--checkpoint", "40", "--into", into];
            args.into_iter().chain(more).map(str::to_owned).collect()
        };
        let run = |into: &str| {
            ground.events(&args(into).iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap()
        };
        assert!(run(&here).status.success());
        fs::write(disk.join("ballast"), vec![1; 60 << 10]).unwrap();
        let output = run(&there);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let told = said(&output);
        assert!(told.contains("No space left") && told.contains("goes on from there"), "{told}");
        assert!(!ground.has(&there));
        let room = Command::new("mount").args(["-o", "remount,size=32m"]).arg(&disk).status().unwrap();
        assert!(room.success());
        let output = run(&there);
        assert!(output.status.success(), "{}", said(&output));
        let [whole, after] = [here, there].map(|name| files(&ground.directory.join(name)));
        assert!(whole == after, "{format}");
        for file in ["ballast", &format!("whole.{format}")] {
            let path = disk.join(file);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        assert!(
            Command::new("mount").args(["-o", "remount,size=128k"]).arg(&disk).status().unwrap().success()
        );
    }
}

/// A file system that goes away with the test.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}
