//! Runs one reactor: something done outside because of events, at least once, each lane in order.
//!
//! The checkpoint stays behind the oldest event whose work is not done, so a crash does again what may not have been
//! done; whatever a reactor does is therefore known by an id that derives from the event. A lane whose work fails again
//! and again is set aside, in the database, and tried less often: the others go on.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use sqlx::PgPool;
use tokio::sync::watch;

use super::{
    Checkpoint, CheckpointError, Lease, Reached, React, ReactError, TOO_NEW_PAUSE, parked,
    waiting::Waiting,
    window::{Ended, Window, attempt, read_and_react, while_working},
};
use crate::{
    feed::{Entry, Feed},
    log::{DecodeError, Log, LogError, Position},
    ports::Clock,
};

/// Events that may be worked on at once.
const WINDOW: usize = 1_024;
/// How often the checkpoint is saved at most.
const SAVE_EVERY: Duration = Duration::from_millis(100);
/// How often an event's work is tried, within about two seconds, before its lane is set aside.
const TRIES: u32 = 6;

#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("{0}")]
    TooNew(DecodeError),
}

/// A reactor with everything that it takes to follow.
pub struct Reactor {
    /// What is done.
    pub react: Arc<dyn React>,
    /// The log's database, where the checkpoint lies.
    pub pool: PgPool,
    /// The log.
    pub log: Arc<dyn Log>,
    /// The log's newest events.
    pub feed: Feed,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Which process does it.
    pub lease: Lease,
    /// Tells this process how far the reactor has come.
    pub progress: watch::Sender<Reached>,
}

