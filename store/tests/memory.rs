//! What aggregates take in memory is what is reckoned for them, about.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{alloc::System, sync::Arc};

use cap::Cap;
use domain::{
    inventory_item::Command,
    value::{Quantity, ReservationId, Time},
};
use futures::{StreamExt, stream};
use store::{
    executor::{self, Executor, Limits},
    log::{Log, PostgresLog},
    ports::Machine,
    testing::{Ground, request},
};

/// Room for a quarter of the SKUs at most.
const ROOM: usize = 2 << 20;
const SKUS: usize = 6_000;
const CALLERS: usize = 256;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_take_the_room_that_they_may_have_and_no_more() {
    let ground = Ground::new().await;
    let log = Arc::new(PostgresLog::new(ground.pool("").await));
    let limits = Limits { cache_bytes_max: ROOM, ..Limits::default() };
    let (executor, run) =
        executor::run(Arc::clone(&log) as Arc<dyn Log>, Arc::new(Machine), Arc::new(Machine), limits)
            .await
            .unwrap();
    tokio::spawn(run);
    // Connections, statements and queues as large as they become.
    work_on(&executor, "warm", CALLERS).await;
    let before = ALLOCATOR.allocated();
    work_on(&executor, "SKU", SKUS).await;
    let taken = ALLOCATOR.allocated().saturating_sub(before);
    assert!((ROOM / 2..ROOM * 5 / 4).contains(&taken), "{taken} bytes where {ROOM} were to be had");
}

/// Two commands on each of so many SKUs, one behind the other.
async fn work_on(executor: &Executor, name: &str, skus: usize) {
    let commands = |sku: usize| {
        let quantity = Quantity::new(1).unwrap();
        let reservation = ReservationId::new(format!("ORDER-{sku}")).unwrap();
        [
            Command::Receive { quantity, location: None, reference: None },
            Command::Reserve {
                reservation,
                quantity,
                expires_at: None,
                in_stock: true,
                now: Time::from_millis(0),
            },
        ]
        .map(|command| executor.execute(request(&format!("{name} {sku}"), command)))
    };
    stream::iter(0..skus)
        .for_each_concurrent(CALLERS, |sku| async move {
            for command in commands(sku) {
                assert_eq!(command.await.unwrap().events.len(), 1);
            }
        })
        .await;
}
