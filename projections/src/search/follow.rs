//! Keeps an index at the end of the read models: what changed since its marker, read in one snapshot with the checkpoints.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use sqlx::PgPool;
use store::{
    engine::Engine,
    follow::{Lease, Progress},
    log::Position,
    ports::Clock,
};
use tokio::sync::{Notify, mpsc, watch};

use super::{
    asked::Answers,
    changes::{Changes, FollowError, Rows},
    check::{Check, Checked},
    desk::Desk,
    index::{Index, IndexError, Moved},
    moves::Moves,
    presence::{Presence, Process},
    source::{self, Look, ReadError, SOURCES},
    work::drive,
};
use crate::waiting::come_further;

/// How often checkpoints are looked at while nobody hints or waits.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long somebody who waits lets the read models go on before they are looked at again.
const LOOK_SOON: Duration = Duration::from_millis(2);
/// How long to wait after a failure.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Events that are gone through for what they touched; beyond, the index is filled anew.
const BEHIND_MAX: Position = 200_000;
/// Whose process writes an index that all share.
const LEASE: &str = "search";
/// How often that lease is renewed during a fill.
const HOLD_EVERY: Duration = Duration::from_secs(1);
/// How often an index that others can remove is looked for.
const STILL_THERE_EVERY_US: i64 = 1_000_000;
/// Failures in a row after which the index is filled anew.
const FAILURES_MAX: u32 = 2;

/// An index that is kept at the end of the read models; cheap to clone.
#[derive(Clone)]
pub struct Followed {
    pub(super) index: Arc<dyn Index>,
    pub(super) clock: Arc<dyn Clock>,
    /// What the index reflects; `None` until it is filled.
    pub(super) look: watch::Receiver<Option<Arc<Look>>>,
    pub(super) moves: Arc<Moves>,
    /// Somebody waits.
    pub(super) wanted: Arc<Notify>,
    presence: Presence,
}

impl Followed {
    /// What was found when the index was compared with its rows last, all of it or some; `None` before the first time, and
    /// in a process that only asks an index that another one writes.
    #[must_use]
    pub fn checked(&self) -> Option<Checked> {
        *self.presence.checked.borrow()
    }

    /// The process that keeps it, as others know it.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.presence.process
    }

    /// Lets nobody wait for this process any more: it follows no longer.
    pub async fn leave(&self) {
        self.presence.leave().await;
    }
}

/// Keeps an index at the end of the read models in the schema that `pool` sees, for as long as the future is driven: an
/// index is whole at any moment. To be called when the engine's projections have been started.
pub fn follow(index: Arc<dyn Index>, engine: &Engine, pool: PgPool) -> (Followed, BoxFuture<'static, ()>) {
    let (sender, look) = watch::channel(None);
    let (checked_sender, checked) = watch::channel(None);
    let (jobs, driven) = mpsc::unbounded_channel();
    let (clock, shared) = (Arc::clone(&engine.clock), index.is_shared());
    let process = Process::this(engine.ids.next(), index.engine());
    let presence = Presence {
        pool: pool.clone(),
        clock: Arc::clone(&clock),
        process,
        shared,
        writes: Arc::new(AtomicBool::new(false)),
        look: look.clone(),
        checked,
    };
    let progress = engine.progress();
    let rows = Rows { pool: pool.clone(), feed: engine.feed.clone() };
    let follower = IndexFollower {
        index: Arc::clone(&index),
        look: sender,
        moves: Arc::default(),
        wanted: Arc::default(),
        hints: SOURCES.map(|(name, _)| progress.get(name).map(Progress::positions)),
        lease: shared.then(|| Lease::new(pool.clone(), Arc::clone(&clock), LEASE, engine.ids.next())),
        writes: Arc::clone(&presence.writes),
        failures: 0,
        desk: Desk::new(
            Arc::clone(&index),
            rows.clone(),
            Answers::new(pool, Arc::clone(&clock), presence.process.instance),
            Check::new(checked_sender, &*clock),
            (Arc::clone(&clock), jobs),
        ),
        rows,
        clock: Arc::clone(&clock),
    };
    let (moves, wanted) = (Arc::clone(&follower.moves), Arc::clone(&follower.wanted));
    let followed = Followed { index, clock, look, moves, wanted, presence: presence.clone() };
    let all = async move {
        futures::join!(follower.run(), drive(driven), presence.stay());
    };
    (followed, all.boxed())
}

