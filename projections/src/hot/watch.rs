//! What no event tells: a read model that was emptied, filled anew or taken over, a stream that was seen to by hand, a feed
//! that is behind.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use store::{log::Position, ports::Clock};
use uuid::Uuid;

use crate::{ReadModels, orders, products, read_models::Standing, stock};

/// How often the read models are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The read models that kept answers rest on.
const NAMES: [&str; 3] = [products::NAME, stock::NAME, orders::NAME];

/// What was last seen of each read model.
#[derive(Default)]
pub(super) struct Watched([State; NAMES.len()]);

#[derive(Default)]
struct State {
    /// Whether its rows are of the log as it is.
    sound: AtomicBool,
    /// Whether it has set nothing aside, and goes on without nothing.
    whole: AtomicBool,
    /// How often everything kept of it was given up.
    emptied: AtomicU64,
    /// How far it had come.
    position: AtomicI64,
}

/// How often each had been emptied at a moment.
pub(super) struct Emptied([u64; NAMES.len()]);

impl Emptied {
    pub const fn times(&self, place: usize) -> u64 {
        self.0[place]
    }
}

impl Watched {
    pub fn place(&self, follower: &str) -> Option<usize> {
        NAMES.iter().position(|name| *name == follower)
    }

    pub fn emptied(&self) -> Emptied {
        Emptied(self.0.each_ref().map(|state| state.emptied.load(Ordering::Acquire)))
    }

    /// Whether what was read when it had been emptied so often can still be given, by a feed that has come so far: one that
    /// is behind the read model would hold back what the read model would show.
    pub fn stands(&self, place: usize, emptied: u64, reached: Position) -> bool {
        let state = &self.0[place];
        state.sound.load(Ordering::Acquire)
            && state.emptied.load(Ordering::Acquire) == emptied
            && state.position.load(Ordering::Relaxed) <= reached
    }

    /// Whether the events up to there say what the read model would show if it had come so far, and it has come no further.
    pub fn leaves_nothing_out(&self, place: usize, tip: Position) -> bool {
        let state = &self.0[place];
        state.sound.load(Ordering::Acquire)
            && state.whole.load(Ordering::Acquire)
            && state.position.load(Ordering::Relaxed) <= tip
    }

    /// Looks at the read models for ever. While they do not answer, what was seen last goes on to be true of the log.
    pub async fn run(&self, read: &ReadModels, incarnation: Uuid, clock: &dyn Clock) {
        let mut last: [Option<Standing>; NAMES.len()] = Default::default();
        loop {
            match read.standings(&NAMES).await {
                Ok(found) => {
                    for ((name, state), last) in NAMES.iter().zip(&self.0).zip(&mut last) {
                        let now = found.iter().find(|standing| standing.name == *name);
                        state.see(last.as_ref(), now, incarnation);
                        *last = now.cloned();
                    }
                }
                Err(error) => tracing::debug!(%error, "the read models cannot be looked at"),
            }
            clock.sleep(LOOK_EVERY).await;
        }
    }
}

impl State {
    fn see(&self, last: Option<&Standing>, now: Option<&Standing>, incarnation: Uuid) {
        let same =
            |now: &Standing| last.is_some_and(|last| now.fence == last.fence && now.aside == last.aside);
        // Whoever empties a read model or takes it over raises its fence; whoever sees to a stream moves what is aside.
        if last.is_some() && !now.is_some_and(same) {
            self.emptied.fetch_add(1, Ordering::Release);
        }
        self.whole.store(now.is_some_and(|now| now.whole), Ordering::Release);
        self.position.store(now.map_or(0, |now| now.position), Ordering::Relaxed);
        self.sound.store(now.is_some_and(|now| now.incarnation == Some(incarnation)), Ordering::Release);
    }
}
