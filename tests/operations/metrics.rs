//! Whatever the dashboard and the alert rules ask for, a running shop exposes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value as Json;

use crate::shop::{Shop, stocked};

fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/operations").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of metrics in an expression, those of Daybook and of its process.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|of: char| !(of.is_ascii_alphanumeric() || of == '_' || of == ':'));
    let ours = words.filter(|word| word.starts_with("daybook_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// The values that an expression wants labels to have, by label; those of patterns that are words with bars between them.
fn wanted(expression: &str) -> BTreeSet<(String, String)> {
    let mut wanted = BTreeSet::new();
    for (at, _) in expression.match_indices("=\"").chain(expression.match_indices("=~\"")) {
        let label =
            expression[..at].rsplit(|of: char| !(of.is_ascii_alphanumeric() || of == '_')).next().unwrap();
        let value = expression[at..].split('"').nth(1).unwrap();
        let words = value.split('|').map(|word| (label.to_owned(), word.to_owned()));
        // What Prometheus adds by itself, and Grafana's variables, are not for the shop to say.
        wanted.extend(words.filter(|(label, word)| {
            !["job", "instance", "alertname", "alertstate"].contains(&label.as_str())
                && !word.contains(['$', '*', '.'])
        }));
    }
    wanted
}

/// Every expression of the rules: each stands behind `expr:`, on that line or indented under it.
fn rules() -> Vec<String> {
    let text = read("alerts.yaml");
    let mut lines = text.lines().peekable();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        let Some(first) = line.trim_start().strip_prefix("expr:") else { continue };
        let mut expression = first.trim().trim_start_matches('|').to_owned();
        let depth = line.len() - line.trim_start().len();
        while let Some(more) = lines.next_if(|line| line.len() - line.trim_start().len() > depth) {
            expression.push_str(more);
        }
        found.push(expression);
    }
    found
}

/// Every expression of the dashboard.
fn panels(of: &Json, found: &mut Vec<String>) {
    match of {
        Json::Object(members) => {
            for (name, member) in members {
                match member {
                    Json::String(text) if name == "expr" => found.push(text.clone()),
                    Json::String(text) if name == "query" => found.push(text.clone()),
                    other => panels(other, found),
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| panels(item, found)),
        _ => {}
    }
}

fn dashboard() -> Json {
    serde_json::from_str(&read("grafana-dashboard.json")).unwrap()
}

/// What a shop exposes that has everything which is told of at all: a certificate, and Stripe.
async fn exposed() -> (BTreeMap<String, String>, String) {
    let ground = stocked().await;
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let place = std::env::temp_dir().join(format!("daybook-{}-metrics", ground.prefix));
    fs::create_dir_all(&place).unwrap();
    let files = ["cert.pem", "key.pem"].map(|name| place.join(name).to_string_lossy().into_owned());
    fs::write(&files[0], cert.pem()).unwrap();
    fs::write(&files[1], signing_key.serialize_pem()).unwrap();
    let settings = [
        ("DAYBOOK_TLS_CERT", files[0].as_str()),
        ("DAYBOOK_TLS_KEY", &files[1]),
        ("DAYBOOK_GATEWAY", "stripe"),
        ("DAYBOOK_STRIPE_KEY", "sk_test_0123456789"),
        ("DAYBOOK_STRIPE_WEBHOOK_SECRET", "whsec_0123456789abcdef"),
        ("DAYBOOK_STRIPE_URL", "http://127.0.0.1:1"),
    ];
    let shop = Shop::open(&ground, &settings).await;
    let guest = shop.guest().await;
    let cart = shop.cart(&guest).await;
    shop.check_out(&guest, &cart, "none").await.expect(201);
    // The first comparison of the index comes after ten seconds.
    let text = store::testing::eventually("the index was compared", || async {
        let text = shop.get("/metrics").await.expect(200).text;
        text.contains("daybook_index_differences ").then_some(text)
    })
    .await;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    (types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_and_the_alerts_ask_for_nothing_that_is_not_there() {
    let mut asked = rules();
    let alerts = asked.len();
    panels(&dashboard(), &mut asked);
    assert!(alerts > 20 && asked.len() > alerts + 20, "the expressions were not found");
    let (types, text) = exposed().await;
    let is_there = |name: &str| {
        let of = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        types.contains_key(name)
            || of.is_some_and(|name| types.get(name).is_some_and(|kind| kind == "histogram"))
    };
    for expression in &asked {
        for name in names(expression) {
            assert!(is_there(&name), "{name} is not exposed: {expression}");
        }
        for (label, value) in wanted(expression) {
            // A class of statuses is there once a request has ended so.
            let sample = format!("{label}=\"{value}\"");
            assert!(
                text.contains(&sample) || sample == "status=\"5xx\"",
                "nothing has {sample}: {expression}"
            );
        }
    }
    // A counter says so in its name, and nothing else does.
    for (name, kind) in types.iter().filter(|(name, _)| name.starts_with("daybook_")) {
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
    }
}

#[test]
fn every_alert_has_a_paragraph_in_the_runbook() {
    let text = read("alerts.yaml");
    let alerts: Vec<_> = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let runbook = read("RUNBOOK.md");
    let sections: Vec<_> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(sections, alerts, "the runbook has a section for each alert, in their order");
    for alert in alerts {
        let link = format!("docs/operations/RUNBOOK.md#{}", alert.to_lowercase());
        assert!(text.contains(&link), "{alert} does not name its paragraph");
    }
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|of| of["type"] == "datasource" && of["query"] == "prometheus"));
    let text = dashboard.to_string();
    let sources = text.matches("\"datasource\":{").count();
    assert_eq!(text.matches("\"uid\":\"${datasource}\"").count(), sources, "a panel has a source of its own");
    assert!(sources > 20 && dashboard["id"].is_null());
}

/// The rules are played by Prometheus' own tool where it is installed (Debian's package `prometheus`).
#[test]
fn the_rules_alert_when_they_should() {
    let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/operations");
    for args in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]] {
        match std::process::Command::new("promtool").args(args).current_dir(&place).output() {
            Ok(output) => {
                let said = [output.stdout, output.stderr].concat();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return println!("promtool is not installed: the rules are not played");
            }
            Err(error) => panic!("{error}"),
        }
    }
}
