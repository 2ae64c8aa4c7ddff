//! Runs one reactor: something done outside because of events, at least once, each lane in order.
//!
//! The checkpoint stays behind the oldest event whose work is not done, so a crash does again what may not have been
//! done; whatever a reactor does is therefore known by an id that derives from the event. A lane whose work fails again
//! and again is set aside, in the database, and tried less often: the others go on.

use std::{
    collections::{BTreeMap, HashMap},
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
    Begins, Checkpoint, CheckpointError, Lease, Reached, React, TOO_NEW_PAUSE,
    foreseen::Foresight,
    skipped,
    waiting::Waiting,
    window::{Window, while_working},
};
use crate::{
    executor::Executor,
    feed::{Entry, Feed},
    log::{DecodeError, Log, LogError, Position},
    ports::{Clock, micros},
};

/// Events that may be worked on at once.
const WINDOW: usize = 1_024;
/// How often it is looked whether the checkpoint is to be saved.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often it is saved while work goes on: after a crash the work since is gone through again, and found done. Without
/// work it is saved at the next look.
const SAVE_EVERY: Duration = Duration::from_millis(500);
/// How often it is looked whether somebody has seen to what was set aside.
const HEAR_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub(super) enum Stop {
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
    /// Whose decisions it hears before they are durable, if it begins with such.
    pub executor: Executor,
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
                    self.lease.meter().failed();
                    tracing::error!(follower = name, %error, "an event is newer than this program: upgrade it");
                    self.lease.give_up().await;
                    pause = TOO_NEW_PAUSE;
                }
                Err(error) => {
                    self.lease.meter().failed();
                    tracing::warn!(follower = name, %error, "a follower starts again");
                }
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
        let mut window = self.window(saved).await?;
        self.progress.send_replace(Reached { position: saved, working: 0 });
        let mut looked_us = self.clock.elapsed_us();
        let (mut saved_us, mut moved_us, mut heard_us) = (looked_us, looked_us, looked_us);
        // Kept across rounds: a slow read that was begun anew every time something else is done would never end.
        let mut reading: Option<BoxFuture<'static, Result<Vec<Arc<Entry>>, LogError>>> = None;
        let clock = Arc::clone(&self.clock);
        let mut resting = clock.sleep(LOOK_EVERY).fuse();
        loop {
            if reading.is_none() && window.open.len() < WINDOW && window.too_new.is_none() {
                let (feed, after) = (self.feed.clone(), window.read);
                reading = Some(async move { feed.after(after, WINDOW, LOOK_EVERY).await }.boxed());
            }
            tokio::select! {
                Some(ended) = window.working.next(), if !window.working.is_empty() => {
                    // With all that have ended by now.
                    let mut ended = vec![ended];
                    while let Some(Some(further)) = window.working.next().now_or_never() {
                        ended.push(further);
                    }
                    self.settle(&mut window, ended).await;
                }
                () = window.foresight.hear() => {}
                Some(entries) = OptionFuture::from(reading.as_mut()) => {
                    reading = None;
                    let entries = entries?;
                    if !entries.is_empty() {
                        moved_us = self.clock.elapsed_us();
                    }
                    self.take(&mut window, entries).await?;
                }
                () = &mut resting => resting = clock.sleep(LOOK_EVERY).fuse(),
            }
            self.begin_ahead(&mut window);
            let reached = Reached { position: window.read, working: window.working.len() };
            self.progress.send_if_modified(|known| std::mem::replace(known, reached) != reached);
            let now_us = self.clock.elapsed_us();
            if now_us - looked_us < micros(LOOK_EVERY) {
                continue;
            }
            looked_us = now_us;
            resting = clock.sleep(LOOK_EVERY).fuse();
            let done = window.done();
            self.lease.meter().reached(done);
            let rests = window.working.is_empty() && now_us - moved_us >= micros(LOOK_EVERY);
            // A newer program goes on from there.
            let ends = window.too_new.is_some() && window.open.is_empty();
            let save = done > saved && (ends || rests || now_us - saved_us >= micros(SAVE_EVERY));
            let kept = async {
                if !self.lease.hold().await {
                    return Ok(false);
                }
                if save {
                    self.save(saved, done).await?;
                }
                Ok::<_, Stop>(true)
            };
            let (kept, ended) = while_working(&mut window.working, kept).await;
            self.settle(&mut window, ended).await;
            if !kept? {
                return Ok(());
            }
            if save {
                (saved, saved_us) = (done, now_us);
            }
            if now_us - heard_us >= micros(HEAR_EVERY) && window.waiting.any() {
                heard_us = now_us;
                self.hear(&mut window).await;
            }
            if let Some(error) = window.too_new.take_if(|_| ends) {
                return Err(Stop::TooNew(error));
            }
        }
    }

    /// Nothing is on its way after that position, and what was set aside before is tried at once.
    async fn window(&self, read: Position) -> Result<Window, CheckpointError> {
        let (name, fence) = (self.react.name(), self.lease.fence().ok_or(CheckpointError::Fenced)?);
        let waiting = Waiting::load(self.pool.clone(), name, fence).await?;
        let skipped = skipped::all(&mut *self.pool.acquire().await?, name).await?;
        Ok(Window {
            read,
            open: BTreeMap::new(),
            lanes: HashMap::new(),
            working: FuturesUnordered::new(),
            foresight: Foresight::new(&*self.react, &self.executor),
            waiting,
            skipped,
            too_new: None,
        })
    }

    async fn begin(&self) -> Result<Position, Stop> {
        let head = self.log.head().await?;
        if head.incarnation != self.feed.incarnation() {
            return Err(CheckpointError::OtherLog.into());
        }
        let mut transaction = crate::transaction::begin(&self.pool).await.map_err(CheckpointError::from)?;
        let fence = self.lease.fence().ok_or(CheckpointError::Fenced)?;
        let checkpoint = Checkpoint::lock(&mut transaction, self.react.name(), fence).await?;
        if checkpoint == Checkpoint::empty() && self.react.begins() == Begins::AtTheHead {
            let (_, begun) = Checkpoint::at(&*self.log, head.incarnation, head.position).await?;
            begun.save(&mut transaction, self.react.name(), fence, 0).await?;
            transaction.commit().await.map_err(CheckpointError::from)?;
            return Ok(head.position);
        }
        if checkpoint.is_of(&*self.log, &head).await? {
            Waiting::adopt(&mut transaction, self.react.name()).await.map_err(CheckpointError::from)?;
            if let Some(renewed) = checkpoint.renewed(&head) {
                renewed.save(&mut transaction, self.react.name(), fence, checkpoint.position).await?;
            }
            transaction.commit().await.map_err(CheckpointError::from)?;
            return Ok(checkpoint.position);
        }
        // Commands are known by their ids, and who works outside looks for the answer first: going through the log again
        // does nothing twice.
        tracing::warn!(
            follower = self.react.name(),
            position = checkpoint.position,
            "the log was restored: going through it again"
        );
        // Of this life, so that nobody takes it for the first time.
        let again = Checkpoint { incarnation: Some(head.incarnation), ..Checkpoint::empty() };
        again.save(&mut transaction, self.react.name(), fence, checkpoint.position).await?;
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
}
