//! The API held against its own description: thousands of requests made up by Schemathesis, as nobody, as a customer and as
//! an admin, to a shop on a port. What it finds is mended where it is wrong, in the code or in the description.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

#[path = "../api/support.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod support;

mod seeded;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;

use seeded::Seeded;

/// Requests of all three together, at least.
const REQUESTS_MIN: u64 = 5_000;
/// The same requests each time.
const SEED: &str = "20260101";

/// Whoever asks.
struct Who<'a> {
    name: &'a str,
    token: Option<&'a str>,
    /// Made-up requests to each route, beside those that go through every limit of the description.
    examples: u32,
}

/// What came of it.
struct Outcome {
    requests: u64,
    said: String,
    fine: bool,
}

fn run(shop: &Seeded, who: &Who<'_>, folder: &Path) -> Outcome {
    let config = folder.join("schemathesis.toml");
    fs::write(&config, shop.config()).unwrap();
    let report = folder.join(format!("{}.json", who.name));
    let mut command = stack::testing::python_for_descriptions();
    command
        .args(["-c", "from schemathesis.cli import schemathesis; schemathesis()"])
        .arg("--config-file")
        .arg(&config)
        .args(["run", &format!("{}/openapi.json", shop.url()), "--no-color", "--continue-on-failure"])
        .args(["--seed", SEED, "--generation-database", "none", "--workers", "2"])
        .args(["--max-examples", &who.examples.to_string()])
        .args(["--report", "json", "--report-json-path"])
        .arg(&report)
        .env(
            "SCHEMATHESIS_HOOKS",
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/hooks.py"),
        )
        .env("DAYBOOK_SPENT", folder.join("spent.txt"))
        .current_dir(folder);
    if let Some(token) = who.token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap_or_default()).unwrap_or_default();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    Outcome {
        requests: report["stats"]["requests"].as_u64().unwrap_or_default(),
        said,
        fine: status.success(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_does_what_its_description_says() {
    let shop = Seeded::start().await;
    let folder = std::env::temp_dir().join(format!("daybook-schemathesis-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("spent.txt"), shop.spendable()).unwrap();
    let (admin, customer) = (shop.admin.clone(), shop.customer.clone());
    let outcomes = tokio::task::spawn_blocking(move || {
        let everybody = [
            Who { name: "nobody", token: None, examples: 5 },
            Who { name: "customer", token: Some(&customer), examples: 10 },
            Who { name: "admin", token: Some(&admin), examples: 20 },
        ];
        everybody.iter().map(|who| (who.name.to_owned(), run(&shop, who, &folder))).collect::<Vec<_>>()
    });
    let outcomes = outcomes.await.unwrap();
    for (name, outcome) in &outcomes {
        println!("{name}: {} requests", outcome.requests);
        assert!(outcome.fine, "as {name}:\n{}", outcome.said);
    }
    let requests: u64 = outcomes.iter().map(|(_, outcome)| outcome.requests).sum();
    assert!(requests >= REQUESTS_MIN, "{requests} requests");
}
