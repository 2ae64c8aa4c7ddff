//! An index in a Meilisearch: the same questions, asked over HTTP.

mod asking;
mod documents;
mod reading;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use meilisearch_sdk::{
    client::{Client, SwapIndexes},
    errors::{Error, ErrorCode, MeilisearchError},
    task_info::TaskInfo,
    tasks::Task,
};
use serde_json::Value;
use store::ports::Clock;

use self::documents::{MARKER, Stored, changed, document, marked, settings};
use super::{
    index::{Beside, Change, Document, Filling, Hits, Index, IndexError, Marker, Moved, Reading},
    query::ProductQuery,
    synonyms::Synonyms,
};

/// How long one request may take; the client itself would wait for ever.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// How long a task may take: a fill of a large shop is one of many.
const TASK_MAX: Duration = Duration::from_secs(30 * 60);
/// How often a task is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Writes of one product within this time become one.
const PAUSE: Duration = Duration::from_millis(100);
/// Writes of a fill that wait at the server. It takes tasks in their order, so those of the index that answers come behind.
const WAITING_MAX: usize = 4;

/// An index in a Meilisearch. It is shared: one process writes it, all of them ask.
#[derive(Clone)]
pub struct Meili {
    client: Client,
    /// The index that answers; the one that is being filled ends with `_next`.
    uid: String,
    synonyms: Arc<Synonyms>,
    clock: Arc<dyn Clock>,
    /// When the index was made that this process writes: a write to one that is gone makes another, without its settings.
    made_at: Arc<Mutex<Option<Value>>>,
}

