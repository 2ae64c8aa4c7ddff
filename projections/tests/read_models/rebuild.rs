//! A read model is built anew beside the one that serves, compared with it, and put in its place.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use domain::{AggregateType, AnyEvent, inventory_item, order};
use projections::{
    all,
    orders::Orders,
    rebuild::{RebuildError, Rebuilt, Stage, rebuild},
    stock::Stocks,
};
use serde_json::json;
use sqlx::{Executor as _, PgConnection, PgPool, migrate::Migrator};
use store::{
    follow::{ApplyError, FillError, Projection, ReadTable},
    log::Recorded,
    schema::Tables,
    testing::{Ground, eventually},
};
use tokio::sync::watch;

use crate::{
    naive,
    random::history,
    world::{NOW, World, after, placement, receive, sku},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_that_is_right_is_found_equal_and_the_new_rows_serve() {
    let world = World::new().await;
    history(&world, 11, 200).await;
    world.settle().await;
    let live = world.rows().await;
    assert!(live.len() > 20);
    for projection in all() {
        let rebuilt = world.rebuild(projection, false).await.unwrap();
        assert!(rebuilt.difference.is_none() && rebuilt.swapped, "{rebuilt:?}");
        assert_eq!(rebuilt.position, world.head().await.position);
    }
    assert_eq!(world.rows().await, live);
    history(&world, 12, 100).await;
    world.settle().await;
    naive::check(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_changed_by_hand_is_the_difference() {
    let world = World::new().await;
    for n in 0..50 {
        world.run(&format!("S{}", n % 10), receive(1)).await;
    }
    world.settle().await;
    let right = world.rows().await;
    let by_hand = [
        "UPDATE stock SET on_hand = 6 WHERE sku = 'S3'",
        "DELETE FROM stock WHERE sku = 'S4'",
        "UPDATE stock SET sku = 'S99' WHERE sku = 'S5'",
    ];
    for sql in by_hand {
        world.pool.execute(sql).await.unwrap();
    }
    let wrong = world.rows().await;
    let Rebuilt { difference, swapped, .. } = world.rebuild(Arc::new(Stocks), false).await.unwrap();
    assert!(!swapped);
    let stock = &difference.tables[0];
    assert_eq!((&*stock.table, stock.rows), ("stock", 10));
    assert_eq!((stock.only_old, stock.only_new, stock.changed), (1, 2, 1));
    assert_eq!(stock.columns, [("available".to_owned(), 1), ("on_hand".to_owned(), 1)].into());
    let changed = stock.examples.iter().find(|example| example.key["sku"] == "S3").unwrap();
    assert_eq!(
        json!([changed.old, changed.new]),
        json!([{"on_hand": 6, "available": 6}, {"on_hand": 5, "available": 5}])
    );
    let reservations = &difference.tables[1];
    assert_eq!(reservations.only_old + reservations.only_new + reservations.changed, 0);
    assert_eq!(world.rows().await, wrong, "what serves is as it was");

    let rebuilt = world.rebuild(Arc::new(Stocks), true).await.unwrap();
    assert_eq!((rebuilt.difference, rebuilt.swapped), (difference, true));
    assert_eq!(world.rows().await, right);
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuilds_while_everybody_works_lose_nothing_and_fail_no_query() {
    let world = World::new().await;
    let (stop, stopped) = watch::channel(false);
    let asking = async {
        for n in 0_u32.. {
            if *stopped.borrow() {
                return n;
            }
            let token = world.run("A", receive(1)).await;
            let stock = world.read.stock(&sku("A"), NOW, after(token)).await.unwrap();
            assert_eq!(stock.value.unwrap().on_hand, i64::from(n) + 1);
        }
        0
    };
    let rebuilding = async {
        for _ in 0..4 {
            world.rebuild_all().await;
        }
        stop.send_replace(true);
    };
    let (asked, ()) = tokio::join!(asking, rebuilding);
    assert!(asked > 3);
    world.settle().await;
    naive::check(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rebuild_at_a_time_and_one_that_ends_early_leaves_everything_as_it_was() {
    let world = World::new().await;
    world.run("order-1", order::Command::Place(placement("1", NOW))).await;
    world.settle().await;
    let live = world.rows().await;
    let (ground, other) = (world.beside(), world.beside());
    // It stands still where the rows are compared; the second one comes there.
    let (at, mut came) = watch::channel(false);
    let tell = move |stage| {
        if stage == Stage::Comparing {
            at.send_replace(true);
        }
    };
    let first = rebuild(&ground, Arc::new(Orders), false, &tell);
    let mut first = Box::pin(first);
    tokio::select! {
        _ = &mut first => unreachable!("nobody waits for it to end"),
        _ = came.wait_for(|came| *came) => {}
    }
    let second = rebuild(&other, Arc::new(Orders), false, &|_| {}).await;
    assert!(matches!(second, Err(RebuildError::Fill(FillError::Busy("orders")))), "{second:?}");
    drop(first);
    assert_eq!(world.rows().await, live);
    let again = eventually("the lease of the first has ended", async || {
        rebuild(&other, Arc::new(Orders), false, &|_| {}).await.ok()
    });
    assert!(again.await.swapped);
    assert_eq!(world.rows().await, live);
}

/// How many units came of each SKU; the second form of its rows says how often as well.
struct Incoming {
    often: bool,
}

static INCOMING: LazyLock<Migrator> = store::migrations! {"../incoming":
    20270101000001 "incoming",
};

fn incoming_tables() -> Tables {
    Tables {
        migrations: vec![store::schema::follower_migrations(), &*INCOMING],
        grants: &[
            ("SELECT, INSERT, UPDATE, DELETE", "followers"),
            ("SELECT, INSERT, UPDATE, DELETE", "parked_streams"),
            ("SELECT, INSERT, UPDATE, DELETE", "applied_events"),
            ("SELECT, INSERT, DELETE", "differing_blocks"),
            ("SELECT, INSERT", "skipped_events"),
            ("SELECT, INSERT, UPDATE, DELETE", "incoming"),
        ],
        ..projections::tables()
    }
}

#[async_trait]
impl Projection for Incoming {
    fn name(&self) -> &'static str {
        "incoming"
    }

    fn follows(&self) -> &'static [AggregateType] {
        &[AggregateType::InventoryItem]
    }

    fn tables(&self) -> &'static [ReadTable] {
        &[ReadTable { name: "incoming", key: &["sku"] }]
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        for event in events {
            for meant in &event.events {
                let AnyEvent::InventoryItem(inventory_item::Event::Received { quantity, .. }) = meant else {
                    continue;
                };
                sqlx::query(
                    "INSERT INTO incoming AS i (sku, units, often) VALUES ($1, $2, $3) ON CONFLICT (sku) \
                     DO UPDATE SET units = i.units + EXCLUDED.units, often = i.often + EXCLUDED.often",
                )
                .bind(&*event.stream.id)
                .bind(i64::from(quantity.get()))
                .bind(i64::from(self.often))
                .execute(&mut *connection)
                .await?;
            }
        }
        Ok(())
    }
}

async fn incoming(pool: &PgPool) -> Vec<(i64, i64)> {
    sqlx::query_as("SELECT units, often FROM incoming ORDER BY sku").fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_shape_goes_live_under_load_without_a_failed_request() {
    let ground = Ground::new().await;
    ground.lay(&incoming_tables()).await;
    let world = World::on(ground, false).await;
    let mut old = world.ground.engine().await;
    old.project(Arc::new(Incoming { often: false }), world.pool.clone());
    for _ in 0..3 {
        world.run("A", receive(2)).await;
    }
    let followed = async |position: i64| {
        eventually("it has followed", async || {
            let at: Option<i64> =
                sqlx::query_scalar("SELECT position FROM followers WHERE name = 'incoming'")
                    .fetch_optional(&world.pool)
                    .await
                    .unwrap();
            at.filter(|at| *at >= position)
        })
        .await
    };
    followed(3).await;
    assert_eq!(incoming(&world.pool).await, [(6, 0)]);
    // The new program takes over from the old one, on tables that have the new column already.
    let mut new = world.ground.engine().await;
    new.project(Arc::new(Incoming { often: true }), world.pool.clone());
    old.stop().await;

    let (stop, stopped) = watch::channel(false);
    let working = async {
        let mut units = 6;
        while !*stopped.borrow() {
            let end = world.run("A", receive(1)).await.position;
            units += 1;
            followed(end).await;
            assert_eq!(incoming(&world.pool).await[0].0, units);
        }
        units
    };
    let swapping = async {
        let ground = projections::rebuild::Ground { tables: incoming_tables(), ..world.beside() };
        let rebuilt = rebuild(&ground, Arc::new(Incoming { often: true }), true, &|_| {}).await.unwrap();
        tokio::task::yield_now().await;
        stop.send_replace(true);
        rebuilt
    };
    let (units, rebuilt) = tokio::join!(working, swapping);
    assert_eq!(rebuilt.difference.tables[0].columns, [("often".to_owned(), 1)].into());
    let head = world.head().await.position;
    followed(head).await;
    assert_eq!(incoming(&world.pool).await, [(units, head)]);
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_statement_holds_up_the_swap_and_nobody_else() {
    let world = World::new().await;
    world.run("A", receive(1)).await;
    world.settle().await;
    let mut reading = world.pool.begin().await.unwrap();
    reading.execute("SELECT count(*) FROM stock").await.unwrap();
    let swapping = world.rebuild(Arc::new(Stocks), true);
    let others = async {
        for n in 2..12 {
            let token = world.run("A", receive(1)).await;
            let stock = world.read.stock(&sku("A"), NOW, after(token)).await.unwrap();
            assert_eq!(stock.value.unwrap().on_hand, n);
            store::ports::Clock::sleep(&store::ports::Machine, Duration::from_millis(50)).await;
        }
        drop(reading);
    };
    let (rebuilt, ()) = tokio::join!(swapping, others);
    assert!(rebuilt.unwrap().swapped);
    world.settle().await;
    naive::check(&world).await;
}
