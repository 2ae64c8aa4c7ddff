//! Process managers and policies: each thing that a stored event means is acted on once.

use domain::{AggregateType, AnyEvent, order};
use serde_json::{Value, json};
use store::{
    engine::Engine,
    executor::derived_id,
    log::{StreamId, meant_id},
    testing::{Ground, eventually, request, write},
};

const ORDER: &str = "o1";

/// What stands under the outer tag of a stored sample.
fn sample(text: &str) -> Value {
    let tagged: Value = serde_json::from_str(text).unwrap();
    tagged.as_object().unwrap().values().next().unwrap().clone()
}

fn cancelled(name: &str, sku: &str) -> Value {
    let mut part = sample(include_str!("../golden/order.LinesCancelled.v1.json"));
    part["cancellation"] = name.into();
    part["units"] = json!([{"sku": sku, "quantity": 2}]);
    part
}

async fn names(engine: &Engine, aggregate_type: AggregateType, id: &str) -> Vec<&'static str> {
    let recorded = engine.log.recorded(&StreamId::new(aggregate_type, id), 0).await.unwrap();
    recorded.iter().flat_map(|recorded| &recorded.events).map(AnyEvent::event_type).collect()
}

/// Runs every manager and policy until they are at the log's end and nothing is left to be done.
async fn settled(engine: &Engine) {
    let reached = engine.reached();
    eventually("everybody is at the end", || async {
        let head = engine.log.head().await.unwrap().position;
        let done = reached.values().all(|reached| {
            let reached = *reached.borrow();
            reached.position == head && reached.working == 0
        });
        done.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cancellations_in_one_stored_event_are_two_and_stay_two() {
    let ground = Ground::new().await;
    let mut engine = ground.engine().await;
    engine.relay();
    engine.manage();
    let cause = request(ORDER, order::Command::Cancel { reason: order::CancelReason::Staff, note: None });
    let placed = sample(include_str!("../golden/order.Placed.v2.json"));
    let confirmed = sample(include_str!("../golden/order.Confirmed.v2.json"));
    let both = json!([cancelled("x-1", "A"), cancelled("x-2", "A")]);
    let rows = [("Placed", "2", placed), ("Confirmed", "2", confirmed), ("CancelledByLine", "t1", both)];
    let last = write(&*engine.log, &cause, &rows).await;
    eventually("the last credit note is numbered", || async {
        let notes = [
            names(&engine, AggregateType::Order, "x-1").await,
            names(&engine, AggregateType::Order, "x-2").await,
        ];
        notes.iter().all(|note| *note == ["CreditNoteIssued", "Invoiced"]).then_some(())
    })
    .await;
    settled(&engine).await;
    assert_eq!(names(&engine, AggregateType::InventoryItem, "A").await, ["Adjusted", "Adjusted"]);
    let fulfilment = names(&engine, AggregateType::Fulfilment, ORDER).await;
    let due = fulfilment.iter().filter(|name| **name == "CreditNoteDue").count();
    assert_eq!(due, 2, "{fulfilment:?}");
    // The first is known as it would be if it stood alone, the second by an id of its own.
    let event_id = engine.log.read(last - 1, 1).await.unwrap()[0].event_id;
    for id in [event_id, meant_id(event_id, 1)] {
        let commands = [derived_id(id, "restock", 0), derived_id(id, "fulfilment", 0)];
        assert_eq!(engine.log.answers(&commands).await.unwrap().len(), 2);
    }
    // Its events say which stored event they follow from.
    let stock = StreamId::new(AggregateType::InventoryItem, "A");
    for recorded in engine.log.recorded(&stock, 0).await.unwrap() {
        assert_eq!(recorded.metadata.causation_id, event_id);
    }
    let head = engine.log.head().await.unwrap();
    engine.stop().await;
    // Everybody goes through the log again, and nothing comes of it.
    ground.as_owner("UPDATE followers SET position = 0, link = NULL WHERE incarnation IS NOT NULL").await;
    let mut engine = ground.engine().await;
    engine.manage();
    settled(&engine).await;
    assert_eq!(engine.log.head().await.unwrap(), head);
}
