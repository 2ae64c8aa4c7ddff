//! `daybook state` and `daybook diff`.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::{Value as Json, json};

use crate::shop::{Buyer, Shop, analyst, daybook, order, said, told};

/// A buyer who has paid.
async fn sold() -> (Shop, String) {
    let shop = Shop::open().await;
    shop.receive("MUG 1", 5).await;
    let buyer = Buyer { name: "ada", customer: Some("ada"), lines: &[("MUG 1", 2)], limit: None, ago: 0 };
    assert!(shop.buy(buyer).await && shop.pay("ada").await);
    shop.rest().await;
    (shop, order("ada").to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_an_order_is_told_with_what_it_changed() {
    let (shop, id) = sold().await;
    let (status, now) = told(&shop.ground, &["state", "order", &id]);
    assert_eq!((status, &now["then"]["stage"]), (Some(0), &json!("Confirmed")), "{now}");
    let events = now["events"].as_array().unwrap();
    assert_eq!(events[0]["events"], json!(["Placed"]));
    let version = now["then"]["version"].as_i64().unwrap();
    assert_eq!((events.len() as i64, &now["version_now"]), (version, &json!(version)));
    let stage = events[1]["changes"].as_array().unwrap().iter().find(|of| of["field"] == "stage");
    assert_eq!(stage, Some(&json!({"field": "stage", "old": "Placed", "new": "Confirmed"})), "{now}");
    // The past, by sequence, by position and by time, is the same.
    let (_, first) = told(&shop.ground, &["state", "order", &id, "--at-sequence", "1"]);
    assert_eq!((&first["then"]["stage"], first["events"].as_array().unwrap().len()), (&json!("Placed"), 1));
    let position = events[0]["position"].to_string();
    let (_, by_position) = told(&shop.ground, &["state", "order", &id, "--at-position", &position]);
    assert_eq!(by_position["then"], first["then"]);
    let at = events[1]["occurred_at"].as_str().unwrap();
    let (_, by_time) = told(&shop.ground, &["state", "order", &id, "--at", at]);
    assert!(by_time["then"]["version"].as_i64().unwrap() >= 2, "{by_time}");
    let (status, text, _) = said(&shop.ground, &["state", "order", &id, "--at-sequence", "2"]);
    assert_eq!(status, Some(0));
    for wanted in ["stage: Placed → Confirmed", "Confirmed by system:checkout", "23.95 GBP", "what led to it"]
    {
        assert!(text.replace("  ", " ").contains(wanted), "{wanted}: {text}");
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_only_read_sees_every_kind_of_aggregate_and_nothing_sealed() {
    let (shop, id) = sold().await;
    let url = analyst(&shop.ground).await;
    let state = |aggregate: &str, id: &str| {
        let args = ["state", aggregate, id, "--json"];
        let output = daybook(&url, &shop.ground.prefix, &args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    for (aggregate, id) in [
        ("order", &*id),
        ("checkout", &id),
        ("fulfilment", &id),
        ("cart", "cart-ada"),
        ("payment", "payment-ada"),
        ("inventory_item", "MUG 1"),
    ] {
        let text = state(aggregate, id);
        assert!(!text.contains("c2VjcmV0"), "{text}");
        let told: Json = serde_json::from_str(&text).unwrap();
        assert!(told["events"].as_array().is_some_and(|events| !events.is_empty()), "{told}");
    }
    let checkout: Json = serde_json::from_str(&state("checkout", &id)).unwrap();
    assert_eq!(checkout["then"]["state"]["plan"]["delivery"]["contact"], "[sealed]");
    let output = daybook(&url, &shop.ground.prefix, &["state", "checkout", &id]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("contact: [sealed]") && !text.contains("c2VjcmV0"), "{text}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_moments_are_compared_field_by_field() {
    let (shop, id) = sold().await;
    let (status, diff) =
        told(&shop.ground, &["diff", "order", &id, "--from", "sequence:1", "--to", "sequence:2"]);
    assert_eq!(status, Some(0), "{diff}");
    let changes = diff["changes"].as_array().unwrap();
    assert!(changes.contains(&json!({"field": "stage", "old": "Placed", "new": "Confirmed"})), "{diff}");
    assert_eq!(diff["events"].as_array().unwrap().len(), 1);
    let (_, all) = told(&shop.ground, &["diff", "inventory_item", "MUG 1", "--from", "1"]);
    let of = |field: &str| all["changes"].as_array().unwrap().iter().find(|of| of["field"] == field).cloned();
    assert_eq!(of("on_hand"), Some(json!({"field": "on_hand", "old": 5, "new": 3})), "{all}");
    assert_eq!(of("reserved"), None);
    assert_eq!(all["events"].as_array().unwrap().len(), 2, "Reserved and Allocated");
    let (_, none, _) =
        said(&shop.ground, &["diff", "order", &id, "--from", "sequence:2", "--to", "sequence:2"]);
    assert!(none.contains("nothing is different"), "{none}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_is_told_with_what_to_do() {
    let (shop, id) = sold().await;
    for (args, status, word) in [
        (&["state", "ordre", &id][..], 2, "did you mean \"order\"?"),
        (&["state", "inventory item", "MUG 1"], 2, "did you mean \"inventory_item\"?"),
        (&["state", "order", "nobody"], 1, "nothing ever happened to order-nobody"),
        (&["state", "invoice_book", "x"], 2, "a year"),
        (&["state", "order", &id, "--at", "2010-02-30"], 2, "a time is written as"),
        (&["state", "order", &id, "--at", "2010-02-28"], 1, "nothing had happened to"),
        (&["state", "order", &id, "--at", "2999-01-01"], 2, "still to come"),
        (&["state", "order", &id, "--at-position", "999999"], 2, "beyond the log's end"),
        (&["state", "order", &id, "--at-position", "0"], 2, "--at-position"),
        (&["state", "order", &id, "--at-sequence", "99"], 2, "there is no sequence 99"),
        (&["state", "order", &id, "--at", "2010-02-28", "--at-position", "1"], 2, "cannot be used with"),
        (&["diff", "order", &id, "--from", "sequence:2", "--to", "sequence:1"], 2, "swap them"),
        (&["diff", "order", &id, "--from", "2012-01-01", "--to", "2011-01-01"], 2, "swap them"),
        (&["diff", "order", &id, "--from", "tomorrow"], 2, "is no moment"),
        (&["diff", "order", &id, "--from", "sequence:0"], 2, "such as sequence:3; both count from 1"),
        (&["diff", "order", &id], 2, "--from"),
    ] {
        let (found, out, err) = said(&shop.ground, args);
        assert_eq!(found, Some(status), "{args:?}: {out}{err}");
        assert!(err.contains(word), "{args:?}: {err}");
    }
    let nowhere = "postgres://nobody:x@127.0.0.1:1/nothing";
    let output = daybook(nowhere, &shop.ground.prefix, &["state", "order", &id]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.is_empty());
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_reading_is_not_told_more() {
    let (shop, id) = sold().await;
    let mut child = daybook(&shop.ground.app_url, &shop.ground.prefix, &["state", "order", &id])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(141), ""));
    shop.stop().await;
}
