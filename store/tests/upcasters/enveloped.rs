//! The feed with nothing but the broker to listen to.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::value::Time;
use store::{
    broker::Broker as _,
    feed::Feed,
    ports::{Clock, Machine},
    testing::{Ground, eventually},
};

use crate::old::{Cart, Chance, picked};

/// A clock whose waits never end, so that nobody looks at the log by himself; and the executor appends nothing here.
struct Endless;

#[async_trait]
impl Clock for Endless {
    fn now_us(&self) -> i64 {
        Machine.now_us()
    }
    fn elapsed_us(&self) -> i64 {
        Machine.elapsed_us()
    }
    async fn sleep(&self, duration: Duration) {
        if !duration.is_zero() {
            std::future::pending::<()>().await;
        }
    }
    async fn until(&self, _: Time) {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_brings_is_read_as_it_is_meant() {
    let ground = Ground::new().await;
    let mut engine = ground.engine().await;
    engine.relay();
    let before = Cart::of("before", [picked("A", 1)]);
    let begin = before.store(&*engine.log, 0..1).await;
    let broker = ground.broker().await;
    eventually("the broker holds the log", || async {
        let state = broker.state().await.ok().flatten()?;
        (state.last == begin).then_some(())
    })
    .await;
    let feed = Feed::new(Arc::clone(&engine.log), Arc::new(Endless)).await.unwrap();
    let following = tokio::spawn(feed.clone().run(broker, engine.executor.clone()));
    let mut tip = feed.tip();
    // Somebody else is seen to append: from now on the broker is listened to.
    let begin = Cart::of("early", [picked("B", 1)]).store(&*engine.log, 0..1).await;
    feed.look();
    let seen = tokio::time::timeout(Duration::from_secs(20), tip.wait_for(|tip| *tip == begin)).await;
    drop(seen.unwrap().unwrap());
    // The second of a pair whose first never was in this feed, and a cart of every kind.
    before.store(&*engine.log, 1..2).await;
    let cart = Cart::random("after", &mut Chance(4));
    let end = cart.store_all(&*engine.log).await;
    let reached = tokio::time::timeout(Duration::from_secs(20), tip.wait_for(|tip| *tip == end)).await;
    drop(reached.unwrap().unwrap());
    let entries = feed.after(begin, 1_000, Duration::ZERO).await.unwrap();
    let means: Vec<_> =
        entries.iter().map(|entry| entry.event.as_ref().unwrap().events.as_slice().to_vec()).collect();
    let expected: Vec<_> = before.means().into_iter().skip(1).chain(cart.means()).collect();
    assert_eq!(means, expected);
    assert!(cart.told.iter().any(|((name, ..), _)| *name == "PickConfirmed"), "there is a pair among them");
    following.abort();
}
