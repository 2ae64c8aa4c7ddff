//! What was put away is read as before: by position, by stream, by followers, and by whoever commands it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::AggregateType;
use futures::future::join_all;
use sqlx::{PgConnection, Row as _, postgres::PgPoolOptions};
use store::{
    archive::Archive,
    engine::Engine,
    executor::ExecuteError,
    follow::{ApplyError, Projection, ReadTable},
    log::{Log as _, LogError, PostgresLog, Recorded},
    testing::{eventually, request},
    verify::Files,
};

use crate::shop::{Shop, add, cart, merge, open, reading, undo};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_archived_reads_as_before() {
    for seed in 0..4 {
        let shop = Shop::with_history(seed, 120).await;
        let before = shop.reading().await;
        let plain = shop.verified(shop.files()).await;
        let archived = shop.archive().await;
        assert!(archived.files.len() > 1 && archived.streams > 1, "seed {seed}: {archived:?}");
        assert_eq!(shop.count("events").await, before.all.len() as i64 - archived.events as i64);
        assert_eq!(shop.count("archived_events").await, archived.events as i64);
        // By the process that was there all the time, and by one that starts now.
        assert_eq!(shop.reading().await, before, "seed {seed}");
        assert_eq!(reading(&shop.log().await).await, before, "seed {seed}");
        for files in [shop.files(), Files::DigestsOnly] {
            let verified = shop.verified(files).await;
            assert_eq!(verified.findings, [], "seed {seed}");
            assert_eq!((verified.events, verified.anchor), (plain.events, plain.anchor));
            assert_eq!(verified.archived, archived.events as i64);
        }
        // Nothing is left to be done, and everything goes on.
        assert_eq!(shop.archive().await.events, 0);
        shop.closed("one more").await;
        shop.stock("END").await;
        let before = shop.reading().await;
        assert_eq!(shop.archive().await.events, 3);
        assert_eq!(shop.reading().await, before, "seed {seed}");
        assert_eq!(shop.verified(shop.files()).await.findings, [], "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_long_log_costs_no_more_than_its_events() {
    let shop = Shop::new().await;
    let carts: Vec<_> = (0..200).map(|nth| format!("closed {nth}")).collect();
    join_all(carts.iter().map(|id| async {
        shop.closed(id).await;
        shop.stock("S").await;
    }))
    .await;
    shop.stock("END").await;
    shop.archive().await;
    // One session, so that the statement is there to be asked about.
    let options = (*shop.engine.pool.connect_options()).clone();
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let log = PostgresLog::with_archive(pool.clone(), Archive::at(&shop.directory));
    assert_eq!(log.read(100, 10).await.unwrap().len(), 10);
    let name: String = sqlx::query_scalar(
        "SELECT name FROM pg_prepared_statements WHERE statement ~ '[f]ile, place FROM archived_events'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let rows = sqlx::raw_sql(&format!("EXPLAIN EXECUTE {name} (100, 10)")).fetch_all(&pool).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let reads = |how: &str| plan.iter().filter(|line| line.contains(how)).count();
    assert_eq!((reads("Index Scan"), reads("Sort  ("), reads("Seq Scan")), (2, 0, 0), "{plan:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_on_an_archived_stream_goes_on_behind_it() {
    let shop = Shop::new().await;
    shop.closed("back").await;
    shop.stock("END").await;
    assert_eq!(shop.archive().await.events, 3);
    // One that has the cart in memory, and one that has to read it.
    assert_eq!(shop.run("back", undo()).await, 4);
    let other = shop.ground.engine_with(Archive::at(&shop.directory)).await;
    let executed = other.executor.execute(request("back", add("B"))).await.unwrap();
    assert_eq!(executed.version, 5);
    let refused = other.executor.execute(request("back", open())).await;
    assert!(refused.is_err() || refused.unwrap().events.is_empty(), "the cart began again");
    let stored = shop.engine.log.load(&cart("back"), 0).await.unwrap();
    let sequences: Vec<_> = stored.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
    assert_eq!(shop.engine.log.load(&cart("back"), 2).await.unwrap(), stored[2..]);
    assert_eq!(shop.engine.log.load(&cart("back"), 4).await.unwrap(), stored[4..]);

    // It is open again, so it stays; closed again, what has come since follows.
    shop.stock("END").await;
    let archived = shop.archive().await;
    assert_eq!((archived.events, archived.kept.open), (0, 1));
    other.executor.execute(request("back", merge())).await.unwrap();
    shop.stock("END").await;
    let before = shop.reading().await;
    assert_eq!(shop.archive().await.events, 3);
    assert_eq!(shop.reading().await, before);
    assert_eq!(shop.verified(shop.files()).await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_an_archived_stream_is_empty_is_not_taken_for_granted() {
    let shop = Shop::new().await;
    shop.closed("gone").await;
    shop.stock("END").await;
    assert_eq!(shop.archive().await.events, 3);
    let other = shop.ground.engine_with(Archive::at(&shop.directory)).await;
    // No event of its own would prove it: the caller insists on a version that neither has.
    let mut insists = request("gone", open());
    insists.expected_version = Some(7);
    let stale = other.executor.execute(insists).await;
    assert!(matches!(stale, Err(ExecuteError::VersionMismatch { actual: 3 })), "{stale:?}");
}

/// Keeps what it is told.
#[derive(Default)]
struct Listening {
    name: &'static str,
    heard: Mutex<Vec<Recorded>>,
}

#[async_trait]
impl Projection for Listening {
    fn name(&self) -> &'static str {
        self.name
    }

    fn follows(&self) -> &'static [AggregateType] {
        AggregateType::ALL
    }

    fn tables(&self) -> &'static [ReadTable] {
        &[]
    }

    async fn apply(&self, _: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        self.heard.lock().unwrap().extend(events.iter().map(|recorded| (*recorded).clone()));
        Ok(())
    }

    async fn clear(&self, _: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

async fn followed(engine: &mut Engine, name: &'static str) -> Vec<Recorded> {
    let listening = Arc::new(Listening { name, ..Listening::default() });
    engine.project(Arc::clone(&listening) as _, engine.pool.clone());
    let head = engine.log.head().await.unwrap().position;
    let (listening, progress) = (&listening, engine.progress());
    eventually("the follower is at the log's end", || async {
        (progress[name].position() == Some(head)).then(|| listening.heard.lock().unwrap().clone())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_begins_again_hears_all_of_it() {
    let mut shop = Shop::with_history(7, 120).await;
    let before = followed(&mut shop.engine, "first").await;
    assert!(shop.archive().await.events > 10);
    let after = followed(&mut shop.engine, "second").await;
    assert_eq!(after, before);
    assert!(!before.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_directory_or_not_all_files_is_told_so() {
    let shop = Shop::new().await;
    shop.closed("gone").await;
    shop.stock("END").await;
    shop.archive().await;

    let blind = PostgresLog::new(shop.ground.pool("").await);
    let told = |error: LogError| error.to_string();
    let without = [
        told(blind.read(0, 10).await.unwrap_err()),
        told(blind.load(&cart("gone"), 0).await.unwrap_err()),
        told(blind.history(&cart("gone"), true, &mut |_| {}).await.unwrap_err()),
        told(store::verify::verify(&shop.engine.pool, Default::default(), &|_, _| {}).await.unwrap_err()),
    ];
    for error in without {
        assert!(error.contains("DAYBOOK_ARCHIVE_DIR"), "{error}");
    }
    // What was not put away needs no directory.
    assert_eq!(blind.read(3, 10).await.unwrap().len(), 1);
    let engine = shop.ground.engine().await;
    let refused = engine.executor.execute(request("gone", undo())).await.unwrap_err().to_string();
    assert!(refused.contains("DAYBOOK_ARCHIVE_DIR"), "{refused}");
    assert_eq!(shop.engine.log.head().await.unwrap().position, 4, "something was appended blindly");

    let file = shop.on_disk().remove(0);
    std::fs::remove_file(&file).unwrap();
    let log = shop.log().await;
    for error in [log.read(0, 10).await.unwrap_err(), log.load(&cart("gone"), 0).await.unwrap_err()] {
        let error = error.to_string();
        let named = error.contains("DAYBOOK_ARCHIVE_DIR") && error.contains(&*file.to_string_lossy());
        assert!(named, "{error}");
    }
}
