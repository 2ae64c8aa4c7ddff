//! Where each stream was last moved on, in memory that does not grow.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicI64, Ordering},
};

use store::log::Position;

/// Streams share so many slots, of eight bytes each. Two that share one are taken for one: then an answer is asked for again
/// that need not be, which at 10,000 events a second happens to it about once in half a minute.
const SLOTS: usize = 1 << 18;

/// The last position at which something happened to a stream, or to another one in the same slot.
pub(super) struct Touched {
    slots: Box<[AtomicI64]>,
    /// Of this process alone, so that nobody can choose ids that share a slot.
    hasher: RandomState,
}

impl Touched {
    /// What happened up to a position is not known, and may have happened to any stream.
    pub fn since(position: Position) -> Self {
        let slots = (0..SLOTS).map(|_| AtomicI64::new(position)).collect();
        Self { slots, hasher: RandomState::new() }
    }

    /// The slot of a stream.
    pub fn slot(&self, aggregate_type: &str, id: &str) -> u32 {
        // There are fewer slots than u32 can tell.
        (self.hasher.hash_one((aggregate_type, id)) % SLOTS as u64) as u32
    }

    pub fn mark(&self, slot: u32, position: Position) {
        self.slots[slot as usize].fetch_max(position, Ordering::Relaxed);
    }

    pub fn last(&self, slot: u32) -> Position {
        self.slots[slot as usize].load(Ordering::Relaxed)
    }
}
