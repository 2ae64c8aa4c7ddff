//! Follows the feed: marks whatever happens to what kept answers can rest on, and then how far that is known.

use std::{sync::atomic::Ordering, time::Duration};

use domain::{AggregateType, AnyEvent, payment};
use store::feed::Entry;

use super::{Inner, Weighed};

/// Events looked at in one go.
const PAGE: usize = 2_000;
/// How long to wait for more, and after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// What kept answers rest on.
const KINDS: [AggregateType; 4] =
    [AggregateType::Product, AggregateType::InventoryItem, AggregateType::Order, AggregateType::Payment];

impl<T: Weighed> Inner<T> {
    /// Follows for ever. While the log cannot be read, what is known stays where it is.
    pub(super) async fn follow(&self) {
        loop {
            let reached = self.reached.load(Ordering::Relaxed);
            match self.feed.after(reached, PAGE, PAUSE).await {
                Ok(entries) => {
                    for entry in &entries {
                        self.mark(entry);
                    }
                    if let Some(last) = entries.last() {
                        // Not before everything up to there is marked.
                        self.reached.store(last.position, Ordering::Release);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "kept answers cannot be followed: they claim no more than they did");
                    self.clock.sleep(PAUSE).await;
                }
            }
        }
    }

    /// By the names that it is stored under: an event that cannot be understood has happened all the same.
    fn mark(&self, entry: &Entry) {
        let (aggregate_type, id) = (&*entry.key.0, &*entry.key.1);
        if !KINDS.iter().any(|kind| kind.as_str() == aggregate_type) {
            return;
        }
        self.touched.mark(self.touched.slot(aggregate_type, id), entry.position);
        // An order shows the newest payment that names it.
        for event in entry.event.iter().flat_map(|recorded| &recorded.events) {
            if let AnyEvent::Payment(payment::Event::IntentOpened { order, .. }) = event {
                let slot = self.touched.slot(AggregateType::Order.as_str(), order.as_str());
                self.touched.mark(slot, entry.position);
            }
        }
    }
}
