//! A reactor's work, lane by lane: what is done now, what is set aside, and what of that is tried again.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};

use super::{
    CheckpointError, ReactError, Reactor,
    reactor::Stop,
    window::{Ended, Window, Work, attempt, read_and_react, while_working},
};
use crate::{
    feed::Entry,
    log::{Position, Recorded},
};

/// How often an event's work is tried, within about two seconds, before its lane is set aside.
const TRIES: u32 = 6;
/// How long an event of a lane that was set aside may be tried: whoever never answers must not keep its place for ever.
const AGAIN_MAX: Duration = Duration::from_secs(60);

impl Reactor {
    /// Begins with what was read, or puts it behind what waits already.
    pub(super) async fn take(&self, window: &mut Window, entries: Vec<Arc<Entry>>) -> Result<(), Stop> {
        window.foresight.catch_up();
        self.begin_ahead(window);
        for entry in entries {
            if let Some(error) = entry.too_new() {
                window.too_new = Some(error.clone());
                return Ok(());
            }
            window.read = entry.position;
            let mut lanes = match &entry.event {
                _ if !window.skipped.is_empty() && window.skips(&entry, &stream_lane(&entry.key)) => vec![],
                Ok(recorded) => self.lanes(recorded),
                Err(error) => {
                    // Nobody can tell which instance it is for, so those behind it in its stream wait for it.
                    let (stream, reason) = (stream_lane(&entry.key), error.to_string());
                    self.put_behind(window, stream, entry.position, &reason).await?;
                    continue;
                }
            };
            lanes.retain(|lane| !window.skips(&entry, lane));
            if lanes.is_empty() {
                self.lease.meter().handled(1);
            } else if window.waiting.any() {
                let stream = stream_lane(&entry.key);
                lanes = if window.waiting.holds(&stream) { vec![stream] } else { lanes };
            }
            window.foresight.read(&entry, &lanes);
            for lane in lanes {
                self.put(window, lane, &entry).await?;
            }
        }
        Ok(())
    }

    /// The lanes that an event means something in, each once.
    pub(super) fn lanes(&self, recorded: &Recorded) -> Vec<Arc<str>> {
        let mut lanes = Vec::new();
        for lane in recorded.meant().filter_map(|meant| self.react.lane(meant)) {
            if !lanes.contains(&lane) {
                lanes.push(lane);
            }
        }
        lanes
    }

    /// Puts an event into a lane that it means something in.
    async fn put(&self, window: &mut Window, lane: Arc<str>, entry: &Arc<Entry>) -> Result<(), Stop> {
        if self.was_foreseen(window, &lane, entry) {
            return Ok(());
        }
        if window.waiting.holds(&lane) {
            // What the event means elsewhere may be done meanwhile; its row says that this is not.
            return self.put_behind(window, lane, entry.position, "waits behind the one before").await;
        }
        *window.open.entry(entry.position).or_default() += 1;
        match window.lanes.get_mut(&lane) {
            Some(waiting) => waiting.push_back(Arc::clone(entry)),
            None => {
                window.lanes.insert(lane.clone(), VecDeque::new());
                window.working.push(self.work(lane, Arc::clone(entry)));
            }
        }
        Ok(())
    }

    async fn put_behind(
        &self,
        window: &mut Window,
        lane: Arc<str>,
        position: Position,
        reason: &str,
    ) -> Result<(), Stop> {
        if !window.waiting.holds(&lane) {
            let follower = self.react.name();
            tracing::error!(follower, lane = &*lane, position, reason, "a stream is set aside; others go on");
        }
        let write = window.waiting.write(&lane, &[position], reason);
        let (written, ended) = while_working(&mut window.working, write).await;
        written.map_err(CheckpointError::from)?;
        window.waiting.written(&lane, &[position], self.clock.elapsed_us());
        self.settle(window, ended).await;
        Ok(())
    }

    /// Goes on in the lanes whose work has ended, well or not.
    pub(super) async fn settle(&self, window: &mut Window, ended: Vec<Ended>) {
        let mut ended = VecDeque::from(ended);
        while let Some(Ended { lane, work, began_us, outcome }) = ended.pop_front() {
            let further = match (outcome, work) {
                (outcome, Work::Foreseen(event_id)) => {
                    self.ended_ahead(window, lane, event_id, outcome);
                    vec![]
                }
                (Ok(()), Work::Next(entry)) => {
                    self.finish(window, lane, entry.position);
                    vec![]
                }
                (Err(error), Work::Next(entry)) => self.set_aside(window, lane, entry, &error).await,
                (Ok(()), Work::Again(position)) => {
                    self.lease.meter().handled(1);
                    let erase = window.waiting.erase(&lane, position);
                    let (erased, further) = while_working(&mut window.working, erase).await;
                    match erased {
                        Ok(()) => window.waiting.served(&lane, position),
                        // It is done once more, which does nothing, and erased then.
                        Err(_) => window.waiting.failed(&lane, self.clock.elapsed_us()),
                    }
                    further
                }
                (Err(error), Work::Again(position)) => {
                    self.lease.meter().failed();
                    let now_us = self.clock.elapsed_us();
                    let note = window.waiting.note(&lane, position, now_us - began_us, &error.0);
                    let (noted, further) = while_working(&mut window.working, note).await;
                    match noted {
                        Ok(true) => window.waiting.failed(&lane, self.clock.elapsed_us()),
                        // Somebody has taken it out, and that was not heard.
                        Ok(false) => window.waiting.served(&lane, position),
                        Err(failed) => {
                            tracing::warn!(follower = self.react.name(), %failed, "a failure cannot be noted");
                            window.waiting.failed(&lane, self.clock.elapsed_us());
                        }
                    }
                    further
                }
            };
            ended.extend(further);
        }
        self.try_again(window);
    }

