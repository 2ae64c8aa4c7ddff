//! From stored text to a domain event, through the upcasters.

use domain::{AggregateType, AnyEvent, value::Time};

use super::{Meaning, Metadata, Recorded, StoredEvent, StreamId};
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
    let StoredEvent { aggregate_type, event_type, event_version, payload, .. } = stored;
    let known: AggregateType =
        aggregate_type.parse().map_err(|_| unknown(aggregate_type, event_type, event_version))?;
    let events = decode_event(known, event_type, event_version, payload)?;
    let metadata: Metadata =
        serde_json::from_str(&stored.metadata).map_err(|error| malformed("metadata", &error))?;
    Ok(Recorded {
        position: stored.position,
        stream: StreamId { aggregate_type: known, id: stored.aggregate_id.clone() },
        sequence: stored.sequence,
        event_id: stored.event_id,
        recorded_at_us: stored.recorded_at_us,
        metadata,
        events,
    })
}

/// Reads what happened, from the texts that say so.
///
/// # Errors
/// When the event's type is unknown or its payload malformed.
pub fn decode_event(
    aggregate_type: AggregateType,
    event_type: &str,
    event_version: &str,
    payload: &str,
) -> Result<Meaning, DecodeError> {
    let current = upcast::to_current(aggregate_type, event_type, event_version, payload)
        .map_err(|error| malformed("payload", &error))?
        .ok_or_else(|| unknown(aggregate_type.as_str(), event_type, event_version))?;
    AnyEvent::deserialize(aggregate_type, &mut serde_json::Deserializer::from_str(&current))
        .map(Meaning::One)
        .map_err(|error| malformed("payload", &error))
}

/// A stored event that is to mean nothing, whatever it says: only its place counts.
///
/// # Errors
/// When its kind of aggregate is unknown.
pub fn without_meaning(stored: &StoredEvent) -> Result<Recorded, DecodeError> {
    let StoredEvent { aggregate_type, event_type, event_version, .. } = stored;
    let known: AggregateType =
        aggregate_type.parse().map_err(|_| unknown(aggregate_type, event_type, event_version))?;
    let nobody = |_| Metadata {
        occurred_at: Time::from_millis(stored.recorded_at_us.div_euclid(1_000)),
        actor: "unknown".into(),
        correlation_id: stored.event_id,
        causation_id: stored.event_id,
        command_id: stored.event_id,
    };
    Ok(Recorded {
        position: stored.position,
        stream: StreamId { aggregate_type: known, id: stored.aggregate_id.clone() },
        sequence: stored.sequence,
        event_id: stored.event_id,
        recorded_at_us: stored.recorded_at_us,
        metadata: serde_json::from_str(&stored.metadata).unwrap_or_else(nobody),
        events: Meaning::None,
    })
}

fn unknown(aggregate_type: &str, event_type: &str, event_version: &str) -> DecodeError {
    DecodeError::Unknown {
        aggregate_type: aggregate_type.into(),
        event_type: event_type.into(),
        event_version: event_version.into(),
    }
}

fn malformed(field: &'static str, error: &serde_json::Error) -> DecodeError {
    DecodeError::Malformed { field, reason: error.to_string().into() }
}
