//! Destroys the keys of those who are forgotten: as soon as the log says so, and again after a restore of the keys.

use std::{sync::Arc, time::Duration};

use domain::{AggregateType, AnyEvent, subject::Event};
use sqlx::PgPool;
use tokio::sync::watch;

use crate::{
    feed::{Entry, Feed},
    log::Position,
    ports::Clock,
    vault::{Vault, VaultError},
};

/// Events looked at in one go.
const PAGE: usize = 2_000;
/// How long to wait for more, and after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Every process does this for itself, because each holds keys in memory; doing it twice does nothing.
pub struct Forgetting {
    /// Where the keys are.
    pub vault: Vault,
    /// Who is forgotten from now on.
    pub feed: Feed,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Up to where everybody is forgotten.
    pub after: Position,
}

impl Forgetting {
    /// Follows the log until told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.turn() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn turn(&mut self) {
        let entries = match self.feed.after(self.after, PAGE, PAUSE).await {
            Ok(entries) => entries,
            Err(error) => return self.again(&error).await,
        };
        let subjects: Vec<&str> = entries.iter().filter_map(|entry| forgotten(entry)).collect();
        if let Err(error) = self.vault.forget(&subjects).await {
            return self.again(&error).await;
        }
        self.after = entries.last().map_or(self.after, |entry| entry.position);
    }

    async fn again(&self, error: &(dyn std::error::Error + Sync)) {
        tracing::error!(%error, "somebody may not be forgotten yet; trying again");
        self.clock.sleep(PAUSE).await;
    }
}

fn forgotten(entry: &Entry) -> Option<&str> {
    let forgotten = |event: &AnyEvent| matches!(event, AnyEvent::Subject(Event::Forgotten { .. }));
    entry.event.as_ref().ok()?.events.iter().any(forgotten).then_some(&*entry.key.1)
}

/// Forgets everybody whom the log says to be forgotten: before anything is served, for the keys may have been restored.
///
/// # Errors
/// When the log or the keys cannot be reached.
pub async fn catch_up(log: &PgPool, vault: &Vault) -> Result<(), VaultError> {
    let subjects: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT aggregate_id FROM events WHERE aggregate_type = $1")
            .bind(AggregateType::Subject.as_str())
            .fetch_all(log)
            .await?;
    let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
    vault.forget(&subjects).await
}
