//! NATS away, and NATS wiped, both under load: commands go on, read models lose and double nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use domain::{
    inventory_item::Command,
    value::{Quantity, ReservationId, Time},
};
use sqlx::{PgPool, Row};
use store::{
    broker::Broker as _,
    engine::Engine,
    testing::{Ground, eventually, request},
};

const SKUS: u32 = 20;

struct Shop {
    ground: Ground,
    engine: Arc<Engine>,
    read: PgPool,
}

impl Shop {
    async fn open(servers: &stack::Stack) -> Self {
        let ground = Ground::alone(servers).await;
        ground.lay(&projections::tables()).await;
        let read = ground.pool("_read").await;
        let mut engine = ground.engine().await;
        engine.relay();
        projections::start(&mut engine, read.clone());
        Self { ground, engine: Arc::new(engine), read }
    }

    /// Receives and reserves until told to stop, and counts what was accepted.
    fn load(&self) -> (Arc<AtomicBool>, tokio::task::JoinHandle<u32>, Arc<AtomicU32>) {
        let stop = Arc::new(AtomicBool::new(false));
        let accepted = Arc::new(AtomicU32::new(0));
        let (engine, told, count) = (Arc::clone(&self.engine), Arc::clone(&stop), Arc::clone(&accepted));
        let task = tokio::spawn(async move {
            let mut round = 0;
            while !told.load(Ordering::Relaxed) {
                let commands = (0..SKUS).flat_map(|sku| {
                    let quantity = Quantity::new(2).unwrap();
                    let reserve = Command::Reserve {
                        reservation: ReservationId::new(format!("r-{round}")).unwrap(),
                        quantity: Quantity::new(1).unwrap(),
                        expires_at: None,
                        in_stock: false,
                        now: Time::from_millis(0),
                    };
                    [(sku, Command::Receive { quantity, location: None, reference: None }), (sku, reserve)]
                });
                let executed = commands
                    .map(|(sku, command)| engine.executor.execute(request(&format!("SKU {sku}"), command)));
                for answer in futures::future::join_all(executed).await {
                    answer.unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
                round += 1;
            }
            round
        });
        (stop, task, accepted)
    }

    /// Waits until the read model has come to the log's end, and compares it with what was accepted.
    async fn adds_up(&self, rounds: u32) {
        let head = self.engine.log.head().await.unwrap().position;
        eventually("the read model is at the log's end", || async {
            let position: i64 = sqlx::query_scalar("SELECT position FROM followers WHERE name = 'stock'")
                .fetch_one(&self.read)
                .await
                .unwrap();
            (position == head).then_some(())
        })
        .await;
        let rows = sqlx::query("SELECT on_hand, reserved FROM stock").fetch_all(&self.read).await.unwrap();
        assert_eq!(rows.len(), SKUS as usize);
        for row in rows {
            let (on_hand, reserved): (i64, i64) = (row.get(0), row.get(1));
            assert_eq!((on_hand, reserved), (i64::from(rounds) * 2, i64::from(rounds)));
        }
        assert_eq!(head, i64::from(rounds * SKUS * 2));
    }

    /// Waits until the broker's stream ends where the log ends.
    async fn copied(&self) {
        let broker = self.ground.broker().await;
        eventually("the broker's last sequence is the last position", || async {
            let head = self.engine.log.head().await.unwrap().position;
            let last = broker.state().await.ok().flatten()?.last;
            (last == head).then_some(())
        })
        .await;
    }
}

async fn accepted(count: &AtomicU32, more: u32) {
    let goal = count.load(Ordering::Relaxed) + more;
    eventually("commands go on being accepted", || async {
        (count.load(Ordering::Relaxed) >= goal).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_read_models_go_on_while_nats_is_away() {
    let servers = stack::testing::private();
    let shop = Shop::open(&servers).await;
    let (stop, task, count) = shop.load();
    accepted(&count, 400).await;
    servers.stop_nats().unwrap();
    let away = tokio::time::Instant::now();
    let mut position = 0;
    while away.elapsed() < std::time::Duration::from_secs(10) {
        accepted(&count, 400).await;
        let after = position;
        position = eventually("the read model moves without NATS", || async {
            let position: i64 = sqlx::query_scalar("SELECT position FROM followers WHERE name = 'stock'")
                .fetch_one(&shop.read)
                .await
                .unwrap();
            (position > after).then_some(position)
        })
        .await;
    }
    servers.start_nats().unwrap();
    accepted(&count, 400).await;
    stop.store(true, Ordering::Relaxed);
    shop.adds_up(task.await.unwrap()).await;
    shop.copied().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_broker_under_load_changes_no_read_model() {
    let servers = stack::testing::private();
    let shop = Shop::open(&servers).await;
    let (stop, task, count) = shop.load();
    for _ in 0..3 {
        accepted(&count, 800).await;
        servers.wipe_nats().unwrap();
    }
    accepted(&count, 800).await;
    stop.store(true, Ordering::Relaxed);
    shop.adds_up(task.await.unwrap()).await;
    shop.copied().await;
}
