//! Counts what moved in an index, for answers that are kept.

use std::sync::atomic::{AtomicU64, Ordering};

use super::index::Moved;

/// How often each thing that an answer may depend on has moved.
#[derive(Debug, Default)]
pub(super) struct Moves([AtomicU64; 5]);

impl Moves {
    pub fn count(&self, moved: Moved) {
        let all = [moved.products, moved.price, moved.available, moved.sold, moved.rating];
        for (count, _) in self.0.iter().zip(all).filter(|(_, moved)| *moved) {
            count.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub fn now(&self) -> [u64; 5] {
        std::array::from_fn(|nth| self.0[nth].load(Ordering::Acquire))
    }
}
