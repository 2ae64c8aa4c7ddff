//! `events tail`, `show` and `stats`.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use domain::{inventory_item::Command, value::Quantity};
use serde_json::{Value as Json, json};
use store::testing::request;

use crate::ground::Ground;

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_shown_by_position_id_and_stream() {
    let ground = Ground::traded().await;
    let line = json(ground.fine(&["tail", "-n", "1", "--no-follow", "--json"]).trim());
    let head = ground.head().await;
    assert_eq!(line["position"], head);
    let id = line["event_id"].as_str().unwrap();
    for what in [&head.to_string(), id] {
        let shown = json(&ground.fine(&["--json", "show", what]));
        assert_eq!(shown["events"], json!([line]), "{what}");
    }
    let stream =
        format!("{}-{}", line["aggregate_type"].as_str().unwrap(), line["aggregate_id"].as_str().unwrap());
    let shown = json(&ground.fine(&["--json", "show", &stream]));
    let sequences: Vec<_> =
        shown["events"].as_array().unwrap().iter().map(|event| event["sequence"].as_i64().unwrap()).collect();
    let expected: Vec<_> = (1..=line["sequence"].as_i64().unwrap()).collect();
    assert_eq!(sequences, expected);
    let text = ground.fine(&["show", &head.to_string()]);
    assert!(text.starts_with(&format!("{head} {stream} #")) && text.contains(id), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_adds_up_to_the_log() {
    let ground = Ground::traded().await;
    let head = ground.head().await;
    let pool = ground.store.pool("").await;
    let bytes: i64 = sqlx::query_scalar(
        "SELECT sum(octet_length(payload::text) + octet_length(metadata::text))::bigint FROM events",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    for by in ["aggregate", "event", "day"] {
        let counted = json(&ground.fine(&["--json", "stats", "--by", by]));
        assert_eq!((&counted["events"], &counted["bytes"]), (&json!(head), &json!(bytes)), "{by}");
        let sum = |name: &str| -> i64 {
            counted["counts"].as_array().unwrap().iter().map(|one| one[name].as_i64().unwrap()).sum()
        };
        assert_eq!((sum("events"), sum("bytes")), (head, bytes), "{by}");
    }
    let placed: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type = 'Placed'")
        .fetch_one(&pool)
        .await
        .unwrap();
    let counted = json(&ground.fine(&["--json", "stats", "--event", "Placed", "--aggregate", "order"]));
    assert_eq!(counted["counts"][0]["name"], "order.Placed");
    assert_eq!(counted["events"], placed);
    let days = json(&ground.fine(&["--json", "stats", "--by", "day"]));
    let day = days["counts"][1]["name"].as_str().unwrap();
    let text = ground.fine(&["stats", "--by", "day", "--from", day, "--to", day]);
    assert!(text.lines().nth(1).unwrap().starts_with(day) && text.lines().count() == 3, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_goes_on_with_what_comes() {
    let ground = Ground::empty().await;
    let engine = ground.store.engine().await;
    let receive = |sku: &str| {
        let quantity = Quantity::new(1).unwrap();
        request(sku, Command::Receive { quantity, location: None, reference: None })
    };
    engine.executor.execute(receive("A")).await.unwrap();
    let mut child = ground
        .events(&["tail", "--json", "--id", "A"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = json(&lines.next().unwrap().unwrap());
    assert_eq!((&first["position"], &first["event_type"]), (&json!(1), &json!("Received")));
    engine.executor.execute(receive("B")).await.unwrap();
    engine.executor.execute(receive("A")).await.unwrap();
    let next = json(&lines.next().unwrap().unwrap());
    assert_eq!((&next["position"], &next["sequence"]), (&json!(3), &json!(2)));
    child.kill().unwrap();
    child.wait().unwrap();
    engine.stop().await;
    // From a position on, the first so many, and then it ends.
    for (from, expected) in [("1", &["1 ", "2 "][..]), ("2", &["2 ", "3 "]), ("3", &["3 "])] {
        let text = ground.fine(&["tail", "--from-position", from, "-n", "2", "--no-follow"]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{text}");
        assert!(lines.iter().zip(expected).all(|(line, start)| line.starts_with(start)), "{text}");
    }
    assert_eq!(ground.fine(&["tail", "--from-position", "1", "-n", "3"]).lines().count(), 3);
    // Up to a position it comes to an end by itself.
    let text = ground.fine(&["tail", "--from-position", "2", "--to-position", "3"]);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.starts_with("2 ") && text.contains(" inventory_item-B #1 Received {"), "{text}");
}
