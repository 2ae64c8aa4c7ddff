//! The last few ids that something was done for, so that doing it again needs no round trip.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// Ids that are remembered.
const IDS_MAX: usize = 4_096;

/// Ids, the oldest forgotten first; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(Arc<Mutex<Ids>>);

#[derive(Debug, Default)]
struct Ids {
    order: VecDeque<Uuid>,
    known: HashSet<Uuid>,
}

impl Recent {
    pub(super) fn knows(&self, id: Uuid) -> bool {
        self.ids().known.contains(&id)
    }

    pub(super) fn remember(&self, id: Uuid) {
        let mut ids = self.ids();
        if !ids.known.insert(id) {
            return;
        }
        ids.order.push_back(id);
        if ids.order.len() > IDS_MAX
            && let Some(oldest) = ids.order.pop_front()
        {
            ids.known.remove(&oldest);
        }
    }

    /// Whoever panicked in between has left a set of ids all the same.
    fn ids(&self) -> MutexGuard<'_, Ids> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let recent = Recent::default();
        let ids: Vec<Uuid> = (0..=IDS_MAX as u128).map(Uuid::from_u128).collect();
        for id in &ids {
            recent.remember(*id);
            recent.remember(*id);
        }
        assert!(!recent.knows(ids[0]));
        assert!(ids[1..].iter().all(|id| recent.clone().knows(*id)));
    }
}
