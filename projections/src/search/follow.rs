//! Keeps an index at the end of the read models: what changed since its marker, read in one snapshot with the checkpoints.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{Acquire as _, PgConnection, PgPool};
use store::{
    engine::Engine,
    feed::Feed,
    follow::Lease,
    log::{LogError, Position},
    ports::Clock,
};
use tokio::sync::{Notify, watch};

use super::{
    index::{Change, Index, IndexError, Moved},
    source::{self, Look, ReadError, SOURCES, Touched},
};

/// How often checkpoints are looked at while nobody hints or waits.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long somebody who waits lets the read models go on before they are looked at again.
const LOOK_SOON: Duration = Duration::from_millis(2);
/// How long to wait after a failure.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Events that are gone through for what they touched; beyond, the index is filled anew.
const BEHIND_MAX: Position = 200_000;
/// Events that are read at once.
const BATCH: usize = 2_000;
/// Whose process writes an index that all share.
const LEASE: &str = "search";
/// How often that lease is renewed during a fill.
const HOLD_EVERY: Duration = Duration::from_secs(1);
/// Failures in a row after which the index is filled anew.
const FAILURES_MAX: u32 = 2;

#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("another process has taken over")]
    TakenOver,
}

impl From<IndexError> for FollowError {
    fn from(error: IndexError) -> Self {
        Self::Read(error.into())
    }
}

impl From<sqlx::Error> for FollowError {
    fn from(error: sqlx::Error) -> Self {
        Self::Read(error.into())
    }
}

/// How often each thing that an answer may depend on has moved.
#[derive(Debug, Default)]
pub(super) struct Moves([AtomicU64; 5]);

impl Moves {
    fn count(&self, moved: Moved) {
        let all = [moved.products, moved.price, moved.available, moved.sold, moved.rating];
        for (count, _) in self.0.iter().zip(all).filter(|(_, moved)| *moved) {
            count.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub fn now(&self) -> [u64; 5] {
        std::array::from_fn(|nth| self.0[nth].load(Ordering::Acquire))
    }
}

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
}

/// Keeps an index at the end of the read models in the schema that `pool` sees, for as long as the future is driven: an
/// index is whole at any moment. To be called when the engine's projections have been started.
pub fn follow(
    index: Arc<dyn Index>,
    engine: &Engine,
    pool: PgPool,
) -> (Followed, impl Future<Output = ()> + Send + use<>) {
    let (sender, look) = watch::channel(None);
    let followed = Followed {
        index: Arc::clone(&index),
        clock: Arc::clone(&engine.clock),
        look,
        moves: Arc::default(),
        wanted: Arc::default(),
    };
    let progress = engine.progress();
    let follower = IndexFollower {
        index,
        feed: engine.feed.clone(),
        clock: Arc::clone(&engine.clock),
        look: sender,
        moves: Arc::clone(&followed.moves),
        wanted: Arc::clone(&followed.wanted),
        hints: SOURCES.map(|(name, _)| progress.get(name).cloned()),
        lease: followed
            .index
            .is_shared()
            .then(|| Lease::new(pool.clone(), Arc::clone(&engine.clock), LEASE, engine.ids.next())),
        pool,
        failures: 0,
    };
    (followed, follower.run())
}

struct IndexFollower {
    index: Arc<dyn Index>,
    pool: PgPool,
    feed: Feed,
    clock: Arc<dyn Clock>,
    look: watch::Sender<Option<Arc<Look>>>,
    moves: Arc<Moves>,
    wanted: Arc<Notify>,
    hints: [Option<watch::Receiver<Position>>; 3],
    /// Of an index that all processes share.
    lease: Option<Lease>,
    failures: u32,
}

impl IndexFollower {
    async fn run(mut self) {
        loop {
            self.turn().await;
        }
    }

