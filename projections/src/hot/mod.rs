//! Answers that are kept for as long as nothing has happened to what they tell of.
//!
//! This process's feed has every event up to where it has come. What was read at one position is true at every later one
//! up to there, as long as no event of the streams that it rests on lies between: such an answer is given again, claiming
//! the later position, and no database is asked. Whatever cannot be known is not claimed: then the read model is asked.

mod basis;
mod flights;
mod follow;
mod newest;
mod touched;
mod watch;

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use quick_cache::{Weighter, sync::Cache};
use store::{
    executor::Token,
    feed::Feed,
    log::{Position, StreamId},
    ports::Clock,
};
use uuid::Uuid;

use self::{
    basis::Kept,
    flights::{Boarded, Flights},
    touched::Touched,
    watch::{Emptied, Watched},
};
use crate::{Fresh, Freshness, ReadModels};

pub use basis::{Based, Basis};
pub use newest::Newest;

/// Bytes that an answer takes beside itself and its key: the table's slot, counters and pointers.
const OVERHEAD_BYTES: usize = 256;
/// About how long an answer is, to begin with a table of the right size.
const ANSWER_BYTES: usize = 2_048;

/// What can be kept says how much of it there is.
pub trait Weighed: Send + Sync + 'static {
    /// Bytes in memory.
    fn bytes(&self) -> usize;
}

/// Answers kept in memory, within a bound; cheap to clone.
pub struct Hot<T: Weighed> {
    inner: Arc<Inner<T>>,
}

struct Inner<T: Weighed> {
    /// `None` when nothing is to be kept.
    kept: Option<Cache<StreamId, Arc<Kept<T>>, Weight>>,
    flights: Flights<Fresh<Option<Arc<T>>>>,
    feed: Feed,
    clock: Arc<dyn Clock>,
    touched: Touched,
    /// Up to where every event is known to `touched`.
    reached: AtomicI64,
    watched: Watched,
    given: AtomicU64,
    asked: AtomicU64,
}

/// How far an answer can be trusted, apart from whether there is one.
struct Claim {
    incarnation: Uuid,
    position: Position,
}

#[derive(Clone)]
struct Weight;

impl<T: Weighed> Weighter<StreamId, Arc<Kept<T>>> for Weight {
    fn weight(&self, key: &StreamId, kept: &Arc<Kept<T>>) -> u64 {
        let bytes = kept.value.bytes() + key.id.len() + kept.slots() * size_of::<u32>() + OVERHEAD_BYTES;
        bytes as u64
    }
}

