//! Tamper evidence: a digest over every event's stored texts, and one chain link a batch.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{NewEvent, Position, Sequence, StoredEvent};

/// SHA-256 over everything that is stored of an event but its position.
pub type Digest = [u8; 32];

/// SHA-256 over the previous link, the batch's last position and its digests in order. The first link is all zeros.
pub type Link = [u8; 32];

/// What is stored of an event, its position and digest apart.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// As stored.
    pub aggregate_type: &'a str,
    /// As stored.
    pub aggregate_id: &'a str,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// As stored.
    pub event_type: &'a str,
    /// As stored.
    pub event_version: &'a str,
    /// The exact text.
    pub payload: &'a str,
    /// The exact text.
    pub metadata: &'a str,
    /// Its own id.
    pub event_id: Uuid,
    /// In microseconds since the epoch.
    pub recorded_at_us: i64,
}

impl<'a> From<&'a NewEvent> for Texts<'a> {
    fn from(event: &'a NewEvent) -> Self {
        Self {
            aggregate_type: event.stream.aggregate_type.as_str(),
            aggregate_id: &event.stream.id,
            sequence: event.sequence,
            event_type: event.event_type,
            event_version: event.event_version,
            payload: &event.payload,
            metadata: &event.metadata,
            event_id: event.event_id,
            recorded_at_us: event.recorded_at_us,
        }
    }
}

impl<'a> From<&'a StoredEvent> for Texts<'a> {
    fn from(event: &'a StoredEvent) -> Self {
        Self {
            aggregate_type: &event.aggregate_type,
            aggregate_id: &event.aggregate_id,
            sequence: event.sequence,
            event_type: &event.event_type,
            event_version: &event.event_version,
            payload: &event.payload,
            metadata: &event.metadata,
            event_id: event.event_id,
            recorded_at_us: event.recorded_at_us,
        }
    }
}

/// The digest of an event.
///
/// Each field goes in as its length (64-bit big-endian) and its bytes, so that no two events share an input: the
/// aggregate's type and id, the sequence in decimal, the event's type and version, payload and metadata as stored,
/// the event id's 16 bytes, and the recording time in decimal microseconds since the epoch.
#[must_use]
pub fn digest<'a>(event: impl Into<Texts<'a>>) -> Digest {
    let event = event.into();
    let mut hash = Sha256::new();
    let sequence = event.sequence.to_string();
    let recorded_at = event.recorded_at_us.to_string();
    let fields: [&[u8]; 9] = [
        event.aggregate_type.as_bytes(),
        event.aggregate_id.as_bytes(),
        sequence.as_bytes(),
        event.event_type.as_bytes(),
        event.event_version.as_bytes(),
        event.payload.as_bytes(),
        event.metadata.as_bytes(),
        event.event_id.as_bytes(),
        recorded_at.as_bytes(),
    ];
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    hash.finalize().into()
}

/// The link after a batch that ends at `last`.
#[must_use]
pub fn link<'a>(previous: &Link, last: Position, digests: impl Iterator<Item = &'a Digest>) -> Link {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(last.to_be_bytes());
    for digest in digests {
        hash.update(digest);
    }
    hash.finalize().into()
}