    /// Follows until something fails.
    async fn turn(&mut self) {
        if let Err(error) = self.keep_up().await {
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
        // A fill takes longer than a lease that nobody renews.
        let mut lease = self.lease.take();
        let begun = holding(&mut lease, &*self.clock, self.begin()).await;
        self.lease = lease;
        let mut done = begun??;
        loop {
            self.wait().await;
            if let Some(lease) = &mut self.lease
                && !lease.hold().await
            {
                return Ok(());
            }
            let now = Look::at(&mut *self.pool.acquire().await?).await?;
            if now == done {
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
            done = self.catch_up(&done).await?;
            self.failures = 0;
            self.clock.sleep(self.index.pause()).await;
        }
    }

    /// Waits until this process is the one that writes; meanwhile it tells how far the one that does has come.
    async fn until_ours(&mut self) -> Result<(), FollowError> {
        while let Some(lease) = &mut self.lease {
            if lease.hold().await {
                return Ok(());
            }
            if let Some(marker) = self.index.marker().await? {
                let now = Look::at(&mut *self.pool.acquire().await?).await?;
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
    async fn begin(&self) -> Result<Look, FollowError> {
        let now = Look::at(&mut *self.pool.acquire().await?).await?;
        let marker = self.index.marker().await?.filter(|_| self.failures < FAILURES_MAX);
        match marker.filter(|marker| marker.goes_on_to(&now.marker())) {
            Some(marker) => self.catch_up(&Look::of_marker(&marker)).await,
            None => self.fill().await,
        }
    }

    /// Fills the index anew, beside what it holds.
    async fn fill(&self) -> Result<Look, FollowError> {
        let mut connection = self.pool.acquire().await?;
        let mut snapshot = snapshot(&mut connection).await?;
        let now = Look::at(&mut snapshot).await?;
        let mut filling = self.index.fill(&now.marker()).await?;
        source::all(&mut snapshot, &mut *filling).await?;
        snapshot.commit().await?;
        filling.finish(now.marker()).await?;
        tracing::info!(position = now.seen[0].position, "the search index is filled");
        Ok(self.reached(now, Moved::ALL))
    }

    /// Writes what changed between `done` and now.
    async fn catch_up(&self, done: &Look) -> Result<Look, FollowError> {
        let mut connection = self.pool.acquire().await?;
        let mut snapshot = snapshot(&mut connection).await?;
        let now = Look::at(&mut snapshot).await?;
        let (from, to) = source::between(done, &now);
        if !now.is_of(done) && done.seen[0].position > 0 || to - from > BEHIND_MAX {
            drop(snapshot);
            return self.fill().await;
        }
        let mut touched = self.touched(done, &now, from, to).await?;
        for stream in done.aside.difference(&now.aside) {
            if let Some((kind, id)) = stream.split_once('-') {
                touched.note(kind, id);
            }
        }
        if touched.is_empty() && now.rated == done.rated {
            snapshot.commit().await?;
            // Processes that only read know from the marker alone how far the index is.
            if self.index.is_shared() && now.marker() != done.marker() {
                self.index.write(Vec::new(), Vec::new(), &now.marker()).await?;
            }
            return Ok(self.reached(now, Moved::default()));
        }
        let documents = source::touched(&mut snapshot, &touched, done.rated).await?;
        snapshot.commit().await?;
        let changed = documents
            .iter()
            .map(|document| Change { listed_at: document.listed_at, values: document.values });
        let changed = changed.collect();
        let new = if touched.products.is_empty() { Vec::new() } else { documents };
        let moved = self.index.write(new, changed, &now.marker()).await?;
        Ok(self.reached(now, moved))
    }

    /// Goes through the events in between for the streams that they belong to.
    async fn touched(
        &self,
        done: &Look,
        now: &Look,
        from: Position,
        to: Position,
    ) -> Result<Touched, FollowError> {
        let (mut touched, mut position) = (Touched::default(), from);
        while position < to {
            let entries = self.feed.after(position, BATCH, LOOK_EVERY).await?;
            for entry in &entries {
                let source = SOURCES.iter().position(|(_, kind)| *kind == &*entry.key.0);
                if source.is_some_and(|nth| {
                    entry.position > done.seen[nth].position && entry.position <= now.seen[nth].position
                }) {
                    touched.note(&entry.key.0, &entry.key.1);
                }
            }
            position = entries.last().map_or(position, |entry| entry.position);
        }
        Ok(touched)
    }

    fn reached(&self, now: Look, moved: Moved) -> Look {
        // What is cached is dropped before anybody is told of the new position.
        self.moves.count(moved);
        self.look.send_replace(Some(Arc::new(now.clone())));
        now
    }

    /// Waits until the read models may have moved.
    async fn wait(&mut self) {
        let [products, stock, sales] = &mut self.hints;
        tokio::select! {
            () = hinted(products) => {}
            () = hinted(stock) => {}
            () = hinted(sales) => {}
            () = self.wanted.notified() => self.clock.sleep(LOOK_SOON).await,
            () = self.clock.sleep(LOOK_EVERY) => {}
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

/// Returns when this process's own follower has moved.
async fn hinted(hint: &mut Option<watch::Receiver<Position>>) {
    if let Some(moving) = hint
        && moving.changed().await.is_ok()
    {
        return;
    }
    // It has ended, or another process follows.
    std::future::pending().await
}

async fn snapshot(
    connection: &mut PgConnection,
) -> Result<sqlx::Transaction<'_, sqlx::Postgres>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .execute(&mut *transaction)
        .await?;
    Ok(transaction)
}
