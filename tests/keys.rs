//! `daybook keys rotate` from outside: what it prints, and its exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::process::{Command, Output};

use serde_json::{Value as Json, json};
use store::{
    secrets::MasterKey,
    testing::{Ground, master_key},
};

const NEW: MasterKey = MasterKey::new([9; 32]);

fn daybook(ground: &Ground, master: &MasterKey, previous: Option<&MasterKey>, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command
        .args(args)
        .env("DATABASE_URL", &ground.app_url)
        .env("NATS_URL", &ground.nats_url)
        .env("DAYBOOK_SCHEMA", &ground.prefix)
        .env("DAYBOOK_MASTER_KEY", master.to_text())
        .env("DAYBOOK_LOG", "error");
    if let Some(previous) = previous {
        command.env("DAYBOOK_MASTER_KEY_PREVIOUS", previous.to_text());
    }
    command.output().unwrap()
}

fn told(output: &Output) -> (Option<i32>, Json) {
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    (output.status.code(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{said}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_checked_done_and_checked_again() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    engine.vault.seal("customer:1", b"Ada").await.unwrap();
    let old = master_key();
    let check = ["--json", "keys", "rotate", "--check"];
    let left = |ok: bool, left: u64| json!({"ok": ok, "master_key": NEW.id(), "total": 2, "left": left, "rotated": null});
    assert_eq!(told(&daybook(&ground, &NEW, Some(&old), &check)), (Some(1), left(false, 2)));

    let blind = daybook(&ground, &NEW, None, &["keys", "rotate"]);
    assert_eq!(blind.status.code(), Some(1));
    let text = String::from_utf8_lossy(&blind.stdout).into_owned();
    for part in ["Keys wrapped again: 0.", "DAYBOOK_MASTER_KEY_PREVIOUS", &old.id()] {
        assert!(text.contains(part), "{part} in {text}");
    }

    let (status, done) = told(&daybook(&ground, &NEW, Some(&old), &["--json", "keys", "rotate"]));
    assert_eq!((status, &done["rotated"]["wrapped"], &done["left"]), (Some(0), &json!(2), &json!(0)));
    assert_eq!(told(&daybook(&ground, &NEW, None, &check)), (Some(0), left(true, 0)));

    let malformed = Command::new(env!("CARGO_BIN_EXE_daybook"))
        .args(["keys", "rotate"])
        .env("DAYBOOK_MASTER_KEY_PREVIOUS", "short")
        .output()
        .unwrap();
    assert_eq!(malformed.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&malformed.stderr).contains("DAYBOOK_MASTER_KEY_PREVIOUS: "));
}
