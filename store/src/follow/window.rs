//! Work of a reactor on its way.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque, btree_map::Entry},
    sync::Arc,
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use uuid::Uuid;

use super::{React, ReactError, foreseen::Foresight, waiting::Waiting};
use crate::{
    feed,
    log::{DecodeError, Log, Meant, Position, Recorded},
    trace,
};

/// Work on its way.
pub(super) struct Window {
    /// Everything up to here has been read.
    pub(super) read: Position,
    /// What of it is not done, and in how many lanes: one, unless a stored event means several.
    pub(super) open: BTreeMap<Position, usize>,
    /// What waits in each lane behind the one that is worked on.
    pub(super) lanes: HashMap<Arc<str>, VecDeque<Arc<feed::Entry>>>,
    pub(super) working: Working,
    /// What is decided and not read yet.
    pub(super) foresight: Foresight,
    /// Lanes that were set aside.
    pub(super) waiting: Waiting,
    /// Events that it goes on without, by their ids and lanes.
    pub(super) skipped: HashSet<(Uuid, Arc<str>)>,
    /// What follows is of a newer program: the rest is done, and no more is read.
    pub(super) too_new: Option<DecodeError>,
}

pub(super) type Working = FuturesUnordered<BoxFuture<'static, Ended>>;

/// Work that has ended, for now.
pub(super) struct Ended {
    pub(super) lane: Arc<str>,
    pub(super) work: Work,
    /// When it began, by the clock that never jumps.
    pub(super) began_us: i64,
    pub(super) outcome: Result<(), ReactError>,
}

/// What is worked on.
pub(super) enum Work {
    /// The next event of a lane.
    Next(Arc<feed::Entry>),
    /// The event at that position, whose lane was set aside.
    Again(Position),
    /// The event of that id, which is not durable yet.
    Foreseen(Uuid),
}

impl Window {
    /// Whether an event is left out in a lane.
    pub(super) fn skips(&self, entry: &feed::Entry, lane: &str) -> bool {
        !self.skipped.is_empty() && self.skipped.contains(&(entry.event_id, lane.into()))
    }

    /// Everything up to here is done.
    pub(super) fn done(&self) -> Position {
        self.open.first_key_value().map_or(self.read, |(first, _)| first - 1)
    }

    /// One of the lanes that an event lies in has done with it; whether it was the last.
    pub(super) fn close(&mut self, position: Position) -> bool {
        let Entry::Occupied(mut open) = self.open.entry(position) else { return true };
        *open.get_mut() -= 1;
        if *open.get() == 0 {
            open.remove();
            return true;
        }
        false
    }
}

pub(super) async fn attempt(react: &dyn React, lane: &str, entry: &feed::Entry) -> Result<(), ReactError> {
    match &entry.event {
        Ok(recorded) => react_in(react, lane, recorded).await,
        Err(error) => Err(ReactError(error.to_string())),
    }
}

/// What an event means in one lane, in order; all that it means in the lane of its whole stream.
async fn react_in(react: &dyn React, lane: &str, recorded: &Recorded) -> Result<(), ReactError> {
    trace::reacting(react.name(), recorded, all_in(react, lane, recorded)).await
}

async fn all_in(react: &dyn React, lane: &str, recorded: &Recorded) -> Result<(), ReactError> {
    for meant in in_lane(react, lane, recorded) {
        react.react(meant).await?;
    }
    Ok(())
}

/// What an event means in one lane.
pub(super) fn in_lane<'a>(
    react: &dyn React,
    lane: &str,
    recorded: &'a Recorded,
) -> impl Iterator<Item = Meant<'a>> {
    let ours = move |meant| react.lane(meant).as_deref() == Some(lane);
    // What was set aside under its stream's name, or before an upcaster split it, is in no lane of what it means now: then
    // all of that is due.
    let all = recorded.events.len() == 1 || !recorded.meant().any(ours);
    recorded.meant().filter(move |meant| all || ours(*meant))
}

pub(super) async fn read_and_react(
    log: &dyn Log,
    react: &dyn React,
    lane: &str,
    position: Position,
) -> Result<(), ReactError> {
    let found = log.recorded_after(position - 1, 1).await.map_err(|error| ReactError(error.to_string()))?;
    match found.first() {
        Some(recorded) => react_in(react, lane, recorded).await,
        None => Err(ReactError(format!("the log holds no event {position}"))),
    }
}

/// Awaits something without leaving the work alone, and says what of it has ended meanwhile.
///
/// Work that is not polled keeps its place in the pool's queue: whoever stands behind it would wait for ever.
pub(super) async fn while_working<T>(
    working: &mut Working,
    other: impl Future<Output = T>,
) -> (T, Vec<Ended>) {
    let mut ended = Vec::new();
    tokio::pin!(other);
    loop {
        tokio::select! {
            other = &mut other => return (other, ended),
            Some(done) = working.next(), if !working.is_empty() => ended.push(done),
        }
    }
}