    /// Writes down what waits in a lane, so that nothing else has to wait for it.
    async fn set_aside(
        &self,
        window: &mut Window,
        lane: Arc<str>,
        entry: Arc<Entry>,
        error: &ReactError,
    ) -> Vec<Ended> {
        let queued = window.lanes.get(&lane).into_iter().flatten().map(|entry| entry.position);
        let positions: Vec<Position> = [entry.position].into_iter().chain(queued).collect();
        let write = window.waiting.write(&lane, &positions, &error.0);
        let (written, ended) = while_working(&mut window.working, write).await;
        if let Err(failed) = written {
            tracing::warn!(follower = self.react.name(), %failed, "work that fails cannot be set aside");
            window.working.push(self.work(lane, entry));
            return ended;
        }
        tracing::error!(
            follower = self.react.name(), lane = &*lane, position = entry.position, %error,
            "an instance is set aside and tried less often; the others go on"
        );
        window.waiting.written(&lane, &positions, self.clock.elapsed_us());
        window.lanes.remove(&lane);
        for position in positions {
            window.close(position);
        }
        ended
    }

    /// Looks which of the lanes that were set aside somebody has seen to meanwhile.
    pub(super) async fn hear(&self, window: &mut Window) {
        let asked = window.waiting.asked();
        let (asked, ended) = while_working(&mut window.working, asked).await;
        match asked {
            Ok(asked) => {
                for (lane, positions) in asked {
                    window.waiting.seen_to(&lane, positions);
                }
            }
            Err(error) => {
                tracing::warn!(follower = self.react.name(), %error, "what was asked for cannot be seen");
            }
        }
        self.settle(window, ended).await;
    }

    /// Tries the lanes that were set aside and whose time has come.
    fn try_again(&self, window: &mut Window) {
        for (lane, position) in window.waiting.due(self.clock.elapsed_us()) {
            let (react, log, clock) =
                (Arc::clone(&self.react), Arc::clone(&self.log), Arc::clone(&self.clock));
            let began_us = clock.elapsed_us();
            let again = async move {
                let outcome = tokio::select! {
                    outcome = read_and_react(&*log, &*react, &lane, position) => outcome,
                    () = clock.sleep(AGAIN_MAX) => Err(ReactError("it took too long".into())),
                };
                Ended { lane, work: Work::Again(position), began_us, outcome }
            };
            window.working.push(again.boxed());
        }
    }

    /// An event is done in a lane.
    pub(super) fn finish(&self, window: &mut Window, lane: Arc<str>, position: Position) {
        if window.close(position) {
            self.lease.meter().handled(1);
        }
        self.next_in(window, lane);
    }

    pub(super) fn next_in(&self, window: &mut Window, lane: Arc<str>) {
        match window.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(entry) => window.working.push(self.work(lane, entry)),
            None => {
                window.lanes.remove(&lane);
            }
        }
    }

    pub(super) fn work(&self, lane: Arc<str>, entry: Arc<Entry>) -> BoxFuture<'static, Ended> {
        let (react, clock) = (Arc::clone(&self.react), Arc::clone(&self.clock));
        let meter = Arc::clone(self.lease.meter());
        async move {
            let began_us = clock.elapsed_us();
            let mut pause = Duration::from_millis(50);
            let mut outcome = attempt(&*react, &lane, &entry).await;
            for tried in 1..=TRIES {
                let Err(error) = &outcome else { break };
                meter.failed();
                if tried == TRIES {
                    break;
                }
                tracing::warn!(follower = react.name(), position = entry.position, %error, "tried again soon");
                clock.sleep(pause).await;
                pause *= 2;
                outcome = attempt(&*react, &lane, &entry).await;
            }
            Ended { lane, work: Work::Next(entry), began_us, outcome }
        }
        .boxed()
    }
}

/// What the lane is called of a stream whose events cannot be told apart by instance.
pub(super) fn stream_lane((aggregate_type, aggregate_id): &(Arc<str>, Arc<str>)) -> Arc<str> {
    format!("{aggregate_type}-{aggregate_id}").into()
}