impl Meili {
    /// An index of that name in the server at `url`.
    ///
    /// # Errors
    /// When the key cannot be sent, or the address holds another one.
    pub fn new(
        url: &str,
        key: Option<&str>,
        uid: &str,
        synonyms: Synonyms,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IndexError> {
        let server = url.split_once("://").map_or(url, |(_, server)| server);
        if server.split('/').next().is_some_and(|authority| authority.contains('@')) {
            // It would be sent in place of the key, and told in every error.
            let reason =
                "MEILI_URL holds a name or a password: leave them out, and set MEILI_MASTER_KEY to its key";
            return Err(IndexError::Failed(reason.to_owned()));
        }
        let client = Client::new(url.trim_end_matches('/'), key).map_err(failed)?;
        let (uid, synonyms) = (uid.to_owned(), Arc::new(synonyms));
        Ok(Self { client, uid, synonyms, clock, made_at: Arc::default() })
    }

    fn next(&self) -> String {
        format!("{}_next", self.uid)
    }

    /// The answer, if it comes in time.
    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, IndexError> {
        tokio::select! {
            answer = answer => answer.map_err(failed),
            () = self.clock.sleep(REQUEST_MAX) => Err(IndexError::Failed("Meilisearch does not answer".to_owned())),
        }
    }

    /// Waits until a task has ended well. The client's own waiting cannot tell one that was cancelled.
    async fn done(&self, task: &TaskInfo) -> Result<(), IndexError> {
        match self.ended(task).await? {
            None => Ok(()),
            Some(error) => Err(IndexError::Failed(error.to_string())),
        }
    }

    /// The same, where one failure is as good.
    async fn done_unless(&self, task: &TaskInfo, fine: ErrorCode) -> Result<(), IndexError> {
        match self.ended(task).await? {
            Some(error) if error.error_code != fine => Err(IndexError::Failed(error.to_string())),
            None | Some(_) => Ok(()),
        }
    }

    /// How a task ended.
    async fn ended(&self, task: &TaskInfo) -> Result<Option<MeilisearchError>, IndexError> {
        let mut late = self.clock.sleep(TASK_MAX);
        loop {
            match self.in_time(self.client.get_task(task)).await? {
                Task::Succeeded { .. } => return Ok(None),
                Task::Failed { content } => return Ok(Some(content.error)),
                Task::Enqueued { .. } | Task::Processing { .. } => {}
            }
            tokio::select! {
                () = self.clock.sleep(LOOK_EVERY) => {}
                () = &mut late => {
                    return Err(IndexError::Failed("a task of Meilisearch did not end in time".to_owned()));
                }
            }
        }
    }

    /// Makes an index, or takes the one that there is: that there is one shows in the task only.
    async fn ensure(&self, uid: &str) -> Result<(), IndexError> {
        let task = self.in_time(self.client.create_index(uid, Some("id"))).await?;
        self.done_unless(&task, ErrorCode::IndexAlreadyExists).await
    }

    /// When the index was made; `None` when there is none.
    async fn made_at(&self) -> Result<Option<Value>, IndexError> {
        let asked = async { Ok(self.client.get_raw_index(&self.uid).await) };
        match self.in_time(asked).await? {
            Ok(index) => Ok(index.get("createdAt").cloned()),
            Err(error) if is_missing(&error, ErrorCode::IndexNotFound) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Value>> {
        self.made_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes an index, if there is one.
    async fn remove(&self, uid: &str) -> Result<(), IndexError> {
        let task = self.in_time(self.client.delete_index(uid)).await?;
        self.done_unless(&task, ErrorCode::IndexNotFound).await
    }
}

fn failed(error: Error) -> IndexError {
    IndexError::Failed(error.to_string())
}

fn is_missing(error: &Error, code: ErrorCode) -> bool {
    matches!(error, Error::Meilisearch(told) if told.error_code == code)
}

#[async_trait]
impl Index for Meili {
    fn engine(&self) -> &'static str {
        "meilisearch"
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn pause(&self) -> Duration {
        PAUSE
    }

    async fn marker(&self) -> Result<Option<Marker>, IndexError> {
        let index = self.client.index(&self.uid);
        let found = async { Ok(index.get_document::<Stored>(MARKER).await) };
        match self.in_time(found).await? {
            Ok(stored) => Ok(stored.marker()),
            Err(error)
                if is_missing(&error, ErrorCode::IndexNotFound)
                    || is_missing(&error, ErrorCode::DocumentNotFound) =>
            {
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn fill(&self, _: &Marker) -> Result<Box<dyn Filling>, IndexError> {
        let next = self.next();
        self.remove(&next).await?;
        self.ensure(&next).await?;
        let index = self.client.index(&next);
        let told = self.in_time(index.set_settings(&settings(&self.synonyms))).await?;
        self.done(&told).await?;
        let beside = Self { uid: next, made_at: Arc::default(), ..self.clone() };
        Ok(Box::new(Anew { meili: self.clone(), beside, tasks: VecDeque::new() }))
    }

    async fn still_there(&self) -> Result<(), IndexError> {
        let found = self.made_at().await?;
        let mut known = self.known();
        match &*known {
            None => *known = found,
            Some(_) if *known == found => {}
            Some(_) => return Err(IndexError::Astray("it was removed from Meilisearch".to_owned())),
        }
        Ok(())
    }

    async fn sweep(&self) -> Result<(), IndexError> {
        *self.known() = None;
        self.remove(&self.next()).await?;
        self.still_there().await
    }

    async fn read(&self, _: bool) -> Result<Box<dyn Reading>, IndexError> {
        Ok(Box::new(reading::Pages(self.clone())))
    }

    async fn write(
        &self,
        new: Vec<Document>,
        values: Vec<Change>,
        marker: &Marker,
    ) -> Result<Moved, IndexError> {
        let index = self.client.index(&self.uid);
        let mut tasks = Vec::new();
        // What the values were before is not known here.
        let moved = match values.is_empty() {
            true => Moved::default(),
            false => Moved { products: !new.is_empty(), ..Moved::ALL },
        };
        if !new.is_empty() {
            let documents: Vec<_> = new.iter().map(document).collect();
            tasks.push(self.in_time(index.add_or_replace(&documents, Some("id"))).await?);
        }
        // The last value of a product counts, and the server takes one after the other.
        let changes: Vec<_> = values.iter().map(changed).chain([marked(marker)?]).collect();
        tasks.push(self.in_time(index.add_or_update(&changes, None)).await?);
        for task in &tasks {
            self.done(task).await?;
        }
        self.still_there().await?;
        Ok(moved)
    }

    async fn find(&self, query: &ProductQuery) -> Result<Hits, IndexError> {
        asking::find(self, query).await
    }

    async fn complete(&self, text: &str) -> Result<Vec<String>, IndexError> {
        asking::complete(self, text).await
    }
}

/// An index that is being filled beside the one that answers.
struct Anew {
    meili: Meili,
    beside: Meili,
    tasks: VecDeque<TaskInfo>,
}

#[async_trait]
impl Filling for Anew {
    async fn add(&mut self, documents: Vec<Document>) -> Result<(), IndexError> {
        if documents.is_empty() {
            return Ok(());
        }
        while self.tasks.len() >= WAITING_MAX
            && let Some(oldest) = self.tasks.pop_front()
        {
            self.beside.done(&oldest).await?;
        }
        let documents: Vec<_> = documents.iter().map(document).collect();
        let index = self.beside.client.index(&self.beside.uid);
        self.tasks.push_back(self.beside.in_time(index.add_or_replace(&documents, Some("id"))).await?);
        Ok(())
    }

    async fn build(mut self: Box<Self>, marker: Marker) -> Result<Box<dyn Beside>, IndexError> {
        let index = self.beside.client.index(&self.beside.uid);
        let marker = [marked(&marker)?];
        self.tasks.push_back(self.beside.in_time(index.add_or_replace(&marker, Some("id"))).await?);
        for task in &self.tasks {
            self.beside.done(task).await?;
        }
        Ok(Box::new(Built { meili: self.meili, beside: self.beside }))
    }

    async fn finish(self: Box<Self>, marker: Marker) -> Result<(), IndexError> {
        self.build(marker).await?.swap().await
    }
}

/// An index that is filled, under another name than the one that answers.
struct Built {
    meili: Meili,
    beside: Meili,
}

#[async_trait]
impl Beside for Built {
    fn index(&self) -> &dyn Index {
        &self.beside
    }

    async fn swap(self: Box<Self>) -> Result<(), IndexError> {
        let Self { meili, beside } = *self;
        // Whatever has another age after the swap is not what was swapped.
        let made_at = beside.made_at().await?;
        // Only what is there can be swapped.
        meili.ensure(&meili.uid).await?;
        let swap = SwapIndexes { indexes: (meili.uid.clone(), beside.uid.clone()), rename: None };
        let swapped = meili.in_time(meili.client.swap_indexes([&swap])).await?;
        meili.done(&swapped).await?;
        *meili.known() = made_at;
        meili.remove(&beside.uid).await
    }

    async fn give_up(self: Box<Self>) -> Result<(), IndexError> {
        self.meili.remove(&self.beside.uid).await
    }
}
