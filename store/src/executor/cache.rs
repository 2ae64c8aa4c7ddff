//! Aggregates in memory, as many as fit: what is durable of each, and the speculative state ahead of it.

use std::collections::VecDeque;

use domain::{AnyEvent, AnyState};
use hashlink::LinkedHashMap;

use super::{Reply, Request, weight::Weight};
use crate::{
    json::ToJson as _,
    log::{Meaning, Recorded, Sequence, Snapshot, StreamId},
};

/// Streams in use that are passed over in a row when room is made, before that is left to the next command.
const PASSED_MAX: usize = 64;

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

    /// The state after an event that was decided here.
    pub fn evolve(&mut self, event: AnyEvent) {
        self.fold(event);
        self.sequence += 1;
    }

    /// The state after the next stored event, whatever that means.
    pub fn follow(&mut self, events: Meaning) {
        events.into_iter().for_each(|event| self.fold(event));
        self.sequence += 1;
    }

    fn fold(&mut self, event: AnyEvent) {
        // The placeholder is an empty state, made and dropped without allocating.
        let placeholder = AnyState::initial(event.aggregate_type());
        let state = std::mem::replace(&mut self.state, placeholder);
        self.state = state.evolve(event);
    }
}

/// An aggregate that is in memory.
#[derive(Debug)]
pub struct Ready {
    /// The fold of the events that are durable.
    pub durable: Versioned,
    /// What is decided and not yet durable, in order.
    pending: VecDeque<AnyEvent>,
    /// The fold of both; made when a command comes while events are pending.
    ahead: Option<Box<Versioned>>,
    /// Commands of this aggregate that are decided and not yet durable.
    pub undecided_or_flying: usize,
    /// The last sequence that a snapshot holds, and how many bytes that took.
    saved: (Sequence, usize),
    weight: Weight,
    /// Nobody has looked whether the stream is as empty as this says; the first append proves it.
    guessed: bool,
    /// It was read, perhaps with what others have appended behind the head that this process knows; the first append proves
    /// that it was not.
    read: bool,
}

impl Ready {
    fn new(durable: Versioned, saved: Sequence) -> Self {
        let weight = Weight::of(&durable.state);
        Self {
            durable,
            pending: VecDeque::new(),
            ahead: None,
            undecided_or_flying: 0,
            saved: (saved, 0),
            weight,
            guessed: false,
            read: false,
        }
    }

    /// Whether the next command is the first that is on its way, on a state that the head which this process knows covers.
    pub const fn is_behind_no_other(&self) -> bool {
        self.undecided_or_flying == 0 && !self.read
    }

    /// Whether the next command is decided on nothing but a guess: what comes of it is to be appended with a proof.
    pub fn is_unproven(&self) -> bool {
        self.guessed && self.pending.is_empty()
    }

    /// The state that the next command is decided on.
    pub fn newest(&mut self) -> &Versioned {
        if self.ahead.is_none() && !self.pending.is_empty() {
            let mut ahead = Box::new(self.durable.clone());
            self.pending.iter().for_each(|event| ahead.evolve(event.clone()));
            self.ahead = Some(ahead);
        }
        self.ahead.as_deref().unwrap_or(&self.durable)
    }

    /// Events that were decided on the newest state; the version after them.
    pub fn expect(&mut self, events: &[AnyEvent]) -> Sequence {
        if self.pending.is_empty() {
            // Most aggregates get no other command before these events are durable.
            self.pending.reserve_exact(events.len());
        }
        self.pending.extend(events.iter().cloned());
        match &mut self.ahead {
            Some(ahead) => {
                events.iter().for_each(|event| ahead.evolve(event.clone()));
                ahead.sequence
            }
            None => self.durable.sequence + self.pending.len() as Sequence,
        }
    }

    /// Forgets what was expected: it is decided again.
    pub fn expect_nothing(&mut self) {
        self.pending = VecDeque::new();
        self.ahead = None;
    }

    /// The first so many of the expected events are durable.
    fn settle(&mut self, events: usize) {
        for event in self.pending.drain(..events.min(self.pending.len())) {
            self.durable.evolve(event);
        }
        if self.pending.is_empty() {
            // Room that is left would be most of what an idle aggregate takes.
            self.pending = VecDeque::new();
            // A small one is soon made again.
            if self.weight.is_light() {
                self.ahead = None;
            }
        }
    }

    /// A snapshot of what is durable, when the last one lies `every` events back: more for a large state, so that keeping
    /// snapshots never costs much beside what they are of.
    fn snapshot(&mut self, stream: &StreamId, every: Sequence) -> Option<Snapshot> {
        /// Bytes of a snapshot for which an event more is waited.
        const BYTES_AN_EVENT: usize = 64;
        let (saved, bytes) = self.saved;
        let due = every.max(Sequence::try_from(bytes / BYTES_AN_EVENT).unwrap_or(Sequence::MAX));
        if self.durable.sequence - saved < due {
            return None;
        }
        // Every state is JSON: keys are texts and numbers are whole.
        let state = self.durable.state.to_json().ok()?;
        self.saved = (self.durable.sequence, state.len());
        Some(Snapshot { stream: stream.clone(), sequence: self.durable.sequence, state })
    }
}

/// What is known of a stream.
#[derive(Debug)]
pub enum Slot {
    /// Being read by the load of that number. `seen` holds events that other processes appended since it began: the read
    /// may have missed them.
    Loading { load: u64, waiting: Vec<(Box<Request>, Reply)>, seen: Vec<Recorded> },
    /// In memory.
    Ready(Box<Ready>),
}

