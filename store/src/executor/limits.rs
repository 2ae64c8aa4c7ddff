//! What an executor may take of time and memory.

use std::time::Duration;

use crate::log::Sequence;

/// Bounds of one executor.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Commands that may wait to be taken up; beyond, callers are told that it is overloaded.
    pub waiting_max: usize,
    /// Commands that may be decided and not yet durable.
    pub undurable_max: usize,
    /// Events of one append.
    pub batch_events_max: usize,
    /// About how many bytes the aggregates in memory may take.
    pub cache_bytes_max: usize,
    /// Events of a stream after which a snapshot is kept of it; more for a large state.
    pub snapshot_every: Sequence,
    /// How long an append is tried again after the connection broke.
    pub give_up_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            waiting_max: 8_192,
            undurable_max: 8_192,
            batch_events_max: 2_000,
            cache_bytes_max: 256 << 20,
            snapshot_every: 1_000,
            give_up_after: Duration::from_secs(20),
        }
    }
}
