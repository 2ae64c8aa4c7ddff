//! Work of a reactor for events that are decided and not yet durable, so that both are durable together.
//!
//! It is begun in a lane where nothing else is on its way, after everything that stood in the log when the event was decided. If it
//! comes to nothing, the event is worked on as any other as soon as it is read.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use futures::{FutureExt, future};
use tokio::sync::broadcast::{self, error::TryRecvError};
use uuid::Uuid;

use super::{
    React, ReactError, Reactor,
    lanes::stream_lane,
    window::{Ended, Window, Work, in_lane},
};
use crate::{
    executor::{Executor, Foreseen},
    feed::Entry,
    log::Position,
    trace,
};

/// Events of which so much is known ahead; more are waited for.
const FORESEEN_MAX: usize = 1_024;

/// What is known ahead.
pub(super) struct Foresight {
    heard: Option<broadcast::Receiver<Arc<Foreseen>>>,
    /// What was heard and is not begun, in the order of the log.
    unbegun: VecDeque<Arc<Foreseen>>,
    begun: HashMap<Uuid, Begun>,
}

/// What is done of an event, by its id.
struct Begun {
    lane: Arc<str>,
    how_far: HowFar,
}

enum HowFar {
    /// It is worked on; beside it, the event once it was read.
    Working(Option<Arc<Entry>>),
    /// All is done and durable. It is not read yet.
    Done,
}

impl Foresight {
    pub(super) fn new(react: &dyn React, executor: &Executor) -> Self {
        let heard = react.foresees().map(|_| executor.foreseen());
        Self { heard, unbegun: VecDeque::new(), begun: HashMap::new() }
    }

    /// Waits until something is heard. Nothing is lost when that is given up.
    pub(super) async fn hear(&mut self) {
        let Some(heard) = &mut self.heard else { return future::pending().await };
        // What was missed is learned when it is durable.
        if let Ok(foreseen) = heard.recv().await {
            self.wait(foreseen);
        }
    }

    /// Takes in everything that was said by now: of whatever can be read, it was.
    pub(super) fn catch_up(&mut self) {
        while let Some(heard) = &mut self.heard {
            match heard.try_recv() {
                Ok(foreseen) => self.wait(foreseen),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
    }

    fn wait(&mut self, foreseen: Arc<Foreseen>) {
        if self.unbegun.len() + self.begun.len() < FORESEEN_MAX {
            self.unbegun.push_back(foreseen);
        }
    }

    /// The next one, if the log was read up to where that was decided.
    fn next(&mut self, read: Position) -> Option<Arc<Foreseen>> {
        self.unbegun.front().filter(|foreseen| foreseen.after <= read)?;
        self.unbegun.pop_front()
    }

    /// An event is read, and concerns nobody but these lanes: it is too late to begin with it ahead, and nothing that was begun
    /// elsewhere counts.
    pub(super) fn read(&mut self, Entry { event_id, position, .. }: &Entry, lanes: &[Arc<str>]) {
        // It was decided when the log ended before it.
        if self.unbegun.front().is_some_and(|foreseen| foreseen.after < *position) {
            self.unbegun.retain(|foreseen| foreseen.recorded.event_id != *event_id);
        }
        if self.begun.get(event_id).is_some_and(|begun| !lanes.contains(&begun.lane)) {
            self.begun.remove(event_id);
        }
    }
}

impl Reactor {
    /// Begins with what was foretold, where nothing stands before it.
    pub(super) fn begin_ahead(&self, window: &mut Window) {
        while let Some(foreseen) = window.foresight.next(window.read) {
            let recorded = &foreseen.recorded;
            let lanes = self.lanes(recorded);
            let [lane] = &lanes[..] else { continue };
            let is_set_aside = window.waiting.any() && {
                let stream = (recorded.stream.aggregate_type.as_str().into(), recorded.stream.id.clone());
                window.waiting.holds(lane) || window.waiting.holds(&stream_lane(&stream))
            };
            if window.lanes.contains_key(lane) || is_set_aside || window.too_new.is_some() {
                continue;
            }
            window.lanes.insert(lane.clone(), VecDeque::new());
            let begun = Begun { lane: lane.clone(), how_far: HowFar::Working(None) };
            window.foresight.begun.insert(recorded.event_id, begun);
            window.working.push(self.work_ahead(lane.clone(), foreseen));
        }
    }

    fn work_ahead(&self, lane: Arc<str>, foreseen: Arc<Foreseen>) -> future::BoxFuture<'static, Ended> {
        let (react, began_us) = (Arc::clone(&self.react), self.clock.elapsed_us());
        async move {
            let Foreseen { recorded, sequel, .. } = &*foreseen;
            let work = async {
                let Some(foresees) = react.foresees() else {
                    return Err(ReactError("it waits for what is durable".into()));
                };
                for meant in in_lane(&*react, &lane, recorded) {
                    foresees.react_ahead(meant, sequel).await?;
                }
                Ok(())
            };
            let outcome = trace::reacting(react.name(), recorded, work).await;
            if let Err(error) = &outcome {
                tracing::debug!(follower = react.name(), lane = &*lane, %error, "once more when it is durable");
            }
            Ended { work: Work::Foreseen(recorded.event_id), lane, began_us, outcome }
        }
        .boxed()
    }

    /// Whether an event that is read now was begun with in this lane: then it is seen to.
    pub(super) fn was_foreseen(&self, window: &mut Window, lane: &Arc<str>, entry: &Arc<Entry>) -> bool {
        let Some(begun) = window.foresight.begun.get_mut(&entry.event_id).filter(|begun| begun.lane == *lane)
        else {
            return false;
        };
        match &mut begun.how_far {
            HowFar::Working(read) => {
                *read = Some(Arc::clone(entry));
                *window.open.entry(entry.position).or_default() += 1;
            }
            HowFar::Done => {
                window.foresight.begun.remove(&entry.event_id);
                self.lease.meter().handled(1);
            }
        }
        true
    }

    /// Work for an event that was not durable has ended, well or not.
    pub(super) fn ended_ahead(
        &self,
        window: &mut Window,
        lane: Arc<str>,
        event_id: Uuid,
        outcome: Result<(), ReactError>,
    ) {
        let read = match window.foresight.begun.remove(&event_id).map(|begun| begun.how_far) {
            Some(HowFar::Working(read)) => read,
            // It was read, and is nothing for this lane.
            Some(HowFar::Done) | None => return self.next_in(window, lane),
        };
        match (outcome, read) {
            (Ok(()), Some(entry)) => self.finish(window, lane, entry.position),
            (Ok(()), None) => {
                let begun = Begun { lane: lane.clone(), how_far: HowFar::Done };
                window.foresight.begun.insert(event_id, begun);
                self.next_in(window, lane);
            }
            // Some of it may be durable: before anything else of the lane, wherever that stands.
            (Err(_), Some(entry)) => window.working.push(self.work(lane, entry)),
            // Perhaps it never happens.
            (Err(_), None) => self.next_in(window, lane),
        }
    }
}
