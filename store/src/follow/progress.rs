//! How far a follower of this process has come, and whether somebody waits for it.

use tokio::sync::watch;

use crate::log::Position;

/// Nobody has waited yet.
const NEVER: i64 = i64::MIN;

/// What one follower and those who read what it writes tell each other; cheap to clone.
#[derive(Clone, Debug)]
pub struct Progress {
    position: watch::Sender<Option<Position>>,
    /// When somebody waited last, by the clock that never jumps.
    wanted_us: watch::Sender<i64>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { position: watch::Sender::new(None), wanted_us: watch::Sender::new(NEVER) }
    }

    /// How far it has come; `None` while this process does not follow, as far as it knows.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        *self.position.borrow()
    }

    /// Tells whenever it comes further.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<Option<Position>> {
        self.position.subscribe()
    }

    /// Somebody waits at that time, as the clock tells it that never jumps: it goes on as soon as it may, and for a while
    /// at a quicker pace.
    pub fn want(&self, now_us: i64) {
        self.wanted_us.send_if_modified(|wanted_us| {
            let later = *wanted_us < now_us;
            *wanted_us = now_us.max(*wanted_us);
            later
        });
    }

    pub(super) fn wanted_us(&self) -> watch::Receiver<i64> {
        self.wanted_us.subscribe()
    }

    pub(super) fn reached(&self, position: Option<Position>) {
        self.position.send_replace(position);
    }
}
