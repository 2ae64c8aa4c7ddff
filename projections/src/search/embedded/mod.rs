//! An index in this process: tantivy for the text, columns in memory for all that changes.

mod catalog;
mod collect;
mod columns;
mod complete;
mod expand;
mod filling;
mod home;
mod matching;
mod text;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use async_trait::async_trait;
use tantivy::{Index as TextIndex, IndexReader, IndexWriter};
use tokio::sync::Semaphore;

use self::{catalog::Catalog, collect::Counts, home::Home, matching::Room};
use super::{
    index::{Change, Document, Filling, Hits, Index, IndexError, Marker, Moved},
    query::ProductQuery,
    synonyms::Synonyms,
    words::Typed,
};

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
    held: RwLock<Held>,
    open: Mutex<Option<Open>>,
    rooms: Mutex<Vec<(Room, Counts)>>,
}

/// What answers.
struct Held {
    catalog: Catalog,
    /// `None` until it was filled.
    marker: Option<Marker>,
}

/// What writes.
struct Open {
    writer: IndexWriter,
    reader: IndexReader,
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
        let held = Held { catalog: Catalog::new(text::schema().1), marker: None };
        let inner = Inner {
            home,
            synonyms,
            held: RwLock::new(held),
            open: Mutex::new(None),
            rooms: Mutex::default(),
        };
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
            let held = inner.held.read().unwrap_or_else(PoisonError::into_inner);
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
    async fn marker(&self) -> Result<Option<Marker>, IndexError> {
        Ok(self.inner.held.read().unwrap_or_else(PoisonError::into_inner).marker.clone())
    }

    async fn fill(&self, present: &Marker) -> Result<Box<dyn Filling>, IndexError> {
        let (inner, present) = (Arc::clone(&self.inner), present.clone());
        let filling = blocking(move || filling::Anew::begin(inner, &present)).await?;
        Ok(Box::new(filling))
    }

    async fn write(
        &self,
        new: Vec<Document>,
        changed: Vec<Change>,
        marker: &Marker,
    ) -> Result<Moved, IndexError> {
        let (inner, marker) = (Arc::clone(&self.inner), marker.clone());
        blocking(move || inner.write(&new, &changed, marker)).await
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
    fn write(&self, new: &[Document], changed: &[Change], marker: Marker) -> Result<Moved, IndexError> {
        let mut moved = Moved::default();
        let fields = self.held.read().unwrap_or_else(PoisonError::into_inner).catalog.fields;
        let unknown =
            |held: &Held, document: &&Document| held.catalog.columns.number(document.listed_at).is_none();
        let new: Vec<&Document> = {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            new.iter().filter(|document| unknown(&held, document)).collect()
        };
        let mut open = lock(&self.open);
        if !new.is_empty() {
            let open = open.as_mut().ok_or_else(|| IndexError::Astray("it was never filled".to_owned()))?;
            for document in &new {
                open.writer.add_document(text::document(fields, document))?;
            }
            filling::commit(&mut open.writer, &marker)?;
            open.reader.reload()?;
            let searcher = open.reader.searcher();
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            for document in new {
                held.catalog.add(document)?;
            }
            held.catalog.reload(searcher.segment_readers())?;
            moved = Moved::ALL;
        }
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let columns = &held.catalog.columns;
        for change in changed {
            let number = columns
                .number(change.listed_at)
                .ok_or_else(|| IndexError::Astray("a value of no product".to_owned()))?;
            moved.note(&columns.values(number), &change.values);
            columns.set(number, &change.values);
        }
        drop(held);
        self.held.write().unwrap_or_else(PoisonError::into_inner).marker = Some(marker);
        Ok(moved)
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