/// A stream that was read.
#[derive(Debug)]
pub struct Loaded {
    /// Its state.
    pub durable: Versioned,
    /// The last sequence in the snapshot that it was read from; 0 without one.
    pub saved: Sequence,
}

/// The streams in memory, those that were used last behind the others; together about `bytes_max` heavy at most.
#[derive(Debug)]
pub struct Cache {
    slots: LinkedHashMap<StreamId, Slot>,
    bytes: usize,
    bytes_max: usize,
    snapshot_every: Sequence,
}

impl Cache {
    pub fn new(bytes_max: usize, snapshot_every: Sequence) -> Self {
        Self { slots: LinkedHashMap::new(), bytes: 0, bytes_max, snapshot_every }
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

    /// Takes it that a stream is empty, without asking the log.
    pub fn guess_empty(&mut self, stream: &StreamId) {
        let mut ready = Ready::new(Versioned::initial(stream), 0);
        ready.guessed = true;
        self.bytes += ready.weight.bytes();
        self.slots.insert(stream.clone(), Slot::Ready(Box::new(ready)));
    }

    /// Whether what is in memory of a stream is a guess.
    pub fn is_guessed(&self, stream: &StreamId) -> bool {
        matches!(self.slots.get(stream), Some(Slot::Ready(ready)) if ready.guessed)
    }

    /// Begins to load a stream that is not in memory.
    pub fn begin_loading(&mut self, stream: StreamId, load: u64, first: (Box<Request>, Reply)) {
        self.slots.insert(stream, Slot::Loading { load, waiting: vec![first], seen: Vec::new() });
    }

    /// Whether a stream waits for this very load. One that was given up may come back after all: what others appended in
    /// the meantime was noted for it no longer.
    pub fn awaits(&self, stream: &StreamId, number: u64) -> bool {
        matches!(self.slots.get(stream), Some(Slot::Loading { load, .. }) if *load == number)
    }

    /// Puts a loaded stream into memory and returns the commands that waited for it, and a snapshot if there should be one.
    pub fn loaded(
        &mut self,
        stream: &StreamId,
        Loaded { mut durable, saved }: Loaded,
    ) -> (Vec<(Box<Request>, Reply)>, Option<Snapshot>) {
        let Some(Slot::Loading { waiting, seen, .. }) = self.slots.remove(stream) else {
            return (Vec::new(), None);
        };
        for recorded in seen {
            if recorded.sequence == durable.sequence + 1 {
                durable.follow(recorded.events);
            }
        }
        let mut ready = Ready::new(durable, saved);
        ready.read = true;
        let snapshot = ready.snapshot(stream, self.snapshot_every);
        self.bytes += ready.weight.bytes();
        self.slots.insert(stream.clone(), Slot::Ready(Box::new(ready)));
        (waiting, snapshot)
    }

    /// Gives up loading and returns the commands that waited.
    pub fn loading_failed(&mut self, stream: &StreamId) -> Vec<(Box<Request>, Reply)> {
        match self.slots.get_mut(stream) {
            Some(Slot::Loading { waiting, .. }) => {
                let waiting = std::mem::take(waiting);
                self.slots.remove(stream);
                waiting
            }
            Some(Slot::Ready(_)) | None => Vec::new(),
        }
    }

    /// One command of a stream is durable, with so many events, whose texts were so many bytes. A snapshot, if it is time.
    pub fn durable(&mut self, stream: &StreamId, events: usize, bytes: usize) -> Option<Snapshot> {
        let every = self.snapshot_every;
        let ready = self.ready_mut(stream)?;
        ready.undecided_or_flying -= 1;
        ready.settle(events);
        (ready.guessed, ready.read) = (false, false);
        let snapshot = ready.snapshot(stream, every);
        self.weigh(stream, bytes);
        snapshot
    }

    /// Folds an event that another process has appended; whether it has changed what commands are decided on.
    pub fn fold(&mut self, stream: &StreamId, recorded: Recorded, bytes: usize) -> bool {
        match self.slots.get_mut(stream) {
            Some(Slot::Ready(ready)) if recorded.sequence == ready.durable.sequence + 1 => {
                ready.durable.follow(recorded.events);
                ready.guessed = false;
                self.weigh(stream, bytes);
                true
            }
            Some(Slot::Loading { seen, .. }) => {
                seen.push(recorded);
                false
            }
            // What the load has brought already.
            Some(Slot::Ready(_)) | None => false,
        }
    }

    fn weigh(&mut self, stream: &StreamId, bytes: usize) {
        if let Some(Slot::Ready(ready)) = self.slots.get_mut(stream) {
            self.bytes -= ready.weight.bytes();
            ready.weight.grow(bytes, &ready.durable.state);
            self.bytes += ready.weight.bytes();
        }
    }

    /// Forgets a stream whose memory cannot be trusted.
    pub fn forget(&mut self, stream: &StreamId) {
        if let Some(Slot::Ready(ready)) = self.slots.remove(stream) {
            self.bytes -= ready.weight.bytes();
        }
    }

    /// Notes a use, and drops the streams that were not used for longest while they are too heavy together.
    pub fn touch(&mut self, stream: &StreamId) {
        self.slots.to_back(stream);
        let mut passed = 0;
        while self.bytes > self.bytes_max && passed < PASSED_MAX {
            let Some((oldest, slot)) = self.slots.front() else { break };
            let oldest = oldest.clone();
            if matches!(slot, Slot::Ready(ready) if ready.undecided_or_flying == 0) {
                self.forget(&oldest);
            } else {
                self.slots.to_back(&oldest);
                passed += 1;
            }
        }
    }
}
