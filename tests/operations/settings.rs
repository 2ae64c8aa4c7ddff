//! `daybook settings` from outside, and what `serve` refuses.

use std::{fs, process::Output};

use serde_json::Value as Json;
use store::{
    ports::{Ids as _, Machine},
    secrets::MasterKey,
    testing::Ground,
};

use crate::shop::{daybook, laid};

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

fn file(ground: &Ground, text: &str) -> String {
    let path = std::env::temp_dir().join(format!("daybook-{}.env", ground.prefix));
    fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_is_shown_with_where_it_comes_from_and_no_secret() {
    let ground = laid().await;
    let file = file(&ground, "DAYBOOK_CACHE_MB=9\nDAYBOOK_READ_CACHE_MB=7\nMEILI_MASTER_KEY=hunter2\n");
    let run = |more: &[&str]| {
        daybook(&ground, &[&["settings", "--config", &file], more].concat())
            .env("DAYBOOK_CACHE_MB", "8")
            .env("DAYBOOK_SMTP_URL", "smtp://me:hunter2@mail.example")
            .env("DAYBOOK_MAIL_FROM", "The Shop <orders@shop.example>")
            .output()
            .unwrap()
    };
    let output = run(&["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told: Json = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| {
        let row = told["settings"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
        (row["source"].as_str().unwrap().to_owned(), row["value"].as_str().unwrap_or("").to_owned())
    };
    let pair = |source: &str, value: &str| (source.to_owned(), value.to_owned());
    assert_eq!(of("DAYBOOK_CACHE_MB"), pair("env", "8"));
    assert_eq!(of("DAYBOOK_READ_CACHE_MB"), pair("file", "7"));
    assert_eq!(of("DAYBOOK_RATE_PER_ADDRESS"), pair("default", "100"));
    assert_eq!(of("MEILI_MASTER_KEY"), pair("file", "***"));
    assert_eq!(of("DAYBOOK_SMTP_URL"), pair("env", "smtp://me:***@mail.example"));
    let plain = said(&run(&[]));
    assert!(
        !plain.contains("hunter2") && !plain.contains(&store::testing::master_key().to_text()),
        "{plain}"
    );
    // The second column begins at one place, behind the longest name.
    let columns: Vec<_> = plain
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.len() - line.split_once(' ').unwrap().1.trim_start().len())
        .collect();
    assert!(columns.windows(2).all(|pair| pair[0] == pair[1]), "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_cannot_be_used_is_told_beside_the_others() {
    let ground = laid().await;
    let wrong = daybook(&ground, &["settings"]).env("DAYBOOK_CACHE_MB", "much").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(said(&wrong).contains("DAYBOOK_CACHE_MB: \"much\" is not a whole number"), "{}", said(&wrong));
    assert!(String::from_utf8_lossy(&wrong.stdout).contains("DAYBOOK_RATE_PER_ADDRESS"));
    let file = file(&ground, "NATS_URL=nats://db\nDAYBOOK_CASH_MB=9\n");
    let unknown = daybook(&ground, &["settings", "--config", &file]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(said(&unknown).contains(":2: not NAME=value with one of the names"), "{}", said(&unknown));
}

/// One that nobody can guess.
fn key() -> String {
    let mut bytes = [0; 32];
    Machine.fill(&mut bytes).unwrap();
    MasterKey::new(bytes).to_text()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_in_production_names_who_takes_its_money() {
    let ground = laid().await;
    let serve = || {
        let mut serve = daybook(&ground, &["serve", "--listen", "127.0.0.1:0"]);
        serve.env("DAYBOOK_MODE", "production").env("DAYBOOK_TLS", "proxy").env("DAYBOOK_MASTER_KEY", key());
        serve
    };
    let silent = serve().output().unwrap();
    assert_eq!(silent.status.code(), Some(2), "{}", said(&silent));
    assert!(said(&silent).contains("payments would go to the simulator"), "{}", said(&silent));
    let mut child =
        serve().env("DAYBOOK_GATEWAY", "simulator").stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut first)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first.starts_with("listening on "), "{first}");
}
