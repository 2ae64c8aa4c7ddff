//! Compares rows of stock with the log by itself, a few SKUs now and then: what a row says with what its events come to.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use domain::{AggregateType, AnyState};
use sqlx::PgPool;
use store::{
    executor::folded,
    log::{Log, LogError, StreamId},
    ports::Clock,
};

/// How often some are compared, and how many: little enough that nobody feels it.
const EVERY: Duration = Duration::from_secs(10);
const SKUS: i64 = 50;

const ROWS: &str =
    "SELECT sku, on_hand, reserved, backordered, version FROM stock WHERE sku > $1 ORDER BY sku LIMIT $2";

/// What was found since this process began; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct StockChecked(Arc<Found>);

#[derive(Debug, Default)]
struct Found {
    compared: AtomicU64,
    differing: Mutex<BTreeSet<String>>,
}

impl StockChecked {
    /// Rows that were compared.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.0.compared.load(Relaxed)
    }

    /// SKUs whose row was not what its events come to when it was compared last.
    #[must_use]
    pub fn differing(&self) -> usize {
        self.0.differing.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn compared_one(&self, sku: String, row: [i64; 3], should: [i64; 3]) {
        self.0.compared.fetch_add(1, Relaxed);
        let mut differing = self.0.differing.lock().unwrap_or_else(PoisonError::into_inner);
        if row == should {
            differing.remove(&sku);
        } else if differing.insert(sku.clone()) {
            tracing::error!(
                sku,
                ?row,
                ?should,
                "a row of stock (on hand, reserved, backordered) is not what its events come to: \
                 see `daybook projections rebuild stock`"
            );
        }
    }

    /// Compares for ever, round and round.
    pub async fn keep(self, pool: PgPool, log: Arc<dyn Log>, clock: Arc<dyn Clock>) {
        let mut after = String::new();
        loop {
            clock.sleep(EVERY).await;
            match self.some(&pool, &*log, &after).await {
                Ok(last) => after = last.unwrap_or_default(),
                Err(error) => tracing::debug!(%error, "stock could not be compared with the log"),
            }
        }
    }

    /// Compares the next SKUs; returns the last of them, if there were any.
    ///
    /// # Errors
    /// When the rows or the log cannot be read.
    pub async fn some(&self, pool: &PgPool, log: &dyn Log, after: &str) -> Result<Option<String>, LogError> {
        let rows: Vec<(String, i64, i64, i64, i64)> =
            sqlx::query_as(ROWS).bind(after).bind(SKUS).fetch_all(pool).await?;
        let last = rows.last().map(|(sku, ..)| sku.clone());
        for (sku, on_hand, reserved, backordered, version) in rows {
            let (state, sequence) = folded(log, &StreamId::new(AggregateType::InventoryItem, &sku)).await?;
            // One that is behind is compared in a later round; how far behind it may be, others say.
            if sequence == version
                && let AnyState::InventoryItem(item) = state
            {
                let should = [item.on_hand(), item.reserved(), item.backordered()];
                self.compared_one(sku, [on_hand, reserved, backordered], should);
            }
        }
        Ok(last)
    }
}
