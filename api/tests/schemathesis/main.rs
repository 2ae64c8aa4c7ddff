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

use seeded::{Buyer, Seeded};
use support::{Api, get};

/// Requests of all three together, at least.
const REQUESTS_MIN: u64 = 5_000;
/// The same requests each time.
const SEED: &str = "20260101";

/// A file beside this one.
fn here(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis").join(name)
}

/// Where what a test is about lies for others to read; it stays when the test fails.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("daybook-descriptions-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Whoever asks.
struct Who<'a> {
    name: &'a str,
    /// Nobody where there is none.
    token: Option<&'a str>,
    /// Whose things are asked for.
    of: &'a Buyer,
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
    fs::write(&config, shop.config(who.of)).unwrap();
    let report = folder.join(format!("{}.json", who.name));
    let mut command = stack::testing::python_for_descriptions();
    command
        .args(["-c", "from schemathesis.cli import schemathesis; schemathesis()"])
        .arg("--config-file")
        .arg(&config)
        .args(["run", &format!("{}/openapi.json", shop.url()), "--no-color", "--continue-on-failure"])
        // Tokens that are none are tried one by one, not in place of the one that was given.
        .args(["--generation-with-security-parameters", "false"])
        .args(["--seed", SEED, "--generation-database", "none", "--workers", "1"])
        .args(["--max-examples", &who.examples.to_string()])
        .args(["--report", "json", "--report-json-path"])
        .arg(&report)
        .env("SCHEMATHESIS_HOOKS", here("hooks.py"))
        .env("DAYBOOK_POSITION", &shop.position)
        .env("DAYBOOK_PARTS", shop.parts())
        .env("DAYBOOK_SPENT", folder.join("spent.txt"))
        .current_dir(folder);
    if let Some(token) = who.token {
        command.env("DAYBOOK_TOKEN", token);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap_or_default()).unwrap_or_default();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    Outcome {
        requests: report["test_cases"]["generated"].as_u64().unwrap_or_default(),
        said,
        fine: status.success(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_does_what_its_description_says() {
    let shop = Seeded::start().await;
    let folder = Folder::new("requests");
    let at = folder.0.clone();
    fs::write(at.join("spent.txt"), shop.spendable()).unwrap();
    let outcomes = tokio::task::spawn_blocking(move || {
        let Seeded { admin, customer, .. } = &shop;
        let everybody = [
            Who { name: "nobody", token: None, of: customer, examples: 2 },
            Who { name: "customer", token: Some(&customer.token), of: customer, examples: 10 },
            Who { name: "admin", token: Some(&admin.token), of: admin, examples: 15 },
        ];
        everybody.iter().map(|who| (who.name.to_owned(), run(&shop, who, &at))).collect::<Vec<_>>()
    });
    let outcomes = outcomes.await.unwrap();
    for (name, outcome) in &outcomes {
        println!("{name}: {} requests", outcome.requests);
        assert!(outcome.fine, "as {name}:\n{}", outcome.said);
    }
    let requests: u64 = outcomes.iter().map(|(_, outcome)| outcome.requests).sum();
    assert!(requests >= REQUESTS_MIN, "{requests} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_follows_the_rules_of_openapi_and_asyncapi() {
    let api = Api::start().await;
    let folder = Folder::new("rules");
    let mut command = stack::testing::python_for_descriptions();
    command.arg(here("rules.py"));
    for name in ["openapi.json", "asyncapi.json"] {
        let served = api.send(get(&format!("/{name}")).by_nobody()).await.expect(200);
        assert_eq!(served.header("content-type"), "application/json");
        let tag = served.header("etag").to_owned();
        api.send(get(&format!("/{name}")).header("if-none-match", &tag)).await.expect(304);
        fs::write(folder.0.join(name), &served.text).unwrap();
        command.arg(folder.0.join(name));
    }
    let checked = command.output().unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_may_run_what_it_brings_along_and_load_nothing_else() {
    let api = Api::start().await;
    let page = api.send(get("/docs").by_nobody()).await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    for foreign in ["unsafe", "http:", "https:", "*"] {
        assert!(!policy.contains(foreign), "{policy}");
    }
    // One script and one style, whose hashes are in the policy; nothing that would be loaded or run besides.
    for (once, name) in [("<script", "script"), ("<style", "style")] {
        assert_eq!(page.text.matches(once).count(), 1, "{name}");
    }
    for other in [" src=", " style=", "onclick=", "@import"] {
        assert!(!page.text.contains(other), "{other}");
    }
}
