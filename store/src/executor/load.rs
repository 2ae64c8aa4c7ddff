//! Reads an aggregate into memory, from its snapshot on, for the commands that wait for it, and keeps new snapshots.

use std::{sync::Arc, time::Duration};

use domain::AnyState;

use super::{
    ExecuteError, Reply, Request,
    cache::{Loaded, Slot, Versioned},
    core::Core,
};
use crate::{
    json,
    log::{Head, Log, LogError, Past, Sequence, Snapshot, StreamId},
    ports::Clock,
};

/// A load, by its number and stream, and what came of it.
pub type Loading = (u64, StreamId, Result<Loaded, LogError>);

/// How long a load may take: a connection that has gone silent must not hold up all others.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads a stream, whole if its snapshot cannot be read.
pub async fn load(log: Arc<dyn Log>, clock: Arc<dyn Clock>, (number, stream): (u64, StreamId)) -> Loading {
    let found = tokio::select! {
        found = read(&*log, &stream) => found,
        () = clock.sleep(LOAD_TIMEOUT) => Err(LogError::timed_out()),
    };
    (number, stream, found)
}

async fn read(log: &dyn Log, stream: &StreamId) -> Result<Loaded, LogError> {
    let (loaded, unreadable) = fold(log, stream, true).await?;
    let Some(error) = unreadable else { return Ok(loaded) };
    tracing::warn!(%stream, %error, "a snapshot cannot be read: the whole stream is read instead");
    Ok(fold(log, stream, false).await?.0)
}

/// What an aggregate's events come to, and how many there are.
///
/// # Errors
/// When the log cannot be read.
pub async fn folded(log: &dyn Log, stream: &StreamId) -> Result<(AnyState, Sequence), LogError> {
    let Versioned { state, sequence } = read(log, stream).await?.durable;
    Ok((state, sequence))
}

/// Reads a stream; beside it, why its snapshot could not be read: then what was read is of no use.
async fn fold(
    log: &dyn Log,
    stream: &StreamId,
    snapshot: bool,
) -> Result<(Loaded, Option<serde_json::Error>), LogError> {
    let mut loaded = Loaded { durable: Versioned::initial(stream), saved: 0 };
    let mut unreadable = None;
    let take = &mut |past: Past<'_>| match past {
        Past::Next(events) => loaded.durable.follow(events),
        Past::State(sequence, text) => match json::state(stream.aggregate_type, text) {
            Ok(state) => loaded = Loaded { durable: Versioned { state, sequence }, saved: sequence },
            Err(error) => unreadable = Some(error),
        },
    };
    log.history(stream, snapshot, take).await?;
    Ok((loaded, unreadable))
}

/// Writes a snapshot. Without it, the next load takes longer.
pub async fn save(log: Arc<dyn Log>, head: Head, snapshot: Snapshot) {
    if let Err(error) = log.save(&head, &snapshot).await {
        tracing::warn!(stream = %snapshot.stream, %error, "a snapshot was not kept; a later one will be");
    }
}

impl Core {
    /// Has a command wait until its aggregate is loaded; whatever was told of it no longer holds.
    pub(super) fn load_for(&mut self, request: Box<Request>, mut reply: Reply) {
        reply.withdraw();
        self.loading += 1;
        let stream = request.stream();
        if let Some(Slot::Loading { waiting, .. }) = self.cache.get_mut(&stream) {
            return waiting.push((request, reply));
        }
        self.loads += 1;
        self.to_load.push_back((self.loads, stream.clone()));
        self.cache.begin_loading(stream, self.loads, (request, reply));
    }

    /// Whether the append on its way takes a stream to be empty that nobody has looked at.
    pub(super) fn rests_on_a_guess(&self) -> bool {
        self.flying.iter().any(|decided| self.cache.is_guessed(&decided.request.stream()))
    }

    pub(super) fn loaded(&mut self, stream: &StreamId, result: Result<Loaded, LogError>) {
        match result {
            Ok(loaded) => {
                let (waiting, snapshot) = self.cache.loaded(stream, loaded);
                self.keep(snapshot);
                for (request, reply) in waiting {
                    self.loading -= 1;
                    self.decide(request, reply);
                }
            }
            Err(error) => {
                tracing::error!(%stream, %error, "an aggregate could not be loaded");
                self.give_up_loading(stream, &ExecuteError::Unavailable((&error).into()));
                self.head_sender.send_replace(self.head);
            }
        }
    }

    /// Has a snapshot written, in place of an older one of its stream.
    pub(super) fn keep(&mut self, snapshot: Option<Snapshot>) {
        if let Some(snapshot) = snapshot {
            self.snapshots.retain(|waiting| waiting.stream != snapshot.stream);
            self.snapshots.push_back(snapshot);
        }
    }

    /// Answers the commands that wait for an aggregate which cannot be loaded.
    pub(super) fn give_up_loading(&mut self, stream: &StreamId, error: &ExecuteError) {
        for (request, reply) in self.cache.loading_failed(stream) {
            self.loading -= 1;
            self.known_ids.remove(&request.command_id);
            reply.send_instead(Err(error.clone()));
        }
    }
}
