//! Fills an embedded index beside the one that answers, keeping the text of the last run where it is still true.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use async_trait::async_trait;
use store::log::Position;
use tantivy::{Index as TextIndex, IndexReader, IndexWriter, ReloadPolicy};

use super::{
    Embedded, Inner, blocking,
    catalog::Catalog,
    create,
    shelf::{Held, Open, Shelf},
    text,
};
use crate::search::index::{self, Document, Filling, IndexError, Marker};

/// Bytes of text that are gathered before they become a segment.
const GATHERED_MAX: usize = 64 << 20;

/// A fill that is under way.
pub(super) struct Anew {
    /// Taken out while a thread is at work with it.
    work: Option<Work>,
}

struct Work {
    inner: Arc<Inner>,
    index: TextIndex,
    writer: IndexWriter,
    catalog: Catalog,
    /// What the kept text holds already.
    kept: HashSet<Position>,
    /// The directory of a new generation; `None` when one is kept, or nothing is on disk.
    fresh: Option<Fresh>,
}

/// A directory that is removed again unless it comes to count.
struct Fresh {
    directory: PathBuf,
    counts: bool,
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.counts
            && let Err(error) = std::fs::remove_dir_all(&self.directory)
        {
            tracing::debug!(%error, "a search index that was given up is removed with the next fill");
        }
    }
}

impl Anew {
    pub fn begin(inner: Arc<Inner>, present: &Marker) -> Result<Self, IndexError> {
        let loaded = inner.shelf().read().marker.is_some();
        if let Some(home) = inner.home.as_ref().filter(|_| !loaded) {
            // What a process left behind that was killed may be what the disk has no room for.
            home.sweep()?;
        }
        let last = inner.home.as_ref().and_then(super::Home::current).filter(|_| !loaded);
        let kept = last.and_then(|directory| match keep(&directory, present) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(directory = %directory.display(), %error, "the search index is filled anew");
                None
            }
        });
        let (index, kept, fresh) = match kept {
            Some((index, kept)) => (index, kept, None),
            None => {
                let fresh = inner.home.as_ref().map(super::Home::fresh).transpose()?;
                let fresh = fresh.map(|directory| Fresh { directory, counts: false });
                let directory = fresh.as_ref().map(|fresh| fresh.directory.as_path());
                (create(directory)?, HashSet::new(), fresh)
            }
        };
        let writer = index.writer_with_num_threads(1, GATHERED_MAX)?;
        let catalog = Catalog::new(text::schema().1);
        Ok(Self { work: Some(Work { inner, index, writer, catalog, kept, fresh }) })
    }
}

/// An index of the last run whose files are whole and whose text is still true, and which products it holds.
fn keep(directory: &Path, present: &Marker) -> Result<Option<(TextIndex, HashSet<Position>)>, IndexError> {
    let index = TextIndex::open_in_dir(directory)?;
    let marker =
        index.load_metas()?.payload.and_then(|payload| serde_json::from_str::<Marker>(&payload).ok());
    if !marker.is_some_and(|marker| marker.goes_on_to(present)) || index.schema() != text::schema().0 {
        return Ok(None);
    }
    let damaged = index.validate_checksum()?;
    if !damaged.is_empty() {
        return Err(IndexError::Astray(format!("{} of its files are damaged", damaged.len())));
    }
    let mut kept = HashSet::new();
    for segment in reader(&index)?.searcher().segment_readers() {
        let listed_at = segment.fast_fields().i64(text::LISTED_AT)?;
        for document in 0..segment.max_doc() {
            if !listed_at.first(document).is_some_and(|listed_at| kept.insert(listed_at)) {
                return Err(IndexError::Astray("a product stands in it twice".to_owned()));
            }
        }
    }
    Ok(Some((index, kept)))
}

fn reader(index: &TextIndex) -> Result<IndexReader, IndexError> {
    Ok(index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?)
}

