//! Looking back: at every position, what is folded from the log is what the read model said when it had come there.

use std::collections::BTreeSet;

use domain::{AggregateType, value::Time};
use projections::{
    analytics::history::{Asked, compare_stock, stock_then},
    orders::Orders,
    stock::Stocks,
};
use store::{
    follow::Projection,
    history::Moment,
    log::{Log as _, PostgresLog, Recorded},
};

use crate::{
    random,
    world::{NOW, World, any, receive, reserve},
};

/// What the next position brings, applied to the rows as the follower would.
async fn apply(world: &World, projection: &dyn Projection, recorded: &Recorded) {
    let mut connection = world.pool.acquire().await.unwrap();
    if projection.follows().contains(&recorded.stream.aggregate_type) {
        projection.apply(&mut connection, &[recorded]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_position_an_order_reads_as_it_did_then() {
    for seed in [1, 20_101_224, 77] {
        let world = World::idle().await;
        random::history(&world, seed, 700).await;
        let head = world.engine.log.head().await.unwrap();
        let log = world.engine.log.recorded_after(0, head.position).await.unwrap();
        let mut orders = BTreeSet::new();
        let mut shown = 0;
        for recorded in &log {
            apply(&world, &Orders, recorded).await;
            if recorded.stream.aggregate_type == AggregateType::Order {
                orders.insert(recorded.stream.id.clone());
            }
            if !matches!(recorded.stream.aggregate_type, AggregateType::Order | AggregateType::Payment) {
                continue;
            }
            let moment = Moment::Position(recorded.position);
            for id in &orders {
                let id = id.parse().unwrap();
                let then = world.read.order(&id, any()).await.unwrap().value;
                let told = world.read.order_as_of(&*world.engine.log, &id, (moment, &head)).await.unwrap();
                assert_eq!(told.value, then, "seed {seed}, {moment:?}");
                assert_eq!(told.reflects.position, recorded.position);
                shown += 1;
            }
        }
        assert!(shown > 100 && orders.len() > 4, "{shown} pages of {} orders", orders.len());
        for id in &orders {
            let id = id.parse().unwrap();
            let told = world.read.order_as_of(&*world.engine.log, &id, (Moment::Now, &head)).await.unwrap();
            assert_eq!(told.value, world.read.order(&id, any()).await.unwrap().value);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_position_the_stock_reads_as_it_did_then() {
    let world = World::idle().await;
    random::history(&world, 4_711, 300).await;
    let log = PostgresLog::new(world.ground.pool("").await);
    let head = log.head().await.unwrap();
    for recorded in log.recorded_after(0, head.position).await.unwrap() {
        apply(&world, &Stocks, &recorded).await;
        if recorded.stream.aggregate_type != AggregateType::InventoryItem {
            continue;
        }
        let moment = Moment::Position(recorded.position);
        let taken = stock_then(&log, Asked { moment, sku: None, now: NOW }, &mut |_| {}).await.unwrap();
        let page = world.read.stock_list(taken.at, None, 100, any()).await.unwrap().value;
        let told: Vec<_> = taken
            .stock
            .iter()
            .map(|of| {
                (
                    &*of.sku,
                    of.on_hand,
                    of.reserved,
                    of.backordered,
                    of.available,
                    of.locations.clone(),
                    of.version,
                )
            })
            .collect();
        let rows: Vec<_> = page
            .data
            .iter()
            .map(|of| {
                (
                    of.sku.as_str(),
                    of.on_hand,
                    of.reserved,
                    of.backordered,
                    of.available,
                    of.locations.clone(),
                    of.version,
                )
            })
            .collect();
        assert_eq!(told, rows, "{moment:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_of_one_sku_and_of_a_day_counts_what_occurred_by_then() {
    let world = World::idle().await;
    for sku in ["A 1", "B.2"] {
        world.run(sku, receive(5)).await;
    }
    world.run("A 1", reserve("r", 2, Some(1_000))).await;
    // The books of long ago are brought in last.
    let mut early = store::testing::request("A 1", receive(40));
    early.cause.occurred_at = Some(Time::from_millis(1_000_000));
    world.engine.executor.execute(early).await.unwrap();
    let log = PostgresLog::new(world.ground.pool("").await);
    let now = Time::from_millis(i64::MAX);
    let at = |moment| {
        let (log, sku) = (log.clone(), "A 1".parse().unwrap());
        async move { stock_then(&log, Asked { moment, sku: Some(&sku), now }, &mut |_| {}).await.unwrap() }
    };
    let taken = at(Moment::Now).await;
    let [of] = &taken.stock[..] else { panic!("{taken:?}") };
    // The hold was over long ago.
    assert_eq!((of.on_hand, of.reserved, of.available, of.version, taken.events), (45, 0, 45, 3, 3));
    let taken = at(Moment::Time(Time::from_millis(2_000_000))).await;
    let [of] = &taken.stock[..] else { panic!("{taken:?}") };
    assert_eq!((of.on_hand, of.version, taken.passed_over), (40, 3, 2));
    assert_eq!(at(Moment::Time(Time::from_millis(999_999))).await.stock, []);
    assert_eq!(at(Moment::Position(1)).await.stock[0].on_hand, 5);
    let both = stock_then(&log, Asked { moment: Moment::Now, sku: None, now }, &mut |_| {}).await.unwrap();
    assert_eq!(both.stock.iter().map(|of| &*of.sku).collect::<Vec<_>>(), ["A 1", "B.2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_stock_that_says_something_else_is_found() {
    let world = World::new().await;
    random::history(&world, 9, 200).await;
    world.settle().await;
    let log = PostgresLog::new(world.ground.pool("").await);
    let compare = || async {
        let asked = Asked { moment: Moment::Now, sku: None, now: NOW };
        compare_stock(&log, &world.pool, asked, &mut |_| {}).await.unwrap()
    };
    let compared = compare().await;
    assert_eq!(compared.differing, []);
    assert!(compared.skus > 3 && compared.events > 30 && compared.position == compared.head, "{compared:?}");
    let sql = "UPDATE stock SET on_hand = on_hand + 1 WHERE sku = 'S1'";
    assert_eq!(sqlx::query(sql).execute(&world.pool).await.unwrap().rows_affected(), 1);
    let gone = "DELETE FROM stock WHERE sku = 'S2'";
    assert_eq!(sqlx::query(gone).execute(&world.pool).await.unwrap().rows_affected(), 1);
    let compared = compare().await;
    let named: Vec<_> =
        compared.differing.iter().map(|of| (&*of.sku, of.row.is_some(), of.log.is_some())).collect();
    assert_eq!(named, [("S1", true, true), ("S2", false, true)]);
}
