//! Every way of reading the log itself.

use std::{ops::ControlFlow, time::Duration};

use domain::{AggregateType, AnyEvent, AnyState};
use store::{
    archive::{Archive, Archiving},
    engine::Engine,
    log::{Log, Past, PostgresLog, Sequence, Snapshot, StreamId},
    ports::{Clock as _, Machine},
    testing::{Ground, eventually, request},
};

use crate::old::{
    Cart, Chance, added, added_and_set, merge, opened_in_two, picked, store_among_each_other, viewed,
};

/// What each stored event of a cart means, as the log tells it position by position.
async fn by_position(log: &dyn Log, page: i64, cart: &Cart) -> Vec<Vec<AnyEvent>> {
    let (mut means, mut after) = (Vec::new(), 0);
    loop {
        let recorded = log.recorded_after(after, page).await.unwrap();
        let Some(last) = recorded.last() else { return means };
        after = last.position;
        let ours = recorded.iter().filter(|recorded| recorded.stream == cart.stream());
        means.extend(ours.map(|recorded| recorded.events.as_slice().to_vec()));
    }
}

async fn by_stream(log: &dyn Log, cart: &Cart, after: usize) -> Vec<Vec<AnyEvent>> {
    let recorded = log.recorded(&cart.stream(), after as Sequence).await.unwrap();
    for (recorded, sequence) in recorded.iter().zip(after as Sequence + 1..) {
        assert_eq!(recorded.sequence, sequence, "a stored event keeps its place, whatever it means");
    }
    recorded.into_iter().map(|recorded| recorded.events.into_iter().collect()).collect()
}

/// The state by a fold, and the sequence of the snapshot that it was begun from.
async fn by_history(log: &dyn Log, stream: &StreamId, snapshot: bool) -> (AnyState, Option<Sequence>) {
    let (mut state, mut from) = (AnyState::initial(stream.aggregate_type), None);
    log.history(stream, snapshot, &mut |past| match past {
        Past::State(sequence, text) => {
            from = Some(sequence);
            let mut json = serde_json::Deserializer::from_str(text);
            state = AnyState::deserialize(stream.aggregate_type, &mut json).unwrap();
        }
        Past::Next(events) => state = events.into_iter().fold(state.clone(), AnyState::evolve),
    })
    .await
    .unwrap();
    (state, from)
}

async fn reads_as_it_means(log: &dyn Log, cart: &Cart) {
    let means = cart.means();
    for page in [1, 2, 7, 1_000] {
        assert_eq!(by_position(log, page, cart).await, means, "{page} at a time: {cart:?}");
    }
    for after in 0..=means.len() {
        assert_eq!(by_stream(log, cart, after).await, means[after..], "after {after}: {cart:?}");
    }
    assert_eq!(by_history(log, &cart.stream(), false).await, (cart.state(means.len()), None), "{cart:?}");
}

