//! `daybook keys rotate` from outside: what it prints, and its exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    process::{Command, Output},
    sync::Arc,
};

use serde_json::{Value as Json, json};
use store::{
    ports::Machine,
    secrets::{Fingerprints, MasterKey},
    testing::{Ground, master_key},
    vault::Vault,
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

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_before_the_first_start_keeps_the_fingerprints_of_the_program_before() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    engine.vault.seal("customer:1", b"Ada").await.unwrap();
    let keys = format!("{}_keys", ground.prefix);
    ground.as_owner(&format!("UPDATE {keys}.subject_keys SET wrapped_by = NULL")).await;
    ground.as_owner(&format!("DELETE FROM {keys}.shop_keys")).await;
    let (status, _) = told(&daybook(&ground, &NEW, Some(&master_key()), &["--json", "keys", "rotate"]));
    assert_eq!(status, Some(0));
    let masters = NEW.into();
    let vault = Vault::new(ground.pool("_keys").await, Arc::new(Machine), &masters);
    let of_command = |prints: &Fingerprints| prints.of_parts(&[b"a command"]);
    let kept = vault.fingerprints(&masters).await.unwrap();
    assert_eq!(of_command(&kept), of_command(&engine.fingerprints));
}