struct IndexFollower {
    index: Arc<dyn Index>,
    rows: Rows,
    clock: Arc<dyn Clock>,
    look: watch::Sender<Option<Arc<Look>>>,
    moves: Arc<Moves>,
    wanted: Arc<Notify>,
    hints: [Option<watch::Receiver<Option<Position>>>; 3],
    /// Of an index that all processes share.
    lease: Option<Lease>,
    writes: Arc<AtomicBool>,
    failures: u32,
    desk: Desk,
}

impl IndexFollower {
    async fn run(mut self) {
        loop {
            self.turn().await;
        }
    }

    /// Follows until something fails.
    async fn turn(&mut self) {
        let kept_up = self.keep_up().await;
        // Another process may write by now: what was built is for the next one to clear away.
        self.writes.store(false, Ordering::Relaxed);
        self.desk.drop_work();
        if let Err(error) = kept_up {
            self.failures += 1;
            if matches!(error, FollowError::Read(ReadError::Index(IndexError::Astray(_)))) {
                self.failures = FAILURES_MAX;
            }
            tracing::warn!(%error, "the search index is followed again");
            self.clock.sleep(AGAIN_AFTER).await;
        }
    }

    async fn keep_up(&mut self) -> Result<(), FollowError> {
        self.until_ours().await?;
        self.writes.store(true, Ordering::Relaxed);
        // A fill takes longer than a lease that nobody renews.
        let (mut lease, clock) = (self.lease.take(), Arc::clone(&self.clock));
        let begun = holding(&mut lease, &*clock, self.begin()).await;
        self.lease = lease;
        let mut done = begun??;
        let mut looked_us = clock.elapsed_us();
        loop {
            self.wait().await;
            if let Some(lease) = &mut self.lease {
                if !lease.hold().await {
                    return Ok(());
                }
                if clock.elapsed_us() - looked_us > STILL_THERE_EVERY_US {
                    looked_us = clock.elapsed_us();
                    self.index.still_there().await?;
                }
            }
            let (now, asked) = Look::at(&mut *self.rows.pool.acquire().await?).await?;
            self.desk.notice(asked).await;
            let moved = now != done;
            if !moved && !self.desk.compares() {
                continue;
            }
            if !now.is_of(&done) {
                return Ok(());
            }
            // A standby may be behind another that was asked before.
            let back = now.seen.iter().zip(&done.seen).any(|(now, done)| now.position < done.position);
            if back {
                continue;
            }
            let mut lease = self.lease.take();
            let caught_up = holding(&mut lease, &*clock, self.catch_up(&done)).await;
            self.lease = lease;
            done = caught_up??;
            self.failures = 0;
            if moved {
                tokio::select! {
                    () = self.clock.sleep(self.index.pause()) => {}
                    // It is waited for as if it came only now.
                    () = self.wanted.notified() => self.wanted.notify_one(),
                }
            }
        }
    }

