//! What was found is shown out of rows: of which ones, how new they are, and of which tables.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::product::Command;
use projections::{
    Freshness, QueryError, ReadModels,
    products::Products,
    search::{
        Change, Document, Embedded, Filling, Hits, Index, IndexError, Marker, Moved, ProductQuery, Reading,
        Synonyms, follow,
    },
};
use sqlx::Executor as _;
use store::testing::{Ground, eventually};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::world::{World, after, listing, receive};

fn all() -> ProductQuery {
    ProductQuery { limit: 100, ..ProductQuery::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_standby_that_is_behind_are_not_shown_to_who_has_to_see_more() {
    let world = World::new().await;
    let token = world.run("mug", Command::List(listing("Mug", &[("M1", 500)]))).await;
    let (followed, following) =
        follow(Arc::new(Embedded::in_memory(Synonyms::default())), &world.engine, world.pool.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(following);
    // As a standby is that has not heard of the mug yet.
    let standby = Ground::new().await;
    standby.lay(&projections::tables()).await;
    let pool = standby.pool("_read").await;
    sqlx::query(
        "INSERT INTO followers (name, incarnation, position, lease_expires_at) \
         SELECT 'products', $1, $2, now() + interval '1 hour'",
    )
    .bind(token.incarnation)
    .bind(token.position - 1)
    .execute(&pool)
    .await
    .unwrap();
    let read = ReadModels::new(pool.clone(), &world.engine.progress(), Arc::clone(&world.engine.clock))
        .of_log(token.incarnation)
        .with_index(followed, Synonyms::default());
    let hasty = Freshness { wait: Duration::from_millis(500), ..after(token) };
    let answer = read.products(&all(), hasty).await;
    assert!(
        matches!(answer, Err(QueryError::Behind { reflects }) if reflects == token.position - 1),
        "{answer:?}"
    );
    let answer = read.suggestions("mu", hasty).await;
    assert!(matches!(answer, Err(QueryError::Behind { .. })), "{answer:?}");
    let whatever = read.products(&all(), Freshness::default()).await.unwrap();
    assert_eq!(whatever.reflects.position, token.position - 1);
}

/// Removed at the test's end.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What an index in that directory finds, followed for as long as it takes to ask.
async fn found(world: &World, directory: &Directory, text: &str) -> usize {
    let index = Arc::new(Embedded::at(&directory.0, Synonyms::default()).unwrap());
    let (followed, following) = follow(index, &world.engine, world.pool.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(following);
    let read = ReadModels::new(world.pool.clone(), &world.engine.progress(), Arc::clone(&world.engine.clock))
        .with_index(followed, Synonyms::default());
    let query = ProductQuery { text: Some(text.to_owned()), ..all() };
    let found = read.products(&query, after(world.head().await)).await.unwrap().value.page.data.len();
    tasks.shutdown().await;
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_rows_that_two_rebuilds_have_replaced_is_filled_anew() {
    let world = World::new().await;
    world.run("mug", Command::List(listing("Mug", &[("M1", 500)]))).await;
    world.settle().await;
    let directory = Directory(std::env::temp_dir().join(format!("daybook-rows-{}", Uuid::now_v7().simple())));
    world.pool.execute("UPDATE products SET title = 'Jug'").await.unwrap();
    assert_eq!(found(&world, &directory, "jug").await, 1);
    // The second rebuild puts the emptied tables of before back in place.
    for _ in 0..2 {
        assert!(world.rebuild(Arc::new(Products), true).await.unwrap().swapped);
    }
    world.settle().await;
    assert_eq!((found(&world, &directory, "mug").await, found(&world, &directory, "jug").await), (1, 0));
}

/// An index that all processes share, as a Meilisearch is one.
struct Shared(Embedded);

#[async_trait]
impl Index for Shared {
    fn engine(&self) -> &'static str {
        self.0.engine()
    }

    async fn read(&self, texts: bool) -> Result<Box<dyn Reading>, IndexError> {
        self.0.read(texts).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn marker(&self) -> Result<Option<Marker>, IndexError> {
        self.0.marker().await
    }

    async fn fill(&self, present: &Marker) -> Result<Box<dyn Filling>, IndexError> {
        self.0.fill(present).await
    }

    async fn write(
        &self,
        new: Vec<Document>,
        changed: Vec<Change>,
        to: &Marker,
    ) -> Result<Moved, IndexError> {
        self.0.write(new, changed, to).await
    }

    async fn find(&self, query: &ProductQuery) -> Result<Hits, IndexError> {
        self.0.find(query).await
    }

    async fn complete(&self, text: &str) -> Result<Vec<String>, IndexError> {
        self.0.complete(text).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_only_read_a_shared_index_know_what_is_set_aside() {
    let world = World::new().await;
    world.run("lamp", Command::List(listing("Lamp", &[("L1", 900)]))).await;
    let bad = world.run("L1", receive(1)).await;
    world.settle().await;
    let index: Arc<dyn Index> = Arc::new(Shared(Embedded::in_memory(Synonyms::default())));
    let mut tasks = JoinSet::new();
    let reads = [(); 2].map(|()| {
        let (followed, following) = follow(Arc::clone(&index), &world.engine, world.pool.clone());
        tasks.spawn(following);
        ReadModels::new(world.pool.clone(), &world.engine.progress(), Arc::clone(&world.engine.clock))
            .with_index(followed, Synonyms::default())
    });
    let available = ProductQuery { available: Some(true), ..all() };
    for read in &reads {
        assert_eq!(read.products(&available, after(bad)).await.unwrap().value.page.data.len(), 1);
    }
    sqlx::query(
        "INSERT INTO parked_streams (follower, aggregate_type, aggregate_id, first_position, reason) \
         VALUES ('stock', 'inventory_item', 'L1', $1, 'by hand')",
    )
    .bind(bad.position)
    .execute(&world.pool)
    .await
    .unwrap();
    let token = world.run("M1", receive(1)).await;
    for read in &reads {
        assert_eq!(read.products(&all(), after(token)).await.unwrap().value.page.data.len(), 1);
        let answer = read.products(&available, after(token)).await;
        assert!(
            matches!(answer, Err(QueryError::Parked { first_position }) if first_position == bad.position),
            "{answer:?}"
        );
        let whatever = read.products(&available, Freshness::default()).await.unwrap();
        assert!(whatever.reflects.position < bad.position, "{whatever:?}");
    }
    world.pool.execute("DELETE FROM parked_streams").await.unwrap();
    for read in &reads {
        eventually("it is known to be made good of", async || {
            read.products(&available, after(token)).await.is_ok().then_some(())
        })
        .await;
    }
}
