//! A rebuild that stood still while the world went on does no harm when it wakes up.

use std::sync::{Arc, Mutex, mpsc};

use projections::{
    rebuild::{Ground, RebuildError, Rebuilt, Stage, rebuild},
    stock::Stocks,
};
use store::follow::FillError;
use tokio::{runtime::Handle, sync::oneshot};

use crate::{
    naive,
    world::{World, receive},
};

/// A rebuild of the stock that stands still at a stage until it is woken.
pub struct Asleep {
    ended: oneshot::Receiver<Result<Rebuilt, RebuildError>>,
    wake: mpsc::Sender<()>,
}

impl Asleep {
    /// Returns when it has come to that stage, and not a step further.
    pub async fn at(ground: Ground, stage: Stage) -> Self {
        let (here, came) = oneshot::channel();
        let (wake, woken) = mpsc::channel();
        let once = Mutex::new(Some((here, woken)));
        let tell = move |at: Stage| {
            if at == stage
                && let Some((here, woken)) = once.lock().unwrap().take()
            {
                here.send(()).unwrap();
                woken.recv().unwrap();
            }
        };
        // On a thread of its own, which stands still as a whole.
        let (rebuilt, ended) = oneshot::channel();
        let runtime = Handle::current();
        std::thread::spawn(move || {
            let done = runtime.block_on(rebuild(&ground, Arc::new(Stocks), true, &tell));
            rebuilt.send(done).unwrap();
        });
        came.await.expect("it comes to that stage");
        Self { ended, wake }
    }

    /// What comes of it.
    pub async fn wake(self) -> Result<Rebuilt, RebuildError> {
        self.wake.send(()).unwrap();
        self.ended.await.unwrap()
    }
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
    let late = Asleep::at(world.beside(), Stage::Swapping).await;
    lease_ends(&world).await;
    assert!(world.rebuild(Arc::new(Stocks), true).await.unwrap().swapped);
    let late = late.wake().await;
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
    let late = Asleep::at(world.beside(), Stage::Swapping).await;
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
    let late = late.wake().await;
    assert!(matches!(late, Err(RebuildError::Fill(FillError::OtherLog))), "{late:?}");
    let World { ground, .. } = world;
    let world = World::on(ground, true).await;
    world.settle().await;
    naive::check(&world).await;
}