impl<T: Weighed> Clone for Hot<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Weighed> Hot<T> {
    /// Keeps answers of about so many bytes in all, once [`Hot::run`] follows the feed; with 0 none are kept.
    #[must_use]
    pub fn new(feed: Feed, clock: Arc<dyn Clock>, bytes_max: usize) -> Self {
        let from = *feed.tip().borrow();
        let kept =
            (bytes_max > 0).then(|| Cache::with_weighter(bytes_max / ANSWER_BYTES, bytes_max as u64, Weight));
        let inner = Inner {
            kept,
            flights: Flights::default(),
            feed,
            clock,
            touched: Touched::since(from),
            reached: AtomicI64::new(from),
            watched: Watched::default(),
            given: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Follows the feed, and looks at the read models for what the feed does not tell, for ever.
    pub async fn run(self, read: ReadModels) {
        let Inner { watched, feed, clock, .. } = &*self.inner;
        tokio::join!(self.inner.follow(), watched.run(&read, feed.incarnation(), &**clock));
    }

    /// An answer as fresh as it has to be: a kept one, or else what `ask` finds. Those who ask at once for the same take the
    /// answer that the first of them gets, unless they have to see a position.
    ///
    /// # Errors
    /// As `ask` says.
    pub async fn get<E, F>(
        &self,
        key: StreamId,
        freshness: Freshness,
        ask: impl Fn(Freshness) -> F,
    ) -> Result<Fresh<Option<Arc<T>>>, E>
    where
        F: Future<Output = Result<Based<Option<T>>, E>>,
    {
        self.get_recent(key, freshness, async { Ok(None) }, ask).await
    }

    /// The same, where the newest events may have the answer, which `recent` makes of them.
    ///
    /// # Errors
    /// As `recent` and `ask` say.
    pub async fn get_recent<E, F>(
        &self,
        key: StreamId,
        freshness: Freshness,
        recent: impl Future<Output = Result<Option<Based<Option<T>>>, E>>,
        ask: impl Fn(Freshness) -> F,
    ) -> Result<Fresh<Option<Arc<T>>>, E>
    where
        F: Future<Output = Result<Based<Option<T>>, E>>,
    {
        if let Some(found) = self.find(&key, freshness.at_least) {
            self.inner.given.fetch_add(1, Ordering::Relaxed);
            return Ok(found);
        }
        let emptied = self.inner.watched.emptied();
        if let Some(based) = recent.await? {
            self.inner.given.fetch_add(1, Ordering::Relaxed);
            return Ok(self.keep(key, &emptied, based));
        }
        if freshness.at_least.is_some_and(|token| token.position > 0) {
            return self.ask(key, ask(freshness)).await;
        }
        match self.inner.flights.board(&key) {
            Boarded::First(flight) => {
                let answer = self.ask(key, ask(freshness)).await?;
                flight.land(answer.clone());
                Ok(answer)
            }
            Boarded::Along(flight) => match flight.landed().await {
                Some(answer) => Ok(answer),
                None => self.ask(key, ask(freshness)).await,
            },
        }
    }

    /// An answer that is kept, if it is fresh enough.
    #[must_use]
    pub fn known(&self, key: &StreamId, freshness: Freshness) -> Option<Arc<T>> {
        let found = self.find(key, freshness.at_least)?;
        self.inner.given.fetch_add(1, Ordering::Relaxed);
        found.value
    }

    /// How many answers are kept, and about how many bytes they take.
    #[must_use]
    pub fn kept(&self) -> (usize, u64) {
        self.inner.kept.as_ref().map_or((0, 0), |kept| (kept.len(), kept.weight()))
    }

    /// How many answers were given from memory, and how often the read models were asked instead.
    #[must_use]
    pub fn answers(&self) -> (u64, u64) {
        (self.inner.given.load(Ordering::Relaxed), self.inner.asked.load(Ordering::Relaxed))
    }

    fn find(&self, key: &StreamId, at_least: Option<Token>) -> Option<Fresh<Option<Arc<T>>>> {
        let kept = self.inner.kept.as_ref()?.get(key)?;
        let Claim { incarnation, position } = self.inner.claim(&kept)?;
        let enough = at_least.is_none_or(|token| {
            token.position == 0 || (token.incarnation == incarnation && token.position <= position)
        });
        let reflects = Token { incarnation, position };
        enough.then(|| Fresh::whole(Some(Arc::clone(&kept.value)), reflects))
    }

    async fn ask<E>(
        &self,
        key: StreamId,
        asked: impl Future<Output = Result<Based<Option<T>>, E>>,
    ) -> Result<Fresh<Option<Arc<T>>>, E> {
        // Noted before anything is read: what is emptied meanwhile must not come back.
        let emptied = self.inner.watched.emptied();
        self.inner.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.keep(key, &emptied, asked.await?))
    }

    fn keep(
        &self,
        key: StreamId,
        emptied: &Emptied,
        Based { fresh, basis }: Based<Option<T>>,
    ) -> Fresh<Option<Arc<T>>> {
        let answer = fresh.map(|value| value.map(Arc::new));
        if let (Some(kept), Some(value), Some(basis)) = (&self.inner.kept, &answer.value, basis)
            && let Some(entry) = self.inner.entry(Arc::clone(value), basis, emptied)
            && self.inner.claim(&entry).is_some()
            && kept.peek(&key).is_none_or(|known| known.read_at() <= entry.read_at())
        {
            kept.insert(key, Arc::new(entry));
        }
        answer
    }
}
