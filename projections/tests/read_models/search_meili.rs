//! A Meilisearch that is wiped, and processes that are killed while they write it: what is searched comes back by itself.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::product::Command;
use meilisearch_sdk::client::Client;
use projections::search::{Index, ProductQuery, State, What, ask, follow};
use store::{ports::Machine, testing::eventually};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    engines::meili,
    search_rebuilt::PATIENCE,
    world::{World, gbp, listing, receive, sku},
};

/// A lamp and a mug in an index of that name, where there is a server.
async fn shelf() -> Option<(World, String, Client)> {
    let Ok(url) = env::var("MEILI_URL") else {
        println!("not run: MEILI_URL is not set");
        return None;
    };
    let uid = format!("t{}", Uuid::now_v7().simple());
    let world = World::keeping(Arc::new(meili(&uid))).await;
    world.run("lamp", Command::List(listing("Red lamp", &[("L1", 900)]))).await;
    world.run("mug", Command::List(listing("Mug", &[("M1", 500)]))).await;
    holds(&world.index, &[2, 1]).await;
    Some((world, uid, Client::new(url, env::var("MEILI_MASTER_KEY").ok()).unwrap()))
}

async fn holds(index: &Arc<dyn Index>, listed_at: &[i64]) {
    let all = ProductQuery { limit: 100, ..ProductQuery::default() };
    eventually("the index holds what it should", async || {
        index.find(&all).await.ok().filter(|found| found.listed_at == listed_at)
    })
    .await;
}

/// Nothing in the index differs from the rows.
async fn is_right(world: &World) {
    eventually("the index is as its rows say", async || {
        let answers =
            ask(&world.pool, (Arc::new(Machine), &Machine), (What::Audit, false), PATIENCE, &|_| {});
        let answers = answers.await.unwrap();
        let right = |state: &State| matches!(state, State::Done(of) if of.difference.rows_that_differ() == 0);
        answers.iter().all(|answer| right(&answer.state)).then_some(())
    })
    .await;
}

async fn wipe(client: &Client, uid: &str) {
    let task = client.delete_index(uid).await.unwrap();
    task.wait_for_completion(client, None, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_removed_is_filled_again_also_when_nothing_happens() {
    let Some((world, uid, client)) = shelf().await else { return };
    wipe(&client, &uid).await;
    holds(&world.index, &[2, 1]).await;
    is_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_removed_again_and_again_under_load_converges() {
    let Some((world, uid, client)) = shelf().await else { return };
    let over = AtomicBool::new(false);
    let load = async {
        let mut n = 0;
        while !over.load(Ordering::Relaxed) {
            world.run("mug", Command::ChangePrice { sku: sku("M1"), price: gbp(n % 900 + 1) }).await;
            world.run("L1", receive(1)).await;
            n += 1;
        }
    };
    let wipes = async {
        for _ in 0..4 {
            wipe(&client, &uid).await;
            holds(&world.index, &[2, 1]).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(load, wipes);
    world.settle().await;
    is_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_process_that_writes_is_killed_another_goes_on() {
    let Some((mut world, uid, _)) = shelf().await else { return };
    let second: Arc<dyn Index> = Arc::new(meili(&uid));
    let (_, following) = follow(Arc::clone(&second), &world.engine, world.pool.clone());
    let mut other = JoinSet::new();
    other.spawn(following);
    for n in 3..6 {
        world.run(&format!("t{n}"), Command::List(listing("Thing", &[(&format!("T{n}"), 5)]))).await;
    }
    // In the middle of whatever it is at.
    world.search.shutdown().await;
    for n in 6..9 {
        world.run(&format!("t{n}"), Command::List(listing("Thing", &[(&format!("T{n}"), 5)]))).await;
    }
    holds(&second, &[8, 7, 6, 5, 4, 3, 2, 1]).await;
    is_right(&world).await;
}
