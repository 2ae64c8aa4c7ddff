//! Puts new rows in the place of old ones, for all processes at once.

use std::time::Duration;

use sqlx::{Executor as _, PgConnection};
use store::{ports::Clock, schema};

use super::{RebuildError, Sides};

/// How long readers may be held up by a try.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '200ms'";
/// Tries, and the pause between two.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);
/// Postgres's word for a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

impl Sides {
    /// Swaps the tables, with what was set aside and counted beside them, in one transaction. Statements that are running
    /// end on the old rows, and those that come later find the new ones under the same names.
    pub(super) async fn swap(&mut self, clock: &dyn Clock) -> Result<(), RebuildError> {
        let pool = self.pool.clone();
        for _ in 0..TRIES {
            let mut transaction = store::transaction::begin(&pool).await?;
            match self.try_swap(&mut transaction).await {
                Ok(()) => return Ok(transaction.commit().await?),
                Err(RebuildError::Database(error)) if is_busy(&error) => transaction.rollback().await?,
                Err(error) => return Err(error),
            }
            clock.sleep(PAUSE).await;
        }
        Err(RebuildError::Busy(self.projection.name()))
    }

    async fn try_swap(&mut self, transaction: &mut PgConnection) -> Result<(), RebuildError> {
        self.level(transaction).await?;
        self.same_skipped(transaction).await?;
        transaction.execute(LOCK_TIMEOUT).await?;
        let (old, new) = (self.old.clone(), self.new.clone());
        // Names of indexes are those of their table's schema: a third one lets them pass each other.
        let between = format!("{new}_swap");
        transaction.execute(format!("CREATE SCHEMA {between}").as_str()).await?;
        for table in self.projection.tables() {
            let (serves, comes) = (format!("{old}.{}", table.name), format!("{new}.{}", table.name));
            schema::same_readers(transaction, &serves, &comes).await?;
            for (from, to) in [(&old, &between), (&new, &old), (&between, &new)] {
                let sql = format!("ALTER TABLE {from}.{} SET SCHEMA {to}", table.name);
                transaction.execute(sql.as_str()).await?;
            }
        }
        transaction.execute(format!("DROP SCHEMA {between}").as_str()).await?;
        // Nobody changes the tables any more from here on.
        self.same_form(transaction).await?;
        let name = self.projection.name();
        for table in ["parked_streams", "applied_events"] {
            sqlx::query(&format!("DELETE FROM {old}.{table} WHERE follower = $1"))
                .bind(name)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(&format!(
                "INSERT INTO {old}.{table} SELECT * FROM {new}.{table} WHERE follower = $1"
            ))
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        }
        // Whoever follows begins again from here, and what it knew of the old rows is forgotten.
        sqlx::query(&format!(
            "WITH differing AS (DELETE FROM {old}.differing_blocks WHERE follower = $1) \
             UPDATE {old}.followers f SET counted_after = n.counted_after, audited_to = NULL, fence = f.fence + 1, \
                    lease_expires_at = '-infinity' \
             FROM {new}.followers n WHERE f.name = $1 AND n.name = $1"
        ))
        .bind(name)
        .execute(transaction)
        .await?;
        Ok(())
    }

    /// That both sets of tables have gone through the same steps.
    async fn same_form(&self, transaction: &mut PgConnection) -> Result<(), RebuildError> {
        let steps = |schema: &str| format!("SELECT version, checksum FROM {schema}._sqlx_migrations");
        match differ(transaction, (&steps(&self.old), &steps(&self.new)), None).await? {
            false => Ok(()),
            true => Err(RebuildError::Migrated(self.projection.name())),
        }
    }

    /// That nothing was skipped since the new rows were begun.
    async fn same_skipped(&self, transaction: &mut PgConnection) -> Result<(), RebuildError> {
        let skipped =
            |schema: &str| format!("SELECT event_id FROM {schema}.skipped_events WHERE follower = $1");
        let name = self.projection.name();
        match differ(transaction, (&skipped(&self.old), &skipped(&self.new)), Some(name)).await? {
            false => Ok(()),
            true => Err(RebuildError::Skipped(name)),
        }
    }
}

/// Whether two queries, which may both name `$1`, have other rows.
async fn differ(
    connection: &mut PgConnection,
    (one, other): (&str, &str),
    name: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let sql = format!("SELECT EXISTS ({one} EXCEPT {other}) OR EXISTS ({other} EXCEPT {one})");
    let query = sqlx::query_scalar(&sql);
    match name {
        Some(name) => query.bind(name).fetch_one(connection).await,
        None => query.fetch_one(connection).await,
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}
