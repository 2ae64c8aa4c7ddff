//! Transactions that are given up before they have begun, and those that only look.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::time::{Duration, Instant};

use futures::FutureExt as _;
use sqlx::{Executor as _, PgPool, Row as _};
use store::{schema, testing::Ground, transaction};

/// Whether somebody left a transaction open on the pool's only connection.
async fn is_left_open(pool: &PgPool) -> bool {
    // Outside of one, a statement is a transaction of its own, and begins with it.
    pool.fetch_one("SELECT now() <> statement_timestamp()").await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_while_it_begins_leaves_nothing_open() {
    let ground = Ground::new().await;
    let pool = schema::connect(&ground.app_url, &ground.prefix, "", 1).await.unwrap();
    pool.execute("BEGIN").await.unwrap();
    assert!(is_left_open(&pool).await, "it would be seen");
    pool.execute("ROLLBACK").await.unwrap();
    // Wherever it is by then: a connection is looked at, `BEGIN` is on its way, or it has begun.
    for after_us in (0..400).cycle().take(2_000) {
        let (began, after) = (Instant::now(), Duration::from_micros(after_us));
        let mut begins = Box::pin(transaction::begin(&pool));
        while began.elapsed() < after && begins.as_mut().now_or_never().is_none() {
            tokio::task::yield_now().await;
        }
        drop(begins);
        assert!(!is_left_open(&pool).await, "given up after {after_us} µs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_in_a_snapshot() {
    let ground = Ground::new().await;
    let mut snapshot = transaction::snapshot(&ground.pool("").await).await.unwrap();
    let refused = snapshot.execute("DELETE FROM commands").await.unwrap_err();
    // Postgres's word for a transaction that may only read.
    assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("25006"));
}