/// Followers that are far behind read the log through the feed.
async fn feeds_as_it_means(engine: &Engine, cart: &Cart) {
    let (mut means, mut after) = (Vec::new(), 0);
    let head = engine.log.head().await.unwrap().position;
    while after < head {
        for entry in engine.feed.after(after, 5, Duration::from_secs(5)).await.unwrap() {
            after = entry.position;
            let recorded = entry.event.as_ref().unwrap();
            if recorded.stream == cart.stream() {
                means.push(recorded.events.as_slice().to_vec());
            }
        }
    }
    assert_eq!(means, cart.means(), "{cart:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_stored_reads_as_what_it_means() {
    for seed in 0..6 {
        let ground = Ground::new().await;
        let log = PostgresLog::new(ground.pool("").await);
        let chance = &mut Chance(seed);
        let carts = ["a", "b", "c"].map(|id| Cart::random(id, chance));
        store_among_each_other(&log, &carts).await;
        for cart in &carts {
            reads_as_it_means(&log, cart).await;
        }
        // By a process that begins behind all of it.
        let engine = ground.engine().await;
        for cart in &carts {
            feeds_as_it_means(&engine, cart).await;
            // Every line is in the answer.
            let executed = engine.executor.execute(request(&cart.id, merge())).await.unwrap();
            let decided = cart.state(cart.told.len()).decide(merge().into()).unwrap().unwrap();
            let events: Vec<_> = executed.events.into_iter().map(|(_, event)| event).collect();
            assert_eq!((events, executed.version), (decided, cart.told.len() as Sequence + 1), "{cart:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_may_begin_at_a_snapshot_after_any_event() {
    let ground = Ground::new().await;
    let log = PostgresLog::new(ground.pool("").await);
    let told =
        [opened_in_two(), added("A", 2), picked("B", 3), viewed(), added_and_set("C", 1, 8), picked("A", 1)];
    let cart = Cart::of("a", told);
    cart.store_all(&log).await;
    let head = log.head().await.unwrap();
    let all = cart.told.len();
    for events in 1..=all {
        let state = serde_json::to_string(&cart.state(events)).unwrap();
        let sequence = events as Sequence;
        log.save(&head, &Snapshot { stream: cart.stream(), sequence, state }).await.unwrap();
        assert_eq!(by_history(&log, &cart.stream(), true).await, (cart.state(all), Some(sequence)));
    }
    // Between the two of the last pair, and decided on by somebody who knows nothing else.
    ground.as_owner("DELETE FROM snapshots").await;
    let state = serde_json::to_string(&cart.state(all - 1)).unwrap();
    let between = Snapshot { stream: cart.stream(), sequence: all as Sequence - 1, state };
    log.save(&head, &between).await.unwrap();
    let engine = ground.engine().await;
    let executed = engine.executor.execute(request("a", merge())).await.unwrap();
    let decided = cart.state(all).decide(merge().into()).unwrap().unwrap();
    assert_eq!(executed.events.into_iter().map(|(_, event)| event).collect::<Vec<_>>(), decided);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_away_means_the_same() {
    let ground = Ground::new().await;
    let directory = std::env::temp_dir().join(format!("daybook-upcasters-{}", ground.prefix));
    let archive = Archive::at(&directory);
    let log = PostgresLog::with_archive(ground.pool("").await, archive.clone());
    let told = [opened_in_two(), picked("B", 3), viewed(), added_and_set("C", 1, 8), picked("A", 1)];
    let cart = Cart::of("a", told);
    cart.store_all(&log).await;
    let engine = ground.engine_with(archive).await;
    // It is closed, and not the log's end.
    let closed = engine.executor.execute(request("a", merge())).await.unwrap();
    Cart::of("b", [opened_in_two()]).store_all(&log).await;
    let archiving = Archiving {
        pool: ground.owner_pool("").await,
        followers: vec![],
        directory: directory.clone(),
        before_us: Machine.now_us() + 1_000_000,
        dry_run: false,
        events_per_file: 3,
    };
    let archived = archiving.run(&|_| ControlFlow::Continue(())).await.unwrap();
    assert_eq!(archived.events as Sequence, closed.version);
    let whole: Vec<_> = cart.means().into_iter().chain([vec![closed.events[0].1.clone()]]).collect();
    let state =
        whole.iter().flatten().cloned().fold(AnyState::initial(AggregateType::Cart), AnyState::evolve);
    for after in 0..whole.len() {
        assert_eq!(by_stream(&log, &cart, after).await, whole[after..], "after {after}");
    }
    assert_eq!(by_position(&log, 2, &cart).await, whole);
    assert_eq!(by_history(&log, &cart.stream(), true).await, (state, None));
    let one = log.one(&cart.stream(), 3).await.unwrap().unwrap();
    assert_eq!((&*one.event_type, one.sequence), ("SkuPicked", 3));
    assert!(log.one(&cart.stream(), closed.version + 1).await.unwrap().is_none());
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_brings_what_is_meant_as_it_happens() {
    let ground = Ground::new().await;
    let mut engine = ground.engine().await;
    engine.relay();
    let carts = ["a", "b"].map(|id| Cart::random(id, &mut Chance(id.len() as u64)));
    let mut watch = engine.feed.watch(carts[0].stream());
    store_among_each_other(&*engine.log, &carts).await;
    engine.feed.look();
    for means in carts[0].means() {
        let entry = tokio::time::timeout(Duration::from_secs(20), watch.recv()).await.unwrap().unwrap();
        assert_eq!(entry.event.as_ref().unwrap().events.as_slice(), means);
    }
    let head = engine.log.head().await.unwrap().position;
    let tip = engine.feed.tip();
    eventually("the feed is at the end", || async { (*tip.borrow() == head).then_some(()) }).await;
    for cart in &carts {
        feeds_as_it_means(&engine, cart).await;
    }
}
