//! The search index is rebuilt beside the one that answers, compared, and audited: asked for in a row, done by every process.

use std::{
    env,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{product::Command, value::Time};
use projections::search::{
    Answer, AskError, Change, Checked, Compared, Document, Embedded, Followed, Index, Patience, ProductQuery,
    State, Synonyms, Values, What, ask, follow,
};
use sqlx::Executor as _;
use store::{
    ports::{Clock, Machine},
    testing::{Ground, eventually},
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::engines::{Make, embedded, on_every_engine};
use crate::world::{World, any, gbp, listing, receive, sku};

pub const PATIENCE: Patience = Patience {
    answer: Duration::from_secs(15),
    silence: Duration::from_secs(3),
    progress: Duration::from_secs(15),
};

on_every_engine! {
    an_index_that_is_right_is_swapped_while_questions_are_answered,
    a_value_that_was_changed_by_hand_is_found_and_mended,
    a_text_that_was_changed_by_hand_is_found_and_mended,
    what_happens_during_a_rebuild_is_in_the_new_index,
    who_asks_and_dies_leaves_everything_as_it_was,
}

/// A lamp and a mug, listed at 1 and 2, and an index that holds them.
async fn shelf(index: Arc<dyn Index>) -> World {
    let world = World::keeping(index).await;
    world.run("lamp", Command::List(listing("Red lamp", &[("L1", 900), ("L2", 800)]))).await;
    world.run("mug", Command::List(listing("Mug", &[("M1", 500)]))).await;
    filled(&world, &world.followed).await;
    world
}

/// Waits until that process's index reflects all that has happened.
async fn filled(world: &World, followed: &Followed) {
    let head = world.settle().await;
    eventually("the index is filled", async || {
        let position = "SELECT position FROM search_indexes WHERE instance = $1 AND position >= $2";
        let position = sqlx::query_scalar::<_, i64>(position).bind(followed.process().instance);
        position.bind(head.position).fetch_optional(&world.pool).await.unwrap()
    })
    .await;
}

async fn asked(world: &World, what: What, swap: bool) -> Result<Vec<Answer>, AskError> {
    ask(&world.pool, (Arc::new(Machine), &Machine), (what, swap), PATIENCE, &|_| {}).await
}

/// What the only process has found.
async fn found(world: &World, what: What, swap: bool) -> Compared {
    let answers = asked(world, what, swap).await.unwrap();
    assert_eq!(answers.len(), 1, "{answers:?}");
    match &answers[0].state {
        State::Done(compared) => compared.clone(),
        other => panic!("{other:?}"),
    }
}

/// Changes a price in the index alone.
async fn corrupt(index: &Arc<dyn Index>, listed_at: i64) {
    let marker = index.marker().await.unwrap().unwrap();
    let values = Values { price: 7, ..Values::default() };
    index.write(vec![], vec![Change { listed_at, values }], &marker).await.unwrap();
}

async fn an_index_that_is_right_is_swapped_while_questions_are_answered(make: Make) {
    let world = shelf(make()).await;
    let head = world.head().await;
    let (read, over) = (world.read.clone(), Arc::new(AtomicBool::new(false)));
    let told = Arc::clone(&over);
    let asker = tokio::spawn(async move {
        let mut answers = 0;
        while !told.load(Ordering::Relaxed) {
            let query = ProductQuery { text: Some("lamp".to_owned()), ..ProductQuery::default() };
            let found = read.products(&query, any()).await.unwrap().value.page.data;
            assert_eq!(found.len(), 1);
            answers += 1;
        }
        answers
    });
    for _ in 0..3 {
        let rebuilt = found(&world, What::Rebuild, false).await;
        assert!(rebuilt.swapped, "{rebuilt:?}");
        assert_eq!((rebuilt.difference.rows, rebuilt.difference.rows_that_differ()), (2, 0));
        assert_eq!(rebuilt.old_digest, rebuilt.new_digest);
        assert_eq!(world.followed.checked(), Some(Checked { position: rebuilt.position, differences: 0 }));
    }
    over.store(true, Ordering::Relaxed);
    assert!(asker.await.unwrap() > 0);
    assert_eq!(world.head().await, head, "nothing happened in the shop");
    let audited = found(&world, What::Audit, false).await;
    assert_eq!((audited.difference.rows_that_differ(), audited.swapped), (0, false), "{audited:?}");
}

async fn a_value_that_was_changed_by_hand_is_found_and_mended(make: Make) {
    let world = shelf(make()).await;
    corrupt(&world.index, 1).await;
    let audited = found(&world, What::Audit, false).await;
    assert_eq!((audited.difference.rows, audited.difference.changed), (2, 1), "{audited:?}");
    assert_ne!(audited.old_digest, audited.new_digest);
    let example = &audited.difference.examples[0];
    assert_eq!((&example.key["product"], &example.key["listed_at"]), (&"lamp".into(), &1.into()));
    assert_eq!((&example.old["price"], &example.new["price"]), (&7.into(), &800.into()));
    let checked = Checked { position: audited.position, differences: 1 };
    assert_eq!(world.followed.checked(), Some(checked));
    // A rebuild that nobody told to swap tells the same and changes nothing.
    let rebuilt = found(&world, What::Rebuild, false).await;
    assert_eq!((rebuilt.swapped, rebuilt.difference.changed), (false, 1));
    assert_eq!(found(&world, What::Audit, false).await.difference.changed, 1);
    let rebuilt = found(&world, What::Rebuild, true).await;
    assert_eq!((rebuilt.swapped, rebuilt.difference.changed), (true, 1));
    assert_eq!(found(&world, What::Audit, false).await.difference.rows_that_differ(), 0);
}

fn document(listed_at: i64, title: &str, names: &[&str], price: i64) -> Document {
    Document {
        listed_at,
        title: title.to_owned(),
        description: None,
        brand: None,
        category: Vec::new(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        values: Values { price, ..Values::default() },
    }
}

async fn a_text_that_was_changed_by_hand_is_found_and_mended(make: Make) {
    let world = shelf(make()).await;
    let marker = world.index.marker().await.unwrap().unwrap();
    let mut filling = world.index.fill(&marker).await.unwrap();
    // The lamp has another colour, the mug is missing, and there is a sofa.
    let false_ones = [document(1, "Blue lamp", &["L1", "L2"], 800), document(3, "Sofa", &["S1"], 1)];
    filling.add(false_ones.to_vec()).await.unwrap();
    filling.finish(marker).await.unwrap();
    let audited = found(&world, What::Audit, false).await.difference;
    assert_eq!((audited.only_old, audited.only_new, audited.changed), (1, 1, 1), "{audited:?}");
    assert_eq!(audited.columns["title"], 1);
    assert!(!audited.columns.contains_key("price"));
    let listed_at = audited.examples.iter().map(|example| &example.key["listed_at"]);
    assert_eq!(listed_at.collect::<Vec<_>>(), [3, 2, 1]);
    assert!(found(&world, What::Rebuild, true).await.swapped);
    assert_eq!(found(&world, What::Audit, false).await.difference.rows_that_differ(), 0);
    let red = ProductQuery { text: Some("red".to_owned()), ..ProductQuery::default() };
    assert_eq!(world.index.find(&red).await.unwrap().listed_at, [1]);
}

async fn what_happens_during_a_rebuild_is_in_the_new_index(make: Make) {
    let world = shelf(make()).await;
    let over = AtomicBool::new(false);
    let busy = async {
        let mut n = 0;
        while !over.load(Ordering::Relaxed) {
            let name = format!("T{n}");
            world.run(&format!("t{n}"), Command::List(listing(&format!("Thing {n}"), &[(&name, 5)]))).await;
            world.run(&name, receive(1)).await;
            world.run("mug", Command::ChangePrice { sku: sku("M1"), price: gbp(n) }).await;
            n += 1;
        }
        n
    };
    let rebuilds = async {
        for _ in 0..4 {
            let rebuilt = found(&world, What::Rebuild, false).await;
            assert!(rebuilt.swapped, "{rebuilt:?}");
            let audited = found(&world, What::Audit, false).await;
            assert_eq!(audited.difference.rows_that_differ(), 0, "{audited:?}");
        }
        over.store(true, Ordering::Relaxed);
    };
    let (things, ()) = tokio::join!(busy, rebuilds);
    filled(&world, &world.followed).await;
    let audited = found(&world, What::Audit, false).await;
    assert_eq!((audited.difference.rows, audited.difference.rows_that_differ()), (things + 2, 0));
}

/// Keeps every fill from going on, until it is dropped.
async fn held_up(world: &World) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let owner = world.ground.owner_pool("_read").await;
    let mut transaction = owner.begin().await.unwrap();
    transaction.execute("LOCK TABLE sales IN ACCESS EXCLUSIVE MODE").await.unwrap();
    transaction
}

/// Asks for a rebuild and ends as soon as it is under way, as a command that is killed.
async fn ask_and_die(world: &World) {
    let (begun, is_begun) = (tokio::sync::Notify::new(), AtomicBool::new(false));
    let tell = |answers: &[Answer]| {
        if answers.iter().any(|answer| matches!(answer.state, State::Filling(..))) {
            is_begun.store(true, Ordering::Relaxed);
            begun.notify_one();
        }
    };
    let asking = ask(&world.pool, (Arc::new(Machine), &Machine), (What::Rebuild, true), PATIENCE, &tell);
    tokio::select! {
        answers = asking => panic!("{answers:?}"),
        () = begun.notified() => {}
    }
    assert!(is_begun.load(Ordering::Relaxed));
}

async fn who_asks_and_dies_leaves_everything_as_it_was(make: Make) {
    let world = shelf(make()).await;
    let lock = held_up(&world).await;
    ask_and_die(&world).await;
    // Whether it is dead is not known before it was silent for long.
    assert!(matches!(asked(&world, What::Audit, false).await, Err(AskError::Busy)));
    world.pool.execute("UPDATE search_asked SET seen_at = now() - interval '11 seconds'").await.unwrap();
    lock.rollback().await.unwrap();
    let rebuilt = found(&world, What::Rebuild, false).await;
    assert!(rebuilt.swapped, "{rebuilt:?}");
    assert_eq!(found(&world, What::Audit, false).await.difference.rows_that_differ(), 0);
}

struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        Self(env::temp_dir().join(format!("daybook-index-{}", Uuid::now_v7().simple())))
    }

    fn index(&self) -> Arc<dyn Index> {
        Arc::new(Embedded::at(&self.0, Synonyms::default()).unwrap())
    }

    /// Directories in it: one a generation.
    fn generations(&self) -> usize {
        let entries = std::fs::read_dir(&self.0).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_in_the_middle_is_named_and_the_next_one_clears_up() {
    let home = Directory::new();
    let mut world = shelf(home.index()).await;
    let lock = held_up(&world).await;
    ask_and_die(&world).await;
    eventually("there are two generations", async || (home.generations() == 2).then_some(())).await;
    world.search.shutdown().await;
    world.pool.execute("DELETE FROM search_asked").await.unwrap();
    let answers = asked(&world, What::Rebuild, true).await.unwrap();
    assert!(matches!(answers[0].state, State::Silent(_)), "{answers:?}");
    assert_eq!(answers[0].process, *world.followed.process());
    lock.rollback().await.unwrap();
    let World { ground, engine, read, index, followed, search, .. } = world;
    engine.stop().await;
    followed.leave().await;
    drop((read, index, followed, search));
    let world = World::with(ground, true, home.index()).await;
    filled(&world, &world.followed).await;
    assert_eq!(home.generations(), 1);
    assert!(found(&world, What::Rebuild, false).await.swapped);
    assert_eq!(home.generations(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_built_and_is_not_wanted_is_removed() {
    let home = Directory::new();
    let world = shelf(home.index()).await;
    corrupt(&world.index, 2).await;
    assert!(!found(&world, What::Rebuild, false).await.swapped);
    eventually("one generation is left", async || (home.generations() == 1).then_some(())).await;
    assert_eq!(found(&world, What::Audit, false).await.difference.changed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_sees_to_its_own_index() {
    let world = shelf(embedded()).await;
    let second = embedded();
    let (followed, following) = follow(Arc::clone(&second), &world.engine, world.pool.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(following);
    filled(&world, &followed).await;
    corrupt(&second, 2).await;
    let swapped = |answers: &[Answer]| {
        let of = |answer: &Answer| match &answer.state {
            State::Done(compared) => (answer.process.instance, compared.swapped),
            other => panic!("{other:?}"),
        };
        answers.iter().map(of).collect::<std::collections::HashMap<_, _>>()
    };
    let (own, other) = (world.followed.process().instance, followed.process().instance);
    let there: i64 = eventually("both say that they are there", async || {
        let count = "SELECT count(*) FROM search_indexes";
        sqlx::query_scalar(count).fetch_one(&world.pool).await.ok().filter(|count: &i64| *count == 2)
    })
    .await;
    assert_eq!(there, 2);
    let first = asked(&world, What::Rebuild, false).await.unwrap();
    assert_eq!(swapped(&first), [(own, true), (other, false)].into());
    let again = asked(&world, What::Rebuild, true).await.unwrap();
    assert_eq!(swapped(&again), [(own, true), (other, true)].into());
    // One that is killed is named, and the other one is done all the same.
    tasks.shutdown().await;
    let answers = asked(&world, What::Rebuild, false).await.unwrap();
    let silent = answers.iter().find(|answer| answer.process.instance == other).unwrap();
    assert!(matches!(silent.state, State::Silent(_)), "{answers:?}");
    let done = answers.iter().find(|answer| answer.process.instance == own).unwrap();
    assert!(matches!(&done.state, State::Done(compared) if compared.swapped), "{answers:?}");
    // One that has left in order is not missed.
    followed.leave().await;
    assert_eq!(asked(&world, What::Audit, false).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_keeps_an_index_nobody_is_waited_for() {
    let mut world = shelf(embedded()).await;
    world.search.shutdown().await;
    world.followed.leave().await;
    assert!(matches!(asked(&world, What::Rebuild, true).await, Err(AskError::Nobody)));
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM search_asked").fetch_one(&world.pool).await.unwrap();
    assert_eq!(left, 0);
}

/// The machine's clock, on which time limits come fifty times as fast.
struct Fast;

#[async_trait]
impl Clock for Fast {
    fn now_us(&self) -> i64 {
        Machine.now_us()
    }

    fn elapsed_us(&self) -> i64 {
        Machine.elapsed_us() * 50
    }

    async fn sleep(&self, duration: Duration) {
        Machine.sleep(duration).await;
    }

    async fn until(&self, moment: Time) {
        Machine.until(moment).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_finds_by_itself_what_is_not_as_its_rows_say() {
    let ground = Ground::new().await;
    ground.lay(&projections::tables()).await;
    let engine = ground.engine_at(Arc::new(Fast)).await;
    let world = World::of(ground, engine, true, embedded()).await;
    world.run("lamp", Command::List(listing("Red lamp", &[("L1", 900)]))).await;
    filled(&world, &world.followed).await;
    let differences = async |differences: i64| {
        let wanted = Some(Checked { position: 1, differences });
        eventually("the index was compared", async || (world.followed.checked() == wanted).then_some(()))
            .await;
    };
    differences(0).await;
    corrupt(&world.index, 1).await;
    differences(1).await;
    assert!(found(&world, What::Rebuild, true).await.swapped);
    differences(0).await;
    eventually("its row says so", async || {
        let row = "SELECT differences FROM search_indexes WHERE checked_position = 1";
        let row: Option<(i64,)> = sqlx::query_as(row).fetch_optional(&world.pool).await.ok()?;
        (row? == (0,)).then_some(())
    })
    .await;
}
