//! A relay whose broker does not do as it should.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    inventory_item::Command,
    value::{Quantity, Time},
};
use futures::stream::BoxStream;
use store::{
    broker::{Broker, BrokerError, Envelope, MessageId, StreamState},
    engine::Engine,
    follow::Lease,
    log::Position,
    ports::{Clock, Ids as _, Machine},
    relay::Relay,
    testing::{Ground, eventually, request},
};
use tokio::sync::watch;

/// A broker in front of which something happens when it is first asked for its state, or which is not there at all.
#[derive(Default)]
struct Odd {
    broker: Option<Arc<dyn Broker>>,
    /// Who appends an event, which another relay publishes, before the broker says where it stands.
    meanwhile: Mutex<Option<Arc<Engine>>>,
    asked: AtomicUsize,
    deleted: AtomicUsize,
}

impl Odd {
    fn broker(&self) -> Result<&Arc<dyn Broker>, BrokerError> {
        self.broker.as_ref().ok_or_else(|| BrokerError::Unavailable("it is not there".into()))
    }
}

#[async_trait]
impl Broker for Odd {
    async fn state(&self) -> Result<Option<StreamState>, BrokerError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(engine) = meanwhile {
            let position = receive(&engine).await;
            let incarnation = engine.feed.incarnation();
            let event = engine.log.read(position - 1, 1).await.unwrap().remove(0);
            self.broker()?.publish(&[Envelope { incarnation, event }]).await?;
        }
        self.broker()?.state().await
    }
    async fn create(&self, first: Position) -> Result<(), BrokerError> {
        self.broker()?.create(first).await
    }
    async fn delete(&self) -> Result<(), BrokerError> {
        self.deleted.fetch_add(1, Ordering::Relaxed);
        self.broker()?.delete().await
    }
    async fn message_at(&self, position: Position) -> Result<Option<MessageId>, BrokerError> {
        self.broker()?.message_at(position).await
    }
    async fn publish(&self, envelopes: &[Envelope]) -> Result<(), BrokerError> {
        self.broker()?.publish(envelopes).await
    }
    async fn subscribe(&self, from: Position) -> Result<BoxStream<'static, Envelope>, BrokerError> {
        self.broker()?.subscribe(from).await
    }
}

/// Time that passes because somebody waits for it.
#[derive(Default)]
struct Hasty(AtomicI64);

#[async_trait]
impl Clock for Hasty {
    fn now_us(&self) -> i64 {
        Machine.now_us()
    }
    fn elapsed_us(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
    async fn sleep(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_micros()).unwrap(), Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
    async fn until(&self, _: Time) {
        std::future::pending().await
    }
}

async fn receive(engine: &Engine) -> Position {
    let command = Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None };
    engine.executor.execute(request("A", command)).await.unwrap().token.position
}

/// A relay of this process, on a broker and a clock of the test's own, until what is returned is dropped.
fn relay(engine: &Engine, broker: &Arc<Odd>, clock: Arc<dyn Clock>) -> watch::Sender<bool> {
    let stop = watch::Sender::new(false);
    let relay = Relay {
        log: Arc::clone(&engine.log),
        broker: Arc::clone(broker) as Arc<dyn Broker>,
        lease: Lease::new(engine.pool.clone(), Arc::clone(&clock), "relay", Machine.next()),
        clock,
        feed: engine.feed.clone(),
    };
    tokio::spawn(relay.run(stop.subscribe()));
    stop
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_cannot_go_on_tries_less_and_less_often() {
    let engine = Ground::new().await.engine().await;
    let (away, clock) = (Arc::new(Odd::default()), Arc::new(Hasty::default()));
    let _running = relay(&engine, &away, Arc::clone(&clock) as Arc<dyn Clock>);
    eventually("a minute is over", || async { (clock.elapsed_us() > 60_000_000).then_some(()) }).await;
    // As many as it takes to come to two seconds, and then one every two seconds.
    let asked = i64::try_from(away.asked.load(Ordering::Relaxed)).unwrap();
    let elapsed_s = clock.elapsed_us() / 1_000_000;
    assert!(asked > elapsed_s / 4 && asked < elapsed_s, "{asked} times in {elapsed_s} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_relay_publishes_to_the_end_is_no_reason_to_begin_anew() {
    let ground = Ground::new().await;
    let broker = ground.broker().await;
    let mut engine = ground.engine().await;
    engine.relay();
    receive(&engine).await;
    eventually("the broker holds it", || async {
        (broker.state().await.ok().flatten()?.last == 1).then_some(())
    })
    .await;
    engine.stop().await;

    let engine = Arc::new(ground.engine().await);
    let meanwhile = Mutex::new(Some(Arc::clone(&engine)));
    let odd = Arc::new(Odd { broker: Some(broker.clone()), meanwhile, ..Odd::default() });
    let _running = relay(&engine, &odd, Arc::new(Machine));
    let last = eventually("it has seen the event", || async {
        broker.state().await.ok().flatten().map(|state| state.last).filter(|last| *last > 1)
    })
    .await;
    receive(&engine).await;
    eventually("it goes on", || async {
        (broker.state().await.ok().flatten()?.last == last + 1).then_some(())
    })
    .await;
    assert_eq!(odd.deleted.load(Ordering::Relaxed), 0);
}
