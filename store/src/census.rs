//! How many events of each kind this process has appended: of all processes together, each event counts once.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use domain::AggregateType;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::executor::Appended;

/// Counted since this process began.
#[derive(Debug)]
pub struct Census {
    events: HashMap<(AggregateType, &'static str), AtomicU64>,
    /// Appends whose events were gone before they were counted.
    missed: AtomicU64,
}

impl Default for Census {
    fn default() -> Self {
        let kinds = AggregateType::ALL.iter().flat_map(|aggregate_type| {
            aggregate_type.event_types().iter().map(|(name, _)| ((*aggregate_type, *name), AtomicU64::new(0)))
        });
        Self { events: kinds.collect(), missed: AtomicU64::new(0) }
    }
}

impl Census {
    /// Counts for as long as the executor lives.
    pub async fn run(self: Arc<Self>, mut appended: Receiver<Appended>) {
        loop {
            match appended.recv().await {
                Ok((entries, _)) => {
                    for recorded in entries.iter().filter_map(|entry| entry.event.as_ref().ok()) {
                        let key = |event: &domain::AnyEvent| (event.aggregate_type(), event.event_type());
                        let counts = recorded.events.iter().filter_map(|event| self.events.get(&key(event)));
                        counts.for_each(|count| {
                            count.fetch_add(1, Relaxed);
                        });
                    }
                }
                Err(RecvError::Lagged(appends)) => {
                    self.missed.fetch_add(appends, Relaxed);
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// How many of each, by kind of aggregate and name.
    pub fn events(&self) -> impl Iterator<Item = (AggregateType, &'static str, u64)> {
        AggregateType::ALL.iter().flat_map(|aggregate_type| {
            aggregate_type.event_types().iter().filter_map(|(name, _)| {
                let count = self.events.get(&(*aggregate_type, *name))?;
                Some((*aggregate_type, *name, count.load(Relaxed)))
            })
        })
    }

    /// Appends whose events were gone before they were counted.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Relaxed)
    }
}
