//! Who listens, as whoever makes errands has to know it: kept in memory, and never older than the event in question.

use std::{sync::Arc, time::Duration};

use sqlx::{PgPool, Row as _, types::time::OffsetDateTime};
use store::ports::Clock;
use tokio::sync::Mutex;
use uuid::Uuid;

/// How often the database is asked at most; events that come in between wait for each other.
const PACE: Duration = Duration::from_millis(50);

/// An endpoint that is to be told.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Its id.
    pub id: Uuid,
    /// What it wants to hear; everything when empty.
    pub types: Vec<String>,
    /// Since when it listens, in microseconds since the epoch.
    pub since_us: i64,
    /// Whether it is told nothing for now.
    pub disabled: bool,
}

impl Listening {
    /// Whether it wants to hear of that.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| wanted == kind)
    }
}

struct Known {
    /// When the database was asked, by the calendar and by the clock that never jumps.
    asked_us: i64,
    elapsed_us: i64,
    rows: Arc<[Listening]>,
}

/// Who listens.
pub struct Listeners {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<Known>>,
}

impl Listeners {
    /// Those in the schema that `pool` sees.
    #[must_use]
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>) -> Self {
        Self { pool, clock, known: Mutex::new(None) }
    }

    /// Everybody who listened when that was recorded, and perhaps some who came later.
    ///
    /// # Errors
    /// The database's.
    pub async fn as_of(&self, recorded_at_us: i64) -> Result<Arc<[Listening]>, sqlx::Error> {
        // Another process's clock may be ahead of ours: whoever asked after this call began has seen enough.
        let needed_us = recorded_at_us.min(self.clock.now_us());
        let mut known = self.known.lock().await;
        if let Some(known) = &*known {
            if known.asked_us > needed_us {
                return Ok(Arc::clone(&known.rows));
            }
            let since_us = self.clock.elapsed_us().saturating_sub(known.elapsed_us);
            let since = Duration::from_micros(u64::try_from(since_us).unwrap_or(0));
            self.clock.sleep(PACE.saturating_sub(since)).await;
        }
        let (asked_us, elapsed_us) = (self.clock.now_us(), self.clock.elapsed_us());
        let rows =
            sqlx::query("SELECT id, types, created_at, disabled_at IS NOT NULL FROM webhook_endpoints")
                .fetch_all(&self.pool)
                .await?;
        let rows = rows
            .iter()
            .map(|row| {
                let since: OffsetDateTime = row.try_get(2)?;
                let since_us = i64::try_from(since.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
                Ok(Listening {
                    id: row.try_get(0)?,
                    types: row.try_get(1)?,
                    since_us,
                    disabled: row.try_get(3)?,
                })
            })
            .collect::<Result<Arc<[_]>, sqlx::Error>>()?;
        *known = Some(Known { asked_us, elapsed_us, rows: Arc::clone(&rows) });
        Ok(rows)
    }
}
