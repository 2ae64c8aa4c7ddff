//! An event that this program does not know: its own stream stops with a clear word, everything else goes on, and nothing
//! is lost for the program that knows it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use domain::{AggregateType, inventory_item::Command, value::Quantity};
use sqlx::{PgConnection, PgPool};
use store::{
    broker::Broker as _,
    engine::Engine,
    executor::ExecuteError,
    follow::{ApplyError, Projection, React, ReactError, ReadTable},
    log::{Meant, Position, Recorded},
    outage::Reason,
    testing::{Ground, eventually, request},
    verify::{Wanted, verify},
};

/// What a newer program may have written in place of the third event, and what stood there.
const NEWER: [(&str, &str); 3] = [
    ("event_type = 'Teleported'", "event_type = 'Received'"),
    ("event_version = '99'", "event_version = '2'"),
    ("aggregate_type = 'loyalty_card'", "aggregate_type = 'inventory_item'"),
];

/// Writes down what it was given, as a projection and as a reactor.
#[derive(Default)]
struct Scribe {
    applied: Mutex<Vec<Position>>,
    reacted: Mutex<Vec<Position>>,
}

struct Applying(Arc<Scribe>);
struct Reacting(Arc<Scribe>);

#[async_trait]
impl Projection for Applying {
    fn name(&self) -> &'static str {
        "applying"
    }

    fn follows(&self) -> &'static [AggregateType] {
        AggregateType::ALL
    }

    fn tables(&self) -> &'static [ReadTable] {
        &[]
    }
    async fn apply(&self, _connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        self.0.applied.lock().unwrap().extend(events.iter().map(|event| event.position));
        Ok(())
    }
    async fn clear(&self, _connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

#[async_trait]
impl React for Reacting {
    fn name(&self) -> &'static str {
        "reacting"
    }
    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        Some(meant.recorded.stream.id.clone())
    }
    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        self.0.reacted.lock().unwrap().push(meant.recorded.position);
        Ok(())
    }
}

fn receive() -> Command {
    Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None }
}

async fn following(ground: &Ground) -> (Engine, Arc<Scribe>) {
    let scribe = Arc::new(Scribe::default());
    let mut engine = ground.engine().await;
    engine.relay();
    engine.project(Arc::new(Applying(Arc::clone(&scribe))), engine.pool.clone());
    engine.react(Arc::new(Reacting(Arc::clone(&scribe))));
    (engine, scribe)
}

async fn checkpoint(pool: &PgPool, name: &str) -> (Position, bool) {
    sqlx::query_as(
        "SELECT position, holder IS NULL OR lease_expires_at < now() FROM followers WHERE name = $1",
    )
    .bind(name)
    .fetch_optional(pool)
    .await
    .unwrap()
    .unwrap_or((0, true))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_event_stops_its_own_stream_and_no_command_elsewhere() {
    for (newer, known) in NEWER {
        let ground = Ground::new().await;
        let writer = ground.engine().await;
        for sku in ["A", "B", "NEW", "A"] {
            writer.executor.execute(request(sku, receive())).await.unwrap();
        }
        writer.stop().await;
        ground.as_owner(&format!("UPDATE events SET {newer} WHERE position = 3")).await;

        let (old, scribe) = following(&ground).await;
        for (sku, position) in [("A", 5), ("B", 6)] {
            let done = old.executor.execute(request(sku, receive())).await.unwrap();
            assert_eq!(done.positions, Some((position, position)), "{newer}");
        }
        if !newer.starts_with("aggregate_type") {
            let refused = old.executor.execute(request("NEW", receive())).await;
            let Err(ExecuteError::Unavailable(outage)) = refused else { panic!("{newer}: {refused:?}") };
            assert_eq!(outage.reason, Reason::TooNew, "{outage}");
            assert!(outage.to_string().contains("is not known to this program"), "{outage}");
        }
        eventually("followers stop before it and leave it to a newer program", || async {
            for name in ["applying", "reacting"] {
                let (position, free) = checkpoint(&old.pool, name).await;
                assert!(position <= 2, "{newer}: {name} went over it to {position}");
                if position < 2 || !free {
                    return None;
                }
            }
            let (applied, reacted) = (scribe.applied.lock().unwrap(), scribe.reacted.lock().unwrap());
            (*applied == [1, 2] && *reacted == [1, 2]).then_some(())
        })
        .await;
        // The copy needs to understand nothing.
        let broker = ground.broker().await;
        eventually("the relay copies it all the same", || async {
            (broker.state().await.ok().flatten()?.last == 6).then_some(())
        })
        .await;
        old.stop().await;

        // To the program that knows it, it is an event like any other.
        ground.as_owner(&format!("UPDATE events SET {known} WHERE position = 3")).await;
        let (new, scribe) = following(&ground).await;
        let done = new.executor.execute(request("NEW", receive())).await.unwrap();
        assert_eq!((done.positions, done.version), (Some((7, 7)), 2), "{newer}");
        eventually("its followers have seen everything", || async {
            let (applying, reacting) =
                (checkpoint(&new.pool, "applying").await.0, checkpoint(&new.pool, "reacting").await.0);
            (applying == 7 && reacting == 7).then_some(())
        })
        .await;
        let (mut applied, reacted) =
            (scribe.applied.lock().unwrap().clone(), scribe.reacted.lock().unwrap().clone());
        applied.sort_unstable();
        for position in 3..=7 {
            assert_eq!(applied.iter().filter(|at| **at == position).count(), 1, "{newer}: {applied:?}");
            assert!(reacted.contains(&position), "{newer}: {reacted:?}");
        }
        assert!(verify(&new.pool, Wanted::default(), &|_, _| {}).await.unwrap().ok, "{newer}");
        assert_eq!(new.log.head().await.unwrap().position, 7);
    }
}
