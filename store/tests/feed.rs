//! What a process's feed hears of its own appends is what the log says, whoever else appends.

#![expect(clippy::unwrap_used, reason = "a test whose store does not answer cannot go on")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    inventory_item::Command,
    value::{Quantity, ReservationId},
};
use futures::stream::BoxStream;
use store::{
    broker::{Broker, BrokerError, Envelope, MessageId, NatsBroker, StreamState},
    engine::Engine,
    feed::Feed,
    log::{Position, Recorded},
    ports::Machine,
    testing::{Ground, eventually, request},
};

const EACH: usize = 60;

/// Commands one after another, some of which happen and some do not, on three SKUs that others use too.
async fn work(engine: &Engine) {
    for nth in 0..EACH {
        let sku = ["A", "B", "C"][nth % 3];
        let quantity = Quantity::new(1 + u32::try_from(nth % 4).unwrap()).unwrap();
        let command = match nth % 2 {
            0 => Command::Receive { quantity, location: None, reference: None },
            _ => Command::Reserve {
                reservation: ReservationId::new(format!("r{nth}")).unwrap(),
                quantity,
                expires_at: None,
                in_stock: false,
                now: domain::value::Time::from_millis(0),
            },
        };
        // What is refused is no event.
        let _ = engine.executor.execute(request(sku, command)).await;
    }
}

/// The feed's events from the first to the log's end, page by page.
async fn heard(engine: &Engine) -> Vec<Recorded> {
    let head = engine.log.head().await.unwrap().position;
    eventually("the feed is at the log's end", || async {
        (*engine.feed.tip().borrow() == head).then_some(())
    })
    .await;
    let mut heard: Vec<Recorded> = vec![];
    while let Some(page) = Some(
        engine.feed.after(heard.last().map_or(0, |last| last.position), 7, Duration::ZERO).await.unwrap(),
    )
    .filter(|page| !page.is_empty())
    {
        heard.extend(page.iter().map(|entry| entry.event.clone().unwrap()));
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn each_process_hears_what_the_log_says_while_two_append() {
    let ground = Ground::new().await;
    let (one, other) = (ground.engine().await, ground.engine().await);
    tokio::join!(work(&one), work(&other), work(&one), work(&other));
    let logged = one.log.recorded_after(0, i64::MAX).await.unwrap();
    assert!(logged.len() > 2 * EACH, "{}", logged.len());
    for engine in [&one, &other] {
        assert_eq!(heard(engine).await, logged);
    }
}

/// Counts how often somebody begins to listen.
struct Counting {
    broker: Arc<NatsBroker>,
    listened: AtomicU32,
}

#[async_trait]
impl Broker for Counting {
    async fn state(&self) -> Result<Option<StreamState>, BrokerError> {
        self.broker.state().await
    }
    async fn create(&self, first: Position) -> Result<(), BrokerError> {
        self.broker.create(first).await
    }
    async fn delete(&self) -> Result<(), BrokerError> {
        self.broker.delete().await
    }
    async fn message_at(&self, position: Position) -> Result<Option<MessageId>, BrokerError> {
        self.broker.message_at(position).await
    }
    async fn publish(&self, envelopes: &[Envelope]) -> Result<(), BrokerError> {
        self.broker.publish(envelopes).await
    }
    async fn subscribe(&self, from: Position) -> Result<BoxStream<'static, Envelope>, BrokerError> {
        self.listened.fetch_add(1, Ordering::Relaxed);
        self.broker.subscribe(from).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_appends_alone_does_not_listen_to_the_broker_and_who_is_not_alone_does() {
    let ground = Ground::new().await;
    let (mut engine, other) = (ground.engine().await, ground.engine().await);
    engine.relay();
    let counting = Arc::new(Counting { broker: ground.broker().await, listened: AtomicU32::new(0) });
    let feed = Feed::new(Arc::clone(&engine.log), Arc::new(Machine)).await.unwrap();
    let broker = Arc::clone(&counting) as Arc<dyn Broker>;
    tokio::spawn(feed.clone().run(broker, engine.executor.clone()));
    let caught_up = || async {
        let head = engine.log.head().await.unwrap().position;
        (*feed.tip().borrow() == head).then_some(())
    };
    for _ in 0..3 {
        tokio::join!(work(&engine), work(&engine));
        eventually("the feed is at the log's end", caught_up).await;
    }
    assert_eq!(counting.listened.load(Ordering::Relaxed), 0);
    work(&other).await;
    eventually("the broker is listened to", || async {
        (counting.listened.load(Ordering::Relaxed) > 0).then_some(())
    })
    .await;
    eventually("the feed is at the log's end", caught_up).await;
}
