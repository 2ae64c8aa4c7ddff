//! Stored events that mean several things or nothing: rows follow from what is meant, and versions from what is stored.

use domain::{AggregateType, cart};
use projections::{QueryError, carts::Carts};
use serde_json::{Value, json};
use store::{
    follow::{Left, ParkedStream, Remedied, Remedy, see_to},
    log::StreamId,
    testing::{Row, request, write},
};

use crate::{
    naive,
    world::{World, after},
};

fn line(sku: &str, quantity: u32) -> Value {
    json!({"sku": sku, "product": "p", "title": sku, "quantity": quantity,
           "unit_price": {"amount": 150, "currency": "GBP"}})
}

/// A cart in old forms of every kind; a pair stands at its beginning.
fn rows() -> Vec<Row> {
    let mut split = line("B", 1);
    split["set_to"] = 4.into();
    vec![
        ("EndGiven", "t1", json!({"at": 4_102_444_800_000_i64})),
        ("CurrencyGiven", "t1", json!({"currency": "GBP"})),
        ("LineAdded", "1", line("A", 2)),
        ("LineAdded", "t1", split),
        ("Viewed", "t1", json!({})),
        ("SkuPicked", "t1", json!({"sku": "C"})),
        ("PickConfirmed", "t1", line("C", 3)),
        ("QuantitySet", "t1", json!({"sku": "A", "units": 5})),
        ("ItemRemoved", "t1", json!({"sku": "B"})),
        ("Viewed", "t1", json!({})),
    ]
}

async fn store(world: &World, id: &str, rows: &[Row]) {
    write(&*world.engine.log, &request(id, cart::Command::Expire { now: crate::world::NOW }), rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_of_old_forms_is_the_same_live_in_batches_and_rebuilt() {
    let world = World::new().await;
    // One event a batch, and all in one.
    for row in rows() {
        store(&world, "slow", &[row]).await;
        world.settle().await;
    }
    store(&world, "fast", &rows()).await;
    naive::check(&world).await;
    let token = world.settle().await;
    let slow = world.read.cart(&"slow".parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    let lines: Vec<_> = slow.lines.iter().map(|line| (line.sku.as_str(), line.quantity.get())).collect();
    assert_eq!(lines, [("A", 5), ("C", 3)]);
    assert_eq!(slow.expires_at.map(domain::value::Time::millis), Some(4_102_444_800_000));
    assert_eq!((slow.version, slow.position), (10, 10), "what means nothing moves the version on as well");
    // The version is the one that a command is compared with.
    let add = cart::Command::AddLine { line: crate::world::cart_line("D", 1, 150), expires_at: None };
    let mut adding = request("slow", add);
    adding.expected_version = Some(slow.version);
    world.engine.executor.execute(adding).await.unwrap();
    world.settle().await;
    let live = world.rows().await;
    world.rebuild_all().await;
    naive::check(&world).await;
    assert_eq!(world.rows().await, live);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_with_a_pair_that_makes_no_sense_is_taken_when_it_is_tried_again() {
    let world = World::new().await;
    let mut broken = rows();
    broken[5].2 = json!({"sku": "other"});
    store(&world, "whole", &rows()).await;
    store(&world, "broken", &broken).await;
    let token = world.settle().await;
    let whole = world.read.cart(&"whole".parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    let parked = world.read.cart(&"broken".parse().unwrap(), after(token)).await;
    assert!(matches!(parked, Err(QueryError::Parked { first_position: 17 })), "{parked:?}");
    let list = ParkedStream::list(&world.pool).await.unwrap();
    assert!(list.iter().all(|parked| parked.reason.contains("is read with the event before it")), "{list:?}");
    world
        .ground
        .as_owner(
            "UPDATE events SET payload = '{\"SkuPicked\": {\"sku\": \"C\"}}' \
             WHERE aggregate_id = 'broken' AND sequence = 6",
        )
        .await;
    let stream = StreamId::new(AggregateType::Cart, "broken");
    let tried = see_to(&world.pool, &*world.engine.log, &Carts, &stream, &Remedy::Retry).await.unwrap();
    assert_eq!(tried, Remedied { taken: 4, skipped: vec![], left: Left::Nothing });
    let released = world.read.cart(&"broken".parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    assert_eq!((&released.lines, released.version), (&whole.lines, whole.version));
}
