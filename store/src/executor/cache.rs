//! Aggregates in memory: what is durable of each, and the speculative state ahead of it.

use std::collections::{HashMap, VecDeque};

use domain::{AnyEvent, AnyState};

use super::{Reply, Request};
use crate::log::{Recorded, Sequence, StreamId};

/// A state and the sequence of the last event in it.
#[derive(Clone, Debug)]
pub struct Versioned {
    pub state: AnyState,
    pub sequence: Sequence,
}

impl Versioned {
    pub fn initial(stream: &StreamId) -> Self {
        Self { state: AnyState::initial(stream.aggregate_type), sequence: 0 }
    }

    pub fn evolve(&mut self, event: AnyEvent) {
        // The placeholder is an empty state, made and dropped without allocating.
        let placeholder = AnyState::initial(event.aggregate_type());
        let state = std::mem::replace(&mut self.state, placeholder);
        self.state = state.evolve(event);
        self.sequence += 1;
    }
}

/// An aggregate that is in memory.
#[derive(Debug)]
pub struct Ready {
    /// The fold of the events that are durable.
    pub durable: Versioned,
    /// The fold of those and the ones still on their way; `None` while there were none.
    pub ahead: Option<Versioned>,
    /// Commands of this aggregate that are decided and not yet durable.
    pub undecided_or_flying: usize,
    used: u64,
}

/// What is known of a stream.
#[derive(Debug)]
pub enum Slot {
    /// Being read. `seen` holds events that other processes appended meanwhile: the read may have missed them.
    Loading { waiting: Vec<(Request, Reply)>, seen: Vec<Recorded> },
    /// In memory.
    Ready(Box<Ready>),
}

/// The streams in memory, at most about `streams_max` of them.
#[derive(Debug)]
pub struct Cache {
    slots: HashMap<StreamId, Slot>,
    /// Streams in the order of their use, with stale entries; the number tells which entry counts.
    uses: VecDeque<(u64, StreamId)>,
    clock: u64,
    streams_max: usize,
}

impl Cache {
    pub fn new(streams_max: usize) -> Self {
        Self { slots: HashMap::new(), uses: VecDeque::new(), clock: 0, streams_max }
    }

    pub fn get_mut(&mut self, stream: &StreamId) -> Option<&mut Slot> {
        self.slots.get_mut(stream)
    }

    pub fn ready_mut(&mut self, stream: &StreamId) -> Option<&mut Ready> {
        match self.slots.get_mut(stream) {
            Some(Slot::Ready(ready)) => Some(ready),
            Some(Slot::Loading { .. }) | None => None,
        }
    }

    pub fn begin_loading(&mut self, stream: StreamId, first: (Request, Reply)) {
        self.slots.insert(stream, Slot::Loading { waiting: vec![first], seen: Vec::new() });
    }

    /// Puts a loaded stream into memory and returns the commands that waited for it.
    pub fn loaded(&mut self, stream: &StreamId, mut durable: Versioned) -> Vec<(Request, Reply)> {
        let Some(Slot::Loading { waiting, seen }) = self.slots.remove(stream) else {
            return Vec::new();
        };
        for recorded in seen {
            if recorded.sequence == durable.sequence + 1 {
                durable.evolve(recorded.event);
            }
        }
        let ready = Ready { durable, ahead: None, undecided_or_flying: 0, used: 0 };
        self.slots.insert(stream.clone(), Slot::Ready(Box::new(ready)));
        waiting
    }

    /// Gives up loading and returns the commands that waited.
    pub fn loading_failed(&mut self, stream: &StreamId) -> Vec<(Request, Reply)> {
        match self.slots.remove(stream) {
            Some(Slot::Loading { waiting, .. }) => waiting,
            Some(ready @ Slot::Ready(_)) => {
                self.slots.insert(stream.clone(), ready);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Forgets a stream whose memory cannot be trusted.
    pub fn forget(&mut self, stream: &StreamId) {
        self.slots.remove(stream);
    }

    /// Notes a use, and drops the streams that were not used for longest while there are too many.
    pub fn touch(&mut self, stream: &StreamId) {
        self.clock += 1;
        let clock = self.clock;
        if let Some(ready) = self.ready_mut(stream) {
            ready.used = clock;
            self.uses.push_back((clock, stream.clone()));
        }
        while self.slots.len() > self.streams_max || self.uses.len() > self.streams_max.saturating_mul(4) {
            let Some((used, stream)) = self.uses.pop_front() else {
                break;
            };
            let Some(Slot::Ready(ready)) = self.slots.get(&stream) else {
                continue;
            };
            if ready.used != used {
                continue;
            }
            if ready.undecided_or_flying > 0 || self.slots.len() <= self.streams_max {
                // Still needed, or only the queue was long: it counts as used now.
                self.clock += 1;
                let clock = self.clock;
                if let Some(ready) = self.ready_mut(&stream) {
                    ready.used = clock;
                }
                self.uses.push_back((clock, stream));
                break;
            }
            self.slots.remove(&stream);
        }
    }
}
