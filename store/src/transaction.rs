//! Transactions that leave nothing behind, whenever whoever began them is gone.
//!
//! sqlx gives a connection back to its pool with an open transaction when nobody waits any longer for its `BEGIN` to be
//! answered, as when a client hangs up or a follower is stopped. Whatever others then write through that connection is
//! never committed. So `BEGIN` is always waited for here, and what nobody wants any more is rolled back.

use std::borrow::Cow;

use sqlx::{PgPool, Postgres, Transaction};

/// Begins a transaction.
///
/// # Errors
/// When there is no connection in time, or the database fails.
pub async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begun(pool, "BEGIN").await
}

/// Begins one that sees the database as it is at its first statement, and changes nothing.
///
/// # Errors
/// As [`begin`] says.
pub async fn snapshot(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begun(pool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

async fn begun(
    pool: &PgPool,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let connection = pool.acquire().await?;
    let begins = Transaction::begin(connection, Some(Cow::Borrowed(statement)));
    // A task goes on when nobody waits for it, and what it returns is dropped, which rolls back.
    tokio::spawn(begins).await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}
