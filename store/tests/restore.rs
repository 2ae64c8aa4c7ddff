//! A log that was restored: it begins a new life, and nobody takes it for the one before.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    process::Command as Program,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::{inventory_item::Command, subject, value::Quantity};
use futures::{
    FutureExt as _, StreamExt as _, TryFutureExt as _,
    future::{BoxFuture, join_all},
};
use sqlx::{Executor as _, PgConnection, PgPool, postgres::PgPoolOptions};
use store::{
    broker::{Broker, Envelope},
    engine::Engine,
    executor::ExecuteError,
    follow::Checkpoint,
    lives,
    log::{Log as _, LogError, Position, PostgresLog},
    ports::Machine,
    testing::{Ground, eventually, request, request_as},
    verify::{Anchor, Wanted, verify},
};
use uuid::Uuid;

fn receive() -> Command {
    Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None }
}

async fn run(engine: &Engine, sku: &str) {
    engine.executor.execute(request(sku, receive())).await.unwrap();
}

async fn lives_of(pool: &PgPool) -> Vec<(Uuid, Position)> {
    let rows = sqlx::query_as("SELECT incarnation, position FROM log_lives ORDER BY began_at");
    rows.fetch_all(pool).await.unwrap()
}

/// Makes the database another one than the log's life began on.
const ELSEWHERE: &str = "UPDATE log_lives SET database = '1/00000001/1/1'";
/// A process looks every second.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

fn succeed(mut program: Program, args: &[&str]) {
    let output = program.args(args).output().unwrap();
    assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Dumps the log and its keys, and restores both into a new database of the same server.
async fn restored_elsewhere(ground: &Ground) -> Ground {
    let dump = std::env::temp_dir().join(format!("daybook-{}.dump", ground.prefix));
    let path = dump.to_str().unwrap();
    let schemas = [ground.prefix.clone(), format!("{}_keys", ground.prefix)];
    succeed(
        stack::testing::postgres_program("pg_dump"),
        &["-Fc", "-f", path, "-n", &schemas[0], "-n", &schemas[1], "-d", &ground.owner_url],
    );
    let name = format!("r{}", ground.prefix);
    ground.as_owner(&format!("CREATE DATABASE {name}")).await;
    let there = |url: &str| format!("{}/{name}", url.rsplit_once('/').unwrap().0);
    let copy = Ground {
        prefix: ground.prefix.clone(),
        owner_url: there(&ground.owner_url),
        app_url: there(&ground.app_url),
        nats_url: ground.nats_url.clone(),
    };
    succeed(
        stack::testing::postgres_program("pg_restore"),
        &["--exit-on-error", "-d", &copy.owner_url, path],
    );
    std::fs::remove_file(dump).unwrap();
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_restored_elsewhere_goes_on_as_another_life() {
    let ground = Ground::new().await;
    let mut engine = ground.engine().await;
    engine.relay();
    let (kept, forgotten) = ("customer:1", "customer:2");
    let sealed =
        [engine.vault.seal(kept, b"Ada").await.unwrap(), engine.vault.seal(forgotten, b"Bob").await.unwrap()];
    engine.executor.execute(request(forgotten, subject::Command::Forget { reason: None })).await.unwrap();
    engine.vault.until_forgotten(forgotten).await.unwrap();
    let (survived, lost) = (Uuid::now_v7(), Uuid::now_v7());
    let first = engine.executor.execute(request_as(survived, "A", receive())).await.unwrap();
    let copy = restored_elsewhere(&ground).await;
    engine.executor.execute(request_as(lost, "A", receive())).await.unwrap();
    let broker = ground.broker().await;
    eventually("the broker holds what is going to be lost", || async {
        (broker.state().await.ok().flatten()?.last == 3).then_some(())
    })
    .await;
    let old = engine.log.head().await.unwrap();
    let anchor = Anchor { position: first.token.position, link: engine.log.link_at(2).await.unwrap().1 };
    engine.stop().await;

    let mut engine = copy.engine().await;
    engine.relay();
    let new = engine.log.head().await.unwrap();
    assert_eq!((new.position, new.link), (2, anchor.link));
    assert_ne!(new.incarnation, old.incarnation);
    let again = engine.executor.execute(request_as(survived, "A", receive())).await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.positions, again.token.incarnation), (first.positions, new.incarnation));
    let anew = engine.executor.execute(request_as(lost, "A", receive())).await.unwrap();
    assert_eq!((anew.replayed, anew.positions), (false, Some((3, 3))));
    assert_eq!(engine.vault.open(&sealed[0]).await.unwrap().as_deref(), Some(&b"Ada"[..]));
    assert_eq!(engine.vault.open(&sealed[1]).await.unwrap(), None);
    let wanted = Wanted { anchor: Some(anchor), after_anchor: false };
    assert!(verify(&copy.pool("").await, wanted, &|_, _| {}).await.unwrap().ok);
    is_copied(&engine, &*broker).await;
    let incarnation = engine.log.head().await.unwrap().incarnation;
    engine.stop().await;
    let once_more = copy.engine().await;
    assert_eq!(
        once_more.log.head().await.unwrap().incarnation,
        incarnation,
        "the same database is no restore"
    );
}

