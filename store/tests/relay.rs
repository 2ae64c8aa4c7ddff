//! The broker as a copy of the log: dense, single, and made anew when it is not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_nats::jetstream::stream::Config;
use domain::{inventory_item::Command, value::Quantity};
use futures::StreamExt;
use store::{
    broker::{Broker, BrokerError, Envelope},
    engine::Engine,
    testing::{Ground, eventually, request},
};

async fn receive(engine: &Engine, times: usize) {
    let requests = (0..times).map(|nth| {
        let command =
            Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None };
        engine.executor.execute(request(&format!("S {}", nth % 7), command))
    });
    for answer in futures::future::join_all(requests).await {
        answer.unwrap();
    }
}

/// Some events in a log of its own, and in the broker.
async fn copying(events: usize) -> (Ground, Arc<dyn Broker>, Engine) {
    let ground = Ground::new().await;
    let broker = ground.broker().await;
    let mut engine = ground.engine().await;
    engine.relay();
    receive(&engine, events).await;
    copied(&engine, &*broker).await;
    (ground, broker, engine)
}

async fn copied(engine: &Engine, broker: &dyn Broker) {
    eventually("the broker holds the whole log", || async {
        let head = engine.log.head().await.unwrap();
        let state = broker.state().await.ok().flatten()?;
        (state.last == head.position).then_some(())
    })
    .await;
}

/// Every event stands in the broker under its own position, once.
async fn is_the_log(engine: &Engine, broker: &dyn Broker) {
    let head = engine.log.head().await.unwrap();
    let log: Vec<_> = engine
        .log
        .read(0, 100_000)
        .await
        .unwrap()
        .into_iter()
        .map(|event| Envelope { incarnation: head.incarnation, event })
        .collect();
    // While a stream is made anew, a subscription may end early or hold what is going to be deleted.
    eventually("the broker's stream is the log", || async {
        let state = broker.state().await.ok().flatten()?;
        let envelopes = broker.subscribe(1).await.ok()?.take(log.len()).collect::<Vec<_>>();
        let envelopes = tokio::time::timeout(Duration::from_secs(2), envelopes).await.ok()?;
        (state.last == head.position && envelopes == log).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_racing_relays_leave_one_copy_of_each_event() {
    let ground = Ground::new().await;
    let (mut left, mut right) = (ground.engine().await, ground.engine().await);
    left.relay();
    right.relay();
    for _ in 0..5 {
        tokio::join!(receive(&left, 50), receive(&right, 50));
    }
    is_the_log(&left, &*ground.broker().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_stream_is_made_anew_under_load() {
    let (_ground, broker, engine) = copying(100).await;
    broker.delete().await.unwrap();
    receive(&engine, 100).await;
    is_the_log(&engine, &*broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_message_makes_the_stream_anew() {
    let (ground, broker, engine) = copying(10).await;
    let client = store::broker::client(&ground.nats_url).await.unwrap();
    let subject = format!("{}.events.order.x.Placed", ground.prefix);
    async_nats::jetstream::new(client).publish(subject, "junk".into()).await.unwrap().await.unwrap();
    receive(&engine, 10).await;
    is_the_log(&engine, &*broker).await;
    assert!(failures(&engine).await > 0, "an operator is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_message_that_was_not_stored_is_not_stored_either() {
    let ground = Ground::new().await;
    let (broker, engine) = (ground.broker().await, ground.engine().await);
    receive(&engine, 5).await;
    let incarnation = engine.feed.incarnation();
    let events = engine.log.read(0, 5).await.unwrap();
    let envelopes: Vec<_> = events.into_iter().map(|event| Envelope { incarnation, event }).collect();
    broker.create(1).await.unwrap();
    broker.publish(&envelopes[..1]).await.unwrap();
    let client = store::broker::client(&ground.nats_url).await.unwrap();
    let subject = format!("{}.events.order.x.Placed", ground.prefix);
    async_nats::jetstream::new(client).publish(subject, "junk".into()).await.unwrap().await.unwrap();
    // The junk has the second event's place. The third one's number is right, and its predecessor is not the second event.
    let published = broker.publish(&envelopes[1..]).await;
    assert!(matches!(published, Err(BrokerError::Diverged)), "{published:?}");
    assert_eq!(broker.state().await.unwrap().unwrap().last, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_made_before_remembers_ids_no_longer_than_it_must() {
    let ground = Ground::new().await;
    let broker = ground.broker().await;
    broker.create(1).await.unwrap();
    let client = store::broker::client(&ground.nats_url).await.unwrap();
    let made = stream(&ground).await.cached_info().config.clone();
    let before = Config { duplicate_window: Duration::from_secs(120), ..made.clone() };
    async_nats::jetstream::new(client).update_stream(before).await.unwrap();
    let mut engine = ground.engine().await;
    engine.relay();
    receive(&engine, 10).await;
    copied(&engine, &*broker).await;
    assert_eq!(stream(&ground).await.cached_info().config, made);
    assert_eq!(failures(&engine).await, 0, "it was not made anew");
}

/// What the relay counts of what went wrong.
async fn failures(engine: &Engine) -> u64 {
    let look = engine.board().look().await;
    look.readings.iter().find(|reading| reading.name == "relay").unwrap().failures
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_end_was_cut_off_is_made_anew() {
    let (ground, broker, engine) = copying(10).await;
    stream(&ground).await.delete_message(10).await.unwrap();
    is_the_log(&engine, &*broker).await;
    receive(&engine, 10).await;
    is_the_log(&engine, &*broker).await;
    assert!(failures(&engine).await > 0, "an operator is told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_beginning_is_gone_goes_on_and_whoever_wants_that_reads_the_log() {
    let (ground, broker, engine) = copying(50).await;
    stream(&ground).await.purge().await.unwrap();
    let other = ground.engine().await;
    receive(&engine, 50).await;
    copied(&engine, &*broker).await;
    let mut position = 0;
    while position < 100 {
        for entry in other.feed.after(position, 7, Duration::from_secs(5)).await.unwrap() {
            assert_eq!(entry.position, position + 1);
            position = entry.position;
        }
    }
}

async fn stream(ground: &Ground) -> async_nats::jetstream::stream::Stream {
    let client = store::broker::client(&ground.nats_url).await.unwrap();
    let name = ground.prefix.to_uppercase();
    async_nats::jetstream::new(client).get_stream(name).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_log_makes_the_stream_anew() {
    let (ground, broker, engine) = copying(10).await;
    engine.stop().await;
    ground.as_owner("UPDATE log_head SET incarnation = gen_random_uuid()").await;
    let mut engine = ground.engine().await;
    engine.relay();
    let log = Arc::clone(&engine.log);
    eventually("the stream carries the new incarnation", || async {
        let head = log.head().await.unwrap();
        let message = broker.message_at(head.position).await.ok().flatten()?;
        (message.incarnation == head.incarnation).then_some(())
    })
    .await;
    is_the_log(&engine, &*broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_is_complete_and_in_order_with_and_without_a_broker() {
    let ground = Ground::new().await;
    let mut engine = ground.engine().await;
    receive(&engine, 50).await;
    engine.relay();
    receive(&engine, 50).await;
    let mut position = 0;
    let mut seen = BTreeSet::new();
    while position < 100 {
        for entry in engine.feed.after(position, 7, Duration::from_secs(5)).await.unwrap() {
            assert_eq!(entry.position, position + 1);
            position = entry.position;
            assert!(seen.insert(entry.event.clone().unwrap().event_id));
        }
    }
}
