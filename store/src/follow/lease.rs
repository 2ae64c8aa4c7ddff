//! Who may do a thing that only one process should do: a row with a holder, an end, and a number that only grows.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use uuid::Uuid;

use super::Meter;
use crate::ports::Clock;

/// A lease that is not renewed ends after this, so that another process takes over within five seconds.
pub const LEASE_MS: i64 = 4_000;
/// A lease is renewed when it is this old.
const RENEW_AFTER: Duration = Duration::from_secs(1);

/// One process's claim on one name.
#[derive(Clone)]
pub struct Lease {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    name: &'static str,
    holder: Uuid,
    held: Option<Held>,
    meter: Arc<Meter>,
}

#[derive(Clone, Copy)]
struct Held {
    fence: i64,
    renewed_us: i64,
}

impl Lease {
    /// A claim on `name` by the process `holder`, in the schema that `pool` sees.
    #[must_use]
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>, name: &'static str, holder: Uuid) -> Self {
        Self { pool, clock, name, holder, held: None, meter: Arc::new(Meter::new(name)) }
    }

    /// What is claimed.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What this process counts of whoever works under it.
    #[must_use]
    pub const fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Grows with every change of hands; work is only accepted under the newest.
    #[must_use]
    pub fn fence(&self) -> Option<i64> {
        self.held.map(|held| held.fence)
    }

    /// Takes or renews the lease where needed, and says whether this process holds it.
    pub async fn hold(&mut self) -> bool {
        let now_us = self.clock.elapsed_us();
        let result = match self.held {
            Some(held) if now_us - held.renewed_us < i64::try_from(RENEW_AFTER.as_micros()).unwrap_or(0) => {
                return true;
            }
            Some(held) => self.renew(held.fence).await,
            None => self.take().await,
        };
        match result {
            Ok(fence) => self.held = fence.map(|fence| Held { fence, renewed_us: now_us }),
            Err(error) => {
                tracing::warn!(lease = self.name, %error, "a lease cannot be renewed");
                // Work is fenced, so holding on is safe; after the lease's own end somebody else may have it.
                self.held = self.held.filter(|held| now_us - held.renewed_us < LEASE_MS * 1_000);
            }
        }
        self.meter.renewed(self.held.map(|held| held.renewed_us));
        self.held.is_some()
    }

    /// Forgets that the lease is held: somebody said that it is not.
    pub fn lost(&mut self) {
        self.held = None;
        self.meter.renewed(None);
    }

    /// Lets others have it at once.
    pub async fn give_up(&mut self) {
        self.meter.renewed(None);
        if let Some(held) = self.held.take() {
            let ended = sqlx::query(
                "UPDATE followers SET lease_expires_at = '-infinity', holder = NULL \
                 WHERE name = $1 AND fence = $2",
            )
            .bind(self.name)
            .bind(held.fence)
            .execute(&self.pool)
            .await;
            if let Err(error) = ended {
                tracing::debug!(lease = self.name, %error, "a lease could not be given up; it ends by itself");
            }
        }
    }

    async fn take(&self) -> Result<Option<i64>, sqlx::Error> {
        sqlx::query(
            "INSERT INTO followers (name, counted_after) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING",
        )
        .bind(self.name)
        .execute(&self.pool)
        .await?;
        sqlx::query_scalar(
            "UPDATE followers SET holder = $2, fence = fence + 1, \
                    lease_expires_at = now() + $3 * interval '1 millisecond' \
             WHERE name = $1 AND (lease_expires_at < now() OR holder = $2) RETURNING fence",
        )
        .bind(self.name)
        .bind(self.holder)
        .bind(LEASE_MS)
        .fetch_optional(&self.pool)
        .await
    }

    async fn renew(&self, fence: i64) -> Result<Option<i64>, sqlx::Error> {
        sqlx::query_scalar(
            "UPDATE followers SET lease_expires_at = now() + $3 * interval '1 millisecond' \
             WHERE name = $1 AND fence = $2 RETURNING fence",
        )
        .bind(self.name)
        .bind(fence)
        .bind(LEASE_MS)
        .fetch_optional(&self.pool)
        .await
    }
}
