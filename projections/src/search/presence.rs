//! Says in a row that this process keeps an index: whoever asks something of them knows whom to wait for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use sqlx::PgPool;
use store::ports::Clock;
use tokio::sync::watch;
use uuid::Uuid;

use super::{check::Checked, source::Look};

/// How often a process says that it is there.
pub(super) const SAY_EVERY: Duration = Duration::from_secs(1);

/// A process that keeps an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Process {
    /// This run of it.
    pub instance: Uuid,
    /// The machine's name.
    pub host: String,
    /// The process's number there.
    pub pid: i64,
    /// Its index's engine.
    pub engine: String,
}

impl Process {
    /// This one.
    pub(super) fn this(instance: Uuid, engine: &str) -> Self {
        // Linux says it here; elsewhere the process's number and run have to do.
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = if host.trim().is_empty() { "localhost" } else { host.trim() };
        let pid = i64::from(std::process::id());
        Self { instance, host: host.to_owned(), pid, engine: engine.to_owned() }
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} process {} ({})", self.host, self.pid, self.instance)
    }
}

/// The row of this process; cheap to clone.
#[derive(Clone)]
pub(super) struct Presence {
    pub pool: PgPool,
    pub clock: Arc<dyn Clock>,
    pub process: Process,
    pub shared: bool,
    /// Whether this process is the one that writes an index that all share.
    pub writes: Arc<AtomicBool>,
    pub look: watch::Receiver<Option<Arc<Look>>>,
    pub checked: watch::Receiver<Option<Checked>>,
}

impl Presence {
    /// Says so for as long as it is driven.
    pub async fn stay(self) {
        loop {
            if let Err(error) = self.say().await {
                tracing::debug!(%error, "the row of this process's search index is not written");
            }
            self.clock.sleep(SAY_EVERY).await;
        }
    }

    async fn say(&self) -> Result<(), sqlx::Error> {
        let position = self.look.borrow().as_ref().map(|look| look.marker().position);
        let checked = *self.checked.borrow();
        sqlx::query(
            "INSERT INTO search_indexes \
             (instance, host, pid, engine, shared, writes, position, checked_position, differences) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (instance) DO UPDATE \
             SET writes = $6, position = $7, checked_position = $8, differences = $9, seen_at = now()",
        )
        .bind(self.process.instance)
        .bind(&self.process.host)
        .bind(self.process.pid)
        .bind(&self.process.engine)
        .bind(self.shared)
        .bind(!self.shared || self.writes.load(Ordering::Relaxed))
        .bind(position)
        .bind(checked.map(|checked| checked.position))
        .bind(checked.map(|checked| checked.differences))
        .execute(&self.pool)
        .await
        .map(drop)
    }

    /// Says that it is there no longer; `stay` is not to be driven any more.
    pub async fn leave(&self) {
        let left = sqlx::query("DELETE FROM search_indexes WHERE instance = $1")
            .bind(self.process.instance)
            .execute(&self.pool)
            .await;
        if let Err(error) = left {
            tracing::debug!(%error, "the row of this process's search index stays until somebody clears it away");
        }
    }
}