/// The broker's stream is made anew, and is the log.
async fn is_copied(engine: &Engine, broker: &dyn Broker) {
    let head = engine.log.head().await.unwrap();
    let log: Vec<_> = engine.log.read(0, 1_000).await.unwrap();
    let log: Vec<_> =
        log.into_iter().map(|event| Envelope { incarnation: head.incarnation, event }).collect();
    eventually("the broker's stream is the log", || async {
        let state = broker.state().await.ok().flatten()?;
        if state.last != head.position {
            return None;
        }
        let envelopes = broker.subscribe(1).await.ok()?.take(log.len()).collect::<Vec<_>>();
        (tokio::time::timeout(Duration::from_secs(2), envelopes).await.ok()? == log).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_to_say_who_it_is_is_known_from_then_on() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    run(&engine, "A").await;
    engine.stop().await;
    let pool = ground.pool("").await;
    // As where a provider does not let Postgres say it.
    ground.as_owner("UPDATE log_lives SET database = NULL").await;
    assert!(lives::begin(&pool, &Machine).await.unwrap().is_some(), "it may have been restored meanwhile");
    assert_eq!(lives::begin(&pool, &Machine).await.unwrap(), None);
    ground.as_owner(ELSEWHERE).await;
    assert!(lives::begin(&pool, &Machine).await.unwrap().is_some(), "the restore was not noticed");
    assert_eq!(lives_of(&pool).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_starts_at_once_begin_one_life() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    run(&engine, "A").await;
    let old = engine.log.head().await.unwrap();
    engine.stop().await;
    ground.as_owner(ELSEWHERE).await;
    let engines = join_all((0..4).map(|_| ground.engine())).await;
    let pool = ground.pool("").await;
    let lives = lives_of(&pool).await;
    assert_eq!(lives.len(), 2, "{lives:?}");
    assert_eq!((lives[0].0, lives[1].1), (old.incarnation, 1));
    for engine in &engines {
        assert_eq!(engine.feed.incarnation(), lives[1].0);
        run(engine, "A").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_life_stops_whoever_is_in_the_old_one() {
    let ground = Ground::new().await;
    let (busy, idle) = (ground.engine().await, ground.engine().await);
    run(&busy, "A").await;
    let begun = lives::restored(&ground.owner_pool("").await, &Machine).await.unwrap();
    assert_eq!((begun.was, begun.position), (busy.feed.incarnation(), 1));
    let refused = busy.executor.execute(request("A", receive())).await;
    assert!(matches!(refused, Err(ExecuteError::Unavailable(_))), "{refused:?}");
    for engine in [&busy, &idle] {
        tokio::time::timeout(STOPS_WITHIN, engine.executor.stopped()).await.unwrap();
    }
    let restarted = ground.engine().await;
    assert_eq!(restarted.feed.incarnation(), begun.is);
    run(&restarted, "A").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_appended_to_the_old_life_on_a_standby_that_was_promoted() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    run(&engine, "A").await;
    let owner = ground.owner_pool("").await;
    let mut failover = owner.begin().await.unwrap();
    failover.execute("SELECT FROM log_head FOR UPDATE").await.unwrap();
    let executor = engine.executor.clone();
    let append = tokio::spawn(async move { executor.execute(request("A", receive())).await });
    let blocked = "SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))";
    let looked = tokio::time::timeout(STOPS_WITHIN, async {
        loop {
            if let Some(pid) = sqlx::query_scalar(blocked).fetch_optional(&mut *failover).await.unwrap() {
                break pid;
            }
        }
    });
    let pid: i32 = looked.await.expect("the append waits for the head");
    // Its connection ends while it appends, and the next one leads elsewhere.
    failover.execute(ELSEWHERE).await.unwrap();
    sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut *failover).await.unwrap();
    failover.commit().await.unwrap();
    let refused = append.await.unwrap();
    assert!(matches!(refused, Err(ExecuteError::Unavailable(_))), "{refused:?}");
    tokio::time::timeout(STOPS_WITHIN, engine.executor.stopped()).await.unwrap();
    assert_eq!(PostgresLog::new(owner).head().await.unwrap().position, 1);
}

/// Leads a connection to the next log, each time that one is taken.
#[derive(Clone)]
struct Turns {
    schemas: Arc<[String]>,
    taken: Arc<AtomicUsize>,
}

impl Turns {
    fn lead<'c>(&self, connection: &'c mut PgConnection) -> BoxFuture<'c, sqlx::Result<bool>> {
        let nth = self.taken.fetch_add(1, Ordering::Relaxed);
        let path = format!("SET search_path = {}", self.schemas[nth % self.schemas.len()]);
        async move { connection.execute(path.as_str()).await.map(|_| true) }.boxed()
    }
}

/// A pool whose connections lead to these logs by turns.
fn by_turns(grounds: &[&Ground]) -> PgPool {
    let schemas = grounds.iter().map(|ground| ground.prefix.clone()).collect();
    let turns = Turns { schemas, taken: Arc::default() };
    let begun = turns.clone();
    PgPoolOptions::new()
        .after_connect(move |connection, _| begun.lead(connection).map_ok(drop).boxed())
        .before_acquire(move |connection, _| turns.lead(connection))
        .connect_lazy(&grounds[0].app_url)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_is_locked_on_the_very_connection_whose_life_was_asked_for() {
    let (here, elsewhere) = (Ground::new().await, Ground::new().await);
    for ground in [&here, &elsewhere] {
        ground.engine().await.stop().await;
    }
    elsewhere.as_owner(ELSEWHERE).await;
    let head = PostgresLog::new(here.pool("").await).head().await.unwrap();
    let log = PostgresLog::new(by_turns(&[&here, &elsewhere]));
    let locked = log.lock().await.unwrap();
    assert_eq!(locked.head(), head);
    drop(locked);
    let refused = log.lock().await.map(|locked| locked.head());
    assert!(matches!(refused, Err(LogError::OtherLog)), "{refused:?}");
}

/// A log with a batch of several events: its first position and its last.
async fn batch(engine: &Engine) -> (Position, Position) {
    run(engine, "A").await;
    join_all((0..200).map(|nth| engine.executor.execute(request(&format!("S{nth}"), receive())))).await;
    run(engine, "A").await;
    let found: Option<(Position, Position)> = sqlx::query_as(
        "SELECT previous + 1, last_position FROM (SELECT last_position, lag(last_position) OVER (ORDER BY \
         last_position) AS previous FROM log_links) AS ends WHERE last_position - previous > 1 LIMIT 1",
    )
    .fetch_optional(&engine.pool)
    .await
    .unwrap();
    found.expect("200 commands at once share a batch")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_within_a_batch_is_known_by_the_batchs_link() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let (first, last) = batch(&engine).await;
    let (head, here) = Checkpoint::at(&*engine.log, engine.feed.incarnation(), first).await.unwrap();
    assert_eq!(here.link.map(|(end, _)| end), Some(last));
    ground.as_owner("INSERT INTO followers (name, fence) VALUES ('me', 1)").await;
    let mut connection = engine.pool.acquire().await.unwrap();
    here.save(&mut connection, "me", 1, 0).await.unwrap();
    assert_eq!(Checkpoint::lock(&mut connection, "me", 1).await.unwrap(), here);
    let other = Checkpoint::at(&*engine.log, Uuid::now_v7(), first).await;
    assert!(other.is_err(), "{other:?}");
    // As an older program leaves it.
    let old = Checkpoint { link: None, ..here.clone() };
    assert!(old.is_of(&*engine.log, &head).await.unwrap());

    lives::restored(&engine.pool, &Machine).await.unwrap();
    let new = engine.log.head().await.unwrap();
    assert!(here.is_of(&*engine.log, &new).await.unwrap());
    let renewed = here.renewed(&new).unwrap();
    assert_eq!((renewed.incarnation, renewed.link), (Some(new.incarnation), here.link));
    assert!(!old.is_of(&*engine.log, &new).await.unwrap());

    // The same positions again with other events, in whatever life that is said to be.
    ground
        .as_owner(&format!("UPDATE log_links SET link = sha256('other') WHERE last_position = {last}"))
        .await;
    for checkpoint in [&here, &renewed] {
        assert!(!checkpoint.is_of(&*engine.log, &new).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_an_older_program_moved_is_read_as_that_program_meant_it() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let (first, last) = batch(&engine).await;
    let mut connection = engine.pool.acquire().await.unwrap();
    for (position, link, link_position, wanted) in [
        (last, Some([1; 32]), None, Some((last, [1; 32]))),
        (last, Some([1; 32]), Some(first), Some((last, [1; 32]))),
        (first, None, Some(last), None),
    ] {
        sqlx::query(
            "INSERT INTO followers (name, fence, position, link, link_position) VALUES ('old', 1, $1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET position = $1, link = $2, link_position = $3",
        )
        .bind(position)
        .bind(link.as_ref().map(|link: &[u8; 32]| &link[..]))
        .bind(link_position)
        .execute(&mut *connection)
        .await
        .unwrap();
        let checkpoint = Checkpoint::lock(&mut connection, "old", 1).await.unwrap();
        assert_eq!((checkpoint.position, checkpoint.link), (position, wanted));
    }
}
