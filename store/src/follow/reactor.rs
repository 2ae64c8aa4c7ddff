//! Runs one reactor: something done outside because of events, at least once, each lane in order.
//!
//! The checkpoint stays behind the oldest event whose work is not done, so a crash does again what may not have been
//! done; whatever a reactor does is therefore known by an id that derives from the event.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use sqlx::PgPool;
use tokio::sync::watch;

use super::{Checkpoint, CheckpointError, Lease, parked};
use crate::{
    feed::{Entry, Feed},
    log::{DecodeError, Log, LogError, Position, Recorded},
    ports::Clock,
};

/// Events that may be worked on at once.
const WINDOW: usize = 1_024;
/// How often the checkpoint is saved at most.
const SAVE_EVERY: Duration = Duration::from_millis(100);

/// What to do because of an event.
#[async_trait]
pub trait React: Send + Sync + 'static {
    /// The reactor's name, and its checkpoint's.
    fn name(&self) -> &'static str;

    /// Events of one lane are worked on one after another; `None` when the event means nothing here.
    fn lane(&self, event: &Recorded) -> Option<Box<str>>;

    /// Does the work; called again until it succeeds.
    async fn react(&self, event: &Recorded) -> Result<(), ReactError>;
}

/// The work could not be done now; it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ReactError(pub String);

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
}

/// Work on its way.
struct Window {
    /// Everything up to here has been read.
    read: Position,
    /// What of it is not done.
    open: BTreeSet<Position>,
    /// What waits in each lane behind the one that is worked on.
    lanes: HashMap<Box<str>, VecDeque<Arc<Entry>>>,
    working: FuturesUnordered<BoxFuture<'static, (Box<str>, Position)>>,
}

impl Window {
    /// Everything up to here is done.
    fn done(&self) -> Position {
        self.open.first().map_or(self.read, |first| first - 1)
    }
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
            match ended {
                Ok(()) => {}
                Err(Stop::Checkpoint(CheckpointError::Fenced)) => self.lease.lost(),
                Err(Stop::TooNew(error)) => {
                    tracing::error!(follower = name, %error, "an event is newer than this program: upgrade it");
                    self.lease.give_up().await;
                }
                Err(error) => tracing::warn!(follower = name, %error, "a follower starts again"),
            }
            tokio::select! {
                () = self.clock.sleep(Duration::from_millis(500)) => {}
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
            open: BTreeSet::new(),
            lanes: HashMap::new(),
            working: FuturesUnordered::new(),
        };
        let mut saved_us = self.clock.now_us();
        // Kept across rounds: a slow read that was begun anew every time something else is done would never end.
        let mut reading: Option<BoxFuture<'static, Result<Vec<Arc<Entry>>, LogError>>> = None;
        loop {
            if reading.is_none() && window.open.len() < WINDOW {
                let (feed, after) = (self.feed.clone(), window.read);
                reading = Some(async move { feed.after(after, WINDOW, SAVE_EVERY).await }.boxed());
            }
            tokio::select! {
                Some((lane, position)) = window.working.next(), if !window.working.is_empty() => {
                    window.open.remove(&position);
                    self.next_in(&mut window, lane);
                }
                Some(entries) = OptionFuture::from(reading.as_mut()) => {
                    reading = None;
                    self.take(&mut window, entries?).await?;
                }
                () = self.clock.sleep(SAVE_EVERY) => {}
            }
            let now_us = self.clock.now_us();
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
            for (lane, position) in ended {
                window.open.remove(&position);
                self.next_in(&mut window, lane);
            }
            if !kept? {
                return Ok(());
            }
            saved = done;
        }
    }

    async fn begin(&self) -> Result<Position, Stop> {
        let head = self.log.head().await?;
        let mut transaction = self.pool.begin().await.map_err(CheckpointError::from)?;
        let fence = self.lease.fence().ok_or(CheckpointError::Fenced)?;
        let checkpoint = Checkpoint::lock(&mut transaction, self.react.name(), fence).await?;
        if checkpoint.is_of(&*self.log, &head).await? {
            return Ok(checkpoint.position);
        }
        // Commands are known by their ids, so going through the restored log again does nothing twice.
        let empty = Checkpoint { incarnation: None, position: 0, link: None };
        empty.save(&mut transaction, self.react.name(), fence, checkpoint.position).await?;
        transaction.commit().await.map_err(CheckpointError::from)?;
        Ok(0)
    }

    async fn save(&self, from: Position, to: Position) -> Result<(), Stop> {
        let fence = self.lease.fence().ok_or(CheckpointError::Fenced)?;
        let head = self.log.head().await?;
        let checkpoint = Checkpoint::at(&*self.log, &head, to).await?;
        let mut connection = self.pool.acquire().await.map_err(CheckpointError::from)?;
        Ok(checkpoint.save(&mut connection, self.react.name(), fence, from).await?)
    }

    async fn take(&self, window: &mut Window, entries: Vec<Arc<Entry>>) -> Result<(), Stop> {
        for entry in entries {
            window.read = entry.position;
            let lane = match &entry.event {
                Ok(recorded) => self.react.lane(recorded),
                Err(error @ DecodeError::Unknown { .. }) => return Err(Stop::TooNew(error.clone())),
                Err(error @ DecodeError::Malformed { .. }) => {
                    let mut connection = self.pool.acquire().await.map_err(CheckpointError::from)?;
                    parked::park(&mut connection, self.react.name(), &entry, &error.to_string())
                        .await
                        .map_err(CheckpointError::from)?;
                    None
                }
            };
            let Some(lane) = lane else { continue };
            window.open.insert(entry.position);
            match window.lanes.get_mut(&lane) {
                Some(waiting) => waiting.push_back(entry),
                None => {
                    window.lanes.insert(lane.clone(), VecDeque::new());
                    window.working.push(self.work(lane, entry));
                }
            }
        }
        Ok(())
    }

    fn next_in(&self, window: &mut Window, lane: Box<str>) {
        match window.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(entry) => window.working.push(self.work(lane, entry)),
            None => {
                window.lanes.remove(&lane);
            }
        }
    }

    fn work(&self, lane: Box<str>, entry: Arc<Entry>) -> BoxFuture<'static, (Box<str>, Position)> {
        let (react, clock) = (Arc::clone(&self.react), Arc::clone(&self.clock));
        async move {
            let mut pause = Duration::from_millis(50);
            if let Ok(recorded) = &entry.event {
                while let Err(error) = react.react(recorded).await {
                    tracing::warn!(follower = react.name(), position = entry.position, %error, "tried again soon");
                    clock.sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                }
            }
            (lane, entry.position)
        }
        .boxed()
    }
}

/// Awaits something without leaving the work alone, and says what of it has ended meanwhile.
///
/// Work that is not polled keeps its place in the pool's queue: whoever stands behind it would wait for ever.
async fn while_working<T>(
    working: &mut FuturesUnordered<BoxFuture<'static, (Box<str>, Position)>>,
    other: impl Future<Output = T>,
) -> (T, Vec<(Box<str>, Position)>) {
    let mut ended = Vec::new();
    tokio::pin!(other);
    loop {
        tokio::select! {
            other = &mut other => return (other, ended),
            Some(done) = working.next(), if !working.is_empty() => ended.push(done),
        }
    }
}
