//! What this process counts of one follower, for whoever watches it: no database is asked.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::lease::LEASE_MS;
use crate::log::Position;

/// Not held, or not known.
const NONE: i64 = -1;

/// Counted since this process began.
#[derive(Debug)]
pub struct Meter {
    name: &'static str,
    /// When the lease was taken or renewed, by the clock that never jumps.
    renewed_us: AtomicI64,
    position: AtomicI64,
    handled: AtomicU64,
    failures: AtomicU64,
}

/// What a meter shows at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Whose.
    pub name: &'static str,
    /// Whether this process holds the lease.
    pub held: bool,
    /// How far this process has come while it holds the lease.
    pub position: Option<Position>,
    /// Events that it is done with, those included that mean nothing to the follower; of timers, those that fired.
    pub handled: u64,
    /// Tries that failed.
    pub failures: u64,
}

impl Meter {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            renewed_us: AtomicI64::new(NONE),
            position: AtomicI64::new(NONE),
            handled: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    pub(super) fn renewed(&self, renewed_us: Option<i64>) {
        self.renewed_us.store(renewed_us.unwrap_or(NONE), Ordering::Relaxed);
        if renewed_us.is_none() {
            self.position.store(NONE, Ordering::Relaxed);
        }
    }

    pub(crate) fn reached(&self, position: Position) {
        self.position.store(position, Ordering::Relaxed);
    }

    pub(crate) fn handled(&self, events: usize) {
        self.handled.fetch_add(u64::try_from(events).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, now_us: i64) -> Reading {
        let renewed_us = self.renewed_us.load(Ordering::Relaxed);
        let position = self.position.load(Ordering::Relaxed);
        // A process that cannot renew its lease has it no longer than the database believes so.
        let held = renewed_us != NONE && now_us - renewed_us < LEASE_MS * 1_000;
        Reading {
            name: self.name,
            held,
            position: (held && position != NONE).then_some(position),
            handled: self.handled.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}
