//! Forgets answers to clients' commands when their time is over; those of derived ids are kept for good.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::watch;

use crate::ports::Clock;

/// How often answers are forgotten.
const EVERY: Duration = Duration::from_secs(60);
/// Answers forgotten at once: a statement of some milliseconds, which holds up nobody.
const AT_ONCE: i64 = 2_000;

/// Forgets answers until told to stop. Several processes may do so side by side.
pub struct Expiry {
    /// Where the answers lie.
    pub pool: PgPool,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Expiry {
    /// Forgets what is over by now, and then again every minute.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.turn() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn turn(&self) {
        match self.forget().await {
            Ok(more) if more => {}
            Ok(_) => self.clock.sleep(EVERY).await,
            Err(error) => {
                tracing::warn!(%error, "old answers are forgotten later");
                self.clock.sleep(EVERY).await;
            }
        }
    }

    /// Forgets some; whether there may be more.
    async fn forget(&self) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(
            "DELETE FROM commands WHERE command_id = ANY(ARRAY( \
                 SELECT command_id FROM commands \
                 WHERE expires_at <= to_timestamp($1::float8 / 1e6) ORDER BY expires_at LIMIT $2))",
        )
        .bind(self.clock.now_us())
        .bind(AT_ONCE)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == AT_ONCE.unsigned_abs())
    }
}
