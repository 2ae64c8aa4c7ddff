//! From stored text to a domain event, through the upcasters.

use domain::{AggregateType, AnyEvent};

use super::{Metadata, Recorded, StoredEvent, StreamId};
use crate::upcast;

/// Why a stored event cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A type or version that this program does not know: probably written by a newer one.
    #[error("{aggregate_type} event {event_type} version {event_version} is not known to this program")]
    Unknown {
        /// As stored.
        aggregate_type: Box<str>,
        /// As stored.
        event_type: Box<str>,
        /// As stored.
        event_version: Box<str>,
    },
    /// A known type whose text is not of its shape.
    #[error("{field} is malformed: {reason}")]
    Malformed {
        /// `payload` or `metadata`.
        field: &'static str,
        /// The parser's word.
        reason: Box<str>,
    },
}

/// Reads a stored event.
///
/// # Errors
/// When its type is unknown or its text malformed.
pub fn decode(stored: &StoredEvent) -> Result<Recorded, DecodeError> {
    let event = decode_event(stored)?;
    let metadata: Metadata =
        serde_json::from_str(&stored.metadata).map_err(|error| malformed("metadata", &error))?;
    Ok(Recorded {
        position: stored.position,
        stream: StreamId { aggregate_type: event.aggregate_type(), id: stored.aggregate_id.clone() },
        sequence: stored.sequence,
        event_id: stored.event_id,
        recorded_at_us: stored.recorded_at_us,
        metadata,
        event,
    })
}

/// Reads what happened, for those who fold it and do not ask who did it.
///
/// # Errors
/// When its type is unknown or its payload malformed.
pub fn decode_event(stored: &StoredEvent) -> Result<AnyEvent, DecodeError> {
    let unknown = || DecodeError::Unknown {
        aggregate_type: stored.aggregate_type.clone(),
        event_type: stored.event_type.clone(),
        event_version: stored.event_version.clone(),
    };
    let aggregate_type: AggregateType = stored.aggregate_type.parse().map_err(|_| unknown())?;
    let current =
        upcast::to_current(aggregate_type, &stored.event_type, &stored.event_version, &stored.payload)
            .map_err(|error| malformed("payload", &error))?
            .ok_or_else(unknown)?;
    AnyEvent::deserialize(aggregate_type, &mut serde_json::Deserializer::from_str(&current))
        .map_err(|error| malformed("payload", &error))
}

fn malformed(field: &'static str, error: &serde_json::Error) -> DecodeError {
    DecodeError::Malformed { field, reason: error.to_string().into() }
}
