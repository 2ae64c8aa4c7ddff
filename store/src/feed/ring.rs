//! What the feed keeps in memory: the newest events, and where this process's own appends ended.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use super::Entry;
use crate::log::{Head, Position};

/// Events kept in memory, and bytes of their texts; a follower that is further behind reads the log itself.
const RING: usize = 20_000;
const RING_BYTES: usize = 16 << 20;
/// Appends of this process whose heads are kept in memory.
const ENDS: usize = 1_000;

/// The newest events, one behind the other.
#[derive(Default)]
pub(super) struct Ring {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// Where the events of each stream are, by a hash of its type and id.
    streams: HashMap<u64, VecDeque<Position>>,
    hasher: RandomState,
    /// Of this process's own appends the first position, and the log's head with it.
    ends: VecDeque<(Position, Head)>,
}

impl Ring {
    pub fn push(&mut self, entry: Arc<Entry>) {
        self.bytes += entry.bytes();
        self.streams.entry(self.hasher.hash_one(&entry.key)).or_default().push_back(entry.position);
        self.entries.push_back(entry);
        // The newest one stays, however long.
        while self.entries.len() > RING || (self.bytes > RING_BYTES && self.entries.len() > 1) {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= oldest.bytes();
            let hash = self.hasher.hash_one(&oldest.key);
            if let Some(positions) = self.streams.get_mut(&hash) {
                positions.pop_front();
                if positions.is_empty() {
                    self.streams.remove(&hash);
                }
            }
        }
    }

    /// What is there of one stream, in order.
    pub fn stream(&self, key: &(Arc<str>, Arc<str>)) -> Vec<Arc<Entry>> {
        let Some(first) = self.entries.front().map(|entry| entry.position) else { return Vec::new() };
        let positions = self.streams.get(&self.hasher.hash_one(key)).into_iter().flatten();
        let found =
            positions.filter_map(|position| self.entries.get(usize::try_from(position - first).ok()?));
        found.filter(|entry| entry.key == *key).cloned().collect()
    }

    /// Notes an append of this process: its first position, and where the log stood with it.
    pub fn appended(&mut self, first: Position, head: Head) {
        self.ends.push_back((first, head));
        if self.ends.len() > ENDS {
            self.ends.pop_front();
        }
    }

    /// Where the log stood with the append of this process that brought a position.
    pub fn head_with(&self, position: Position) -> Option<Head> {
        let (first, head) = self.ends.iter().rev().find(|(first, _)| *first <= position)?;
        (*first..=head.position).contains(&position).then_some(*head)
    }

    /// At most `max` entries after a position; `None` when that is no longer there.
    pub fn after(&self, position: Position, max: usize) -> Option<Vec<Arc<Entry>>> {
        let first = self.entries.front()?.position;
        let skip = usize::try_from(position + 1 - first).ok()?;
        Some(self.entries.iter().skip(skip).take(max).cloned().collect())
    }
}
