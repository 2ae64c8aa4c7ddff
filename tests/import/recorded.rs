//! Imported orders, told as scenarios.

use domain::AggregateType;
use scenarios::{
    record::{Wanted, load, record},
    suite::{Suite, in_memory},
};
use sqlx::Row as _;
use store::testing::eventually;

use super::ground::{Ground, sample};

#[tokio::test(flavor = "multi_thread")]
async fn every_imported_order_goes_green_as_a_scenario() {
    let mut ground = Ground::new().await;
    ground.engine.manage();
    ground.import(&sample()).await.unwrap();
    // What follows from an import is part of its orders' history.
    let head = ground.head().await;
    eventually("everybody has read the import", || async {
        let reached = ground.engine.reached();
        reached.values().all(|reached| reached.borrow().position >= head).then_some(())
    })
    .await;
    let orders = sqlx::query("SELECT DISTINCT aggregate_id FROM events WHERE aggregate_type = $1")
        .bind(AggregateType::Order.as_str())
        .fetch_all(&ground.engine.pool)
        .await
        .unwrap();
    assert!(orders.len() > 20, "{}", orders.len());
    for order in orders {
        let id: String = order.get(0);
        let recorded = load(&*ground.engine.log, &Wanted::Order(id.clone())).await.unwrap();
        let text = record(&id, &recorded).unwrap();
        let told = ["Confirmed", "CreditNoteIssued"].iter().any(|event| text.contains(event));
        assert!(told, "{text}");
        let mut suite = Suite::default();
        suite.read(&id, &text);
        assert_eq!(suite.problems, []);
        assert_eq!(in_memory(&suite.scenarios[0].plays[0]).failure, None);
    }
}
