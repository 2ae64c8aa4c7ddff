//! An index in this process: tantivy for the text, columns in memory for all that changes.

mod catalog;
mod collect;
mod columns;
mod complete;
mod expand;
mod filling;
mod home;
mod matching;
mod reading;
mod shelf;
mod text;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use tantivy::Index as TextIndex;
use tokio::sync::Semaphore;

use self::{catalog::Catalog, collect::Counts, home::Home, matching::Room, reading::Pages, shelf::Shelf};
use super::{
    index::{Change, Document, Filling, Hits, Index, IndexError, Marker, Moved, Reading},
    query::ProductQuery,
    synonyms::Synonyms,
    words::Typed,
};

/// From a write to the next, so that what changes often is read less often.
const PAUSE: Duration = Duration::from_millis(200);

/// An embedded index.
pub struct Embedded {
    inner: Arc<Inner>,
    /// Queries at work at once: more than there are processors would only keep each other waiting.
    turns: Arc<Semaphore>,
}

struct Inner {
    /// `None` keeps everything in memory.
    home: Option<Home>,
    synonyms: Synonyms,
    /// What answers.
    shelf: RwLock<Arc<Shelf>>,
    rooms: Mutex<Vec<(Room, Counts)>>,
}

impl Embedded {
    /// An index in a directory that no other process may have.
    ///
    /// # Errors
    /// When another process has it, or it cannot be made.
    pub fn at(directory: &Path, synonyms: Synonyms) -> Result<Self, IndexError> {
        Ok(Self::of(Some(Home::take(directory)?), synonyms))
    }

    /// The same, in a directory beside it when another process has that one.
    ///
    /// # Errors
    /// When none can be made.
    pub fn near(directory: &Path, synonyms: Synonyms) -> Result<Self, IndexError> {
        Ok(Self::of(Some(Home::take_any(directory)?), synonyms))
    }

    /// An index that ends with the process.
    #[must_use]
    pub fn in_memory(synonyms: Synonyms) -> Self {
        Self::of(None, synonyms)
    }

    fn of(home: Option<Home>, synonyms: Synonyms) -> Self {
        Self::with(home, synonyms, Arc::new(Shelf::empty()))
    }

    fn with(home: Option<Home>, synonyms: Synonyms, shelf: Arc<Shelf>) -> Self {
        let inner = Inner { home, synonyms, shelf: RwLock::new(shelf), rooms: Mutex::default() };
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { inner: Arc::new(inner), turns: Arc::new(Semaphore::new(processors)) }
    }

    /// Runs a query on a thread that may take its time.
    async fn ask<T: Send + 'static>(
        &self,
        answer: impl FnOnce(&Inner, &Catalog, &mut Room, &mut Counts) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|error| IndexError::Failed(error.to_string()))?;
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            // A thread goes on when nobody waits for it any more, and so does its turn.
            let _turn = turn;
            let (mut room, mut counts) = lock(&inner.rooms).pop().unwrap_or_default();
            let shelf = inner.shelf();
            let held = shelf.read();
            let answered = answer(&inner, &held.catalog, &mut room, &mut counts);
            drop(held);
            lock(&inner.rooms).push((room, counts));
            answered
        })
        .await
    }
}

#[async_trait]
impl Index for Embedded {
    fn engine(&self) -> &'static str {
        "embedded"
    }

    fn pause(&self) -> Duration {
        PAUSE
    }

    async fn marker(&self) -> Result<Option<Marker>, IndexError> {
        Ok(self.inner.shelf().read().marker.clone())
    }

    async fn fill(&self, present: &Marker) -> Result<Box<dyn Filling>, IndexError> {
        let (inner, present) = (Arc::clone(&self.inner), present.clone());
        let filling = blocking(move || filling::Anew::begin(inner, &present)).await?;
        Ok(Box::new(filling))
    }

    async fn read(&self, texts: bool) -> Result<Box<dyn Reading>, IndexError> {
        let shelf = self.inner.shelf();
        Ok(Box::new(blocking(move || Pages::open(shelf, texts)).await?))
    }

    async fn write(
        &self,
        new: Vec<Document>,
        changed: Vec<Change>,
        marker: &Marker,
    ) -> Result<Moved, IndexError> {
        let (shelf, marker) = (self.inner.shelf(), marker.clone());
        blocking(move || shelf.write(&new, &changed, marker)).await
    }

    async fn find(&self, query: &ProductQuery) -> Result<Hits, IndexError> {
        let after = query.after()?;
        let query = query.clone();
        self.ask(move |inner, catalog, room, counts| {
            if let Some(text) = query.said() {
                room.look_for(catalog, &Typed::read(text), &inner.synonyms)?;
            }
            Ok(collect::collect(catalog, &query, after, room, counts))
        })
        .await
    }

    async fn complete(&self, text: &str) -> Result<Vec<String>, IndexError> {
        let text = text.to_owned();
        self.ask(move |inner, catalog, room, _| complete::complete(catalog, &text, &inner.synonyms, room))
            .await
    }
}

impl Inner {
    fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, IndexError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(IndexError::Failed(error.to_string())),
    }
}

/// An index of text in a directory, or in memory.
fn create(directory: Option<&Path>) -> Result<TextIndex, IndexError> {
    let (schema, _) = text::schema();
    Ok(match directory {
        Some(directory) => TextIndex::create_in_dir(directory, schema)?,
        None => TextIndex::create_in_ram(schema),
    })
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_query_that_nobody_waits_for_any_more_keeps_its_turn_until_it_ends() {
        let index = Embedded::in_memory(Synonyms::default());
        let turns = index.turns.available_permits();
        let (end, ended) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel::<()>();
        let asked = index.ask(move |_, _, _, _| {
            drop(began);
            Ok(ended.recv().is_ok())
        });
        assert!(tokio::time::timeout(Duration::from_millis(100), asked).await.is_err());
        assert!(begun.recv().is_err(), "it is at work");
        assert_eq!(index.turns.available_permits(), turns - 1);
        drop(end);
        store::testing::eventually("it ends", async || {
            (index.turns.available_permits() == turns).then_some(())
        })
        .await;
    }
}
