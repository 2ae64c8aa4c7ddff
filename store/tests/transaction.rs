//! Transactions that are given up before they have begun.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use futures::FutureExt as _;
use sqlx::{Executor as _, PgPool, Row as _};
use store::{schema, testing::Ground, transaction};

/// Whether the pool's connection is in a transaction that somebody else has left open.
async fn is_left_open(pool: &PgPool) -> bool {
    // Outside of one, a statement is the whole transaction.
    let row = pool.fetch_one("SELECT now() <> statement_timestamp()").await.unwrap();
    row.get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_while_it_begins_leaves_nothing_open() {
    let ground = Ground::new().await;
    let pool = schema::connect(&ground.app_url, &ground.prefix, "", 1).await.unwrap();
    for looks in (0..20).cycle().take(200) {
        let mut begins = std::pin::pin!(transaction::begin(&pool));
        for _ in 0..looks {
            if begins.as_mut().now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert!(!is_left_open(&pool).await);
    let mut snapshot = transaction::snapshot(&pool).await.unwrap();
    assert!(snapshot.execute("DELETE FROM commands").await.is_err(), "nothing is changed there");
    drop(snapshot);
    assert!(!is_left_open(&pool).await);
}
