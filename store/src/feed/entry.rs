//! An event as the feed has it.

use std::sync::Arc;

use uuid::Uuid;

use crate::log::{DecodeError, NewEvent, Position, Recorded, StoredEvent, StreamId};

/// An event of the log, understood or not.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log.
    pub position: Position,
    /// Its own id.
    pub event_id: Uuid,
    /// Its aggregate's type and id, as stored.
    pub key: (Arc<str>, Arc<str>),
    /// What it says.
    pub event: Result<Recorded, DecodeError>,
    /// What stands in the log, where this process has written it.
    row: Option<Arc<NewEvent>>,
    /// How long its texts were.
    bytes: usize,
}

impl Entry {
    pub(crate) fn new(stored: StoredEvent, event: Result<Recorded, DecodeError>) -> Self {
        let bytes = stored.payload.len() + stored.metadata.len();
        let key = (stored.aggregate_type, stored.aggregate_id);
        Self { position: stored.position, event_id: stored.event_id, key, event, row: None, bytes }
    }

    /// How long its texts are.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same place in the log, saying something else.
    pub(crate) fn saying(&self, event: Recorded) -> Self {
        Self { event: Ok(event), ..self.clone() }
    }

    /// An event of this process's own.
    pub(crate) fn known(recorded: Recorded, row: Arc<NewEvent>) -> Self {
        let StreamId { aggregate_type, id } = &recorded.stream;
        let key = (aggregate_type.as_str().into(), id.clone());
        let (position, event_id) = (recorded.position, recorded.event_id);
        let bytes = row.payload.len() + row.metadata.len();
        Self { position, event_id, key, event: Ok(recorded), row: Some(row), bytes }
    }

    /// As it stands in the log, where this process has written it.
    pub(super) fn stored(&self) -> Option<StoredEvent> {
        let row = self.row.as_ref()?;
        let (aggregate_type, aggregate_id) = self.key.clone();
        Some(StoredEvent {
            position: self.position,
            aggregate_type,
            aggregate_id,
            sequence: row.sequence,
            event_type: row.event_type.into(),
            event_version: row.event_version.into(),
            payload: row.payload.as_str().into(),
            metadata: row.metadata.as_str().into(),
            event_id: row.event_id,
            recorded_at_us: row.recorded_at_us,
        })
    }

    /// Why it is not for this program, when a newer one wrote it.
    pub(crate) fn too_new(&self) -> Option<&DecodeError> {
        self.event.as_ref().err().filter(|error| matches!(error, DecodeError::Unknown { .. }))
    }
}
