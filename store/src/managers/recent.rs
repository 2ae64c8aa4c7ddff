//! What was learned of late, so that learning it again needs no round trip.

use std::{
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hashlink::LruCache;

/// Things that are remembered.
const KEPT_MAX: usize = 4_096;

/// Values by their names, those that were not asked for the longest forgotten first; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Recent<K, V>(Arc<Mutex<LruCache<K, V>>>);

impl<K: Eq + Hash, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(KEPT_MAX))))
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn get(&self, name: &K) -> Option<V> {
        self.all().get(name).cloned()
    }

    pub(super) fn remember(&self, name: K, value: V) {
        self.all().insert(name, value);
    }

    /// Whoever panicked in between has left a cache all the same.
    fn all(&self) -> MutexGuard<'_, LruCache<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_the_longest_is_forgotten_first() {
        let recent = Recent::default();
        for name in 0..KEPT_MAX {
            recent.remember(name, ());
        }
        assert!(recent.get(&0).is_some());
        recent.remember(KEPT_MAX, ());
        assert!(recent.get(&1).is_none());
        assert!((2..=KEPT_MAX).chain([0]).all(|name| recent.clone().get(&name).is_some()));
    }
}
