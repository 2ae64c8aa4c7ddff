//! `daybook doctor` on deployments that are well, and on such as were broken on purpose.

use std::{
    fs,
    process::{Command, Output},
};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value as Json;
use store::testing::{Ground, eventually, master_key};

use crate::shop::{Shop, daybook, laid, stocked};

/// What it says, as text and as JSON, with its exit status.
struct Said {
    status: Option<i32>,
    text: String,
    checks: Vec<Json>,
}

impl Said {
    fn of(mut command: impl FnMut() -> Command) -> Self {
        let output = command().output().unwrap();
        let Output { status, stdout, stderr } = command().arg("--json").output().unwrap();
        assert_eq!(status.code(), output.status.code());
        let told: Json = serde_json::from_slice(&stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&[stdout, stderr].concat())));
        assert_eq!(told["ok"], status.success());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Self { status: status.code(), text, checks: told["checks"].as_array().unwrap().clone() }
    }

    #[track_caller]
    fn is(&self, check: &str, state: &str, word: &str) {
        let found = self.checks.iter().find(|of| of["check"] == check && of["state"] == state);
        let found = found.unwrap_or_else(|| panic!("{check} is not {state}: {}", self.text));
        assert!(found["said"].as_str().unwrap().contains(word), "{found}");
        assert_eq!(found["todo"].is_string(), matches!(state, "warn" | "fail"), "{found}");
    }

    fn states(&self, state: &str) -> Vec<&str> {
        let found = self.checks.iter().filter(|of| of["state"] == state);
        found.map(|of| of["check"].as_str().unwrap()).collect()
    }
}

fn doctor(ground: &Ground) -> Command {
    daybook(ground, &["doctor"])
}

fn password(url: &str) -> &str {
    url.split_once("://").unwrap().1.split_once('@').unwrap().0.split_once(':').unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_is_well_has_nothing_wrong_with_it() {
    let ground = stocked().await;
    let shop = Shop::open(&ground, &[]).await;
    let said = eventually("everybody follows", || async {
        let said = Said::of(|| doctor(&ground));
        (said.status == Some(0) && !said.states("warn").contains(&"jetstream")).then_some(said)
    })
    .await;
    assert_eq!(said.states("fail"), [""; 0], "{}", said.text);
    for check in [
        "settings",
        "database",
        "clock",
        "role",
        "tables",
        "incarnation",
        "log",
        "keys",
        "leases",
        "lag",
        "set aside",
        "timers",
        "nats",
        "jetstream",
    ] {
        assert!(said.states("ok").contains(&check), "{check}: {}", said.text);
    }
    // How full it is, is the machine's.
    assert!(["ok", "warn"].iter().any(|state| said.states(state).contains(&"disk")), "{}", said.text);
    let key = master_key().to_text();
    for secret in [password(&ground.app_url), key.as_str()] {
        assert!(!said.text.contains(secret), "{}", said.text);
    }
    drop(shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_deployment_that_is_down_is_told_with_the_other_half() {
    let ground = stocked().await;
    let wrong = ground.app_url.replace(password(&ground.app_url), "hunter2");
    let said = Said::of(|| {
        let mut doctor = doctor(&ground);
        doctor.env("DATABASE_URL", &wrong);
        doctor
    });
    assert_eq!(said.status, Some(1));
    said.is("database", "fail", "password authentication failed");
    said.is("nats", "ok", "answer");
    said.is("followers", "skip", "");
    assert!(!said.text.contains("hunter2"), "{}", said.text);

    let said = Said::of(|| {
        let mut doctor = doctor(&ground);
        doctor.env("NATS_URL", "nats://hunter2@127.0.0.1:1").env_remove("DAYBOOK_MASTER_KEY");
        doctor
    });
    assert_eq!(said.status, Some(1));
    said.is("nats", "fail", "127.0.0.1:1 cannot be reached");
    said.is("keys", "fail", "DAYBOOK_MASTER_KEY is not set");
    said.is("database", "ok", "PostgreSQL");
    said.is("leases", "warn", "no process serves");
    assert!(!said.text.contains("hunter2"), "{}", said.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_aside_altered_and_left_behind_is_found() {
    let ground = stocked().await;
    let read = ground.owner_pool("_read").await;
    let park = "INSERT INTO parked_streams (follower, aggregate_type, aggregate_id, first_position, reason) \
                VALUES ('stock', 'inventory_item', 'BAD', 1, 'a test')";
    sqlx::query("INSERT INTO followers (name) VALUES ('stock') ON CONFLICT DO NOTHING")
        .execute(&read)
        .await
        .unwrap();
    sqlx::query(park).execute(&read).await.unwrap();
    ground.as_owner("UPDATE events SET payload = '{}' WHERE position = 3").await;
    let said = Said::of(|| doctor(&ground));
    assert_eq!(said.status, Some(1));
    said.is("set aside", "fail", "stock 1");
    said.is("log", "fail", "position 3");

    ground
        .as_owner("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .await;
    let said = Said::of(|| doctor(&ground));
    said.is("tables", "fail", "lack");
    assert!(said.text.contains("daybook migrate"), "{}", said.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_owns_the_log_and_another_shops_key_are_told() {
    let ground = stocked().await;
    let said = Said::of(|| {
        let mut doctor = doctor(&ground);
        doctor.env("DATABASE_URL", &ground.owner_url).env("DAYBOOK_MASTER_KEY", "A".repeat(43) + "=");
        doctor
    });
    assert_eq!(said.status, Some(1));
    said.is("role", "fail", "");
    said.is("keys", "fail", "are not wrapped by master key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_whose_time_is_over_and_settings_without_sense_are_told() {
    let ground = laid().await;
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let certificate = params.self_signed(&key).unwrap();
    let place = std::env::temp_dir().join(format!("daybook-{}-tls", ground.prefix));
    fs::create_dir_all(&place).unwrap();
    let files = ["cert.pem", "key.pem"].map(|name| place.join(name));
    fs::write(&files[0], certificate.pem()).unwrap();
    fs::write(&files[1], key.serialize_pem()).unwrap();
    let said = Said::of(|| {
        let mut doctor = doctor(&ground);
        doctor
            .env("DAYBOOK_TLS_CERT", &files[0])
            .env("DAYBOOK_TLS_KEY", &files[1])
            .env("DAYBOOK_CASH_MB", "hunter2")
            .env("DAYBOOK_SMS_TOKEN", "hunter2")
            .env("DAYBOOK_SMTP_URL", "smtp://me:hunter2@127.0.0.1:1")
            .env("DAYBOOK_MAIL_FROM", "orders@shop.example");
        doctor
    });
    assert_eq!(said.status, Some(1));
    said.is("certificate", "fail", "its time ended");
    said.is("mail", "fail", "127.0.0.1:1 cannot be reached");
    for word in [
        "DAYBOOK_CASH_MB in the environment is no setting",
        "DAYBOOK_SMS_TOKEN is set, and not DAYBOOK_SMS_URL",
    ] {
        assert!(said.text.contains(word), "{}", said.text);
    }
    assert!(!said.text.contains("hunter2"), "{}", said.text);
    let said = Said::of(|| {
        let mut doctor = doctor(&ground);
        doctor.env("DAYBOOK_RATE_PER_ADDRESS", "many");
        doctor
    });
    assert_eq!(said.status, Some(1));
    said.is("settings", "fail", "DAYBOOK_RATE_PER_ADDRESS");
    let said = Said::of(|| {
        let mut doctor = doctor(&ground);
        doctor.args(["--listen", "0.0.0.0:8080"]);
        doctor
    });
    said.is("settings", "fail", "clear text");
}
