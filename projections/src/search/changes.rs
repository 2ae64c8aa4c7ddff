//! What changed in the read models between two looks at them, as an index has to be told.

use sqlx::{PgConnection, PgPool};
use store::{feed::Feed, log::LogError};

use super::{
    follow::LOOK_EVERY,
    index::{Change, Document, Index, IndexError, Moved},
    source::{self, Look, ReadError, SOURCES, Touched},
};

/// Events that are read at once.
const BATCH: usize = 2_000;

#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
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

/// Where changes are read.
#[derive(Clone)]
pub(super) struct Rows {
    pub pool: PgPool,
    pub feed: Feed,
}

/// What an index has to be told.
#[derive(Default)]
pub(super) struct Changes {
    /// Products that may be new.
    new: Vec<Document>,
    changed: Vec<Change>,
}

impl Changes {
    pub fn is_none(&self) -> bool {
        self.changed.is_empty()
    }

    /// Tells an index; it is as far as `now` then.
    pub async fn write(self, index: &dyn Index, now: &Look) -> Result<Moved, IndexError> {
        index.write(self.new, self.changed, &now.marker()).await
    }
}

impl Rows {
    /// Reads what changed between `done` and `now`, which is what the snapshot shows.
    pub async fn changes(
        &self,
        snapshot: &mut PgConnection,
        done: &Look,
        now: &Look,
    ) -> Result<Changes, FollowError> {
        let mut touched = self.touched(done, now).await?;
        for stream in done.aside.difference(&now.aside) {
            if let Some((kind, id)) = stream.split_once('-') {
                touched.note(kind, id);
            }
        }
        if touched.is_empty() && now.rated == done.rated {
            return Ok(Changes::default());
        }
        let documents = source::touched(snapshot, &touched, done.rated).await?;
        let changed = documents
            .iter()
            .map(|document| Change { listed_at: document.listed_at, values: document.values });
        let changed = changed.collect();
        let new = if touched.products.is_empty() { Vec::new() } else { documents };
        Ok(Changes { new, changed })
    }

    /// Goes through the events in between for the streams that they belong to.
    async fn touched(&self, done: &Look, now: &Look) -> Result<Touched, FollowError> {
        let (mut position, to) = source::between(done, now);
        let mut touched = Touched::default();
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
}
