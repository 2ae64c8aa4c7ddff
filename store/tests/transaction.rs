//! Transactions that only look.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use sqlx::Executor as _;
use store::{testing::Ground, transaction};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_in_a_snapshot() {
    let ground = Ground::new().await;
    let mut snapshot = transaction::snapshot(&ground.pool("").await).await.unwrap();
    let refused = snapshot.execute("DELETE FROM commands").await.unwrap_err();
    // Postgres's word for a transaction that may only read.
    assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("25006"));
}
