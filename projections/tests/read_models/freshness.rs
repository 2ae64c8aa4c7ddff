//! Tokens: what an answer reflects, and what happens when it does not reflect enough.

use std::{sync::Arc, time::Duration};

use projections::{
    Freshness, QueryError,
    search::{Embedded, Synonyms},
};
use store::{
    executor::Token,
    testing::{Ground, Unending, eventually},
};
use uuid::Uuid;

use crate::world::{NOW, World, after, any, receive, sku};

fn within(token: Token, millis: u64) -> Freshness {
    Freshness { at_least: Some(token), wait: Duration::from_millis(millis) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_reflects_the_token_that_was_waited_for() {
    let world = World::new().await;
    for n in 1..=50 {
        let token = world.run("A", receive(1)).await;
        let found = world.read.stock(&sku("A"), NOW, after(token)).await.unwrap();
        assert!(found.reflects.position >= token.position);
        assert_eq!(found.reflects.incarnation, token.incarnation);
        assert_eq!(found.value.unwrap().on_hand, n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_wait_at_once_and_some_may_give_up() {
    let world = World::idle().await;
    let token = world.run("A", receive(7)).await;
    let waiting: Vec<_> = (0..64)
        .map(|n| {
            let read = world.read.clone();
            let freshness = if n % 4 == 0 { within(token, 30) } else { after(token) };
            tokio::spawn(async move { read.stock(&sku("A"), NOW, freshness).await })
        })
        .collect();
    let mut follower = world.ground.engine().await;
    let mut late = Vec::new();
    for (n, answer) in waiting.into_iter().enumerate() {
        if n == 0 {
            late.push(answer.await.unwrap());
            projections::start(&mut follower, world.pool.clone());
            continue;
        }
        let answer = answer.await.unwrap();
        if n % 4 == 0 {
            late.push(answer);
        } else {
            assert_eq!(answer.unwrap().value.unwrap().on_hand, 7);
        }
    }
    assert!(late.iter().all(|answer| matches!(answer, Ok(_) | Err(QueryError::Behind { reflects: 0 }))));
    assert!(matches!(late[0], Err(QueryError::Behind { reflects: 0 })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_model_that_is_behind_says_so() {
    let world = World::idle().await;
    let token = world.run("A", receive(7)).await;
    for wait in [0, 20] {
        let answer = world.read.stock(&sku("A"), NOW, within(token, wait)).await;
        assert!(matches!(answer, Err(QueryError::Behind { reflects: 0 })), "{answer:?}");
    }
    let answer = world.read.stock(&sku("A"), NOW, any()).await.unwrap();
    assert_eq!((answer.value, answer.reflects.position), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_life_of_the_log_is_refused() {
    let world = World::new().await;
    let token = world.run("A", receive(7)).await;
    world.read.stock(&sku("A"), NOW, after(token)).await.unwrap();
    let foreign = Token { incarnation: Uuid::nil(), ..token };
    for wait in [0, 20] {
        let answer = world.read.stock(&sku("A"), NOW, within(foreign, wait)).await;
        assert!(matches!(answer, Err(QueryError::WrongIncarnation)), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_of_any_log_is_reflected_by_every_answer() {
    let world = World::idle().await;
    let beginning = Token { incarnation: Uuid::now_v7(), position: 0 };
    let answer = world.read.stock(&sku("A"), NOW, within(beginning, 0)).await.unwrap();
    assert_eq!(answer.value, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_ends_a_followers_rest() {
    let ground = Ground::new().await;
    ground.lay(&projections::tables()).await;
    // A follower that rests at leisure. The quicker pace is 8 ms, and whoever looks for something does so at other times: 20 ms
    // is the relay's pace, at the most, and the feed has 40 ms of patience.
    let leisurely = Unending(Duration::from_millis(41)..Duration::from_millis(100));
    let engine = ground.engine_at(Arc::new(leisurely)).await;
    let index = Arc::new(Embedded::in_memory(Synonyms::default()));
    let world = World::of(ground, engine, true, index).await;
    let first = world.run("A", receive(1)).await;
    eventually("the first is done", || async {
        (world.engine.progress()["stock"].position() == Some(first.position)).then_some(())
    })
    .await;
    let second = world.run("A", receive(1)).await;
    let found = world.read.stock(&sku("A"), NOW, after(second)).await.unwrap();
    assert_eq!(found.value.unwrap().on_hand, 2);
}
