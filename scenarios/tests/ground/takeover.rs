//! Two processes on one log: when the one that follows dies, the other one follows.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;
use store::{
    broker::Broker,
    testing::{Ground, eventually},
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::process::{Serve, is_whole, laid};

/// A lease lasts four seconds, and is looked for twice a second.
const WITHIN: Duration = Duration::from_secs(5);
/// The same where others take the machine's time.
const WITHIN_BUSY: Duration = Duration::from_secs(15);

/// Who holds every lease there is; `None` while some are free or held by several.
async fn holder(log: &PgPool, read: &PgPool) -> Option<Uuid> {
    let mut holders = vec![];
    for pool in [log, read] {
        let held: Vec<Option<Uuid>> =
            sqlx::query_scalar("SELECT CASE WHEN lease_expires_at > now() THEN holder END FROM followers")
                .fetch_all(pool)
                .await
                .unwrap();
        holders.extend(held);
    }
    let first = holders.first().copied().flatten()?;
    // Four read models; ten processes and policies, the gateway, the relay and the timers.
    (holders.len() >= 17 && holders.iter().all(|holder| *holder == Some(first))).then_some(first)
}

async fn position(pool: &PgPool, follower: &str) -> i64 {
    sqlx::query_scalar("SELECT position FROM followers WHERE name = $1")
        .bind(follower)
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Ends the hold on the SKU `T`, which does nothing, the moment that somebody fires it.
async fn set_timer(log: &PgPool) -> Uuid {
    let timer = Uuid::from_u128(7);
    sqlx::query(
        "INSERT INTO timers (timer_id, manager, instance, correlation_id, input, due_at) \
         VALUES ($1, 'reservation_expiry', 'T', $1, $2::json, now())",
    )
    .bind(timer)
    .bind(json!({"inventory_item": {"Expire": {"now": 0}}}).to_string())
    .execute(log)
    .await
    .unwrap();
    timer
}

/// How long until that follower has come so far.
async fn passed(pool: &PgPool, follower: &str, last: i64, died: Instant) -> Duration {
    eventually(follower, || async { (position(pool, follower).await >= last).then_some(()) }).await;
    died.elapsed()
}

/// How long until the timer has fired.
async fn fired(log: &PgPool, timer: Uuid, died: Instant) -> Duration {
    eventually("the timer fires", || async {
        let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM timers WHERE timer_id = $1");
        (left.bind(timer).fetch_one(log).await.unwrap() == 0).then_some(())
    })
    .await;
    died.elapsed()
}

/// How long until the broker has everything.
async fn copied(broker: &impl Broker, last: i64, died: Instant) -> Duration {
    eventually("the relay copies", || async {
        (broker.state().await.ok().flatten()?.last >= last).then_some(())
    })
    .await;
    died.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_followed_goes_on_in_another_within_five_seconds() {
    let ground = laid(Ground::new().await).await;
    let (log, read) = (ground.owner_pool("").await, ground.owner_pool("_read").await);
    let mut first = Serve::up(&ground, "first").await;
    let before = eventually("the first process holds every lease", || holder(&log, &read)).await;
    let mut second = Serve::up(&ground, "second").await;
    assert_eq!(second.receive("T", "before").await.status, 200);
    assert_eq!(holder(&log, &read).await, Some(before), "the second one waits");

    first.kill();
    let died = Instant::now();
    let done = second.receive("T", "after").await;
    assert_eq!(done.status, 200, "commands need no lease: {done:?}");
    let last = done.body["position"].as_i64().unwrap();
    let timer = set_timer(&log).await;
    let broker = ground.broker().await;
    let took = tokio::join!(
        passed(&read, "stock", last, died),
        passed(&log, "reservation_expiry", last, died),
        passed(&log, "checkout", last, died),
        fired(&log, timer, died),
        copied(&*broker, last, died),
    );
    let all = eventually("every lease has moved", || async {
        holder(&log, &read).await.filter(|holder| *holder != before).map(|_| died.elapsed())
    })
    .await;
    let took = [
        ("projections", took.0),
        ("policies", took.1),
        ("process managers", took.2),
        ("timers", took.3),
        ("relay", took.4),
        ("every lease", all),
    ];
    let load: f64 = std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(f64::MAX);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let within = if load <= cpus as f64 { WITHIN } else { WITHIN_BUSY };
    for (what, took) in took {
        println!("{what}: {:.1} s after the process died (load {load})", took.as_secs_f64());
        assert!(took <= within, "{what} took {took:?}, more than {within:?} at a load of {load}");
    }
    second.is_running();
    is_whole(&ground).await;
}
