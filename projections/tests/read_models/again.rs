//! Rows follow from the log: after a restore, and whichever process follows.

use domain::product;
use projections::QueryError;
use sqlx::Row;
use store::testing::{eventually, request};

use crate::{
    naive,
    world::{NOW, World, after, listing, receive, sku},
};

/// Cuts off everything after position 3, as a restore of an older backup does.
const CUT: &[&str] = &[
    "DELETE FROM events WHERE position > 3",
    "DELETE FROM log_links WHERE last_position > 3",
    "DELETE FROM commands WHERE position > 3",
    "UPDATE log_head SET incarnation = gen_random_uuid(), position = 3, \
     link = (SELECT link FROM log_links WHERE last_position = 3)",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_is_followed_from_its_beginning() {
    let world = World::new().await;
    for name in ["A", "B", "A", "LOST", "A"] {
        world.run(name, receive(1)).await;
    }
    let old = world.settle().await;
    let world = world.restarted(CUT).await;
    for _ in 0..5 {
        world.run("B", receive(10)).await;
    }
    let new = world.settle().await;
    naive::check(&world).await;
    assert_eq!(world.read.stock(&sku("LOST"), NOW, after(new)).await.unwrap().value, None);
    let hasty = projections::Freshness { at_least: Some(old), ..projections::Freshness::default() };
    let answer = world.read.stock(&sku("A"), NOW, hasty).await;
    assert!(matches!(answer, Err(QueryError::WrongIncarnation)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_restored_to_where_it_was_keeps_its_rows_and_answers_new_tokens() {
    let world = World::new().await;
    let list = product::Command::List(listing("Lamp", &[("L1", 1)]));
    world.run("lamp", list).await;
    let old = world.run("A", receive(7)).await;
    world.settle().await;
    let world = world.restarted(&["UPDATE log_head SET incarnation = gen_random_uuid()"]).await;
    let new = world.head().await;
    assert_eq!((new.position, new.incarnation == old.incarnation), (old.position, false));
    let stock = world.read.stock(&sku("A"), NOW, after(new)).await.unwrap();
    assert_eq!((stock.value.unwrap().on_hand, stock.reflects), (7, new));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_one_applies_and_the_other_takes_over() {
    let world = World::new().await;
    world.run("B", receive(1)).await;
    world.settle().await;
    let mut second = world.ground.engine().await;
    projections::start(&mut second, world.pool.clone());
    for _ in 0..100 {
        world.run("A", receive(1)).await;
        second.executor.execute(request("A", receive(1))).await.unwrap();
    }
    world.settle().await;
    naive::check(&world).await;
    let fences = sqlx::query("SELECT fence FROM followers").fetch_all(&world.pool).await.unwrap();
    assert!(fences.iter().all(|row| row.get::<i64, _>("fence") == 1));

    let World { ground, engine, read, pool, .. } = world;
    engine.stop().await;
    let token = second.executor.execute(request("A", receive(1))).await.unwrap().token;
    let stock = eventually("the second process follows", async || {
        read.stock(&sku("A"), NOW, after(token)).await.ok()
    });
    assert_eq!(stock.await.value.unwrap().on_hand, 201);
    drop((ground, pool));
}
