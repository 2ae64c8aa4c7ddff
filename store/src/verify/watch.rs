//! Looks at what was written lately, over and over: a changed event is found within a minute, and not on the next night alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sqlx::PgPool;
use tokio::sync::watch;

use super::{Anchor, Verified, verify_newest};
use crate::{
    log::{Log, LogError, Position},
    ports::Clock,
};

/// How long it rests in between.
const REST: Duration = Duration::from_secs(30);
/// Events that it reads at a time: about a tenth of a second's work. What a busy shop writes beyond is left to
/// `daybook verify`.
const NEWEST: Position = 20_000;

/// What was found since this process began.
#[derive(Debug, Default)]
pub struct Watched {
    position: AtomicI64,
    events: AtomicU64,
    findings: AtomicU64,
}

impl Watched {
    /// Up to where it has looked; 0 before the first time.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position.load(Relaxed)
    }

    /// Events that it has read.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Relaxed)
    }

    /// Things that were not as they were written.
    #[must_use]
    pub fn findings(&self) -> u64 {
        self.findings.load(Relaxed)
    }
}

/// Verifies what stands behind `seen`, and of that the newest events only, about so many.
///
/// # Errors
/// When the log cannot be read.
pub async fn verify_end(
    pool: &PgPool,
    log: &dyn Log,
    seen: Option<Anchor>,
    newest: Position,
) -> Result<Verified, LogError> {
    let head = log.head().await?;
    let (position, link) = log.link_at((head.position - newest).max(0)).await?;
    let start = seen.filter(|seen| seen.position > position).unwrap_or(Anchor { position, link });
    verify_newest(pool, start).await
}

/// Looks at the log's end.
pub struct ChainWatch {
    /// The log's database.
    pub pool: PgPool,
    /// The log.
    pub log: Arc<dyn Log>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where it says what it finds.
    pub watched: Arc<Watched>,
}

impl ChainWatch {
    /// Looks until `stop` says so or its sender is gone.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut seen: Option<Anchor> = None;
        loop {
            tokio::select! {
                looked = self.look(seen) => match looked {
                    Ok(anchor) => seen = Some(anchor),
                    Err(error) => tracing::warn!(%error, "the log's end could not be verified; tried again"),
                },
                _ = stop.wait_for(|stop| *stop) => return,
            }
            tokio::select! {
                () = self.clock.sleep(REST) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn look(&self, seen: Option<Anchor>) -> Result<Anchor, LogError> {
        let verified = verify_end(&self.pool, &*self.log, seen, NEWEST).await?;
        self.watched.position.store(verified.anchor.position, Relaxed);
        self.watched.events.fetch_add(u64::try_from(verified.events).unwrap_or(0), Relaxed);
        self.watched.findings.fetch_add(verified.findings_total, Relaxed);
        if let Some(finding) = verified.findings.first() {
            tracing::error!(%finding, findings = verified.findings_total, "the log was changed: see \"The log was changed\" in docs/OPERATIONS.md");
        }
        Ok(verified.anchor)
    }
}
