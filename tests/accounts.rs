//! `daybook accounts` and `daybook keys rotate-tokens` from outside: what they print, and their exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::{Value as Json, json};
use store::testing::{Ground, master_key};

const EMAIL: &str = "ada@example.com";

async fn laid() -> Ground {
    let ground = Ground::new().await;
    ground.lay(&api::edge::tables()).await;
    ground
}

/// Runs it with that on stdin.
fn daybook(ground: &Ground, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_daybook"))
        .args(args)
        .env("DATABASE_URL", &ground.app_url)
        .env("NATS_URL", &ground.nats_url)
        .env("DAYBOOK_SCHEMA", &ground.prefix)
        .env("DAYBOOK_MASTER_KEY", master_key().to_text())
        .env("DAYBOOK_LOG", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

fn told(ground: &Ground, args: &[&str]) -> (Option<i32>, Json) {
    let output = daybook(ground, &[args, &["--json"]].concat(), "");
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    (output.status.code(), json)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_is_made_listed_and_stays_the_last_one() {
    let ground = laid().await;
    let create = ["accounts", "create", "--role", "admin", "--email", EMAIL];
    let made = daybook(&ground, &create, "");
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    assert!(said(&made).contains("Its password, which is not shown again: "), "{}", said(&made));
    let (status, again) = told(&ground, &create);
    assert_eq!(status, Some(1));
    assert!(again["error"].as_str().unwrap().contains("has that e-mail"), "{again}");

    let staff =
        ["accounts", "create", "--role", "staff", "--permission", "orders", "--email", "bob@example.com"];
    let chosen = daybook(&ground, &[&staff[..], &["--password-stdin"]].concat(), "a password of mine\n");
    assert_eq!(chosen.status.code(), Some(0), "{}", said(&chosen));
    assert!(!said(&chosen).contains("a password of mine"), "{}", said(&chosen));

    let (status, list) = told(&ground, &["accounts", "list"]);
    let account = |nth: usize, name: &str| list["accounts"][nth][name].clone();
    assert_eq!((status, account(0, "email"), account(0, "role")), (Some(0), json!(EMAIL), json!("admin")));
    assert_eq!((account(1, "role"), account(1, "permissions")), (json!("staff"), json!(["orders"])));

    for last in [
        &["accounts", "disable", "--email", EMAIL][..],
        &["accounts", "set-role", "--role", "staff", "--email", EMAIL],
    ] {
        let (status, refused) = told(&ground, last);
        assert_eq!(status, Some(1));
        assert!(refused["error"].as_str().unwrap().contains("last admin"), "{refused}");
    }
    let set = ["accounts", "set-role", "--role", "admin", "--email", "bob@example.com"];
    assert_eq!(told(&ground, &set).0, Some(0));
    assert_eq!(told(&ground, &["accounts", "disable", "--email", EMAIL]).0, Some(0));
    let (_, list) = told(&ground, &["accounts", "list"]);
    assert_eq!(
        (&list["accounts"][0]["disabled"], &list["accounts"][1]["role"]),
        (&json!(true), &json!("admin"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_no_password_and_no_permission_is_told_as_wrong_input() {
    let ground = laid().await;
    let create = |more: &[&str], stdin: &str| {
        daybook(&ground, &[&["accounts", "create", "--role", "staff"][..], more].concat(), stdin)
    };
    for (more, stdin, word) in [
        (&["--email", "nobody"][..], "", "not an e-mail address"),
        (&["--email", EMAIL, "--password-stdin"], "short\n", "10 to 200 characters"),
        (&["--email", EMAIL, "--permission", "all"], "", "a permission is one of catalogue, inventory"),
    ] {
        let output = create(more, stdin);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(word), "{}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_leak_one_key_takes_the_place_of_all() {
    let ground = laid().await;
    told(&ground, &["keys", "rotate-tokens"]);
    let (status, now) = told(&ground, &["keys", "rotate-tokens", "--now"]);
    assert_eq!((status, &now["ok"], &now["replaced"]), (Some(0), &json!(true), &json!(true)));
    let pool = ground.pool(api::edge::SUFFIX).await;
    let keys: Vec<(String, bool)> =
        sqlx::query_as("SELECT kid, signs_from <= now() FROM signing_keys").fetch_all(&pool).await.unwrap();
    assert_eq!(keys, [(now["kid"].as_str().unwrap().to_owned(), true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_for_tokens_signs_from_later_on() {
    let ground = laid().await;
    let (status, first) = told(&ground, &["keys", "rotate-tokens"]);
    let (_, second) = told(&ground, &["keys", "rotate-tokens"]);
    assert_eq!((status, &first["ok"]), (Some(0), &json!(true)));
    assert_ne!(first["kid"], second["kid"]);
    let pool = ground.pool(api::edge::SUFFIX).await;
    let (keys, to_come): (i64, i64) =
        sqlx::query_as("SELECT count(*), count(*) FILTER (WHERE signs_from > now()) FROM signing_keys")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!((keys, to_come), (3, 2), "the first start made one that signs at once");
}
