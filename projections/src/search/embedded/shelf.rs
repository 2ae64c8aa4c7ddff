//! What one fill has made: columns and text of the same products, and what writes to them.

use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tantivy::{IndexReader, IndexWriter};

use super::{catalog::Catalog, filling, lock, text};
use crate::search::index::{Change, Document, IndexError, Marker, Moved};

/// What one fill has made.
pub(super) struct Shelf {
    held: RwLock<Held>,
    /// `None` until it was filled.
    open: Mutex<Option<Open>>,
}

/// What is read.
pub(super) struct Held {
    pub catalog: Catalog,
    /// `None` until it was filled.
    pub marker: Option<Marker>,
}

/// What writes.
pub(super) struct Open {
    pub writer: IndexWriter,
    pub reader: IndexReader,
}

impl Shelf {
    /// One that was never filled.
    pub fn empty() -> Self {
        let held = Held { catalog: Catalog::new(text::schema().1), marker: None };
        Self { held: RwLock::new(held), open: Mutex::new(None) }
    }

    pub fn filled(held: Held, open: Open) -> Self {
        Self { held: RwLock::new(held), open: Mutex::new(Some(open)) }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn change(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self, new: &[Document], changed: &[Change], marker: Marker) -> Result<Moved, IndexError> {
        let mut moved = Moved::default();
        let (fields, new): (_, Vec<&Document>) = {
            let catalog = &self.read().catalog;
            let unknown = |document: &&Document| catalog.columns.number(document.listed_at).is_none();
            (catalog.fields, new.iter().filter(unknown).collect())
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
            let mut held = self.change();
            for document in new {
                held.catalog.add(document)?;
            }
            held.catalog.reload(searcher.segment_readers())?;
            moved = Moved::ALL;
        }
        let held = self.read();
        let columns = &held.catalog.columns;
        for change in changed {
            let number = columns
                .number(change.listed_at)
                .ok_or_else(|| IndexError::Astray("a value of no product".to_owned()))?;
            moved.note(&columns.values(number), &change.values);
            columns.set(number, &change.values);
        }
        drop(held);
        self.change().marker = Some(marker);
        Ok(moved)
    }
}
