//! `daybook followers` from outside, beside a process that follows: what it prints, what it does, and its exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
};

use domain::{inventory_item, value::Quantity};
use serde_json::{Value as Json, json};
use store::{
    engine::Engine,
    testing::{Ground, eventually, master_key, request},
};

fn daybook(ground: &Ground, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command
        .args(args)
        .env("DATABASE_URL", &ground.app_url)
        .env("NATS_URL", &ground.nats_url)
        .env("DAYBOOK_SCHEMA", &ground.prefix)
        .env("DAYBOOK_MASTER_KEY", master_key().to_text())
        .env("DAYBOOK_LOG", "error");
    command
}

/// What it says, and its exit status.
fn said(ground: &Ground, args: &[&str]) -> (Option<i32>, String) {
    let output = daybook(ground, args).output().unwrap();
    let Output { stdout, stderr, status } = output;
    let text = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    (status.code(), text.concat())
}

/// The same as JSON.
fn told(ground: &Ground, args: &[&str]) -> (Option<i32>, Json) {
    let output = daybook(ground, args).arg("--json").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    (output.status.code(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{said}")))
}

async fn receive(engine: &Engine, sku: &str) {
    let units = Quantity::new(1).unwrap();
    let receive = inventory_item::Command::Receive { quantity: units, location: None, reference: None };
    engine.executor.execute(request(sku, receive)).await.unwrap();
}

/// Position 2 of five says nothing that can be read, and everybody whom it concerns has set its stream aside.
async fn shop() -> (Ground, Engine) {
    let ground = Ground::new().await;
    ground.lay(&projections::tables()).await;
    let writer = ground.engine().await;
    for sku in ["BAD", "BAD", "GOOD", "BAD", "BAD"] {
        receive(&writer, sku).await;
    }
    writer.stop().await;
    ground.as_owner("CREATE TABLE kept AS TABLE events").await;
    ground.as_owner("UPDATE events SET payload = '{}' WHERE position = 2").await;
    let mut engine = ground.engine().await;
    projections::start(&mut engine, ground.pool("_read").await);
    engine.manage();
    let at_the_end = eventually("everybody has come to the end and has set the stream aside", || async {
        let (status, list) = told(&ground, &["followers", "list"]);
        assert_eq!(status, Some(0), "{list}");
        let followers = list["followers"].as_array().unwrap();
        // The timers and the audit keep no position. Of the read models only stock is given events of stock.
        let others = [json!("orders"), json!("carts"), json!("products"), json!("sales")];
        let level = |of: &&Json| of["lag"] == 0 && of["aside"] == i32::from(!others.contains(&of["name"]));
        (followers.iter().filter(level).count() == followers.len() - 2 && followers.len() > 10)
            .then_some(list)
    })
    .await;
    let timers =
        at_the_end["followers"].as_array().unwrap().iter().find(|of| of["name"] == "timers").unwrap();
    assert_eq!((&timers["position"], &timers["held"]), (&json!(null), &json!(true)));
    (ground, engine)
}

const MEND: &str = "UPDATE events SET payload = kept.payload FROM kept WHERE kept.position = events.position";
const BAD: &str = "inventory_item-BAD";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_aside_is_listed_and_retried_once_it_was_mended() {
    let (ground, engine) = shop().await;
    let (_, list) = told(&ground, &["followers", "list"]);
    assert_eq!((&list["head"], &list["skipped"]), (&json!(5), &json!([])));
    assert_eq!(list["timers"], json!({"overdue": 0, "late_seconds": 0.0}));
    let aside = list["aside"].as_array().unwrap();
    let of = |name| aside.iter().find(|of| of["follower"] == name).unwrap();
    for name in ["stock", "checkout"] {
        assert_eq!((&of(name)["what"], &of(name)["from"]), (&json!(BAD), &json!(2)), "{list}");
        assert!(of(name)["reason"].as_str().unwrap().contains("malformed"), "{list}");
    }
    assert_eq!(of("stock")["events"], json!(null));

    // Nothing was mended yet.
    for name in ["stock", "reservation_expiry"] {
        let (status, failed) = told(&ground, &["followers", "retry", name, BAD]);
        assert_eq!((status, &failed["ok"], &failed["taken"]), (Some(1), &json!(false), &json!(0)), "{name}");
        assert_eq!((&failed["left"]["position"], &failed["left"]["tried"]), (&json!(2), &json!(true)));
    }
    let (status, text) = said(&ground, &["followers", "retry", "stock", BAD]);
    assert_eq!(status, Some(1));
    assert!(text.starts_with("inventory_item-BAD stays set aside from position 2"), "{text}");

    ground.as_owner(MEND).await;
    let (status, done) = told(&ground, &["followers", "retry", "stock", BAD]);
    let expected = json!({"ok": true, "taken": 3, "skipped": [], "left": null});
    assert_eq!((status, done), (Some(0), expected));
    let (status, text) = said(&ground, &["followers", "retry", "orders", BAD]);
    assert!(text.contains("orders has not set inventory_item-BAD aside"), "{text}");
    assert_eq!(status, Some(1));
    // Process managers try by themselves, sooner or later.
    let (status, text) = said(&ground, &["followers", "retry", "reservation_expiry", BAD]);
    assert!(status == Some(0) || text.contains("has not set inventory_item-BAD aside"), "{text}");
    let (status, text) = said(&ground, &["followers", "retry", "stock", BAD]);
    assert_eq!(status, Some(1));
    assert!(text.contains("stock has not set inventory_item-BAD aside"), "{text}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_skipped_or_released_is_listed_ever_after() {
    let (ground, engine) = shop().await;
    let skip = |name, position| ["followers", "skip", name, BAD, "--position", position];
    // To the checkout the events behind it mean nothing, so they do not wait.
    for (name, taken) in [("stock", 2), ("checkout", 0)] {
        let (status, refused) = told(&ground, &skip(name, "4"));
        assert_eq!((status, &refused["ok"]), (Some(1), &json!(false)));
        let error = refused["error"].as_str().unwrap();
        assert!(error.contains("waits with position 2, not 4"), "{error}");

        let mut reasoned = skip(name, "2").to_vec();
        reasoned.extend(["--reason", "nonsense"]);
        let (status, skipped) = told(&ground, &reasoned);
        let expected = json!({"ok": true, "taken": taken, "skipped": [2], "left": null});
        assert_eq!((status, skipped), (Some(0), expected), "{name}");
    }
    let (status, text) = said(&ground, &["followers", "release", "fulfilment", BAD, "--reason", "by hand"]);
    let expected = format!(
        "fulfilment goes on without position 2. fulfilment follows {BAD} again; events that had waited and were taken: 0.\n"
    );
    assert_eq!((status, text), (Some(0), expected));
    let (_, list) = told(&ground, &["followers", "list"]);
    let skipped: Vec<_> = list["skipped"].as_array().unwrap().iter().collect();
    let of = |name: &str| {
        let of_this = skipped.iter().filter(|of| of["follower"] == name);
        of_this.map(|of| (of["position"].as_i64().unwrap(), of["reason"].clone())).collect::<Vec<_>>()
    };
    for name in ["stock", "checkout"] {
        assert_eq!(of(name), [(2, json!("nonsense"))], "{list}");
    }
    assert_eq!(of("fulfilment"), [(2, json!("by hand"))], "{list}");
    let (_, text) = said(&ground, &["followers", "list"]);
    assert!(text.contains("stock has skipped position 2 of inventory_item-BAD at 2"), "{text}");
    let listed = list["followers"].as_array().unwrap().iter().map(|of| of["name"].as_str().unwrap());
    let (beside, own): (Vec<_>, Vec<_>) =
        listed.partition(|name| ["audit", "carts", "orders", "products", "sales", "stock"].contains(name));
    assert!(beside.len() == 6 && beside.is_sorted() && own.len() > 8 && own.is_sorted(), "{own:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_names_what_cannot_be_is_told_what_can() {
    let (ground, engine) = shop().await;
    for (args, word) in [
        (&["retry", "nobody", BAD][..], "orders, carts, stock, products, sales, checkout"),
        (&["retry", "relay", BAD], "gateway"),
        (&["retry", "stock", "BAD"], "is not a stream such as order-O1"),
        (&["skip", "stock", BAD], "--position"),
        (&["skip", "stock", BAD, "--position", "0"], "--position"),
        (&["skip", "stock", BAD, "--position", "two"], "--position"),
        (&["skip", "stock", BAD, "--position", "2", "--reason", " "], "say why"),
        (&["release", "stock", BAD], "--reason"),
        (&["list", "--watch", "--json"], "cannot be used with"),
    ] {
        let args: Vec<_> = ["followers"].iter().chain(args).copied().collect();
        let (status, text) = said(&ground, &args);
        assert_eq!(status, Some(2), "{args:?}: {text}");
        assert!(text.contains(word), "{args:?}: {text}");
    }
    let (status, text) = said(&ground, &["followers", "retry", "checkout", "nothing"]);
    assert_eq!(status, Some(1));
    assert!(text.contains("checkout has not set nothing aside"), "{text}");
    let (_, list) = told(&ground, &["followers", "list"]);
    assert_eq!(list["skipped"], json!([]));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_watched_tells_events_a_second_until_nobody_reads_it() {
    let (ground, engine) = shop().await;
    let mut watch =
        daybook(&ground, &["followers", "list", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let header = lines.next().unwrap();
    assert!(header.contains("events/s"), "{header}");
    let rate = |line: String| line.split_whitespace().nth(5).map(str::to_owned);
    let first = lines.find(|line| line.starts_with("stock  ")).unwrap();
    assert_eq!(rate(first).as_deref(), Some("-"));
    let second = lines.find(|line| line.starts_with("stock  ")).unwrap();
    assert_eq!(rate(second).as_deref(), Some("0"));
    for _ in 0..50 {
        receive(&engine, "GOOD").await;
    }
    lines
        .by_ref()
        .take(200)
        .filter(|line| line.starts_with("stock  "))
        .find(|line| rate(line.clone()).unwrap() != "0")
        .expect("events are counted");
    drop(lines);
    assert_eq!(watch.wait().unwrap().code(), Some(141));
    engine.stop().await;
}
