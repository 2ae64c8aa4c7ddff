//! What an answer rests on, and for how long it can be trusted.

use std::sync::{Arc, atomic::Ordering};

use domain::value::Time;
use store::log::{Position, StreamId};

use super::{Claim, Inner, Weighed, watch::Emptied};
use crate::{Fresh, fresh::Seen};

/// An answer with what it rests on; without that it cannot be kept.
#[derive(Clone, Debug)]
pub struct Based<T> {
    /// The answer.
    pub fresh: Fresh<T>,
    /// What it rests on.
    pub basis: Option<Basis>,
}

/// The streams that an answer follows from, as read models have shown them, and until when they tell the same.
#[derive(Clone, Debug)]
pub struct Basis {
    parts: Vec<Part>,
    until: Option<Time>,
}

/// What one read model has told.
#[derive(Clone, Debug)]
struct Part {
    follower: &'static str,
    seen: Seen,
    streams: Vec<StreamId>,
}

/// An answer in memory.
pub(super) struct Kept<T> {
    pub value: Arc<T>,
    parts: Box<[KeptPart]>,
    until: Option<Time>,
}

struct KeptPart {
    /// The read model's place among those that are watched.
    watched: usize,
    /// How often it had been emptied before it was asked.
    emptied: u64,
    /// Its checkpoint in the snapshot that the rows came from.
    read_at: Position,
    /// Where events of the streams would show.
    slots: Box<[u32]>,
}

impl<T> Kept<T> {
    pub fn slots(&self) -> usize {
        self.parts.iter().map(|part| part.slots.len()).sum()
    }

    /// The least of the checkpoints that it was read at.
    pub fn read_at(&self) -> Position {
        self.parts.iter().map(|part| part.read_at).min().unwrap_or(0)
    }
}

impl<T> Based<Option<T>> {
    /// The same with something made of the value, where there is one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn try_map<U, E>(self, change: impl FnOnce(T) -> Result<U, E>) -> Result<Based<Option<U>>, E> {
        let Fresh { value, reflects, stale_since } = self.fresh;
        let value = value.map(change).transpose()?;
        Ok(Based { fresh: Fresh { value, reflects, stale_since }, basis: self.basis })
    }
}

impl Basis {
    pub(crate) fn new(follower: &'static str, seen: Seen, streams: Vec<StreamId>) -> Self {
        Self { parts: vec![Part { follower, seen, streams }], until: None }
    }

    /// Both, at most until then.
    pub(crate) fn and(mut self, other: Self, until: Option<Time>) -> Self {
        self.parts.extend(other.parts);
        Self { until, ..self }
    }
}

impl<T: Weighed> Inner<T> {
    /// An answer ready to be kept, unless a part of it was set aside, or is of another life of the log.
    pub(super) fn entry(&self, value: Arc<T>, basis: Basis, emptied: &Emptied) -> Option<Kept<T>> {
        let parts = basis.parts.into_iter().map(|Part { follower, seen, streams }| {
            let watched = self.watched.place(follower)?;
            let healthy = seen.parked_from.is_none() && seen.incarnation == Some(self.feed.incarnation());
            healthy.then(|| KeptPart {
                watched,
                emptied: emptied.times(watched),
                read_at: seen.position,
                slots: streams
                    .iter()
                    .map(|stream| self.touched.slot(stream.aggregate_type.as_str(), &stream.id))
                    .collect(),
            })
        });
        Some(Kept { value, parts: parts.collect::<Option<_>>()?, until: basis.until })
    }

    /// Up to where an answer is known to be true, if nothing stands against it.
    pub(super) fn claim(&self, kept: &Kept<T>) -> Option<Claim> {
        if kept.until.is_some_and(|until| self.clock.now() >= until) {
            return None;
        }
        // First of all: whatever happened up to here is marked by now, and what is marked later only forbids more.
        let reached = self.reached.load(Ordering::Acquire);
        let mut position = Position::MAX;
        for part in &kept.parts {
            let untouched = |slot: &u32| self.touched.last(*slot) <= part.read_at;
            if !self.watched.stands(part.watched, part.emptied, reached) || !part.slots.iter().all(untouched)
            {
                return None;
            }
            position = position.min(part.read_at.max(reached));
        }
        Some(Claim { incarnation: self.feed.incarnation(), position })
    }
}
