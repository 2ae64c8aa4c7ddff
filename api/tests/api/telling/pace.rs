//! Many errands at once, each of which needs a connection of the few that there are.

use std::{sync::Arc, time::Duration};

use api::outbound::errands::{
    Backoff, Carry, Channel, Counters, Errand, Lane, NewErrand, Outcome, Queue, Runner,
};
use async_trait::async_trait;
use sqlx::PgPool;
use store::{ports::Machine, testing::eventually};
use uuid::Uuid;

use crate::support::Api;

const ERRANDS: usize = 100;
/// Less than whoever waits for a connection waits.
const WITHIN: Duration = Duration::from_secs(8);

/// Somebody who takes a while, with the database.
struct Slow(PgPool, Backoff);

#[async_trait]
impl Carry for Slow {
    fn channel(&self) -> Channel {
        Channel::Sms
    }

    async fn lanes(&self) -> Result<Vec<Lane>, sqlx::Error> {
        Ok(vec![Lane { name: String::new(), at_once: 32 }])
    }

    async fn carry(&self, _: &Errand) -> Outcome {
        match sqlx::query("SELECT pg_sleep(0.1)").execute(&self.0).await {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Again(error.to_string()),
        }
    }

    fn backoff(&self) -> &Backoff {
        &self.1
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_looks_for_more_does_not_hold_up_those_on_their_way() {
    let api = Api::start().await;
    let (pool, clock) = (api.edge().await, Arc::new(Machine));
    let queue = Queue::new(pool.clone(), clock.clone());
    let new = |_| NewErrand {
        id: Uuid::now_v7(),
        channel: Channel::Sms,
        lane: String::new(),
        kind: "order.confirmed",
        message: Uuid::now_v7(),
        origin: None,
        payload: Some(String::new()),
        dead: None,
    };
    queue.put(&(0..ERRANDS).map(new).collect::<Vec<_>>()).await.unwrap();
    let carry = Arc::new(Slow(pool, Backoff::new(vec![Duration::from_secs(60)])));
    let runner = Runner { carry, queue, clock, counters: Arc::new(Counters::default()) };
    let running = tokio::spawn(runner.run());
    let looking = api.edge().await;
    let all_done = eventually("all are carried", || async {
        let left = "SELECT count(*) FROM errands WHERE state = 'waiting'";
        let left: i64 = sqlx::query_scalar(left).fetch_one(&looking).await.unwrap();
        (left == 0).then_some(())
    });
    assert!(tokio::time::timeout(WITHIN, all_done).await.is_ok(), "some still wait after {WITHIN:?}");
    running.abort();
}
