//! Pages of selected events, for whoever looks at the log: what is selected, and in which form it comes out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use domain::{
    AggregateType, cart, inventory_item,
    value::{Quantity, Sku},
};
use serde_json::{Value, json};
use store::{
    log::{Log as _, Pages, PostgresLog, Seen, Selection},
    testing::{Ground, Row, request, write},
};

async fn selected(log: &PostgresLog, selection: Selection, after: i64, upto: i64) -> Vec<Seen> {
    let mut pages = Pages::new(log.clone(), selection, after, upto);
    let mut events = vec![];
    while let Some(page) = pages.next().await.unwrap() {
        events.extend(page.events);
    }
    events
}

fn line(sku: &str, more: Value) -> Value {
    let mut line = json!({"sku": sku, "product": "p", "title": "Thing", "quantity": 2,
                          "unit_price": {"amount": 250, "currency": "GBP"}});
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    line
}

/// A cart in forms of every age, and stock beside it.
async fn told(ground: &Ground) -> PostgresLog {
    let log = PostgresLog::new(ground.pool("").await);
    let cart = request("C'1", cart::Command::RemoveLine { sku: Sku::new("A").unwrap() });
    let rows: Vec<Row> = vec![
        ("Opened", "1", json!({"currency": "GBP"})),
        ("LineAdded", "1", line("A", json!({}))),
        ("LineAdded", "t1", line("B", json!({"set_to": 7}))),
        ("Viewed", "t1", json!({})),
        ("SkuPicked", "t1", json!({"sku": "C"})),
        ("PickConfirmed", "t1", line("C", json!({}))),
        ("QuantitySet", "2", json!({"sku": "A", "quantity": 3})),
    ];
    write(&log, &cart, &rows).await;
    let receive = inventory_item::Command::Receive {
        quantity: Quantity::new(5).unwrap(),
        location: None,
        reference: None,
    };
    write(&log, &request("A", receive), &[("Received", "2", json!({"location": "main", "quantity": 5}))])
        .await;
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_out_is_what_every_other_reader_sees() {
    let ground = Ground::new().await;
    let log = told(&ground).await;
    let seen = selected(&log, Selection::default(), 0, 8).await;
    let forms: Vec<_> =
        seen.iter().map(|seen| (seen.stored.position, seen.part, seen.event_type().to_owned())).collect();
    let expected = [
        (1, 0, "Opened"),
        (2, 0, "LineAdded"),
        (3, 0, "LineAdded"),
        (3, 1, "QuantitySet"),
        (6, 0, "LineAdded"),
        (7, 0, "QuantitySet"),
        (8, 0, "Received"),
    ];
    assert_eq!(forms, expected.map(|(position, part, name)| (position, part, name.to_owned())));
    let mut meant = vec![];
    for recorded in log.recorded_after(0, 100).await.unwrap() {
        for one in recorded.meant() {
            meant.push((one.id(), serde_json::to_value(one.event).unwrap()));
        }
    }
    let seen: Vec<_> = seen
        .iter()
        .map(|seen| (seen.event_id(), serde_json::from_str::<Value>(seen.payload()).unwrap()))
        .collect();
    assert_eq!(
        seen.iter().map(|(id, _)| id).collect::<Vec<_>>(),
        meant.iter().map(|(id, _)| id).collect::<Vec<_>>()
    );
    for ((_, seen), (_, meant)) in seen.iter().zip(&meant) {
        // What is stored in a form of today may leave out what it need not say.
        let both = [seen, meant].map(|payload| {
            let kind = if payload.get("Received").is_some() {
                AggregateType::InventoryItem
            } else {
                AggregateType::Cart
            };
            domain::AnyEvent::deserialize(kind, payload.clone()).unwrap()
        });
        assert_eq!(both[0], both[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_of_a_selection_narrows_it() {
    let ground = Ground::new().await;
    let log = told(&ground).await;
    let places = async |selection: Selection, after, upto| -> Vec<(i64, usize)> {
        let seen = selected(&log, selection, after, upto).await;
        seen.iter().map(|seen| (seen.stored.position, seen.part)).collect()
    };
    let all = Selection::default;
    let brief = selected(&log, all(), 0, 1).await[0].stored.clone();
    let brief = brief.brief().unwrap();

    let kind = Selection { aggregate_types: vec![AggregateType::InventoryItem], ..all() };
    assert_eq!(places(kind, 0, 8).await, [(8, 0)]);
    let named = Selection { event_types: vec!["QuantitySet".into()], ..all() };
    assert_eq!(places(named.clone(), 0, 8).await, [(3, 1), (7, 0)]);
    assert_eq!(places(named, 3, 6).await, []);
    // The second of two that belong together comes out whole where it is read without the first.
    let added = Selection { event_types: vec!["LineAdded".into()], ..all() };
    assert_eq!(places(added, 5, 8).await, [(6, 0)]);
    for kinds in [vec![], vec![AggregateType::Cart]] {
        let of_one = Selection { aggregate_id: Some("C'1".into()), aggregate_types: kinds, ..all() };
        assert_eq!(places(of_one, 1, 3).await, [(2, 0), (3, 0), (3, 1)]);
    }
    let caused = Selection { correlation_id: Some(brief.correlation_id), ..all() };
    assert_eq!(places(caused, 0, 8).await.last(), Some(&(7, 0)));
    let then = Selection { to: Some(brief.occurred_at.plus_millis(-1)), ..all() };
    assert_eq!(places(then, 0, 8).await, []);
    let since = Selection { from: Some(brief.occurred_at), to: Some(brief.occurred_at), ..all() };
    assert_eq!(places(since, 0, 7).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_newer_program_wrote_is_told_and_not_left_out() {
    let ground = Ground::new().await;
    let log = told(&ground).await;
    let cart = request("C9", cart::Command::RemoveLine { sku: Sku::new("A").unwrap() });
    write(&log, &cart, &[("Teleported", "1", json!({}))]).await;
    let mut pages = Pages::new(log, Selection::default(), 0, 9);
    let error = pages.next().await.expect_err("it is not known").to_string();
    assert!(error.contains("cart-C9 sequence 1") && error.contains("Teleported"), "{error}");
}
