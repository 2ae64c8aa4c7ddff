//! What a projection has applied is compared with the log.

use projections::{all, stock::Stocks};
use sqlx::Executor as _;
use store::{
    follow::{Audited, BLOCK, Remedy, Standings, Sum, audit, see_to},
    log::StreamId,
    testing::eventually,
};

use crate::{
    random::history,
    world::{World, receive},
};

async fn audited(world: &World) -> Audited {
    audit(&world.pool, &*world.engine.log, &Stocks, &|_, _| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_applied_once_live_and_after_a_rebuild() {
    let world = World::new().await;
    history(&world, 5, 150).await;
    world.settle().await;
    for again in [false, true] {
        if again {
            world.rebuild_all().await;
            history(&world, 6, 50).await;
            world.settle().await;
        }
        for projection in all() {
            let audited = audit(&world.pool, &*world.engine.log, &*projection, &|_, _| {}).await.unwrap();
            assert!(audited.ok, "{audited:?}");
            assert_eq!((audited.after, audited.up_to), (0, world.head().await.position));
            assert!(audited.events > 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_left_out_is_named() {
    let world = World::new().await;
    for sku in ["A", "B", "A"] {
        world.run(sku, receive(1)).await;
    }
    let left = world.run("OUT", receive(1)).await;
    world.settle().await;
    // As if it had never been applied.
    let sql = "UPDATE applied_events SET events = events - 1, digest = digest # $1 WHERE follower = 'stock'";
    let event = world.engine.log.read(left.position - 1, 1).await.unwrap().remove(0);
    let sum = Sum::of(event.event_id, event.position);
    sqlx::query(sql).bind(sum.digest).execute(&world.pool).await.unwrap();
    let found = audited(&world).await;
    assert_eq!((found.ok, found.differences_total), (false, 1));
    let difference = &found.differences[0];
    assert_eq!(difference.should - difference.were, 1);
    assert_eq!(difference.event.as_ref().unwrap().stream, "inventory_item-OUT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_was_moved_by_hand_is_found() {
    let world = World::new().await;
    world.run("A", receive(1)).await;
    world.settle().await;
    let world = World::on(
        {
            world.engine.stop().await;
            world.ground
        },
        false,
    )
    .await;
    let skipped = world.run("B", receive(1)).await;
    let sql = "UPDATE followers SET position = position + 1, link = NULL, link_position = NULL";
    world.pool.execute(sql).await.unwrap();
    let world = world.restarted(&[]).await;
    world.run("A", receive(1)).await;
    world.settle().await;
    let found = audited(&world).await;
    assert!(!found.ok);
    let event = found.differences[0].event.as_ref().unwrap();
    assert_eq!((event.position, event.stream.as_str()), (skipped.position, "inventory_item-B"));
    world.rebuild_all().await;
    assert!(audited(&world).await.ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_a_parked_stream_is_not_missed_and_counts_once_it_is_applied() {
    let world = World::new().await;
    world.run("BAD", receive(1)).await;
    world.settle().await;
    // The row says that it is further than it is: the next event does not follow.
    world.pool.execute("UPDATE stock SET version = 7 WHERE sku = 'BAD'").await.unwrap();
    world.run("BAD", receive(2)).await;
    world.run("GOOD", receive(3)).await;
    world.settle().await;
    let found = audited(&world).await;
    assert_eq!((found.ok, found.events, found.waiting), (true, 2, 1), "{found:?}");
    world.pool.execute("UPDATE stock SET version = 1 WHERE sku = 'BAD'").await.unwrap();
    let stream = StreamId::new(domain::AggregateType::InventoryItem, "BAD");
    see_to(&world.pool, &*world.engine.log, &Stocks, &stream, &Remedy::Retry).await.unwrap();
    let found = audited(&world).await;
    assert_eq!((found.ok, found.events, found.waiting), (true, 3, 0), "{found:?}");
}

/// What comparing over and over has come to for the stock.
async fn compared(world: &World) -> Option<(i64, i64)> {
    let standings = Standings::ask(&world.engine.pool, &world.pool, 0).await.unwrap();
    standings.followers.into_iter().find(|standing| standing.name == "stock")?.audited
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_out_is_found_without_being_looked_for() {
    let world = World::new().await;
    let left = world.run("OUT", receive(1)).await;
    let many = (0..100).map(|nth| world.run_many(format!("SKU {nth}"), BLOCK / 100));
    futures::future::join_all(many).await;
    world.settle().await;
    eventually("a block is compared", async || compared(&world).await.filter(|found| *found == (BLOCK, 0)))
        .await;
    let sql = "UPDATE applied_events SET events = events - 1, digest = digest # $1 \
               WHERE follower = 'stock' AND block = 0";
    let event = world.engine.log.read(left.position - 1, 1).await.unwrap().remove(0);
    let digest = Sum::of(event.event_id, event.position).digest;
    sqlx::query(sql).bind(digest).execute(&world.pool).await.unwrap();
    eventually("the difference is found", async || compared(&world).await.filter(|found| found.1 == 1)).await;
    sqlx::query(&sql.replace("- 1", "+ 1")).bind(digest).execute(&world.pool).await.unwrap();
    eventually("it is gone", async || compared(&world).await.filter(|found| found.1 == 0)).await;
}
