//! A rebuild that stood still while the world went on does no harm when it wakes up.

use std::{pin::Pin, sync::Arc};

use projections::{
    rebuild::{Ground, RebuildError, Rebuilt, Stage, rebuild},
    stock::Stocks,
};
use store::follow::FillError;
use tokio::sync::watch;

use crate::{
    naive,
    world::{World, receive},
};

pub type Sleeping<'a> = Pin<Box<dyn Future<Output = Result<Rebuilt, RebuildError>> + 'a>>;

/// A rebuild of the stock that stands still at a stage, until it is awaited again.
pub async fn asleep_at<'a>(
    ground: &'a Ground,
    stage: Stage,
    tell: &'a watch::Sender<Option<Stage>>,
) -> Sleeping<'a> {
    let mut came = tell.subscribe();
    let rebuilding = async move {
        rebuild(ground, Arc::new(Stocks), true, &|stage| _ = tell.send_replace(Some(stage))).await
    };
    let mut rebuilding: Sleeping<'a> = Box::pin(rebuilding);
    tokio::select! {
        ended = &mut rebuilding => unreachable!("it was to stand still: {ended:?}"),
        _ = came.wait_for(|at| *at == Some(stage)) => {}
    }
    rebuilding
}

/// As if the one that stands still had done so for longer than a lease lasts.
async fn lease_ends(world: &World) {
    let sql =
        format!("UPDATE {}_read_next.followers SET lease_expires_at = '-infinity'", world.ground.prefix);
    world.ground.as_owner(&sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_another_rebuild_has_taken_over_are_not_put_in_place() {
    let world = World::new().await;
    for n in 0..9 {
        world.run(&format!("S{n}"), receive(1)).await;
    }
    world.settle().await;
    let live = world.rows().await;
    let (ground, tell) = (world.beside(), watch::Sender::new(None));
    let late = asleep_at(&ground, Stage::Swapping, &tell).await;
    lease_ends(&world).await;
    assert!(world.rebuild(Arc::new(Stocks), true).await.unwrap().swapped);
    let late = late.await;
    assert!(matches!(late, Err(RebuildError::Fill(FillError::Fenced))), "{late:?}");
    assert_eq!(world.rows().await, live);
    world.run("S1", receive(1)).await;
    world.settle().await;
    naive::check(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_ahead_of_those_that_serve_are_not_put_in_place() {
    let world = World::new().await;
    for n in 0..9 {
        world.run(&format!("S{n}"), receive(1)).await;
    }
    world.settle().await;
    let (ground, tell) = (world.beside(), watch::Sender::new(None));
    let late = asleep_at(&ground, Stage::Swapping, &tell).await;
    // A restore makes the follower begin anew; it has not come far.
    world.engine.stop().await;
    for sql in [
        "DELETE FROM stock",
        "UPDATE followers SET position = 0, incarnation = NULL, link = NULL, link_position = NULL, counted_after = 0 \
         WHERE name = 'stock'",
        "DELETE FROM applied_events WHERE follower = 'stock'",
    ] {
        sqlx::query(sql).execute(&world.pool).await.unwrap();
    }
    let late = late.await;
    assert!(matches!(late, Err(RebuildError::Fill(FillError::OtherLog))), "{late:?}");
    let World { ground, .. } = world;
    let world = World::on(ground, true).await;
    world.settle().await;
    naive::check(&world).await;
}