    /// Waits until this process is the one that writes; meanwhile it tells how far the one that does has come.
    async fn until_ours(&mut self) -> Result<(), FollowError> {
        while let Some(lease) = &mut self.lease {
            if lease.hold().await {
                return Ok(());
            }
            if let Some(marker) = self.index.marker().await? {
                let (now, _) = Look::at(&mut *self.rows.pool.acquire().await?).await?;
                let written = Look::of_marker(&marker).setting_aside(&now);
                if self.look.borrow().as_deref() != Some(&written) {
                    self.reached(written, Moved::ALL);
                }
            }
            self.clock.sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Goes on where the index is, or fills it.
    async fn begin(&mut self) -> Result<Look, FollowError> {
        self.desk.begin_anew();
        self.index.sweep().await?;
        let (now, _) = Look::at(&mut *self.rows.pool.acquire().await?).await?;
        let marker = self.index.marker().await?.filter(|_| self.failures < FAILURES_MAX);
        match marker.filter(|marker| marker.goes_on_to(&now.marker())) {
            Some(marker) => self.catch_up(&Look::of_marker(&marker)).await,
            None => self.fill().await,
        }
    }

    /// Fills the index anew, beside what it holds.
    async fn fill(&mut self) -> Result<Look, FollowError> {
        // There is one index beside at most.
        self.desk.begin_anew();
        let mut snapshot = store::transaction::snapshot(&self.rows.pool).await?;
        let (now, _) = Look::at(&mut snapshot).await?;
        let mut filling = self.index.fill(&now.marker()).await?;
        source::all(&mut snapshot, &mut *filling, &|_| {}).await?;
        snapshot.commit().await?;
        filling.finish(now.marker()).await?;
        tracing::info!(position = now.seen[0].position, "the search index is filled");
        Ok(self.reached(now, Moved::ALL))
    }

    /// Writes what changed between `done` and now, and compares some of what is there if it is time for that.
    async fn catch_up(&mut self, done: &Look) -> Result<Look, FollowError> {
        let mut snapshot = store::transaction::snapshot(&self.rows.pool).await?;
        let (now, _) = Look::at(&mut snapshot).await?;
        let (from, to) = source::between(done, &now);
        if !now.is_of(done) && done.seen[0].position > 0 || to - from > BEHIND_MAX {
            drop(snapshot);
            return self.fill().await;
        }
        let changes = self.rows.changes(&mut snapshot, done, &now).await?;
        if !self.desk.compares() {
            snapshot.commit().await?;
            return self.write(changes, now).await;
        }
        let now = self.write(changes, now).await?;
        if self.desk.step(&mut snapshot, &now).await? {
            self.reached(now.clone(), Moved::ALL);
        }
        snapshot.commit().await?;
        Ok(now)
    }

    async fn write(&self, changes: Changes, now: Look) -> Result<Look, FollowError> {
        // Of an index that all share, the others know by its marker alone how far it is.
        let moved = match changes.is_none() && !self.index.is_shared() {
            true => Moved::default(),
            false => changes.write(&*self.index, &now).await?,
        };
        Ok(self.reached(now, moved))
    }

    fn reached(&self, now: Look, moved: Moved) -> Look {
        // What is cached is dropped before anybody is told of the new position.
        self.moves.count(moved);
        self.look.send_replace(Some(Arc::new(now.clone())));
        now
    }

    /// Waits until the read models may have moved, or there is something to compare.
    async fn wait(&mut self) {
        if self.desk.hurries() {
            return;
        }
        let [products, stock, sales] = &mut self.hints;
        let failed = tokio::select! {
            prepared = self.desk.prepared() => prepared.err(),
            () = come_further(products) => None,
            () = come_further(stock) => None,
            () = come_further(sales) => None,
            () = self.wanted.notified() => {
                self.clock.sleep(LOOK_SOON).await;
                None
            }
            () = self.clock.sleep(LOOK_EVERY) => None,
        };
        if let Some(error) = failed {
            self.desk.failed(&error).await;
        }
    }
}

/// Does something that may take long, and keeps the lease meanwhile.
async fn holding<T>(
    lease: &mut Option<Lease>,
    clock: &dyn Clock,
    work: impl Future<Output = T>,
) -> Result<T, FollowError> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            () = clock.sleep(HOLD_EVERY) => {
                if let Some(lease) = lease
                    && !lease.hold().await
                {
                    return Err(FollowError::TakenOver);
                }
            }
        }
    }
}