/// Makes what was written durable together with the marker.
pub(super) fn commit(writer: &mut IndexWriter, marker: &Marker) -> Result<(), IndexError> {
    let payload = serde_json::to_string(marker).map_err(|error| IndexError::Failed(error.to_string()))?;
    let mut prepared = writer.prepare_commit()?;
    prepared.set_payload(&payload);
    prepared.commit()?;
    Ok(())
}

#[async_trait]
impl Filling for Anew {
    async fn add(&mut self, documents: Vec<Document>) -> Result<(), IndexError> {
        let mut work = self.work.take().ok_or_else(cut_off)?;
        let work = blocking(move || {
            work.add(&documents)?;
            Ok(work)
        });
        self.work = Some(work.await?);
        Ok(())
    }

    async fn build(mut self: Box<Self>, marker: Marker) -> Result<Box<dyn index::Beside>, IndexError> {
        let work = self.work.take().ok_or_else(cut_off)?;
        Ok(Box::new(blocking(move || work.build(marker)).await?))
    }

    async fn finish(self: Box<Self>, marker: Marker) -> Result<(), IndexError> {
        self.build(marker).await?.swap().await
    }
}

fn cut_off() -> IndexError {
    IndexError::Failed("a fill that was cut off cannot go on".to_owned())
}

impl Work {
    fn add(&mut self, documents: &[Document]) -> Result<(), IndexError> {
        for document in documents {
            self.catalog.add(document)?;
            if !self.kept.remove(&document.listed_at) {
                self.writer.add_document(text::document(self.catalog.fields, document))?;
            }
        }
        Ok(())
    }

    fn build(mut self, marker: Marker) -> Result<Beside, IndexError> {
        if !self.kept.is_empty() {
            self.forget();
            return Err(IndexError::Astray(format!("{} of its texts are of no product", self.kept.len())));
        }
        commit(&mut self.writer, &marker)?;
        let segments = self.index.searchable_segment_ids()?;
        if self.fresh.is_some() && segments.len() > 1 {
            // A query looks every word up in each segment.
            self.writer.merge(&segments).wait()?;
        }
        let reader = reader(&self.index)?;
        self.catalog = self.catalog.by_category()?;
        if let Err(error) = self.catalog.reload(reader.searcher().segment_readers()) {
            self.forget();
            return Err(error);
        }
        let held = Held { catalog: self.catalog, marker: Some(marker) };
        let shelf = Arc::new(Shelf::filled(held, Open { writer: self.writer, reader }));
        let index = Embedded::with(None, self.inner.synonyms.clone(), Arc::clone(&shelf));
        Ok(Beside { index, shelf, inner: self.inner, fresh: self.fresh })
    }

    /// What was kept is not true: the next fill begins with nothing.
    fn forget(&self) {
        if let Some(home) = self.inner.home.as_ref().filter(|_| self.fresh.is_none()) {
            home.forget();
        }
    }
}

/// An index that is filled, beside the one that answers.
struct Beside {
    index: Embedded,
    shelf: Arc<Shelf>,
    inner: Arc<Inner>,
    /// Goes last: nothing may write there any more when it is removed.
    fresh: Option<Fresh>,
}

#[async_trait]
impl index::Beside for Beside {
    fn index(&self) -> &dyn index::Index {
        &self.index
    }

    async fn swap(mut self: Box<Self>) -> Result<(), IndexError> {
        blocking(move || {
            if let Some(home) = &self.inner.home {
                match &mut self.fresh {
                    Some(fresh) => {
                        home.point_to(&fresh.directory)?;
                        fresh.counts = true;
                    }
                    None => home.sweep()?,
                }
            }
            let mut answering = self.inner.shelf.write().unwrap_or_else(PoisonError::into_inner);
            let old = std::mem::replace(&mut *answering, Arc::clone(&self.shelf));
            drop(answering);
            drop(old);
            Ok(())
        })
        .await
    }

    async fn give_up(self: Box<Self>) -> Result<(), IndexError> {
        blocking(move || {
            drop(self);
            Ok(())
        })
        .await
    }
}
