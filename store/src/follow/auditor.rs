//! Compares what projections have applied with the log over and over, a block at a time and never for long.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::watch;

use super::{
    Lease, Projection,
    applied::BLOCK,
    audit::{AuditError, Counting, differences},
};
use crate::{log::Log, ports::Clock};

/// How much longer it rests than it has worked, so that it takes about a sixtieth of one processor.
const RESTS: u32 = 60;
/// The least that it rests.
const REST_MIN: Duration = Duration::from_millis(500);
/// How long it rests when everything was compared, before it compares one block of that again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How often the lease is renewed meanwhile.
const HOLD_EVERY: Duration = Duration::from_secs(1);

/// Goes through the log for all projections at once, from its beginning to where they are; when nothing is left to be
/// compared, slowly again: rows and books may be changed by hand long after.
pub struct Auditor {
    /// Whose work is compared.
    pub projections: Vec<Arc<dyn Projection>>,
    /// The read models' database.
    pub pool: PgPool,
    /// The log.
    pub log: Arc<dyn Log>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Which process compares.
    pub lease: Lease,
}

impl Auditor {
    /// Compares until `stop` says so or its sender is gone, then gives up the lease.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut again = 0;
        loop {
            let rest = tokio::select! {
                rest = self.turn(&mut again) => rest,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            tokio::select! {
                () = self.rest(rest) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.lease.give_up().await;
    }

    /// Compares one block, and says how long to rest.
    async fn turn(&mut self, again: &mut i64) -> Duration {
        if !self.lease.hold().await {
            return AGAIN_AFTER;
        }
        let begun_us = self.clock.elapsed_us();
        match self.one(again).await {
            Ok(true) => {
                let worked = u64::try_from(self.clock.elapsed_us() - begun_us).unwrap_or(0);
                REST_MIN.max(Duration::from_micros(worked) * RESTS)
            }
            Ok(false) => AGAIN_AFTER,
            Err(error) => {
                self.lease.meter().failed();
                tracing::warn!(%error, "read models could not be compared with the log; tried again");
                AGAIN_AFTER
            }
        }
    }

    /// Compares the next block that somebody has passed; or, and then false, one that was compared before.
    async fn one(&self, again: &mut i64) -> Result<bool, AuditError> {
        let names: Vec<&str> = self.projections.iter().map(|projection| projection.name()).collect();
        let life = self.log.head().await?.incarnation;
        let next: Option<i64> = sqlx::query_scalar(
            "SELECT min(COALESCE(audited_to, 0)) / $2 FROM followers \
             WHERE name = ANY($1) AND position >= COALESCE(audited_to, 0) + $2 \
                   AND counted_after IS NOT NULL AND incarnation = $3",
        )
        .bind(names)
        .bind(BLOCK)
        .bind(life)
        .fetch_one(&self.pool)
        .await?;
        if let Some(block) = next {
            return self.compare(block).await;
        }
        *again = if self.compare(*again).await? { *again + 1 } else { 0 };
        Ok(false)
    }

    async fn rest(&mut self, rest: Duration) {
        let begun_us = self.clock.elapsed_us();
        loop {
            let rested = u64::try_from(self.clock.elapsed_us() - begun_us).unwrap_or(0);
            let left = rest.saturating_sub(Duration::from_micros(rested));
            if left.is_zero() {
                return;
            }
            self.clock.sleep(left.min(HOLD_EVERY)).await;
            self.lease.hold().await;
        }
    }

    /// Compares a block that has been passed, and notes what came of it; whether anybody has passed it.
    async fn compare(&self, block: i64) -> Result<bool, AuditError> {
        let last = (block + 1) * BLOCK;
        let all: Vec<&dyn Projection> = self.projections.iter().map(|projection| &**projection).collect();
        let mut counting = Counting::open(&self.pool, &*self.log, &all, Some(block)).await?;
        counting.retain(|counting| counting.books.up_to >= last);
        if counting.is_empty() {
            return Ok(false);
        }
        Counting::count(&mut counting, &*self.log, (last - BLOCK, last), &|_| {}).await?;
        for Counting { projection, books, should, .. } in counting {
            let name = projection.name();
            let (found, total) = differences(&*self.log, &books, should).await?;
            let noted = sqlx::query(
                "WITH audited AS (UPDATE followers SET audited_to = $3 \
                                  WHERE name = $1 AND COALESCE(audited_to, 0) = $3 - $5), \
                      mended AS (DELETE FROM differing_blocks WHERE follower = $1 AND block = $2 AND NOT $4) \
                 INSERT INTO differing_blocks SELECT $1, $2 WHERE $4 ON CONFLICT DO NOTHING",
            )
            .bind(name)
            .bind(block)
            .bind(last)
            .bind(total > 0)
            .bind(BLOCK)
            .execute(&self.pool)
            .await?;
            if noted.rows_affected() > 0 {
                tracing::error!(
                    follower = name,
                    difference = ?found.first(),
                    "the read model was not given what the log holds: see `daybook projections audit`"
                );
            }
        }
        Ok(true)
    }
}