impl Reactor {
    /// Follows until `stop` says so or its sender is gone, then gives up the lease.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let ended = tokio::select! {
                ended = self.follow() => ended,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let name = self.react.name();
            let mut pause = Duration::from_millis(500);
            match ended {
                Ok(()) => {}
                Err(Stop::Checkpoint(CheckpointError::Fenced)) => self.lease.lost(),
                Err(Stop::TooNew(error)) => {
                    tracing::error!(follower = name, %error, "an event is newer than this program: upgrade it");
                    self.lease.give_up().await;
                    pause = TOO_NEW_PAUSE;
                }
                Err(error) => tracing::warn!(follower = name, %error, "a follower starts again"),
            }
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.lease.give_up().await;
    }

    async fn follow(&mut self) -> Result<(), Stop> {
        if !self.lease.hold().await {
            return Ok(());
        }
        let mut saved = self.begin().await?;
        let mut window = Window {
            read: saved,
            open: BTreeMap::new(),
            lanes: HashMap::new(),
            working: FuturesUnordered::new(),
            waiting: Waiting::load(self.pool.clone(), self.react.name())
                .await
                .map_err(CheckpointError::from)?,
            too_new: None,
        };
        self.progress.send_replace(Reached { position: saved, working: 0 });
        let mut saved_us = self.clock.elapsed_us();
        // Kept across rounds: a slow read that was begun anew every time something else is done would never end.
        let mut reading: Option<BoxFuture<'static, Result<Vec<Arc<Entry>>, LogError>>> = None;
        loop {
            if reading.is_none() && window.open.len() < WINDOW && window.too_new.is_none() {
                let (feed, after) = (self.feed.clone(), window.read);
                reading = Some(async move { feed.after(after, WINDOW, SAVE_EVERY).await }.boxed());
            }
            tokio::select! {
                Some(ended) = window.working.next(), if !window.working.is_empty() => {
                    self.settle(&mut window, vec![ended]).await;
                }
                Some(entries) = OptionFuture::from(reading.as_mut()) => {
                    reading = None;
                    self.take(&mut window, entries?).await?;
                }
                () = self.clock.sleep(SAVE_EVERY) => {}
            }
            let reached = Reached { position: window.read, working: window.working.len() };
            self.progress.send_if_modified(|known| std::mem::replace(known, reached) != reached);
            let now_us = self.clock.elapsed_us();
            if now_us - saved_us < 100_000 {
                continue;
            }
            saved_us = now_us;
            let done = window.done();
            let kept = async {
                if !self.lease.hold().await {
                    return Ok(false);
                }
                if done > saved {
                    self.save(saved, done).await?;
                }
                Ok::<_, Stop>(true)
            };
            let (kept, ended) = while_working(&mut window.working, kept).await;
            self.settle(&mut window, ended).await;
            if !kept? {
                return Ok(());
            }
            saved = done;
            if let Some(error) = window.too_new.take_if(|_| window.open.is_empty()) {
                return Err(Stop::TooNew(error));
            }
        }
    }

    async fn begin(&self) -> Result<Position, Stop> {
        let head = self.log.head().await?;
        if head.incarnation != self.feed.incarnation() {
            return Err(CheckpointError::OtherLog.into());
        }
        let mut transaction = self.pool.begin().await.map_err(CheckpointError::from)?;
        let fence = self.lease.fence().ok_or(CheckpointError::Fenced)?;
        let checkpoint = Checkpoint::lock(&mut transaction, self.react.name(), fence).await?;
        if checkpoint.is_of(&*self.log, &head).await? {
            if let Some(renewed) = checkpoint.renewed(&head) {
                renewed.save(&mut transaction, self.react.name(), fence, checkpoint.position).await?;
                transaction.commit().await.map_err(CheckpointError::from)?;
            }
            return Ok(checkpoint.position);
        }
        // Commands are known by their ids, and who works outside looks for the answer first: going through the log again
        // does nothing twice.
        tracing::warn!(
            follower = self.react.name(),
            position = checkpoint.position,
            "the log was restored: going through it again"
        );
        Checkpoint::empty().save(&mut transaction, self.react.name(), fence, checkpoint.position).await?;
        Waiting::clear(&mut transaction, self.react.name()).await.map_err(CheckpointError::from)?;
        transaction.commit().await.map_err(CheckpointError::from)?;
        Ok(0)
    }

    async fn save(&self, from: Position, to: Position) -> Result<(), Stop> {
        let fence = self.lease.fence().ok_or(CheckpointError::Fenced)?;
        let (_, checkpoint) = Checkpoint::at(&*self.log, self.feed.incarnation(), to).await?;
        let mut connection = self.pool.acquire().await.map_err(CheckpointError::from)?;
        Ok(checkpoint.save(&mut connection, self.react.name(), fence, from).await?)
    }

    async fn take(&self, window: &mut Window, entries: Vec<Arc<Entry>>) -> Result<(), Stop> {
        for entry in entries {
            if let Some(error) = entry.too_new() {
                window.too_new = Some(error.clone());
                return Ok(());
            }
            window.read = entry.position;
            match &entry.event {
                Ok(recorded) => {
                    for meant in recorded.meant() {
                        let Some(lane) = self.react.lane(meant) else { continue };
                        let mut earlier = recorded.meant().take(meant.nth);
                        if !earlier.any(|earlier| self.react.lane(earlier).as_ref() == Some(&lane)) {
                            self.put(window, lane, &entry).await?;
                        }
                    }
                }
                Err(error) => {
                    let mut connection = self.pool.acquire().await.map_err(CheckpointError::from)?;
                    parked::park(&mut connection, self.react.name(), &entry, &error.to_string())
                        .await
                        .map_err(CheckpointError::from)?;
                }
            }
        }
        Ok(())
    }

    /// Puts an event into a lane that it means something in.
    async fn put(&self, window: &mut Window, lane: Box<str>, entry: &Arc<Entry>) -> Result<(), Stop> {
        if window.waiting.holds(&lane) {
            // What the event means elsewhere may be done meanwhile; its row says that this is not.
            let write = window.waiting.write(&lane, &[entry.position], "waits behind the one before");
            let (written, ended) = while_working(&mut window.working, write).await;
            written.map_err(CheckpointError::from)?;
            window.waiting.written(&lane, &[entry.position], self.clock.elapsed_us());
            self.settle(window, ended).await;
            return Ok(());
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

    /// Goes on in the lanes whose work has ended, well or not.
    async fn settle(&self, window: &mut Window, ended: Vec<Ended>) {
        let mut ended = VecDeque::from(ended);
        while let Some(Ended { lane, position, outcome, entry }) = ended.pop_front() {
            let further = match (outcome, entry) {
                (Ok(()), Some(_)) => {
                    window.close(position);
                    self.next_in(window, lane);
                    vec![]
                }
                (Err(error), Some(entry)) => self.set_aside(window, lane, entry, &error).await,
                (Ok(()), None) => {
                    let erase = window.waiting.erase(&lane, position);
                    let (erased, further) = while_working(&mut window.working, erase).await;
                    match erased {
                        Ok(()) => window.waiting.served(&lane, position),
                        // It is done once more, which does nothing, and erased then.
                        Err(_) => window.waiting.failed(&lane, self.clock.elapsed_us()),
                    }
                    further
                }
                (Err(_), None) => {
                    window.waiting.failed(&lane, self.clock.elapsed_us());
                    vec![]
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
        lane: Box<str>,
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

    /// Tries the lanes that were set aside and whose time has come.
    fn try_again(&self, window: &mut Window) {
        for (lane, position) in window.waiting.due(self.clock.elapsed_us()) {
            let (react, log) = (Arc::clone(&self.react), Arc::clone(&self.log));
            let again = async move {
                let outcome = read_and_react(&*log, &*react, &lane, position).await;
                Ended { lane, position, outcome, entry: None }
            };
            window.working.push(again.boxed());
        }
    }

    fn next_in(&self, window: &mut Window, lane: Box<str>) {
        match window.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(entry) => window.working.push(self.work(lane, entry)),
            None => {
                window.lanes.remove(&lane);
            }
        }
    }

    fn work(&self, lane: Box<str>, entry: Arc<Entry>) -> BoxFuture<'static, Ended> {
        let (react, clock) = (Arc::clone(&self.react), Arc::clone(&self.clock));
        async move {
            let mut pause = Duration::from_millis(50);
            let mut outcome = attempt(&*react, &lane, &entry).await;
            for _ in 1..TRIES {
                let Err(error) = &outcome else { break };
                tracing::warn!(follower = react.name(), position = entry.position, %error, "tried again soon");
                clock.sleep(pause).await;
                pause *= 2;
                outcome = attempt(&*react, &lane, &entry).await;
            }
            Ended { lane, position: entry.position, outcome, entry: Some(entry) }
        }
        .boxed()
    }
}
