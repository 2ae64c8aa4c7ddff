//! The executor's memory is bounded, and what has to be read again is what it was.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;

use domain::{
    AggregateType,
    inventory_item::Command,
    value::{Quantity, ReservationId, Time},
};
use futures::future::join_all;
use store::{
    executor::{self, ExecuteError, Limits},
    log::{Log, PostgresLog, Sequence, StreamId},
    ports::Machine,
    testing::{Ground, request},
};

const SKUS: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_that_do_not_fit_are_read_again_and_go_on_as_they_were() {
    let ground = Ground::new().await;
    let log = Arc::new(PostgresLog::new(ground.pool("").await));
    // Room for a handful.
    let limits = Limits { cache_bytes_max: 8 << 10, snapshot_every: 5, ..Limits::default() };
    let (executor, run) =
        executor::run(Arc::clone(&log) as Arc<dyn Log>, Arc::new(Machine), Arc::new(Machine), limits)
            .await
            .unwrap();
    tokio::spawn(run);

    let mut versions = vec![0; SKUS];
    let mut refused = 0;
    for round in 0..12_u32 {
        let commands = (0..SKUS).map(|sku| {
            let command = if round % 4 == 0 {
                Command::Receive { quantity: Quantity::new(2).unwrap(), location: None, reference: None }
            } else {
                Command::Reserve {
                    reservation: ReservationId::new(format!("R{round}")).unwrap(),
                    quantity: Quantity::new(1).unwrap(),
                    expires_at: None,
                    in_stock: false,
                    now: Time::from_millis(0),
                }
            };
            executor.execute(request(&format!("SKU {sku}"), command))
        });
        for (sku, answer) in join_all(commands).await.into_iter().enumerate() {
            match answer {
                Ok(executed) => {
                    versions[sku] += executed.events.len() as Sequence;
                    assert_eq!(executed.version, versions[sku], "SKU {sku} in round {round}");
                }
                Err(ExecuteError::Refused(no)) => {
                    assert_eq!(no.refusal.code(), "inventory.insufficient");
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    // Two units come in every four rounds and three are asked for.
    assert_eq!(refused, SKUS * 3);
    for (sku, version) in versions.into_iter().enumerate() {
        let stream = StreamId::new(AggregateType::InventoryItem, &format!("SKU {sku}"));
        assert_eq!(log.load(&stream, 0).await.unwrap().len() as Sequence, version);
    }
}
