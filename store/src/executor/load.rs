//! Reads an aggregate into memory, from its snapshot on, and keeps new snapshots.

use std::sync::Arc;

use domain::AnyState;

use super::cache::{Loaded, Versioned};
use crate::log::{Head, Log, LogError, Past, Snapshot, StreamId};

/// A load, by its number and stream, and what came of it.
pub type Loading = (u64, StreamId, Result<Loaded, LogError>);

/// Reads a stream, whole if its snapshot cannot be read.
pub async fn load(log: Arc<dyn Log>, (number, stream): (u64, StreamId)) -> Loading {
    let mut found = fold(&*log, &stream, true).await;
    if let Ok((_, Some(error))) = &found {
        tracing::warn!(%stream, %error, "a snapshot cannot be read: the whole stream is read instead");
        found = fold(&*log, &stream, false).await;
    }
    (number, stream, found.map(|(loaded, _)| loaded))
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
        Past::State(sequence, text) => {
            match AnyState::deserialize(stream.aggregate_type, &mut serde_json::Deserializer::from_str(text))
            {
                Ok(state) => loaded = Loaded { durable: Versioned { state, sequence }, saved: sequence },
                Err(error) => unreadable = Some(error),
            }
        }
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
