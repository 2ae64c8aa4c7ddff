//! From stored text to what it means, through the upcasters.
//!
//! Everybody who reads events comes by here. Some are read with the event that is stored before them in their stream: a
//! [`Decoder`] finds that among what it has read, and [`understand`] in the log.

use std::{collections::HashMap, sync::Arc};

use domain::{AggregateType, value::Time};

use super::{Log, LogError, Meaning, Metadata, Portion, Position, Recorded, StoredEvent, StreamId};
use crate::{
    json,
    upcast::{self, Before, Current, Stored, Unread},
};

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

/// What came of reading an event.
pub type Decoded = Result<Recorded, DecodeError>;

/// Reads events in the order of the log, and remembers those that a later one may have to be read with.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Events that mean nothing by themselves, the last one of each stream.
    dropped: HashMap<(Arc<str>, Arc<str>), StoredEvent>,
}

impl Decoder {
    /// Reads an event; `None` when it is to be read with the one before it in its stream, and that was not read here.
    pub fn read(&mut self, stored: &StoredEvent) -> Option<Decoded> {
        let key = || (stored.aggregate_type.clone(), stored.aggregate_id.clone());
        let decoded = decode(stored, None).or_else(|| {
            let before = self.dropped.remove(&key())?;
            if before.sequence + 1 == stored.sequence { decode(stored, Some(&before)) } else { None }
        })?;
        if decoded.as_ref().is_ok_and(|recorded| recorded.events.is_empty()) {
            self.dropped.insert(key(), stored.clone());
        }
        Some(decoded)
    }
}

/// Reads an event, and from the log the one before it where it is read with that.
///
/// # Errors
/// When the log cannot be read.
pub async fn understand(
    log: &(impl Log + ?Sized),
    decoder: &mut Decoder,
    stored: &StoredEvent,
) -> Result<Decoded, LogError> {
    if let Some(decoded) = decoder.read(stored) {
        return Ok(decoded);
    }
    let before = match stored.aggregate_type.parse() {
        Ok(aggregate_type) => {
            let stream = StreamId { aggregate_type, id: stored.aggregate_id.clone() };
            log.one(&stream, stored.sequence - 1).await?
        }
        Err(_) => None,
    };
    let decoded = before.and_then(|before| decode(stored, Some(&before)));
    Ok(decoded.unwrap_or_else(|| Err(alone(stored.form()))))
}

/// At most `limit` events after a position, and what came of reading each, in order.
///
/// # Errors
/// When the log cannot be read.
pub async fn read_with<T: Send>(
    log: &(impl Log + ?Sized),
    after: Position,
    limit: i64,
    with: impl Fn(StoredEvent, Decoded) -> T + Send + Sync,
) -> Result<Vec<T>, LogError> {
    Ok(read_but(log, after, limit, &[], with).await?.1)
}

/// The same but for events of some kinds of aggregates; beside it, the last position.
///
/// # Errors
/// When the log cannot be read.
pub async fn read_but<T: Send>(
    log: &(impl Log + ?Sized),
    after: Position,
    limit: i64,
    unwanted: &[AggregateType],
    with: impl Fn(StoredEvent, Decoded) -> T + Send + Sync,
) -> Result<(Position, Vec<T>), LogError> {
    let (mut decoder, mut read, mut later) = (Decoder::default(), Vec::new(), Vec::new());
    let mut take = |stored: StoredEvent| match decoder.read(&stored) {
        Some(decoded) => read.push(with(stored, decoded)),
        None => later.push((read.len() + later.len(), stored)),
    };
    let end = log.read_each(after, limit, Portion::But(unwanted), &mut take).await?;
    if later.is_empty() {
        return Ok((end, read));
    }
    let mut all = Vec::with_capacity(read.len() + later.len());
    let mut read = read.into_iter();
    for (place, stored) in later {
        all.extend(read.by_ref().take(place - all.len()));
        let decoded = understand(log, &mut Decoder::default(), &stored).await?;
        all.push(with(stored, decoded));
    }
    all.extend(read);
    Ok((end, all))
}

/// Reads the events of one stream from its first one on.
pub fn decode_stream<'a>(events: impl IntoIterator<Item = &'a StoredEvent>) -> impl Iterator<Item = Decoded> {
    let mut before = None;
    events.into_iter().map(move |stored| {
        let decoded = decode(stored, before.replace(stored));
        decoded.unwrap_or_else(|| Err(alone(stored.form())))
    })
}

/// Reads an event; `None` when it is to be read with the one before it, and that is not given.
fn decode(stored: &StoredEvent, before: Option<&StoredEvent>) -> Option<Decoded> {
    let before = match before {
        Some(before) => Before::Is(before.form()),
        None if stored.sequence == 1 => Before::Nothing,
        None => Before::Unread,
    };
    let Ok(aggregate_type) = stored.aggregate_type.parse() else {
        return Some(Err(unknown(&stored.aggregate_type, stored.form())));
    };
    let events = decode_event(aggregate_type, stored.form(), before)?;
    Some(events.and_then(|events| {
        let metadata: Metadata = serde_json::from_str(&stored.metadata)
            .map_err(|error| DecodeError::malformed("metadata", &error))?;
        Ok(Recorded {
            position: stored.position,
            stream: StreamId { aggregate_type, id: stored.aggregate_id.clone() },
            sequence: stored.sequence,
            event_id: stored.event_id,
            recorded_at_us: stored.recorded_at_us,
            metadata,
            events,
        })
    }))
}

/// A stored event that is to mean nothing, whatever it says: only its place counts.
///
/// # Errors
/// When its kind of aggregate is unknown.
pub fn without_meaning(stored: &StoredEvent) -> Decoded {
    let known = stored.aggregate_type.parse();
    let aggregate_type = known.map_err(|_| unknown(&stored.aggregate_type, stored.form()))?;
    let nobody = |_| Metadata {
        occurred_at: Time::from_millis(stored.recorded_at_us.div_euclid(1_000)),
        actor: "unknown".into(),
        correlation_id: stored.event_id,
        causation_id: stored.event_id,
        command_id: stored.event_id,
        traceparent: None,
    };
    Ok(Recorded {
        position: stored.position,
        stream: StreamId { aggregate_type, id: stored.aggregate_id.clone() },
        sequence: stored.sequence,
        event_id: stored.event_id,
        recorded_at_us: stored.recorded_at_us,
        metadata: serde_json::from_str(&stored.metadata).unwrap_or_else(nobody),
        events: Meaning::None,
    })
}

/// Reads what happened, from the texts that say so; `before` is asked only where the event is read with the one before it.
pub(super) fn decode_behind<'a>(
    aggregate_type: AggregateType,
    stored: Stored<'_>,
    before: impl FnOnce() -> Before<'a>,
) -> Result<Meaning, DecodeError> {
    decode_event(aggregate_type, stored, Before::Unread)
        .or_else(|| decode_event(aggregate_type, stored, before()))
        .unwrap_or_else(|| Err(alone(stored)))
}

/// The same; `None` when the event is to be read with the one before it, and that has not been read.
fn decode_event(
    aggregate_type: AggregateType,
    stored: Stored<'_>,
    before: Before<'_>,
) -> Option<Result<Meaning, DecodeError>> {
    let malformed = |error: serde_json::Error| DecodeError::malformed("payload", &error);
    Some(match upcast::to_current(aggregate_type, stored, before) {
        Ok(Current::AsStored) => {
            json::event(aggregate_type, stored.payload).map(Meaning::One).map_err(malformed)
        }
        Ok(Current::Became(forms)) => {
            let events = forms.into_iter().map(|(event_type, payload)| {
                let event = json::event(aggregate_type, &payload.to_string()).map_err(malformed)?;
                if event.event_type() == event_type {
                    Ok(event)
                } else {
                    let reason = format!("it became {event_type} with the payload of {}", event.event_type());
                    Err(DecodeError::malformed("payload", &reason))
                }
            });
            events.collect::<Result<Vec<_>, _>>().map(Meaning::from)
        }
        Err(Unread::NeedsBefore) => return None,
        Err(Unread::Unknown) => Err(unknown(aggregate_type.as_str(), stored)),
        Err(Unread::Malformed(reason)) => Err(DecodeError::malformed("payload", &reason)),
    })
}

impl StoredEvent {
    /// Whether it is stored in the form in which this program writes such events, and so is read by itself.
    pub(crate) fn is_current(&self) -> bool {
        let aggregate_type: Option<AggregateType> = self.aggregate_type.parse().ok();
        aggregate_type.and_then(|known| known.event_version(&self.event_type)) == Some(&*self.event_version)
    }

    /// The form that it is stored in.
    pub(super) fn form(&self) -> Stored<'_> {
        Stored { event_type: &self.event_type, event_version: &self.event_version, payload: &self.payload }
    }
}

impl DecodeError {
    pub(super) fn malformed(field: &'static str, reason: &dyn std::fmt::Display) -> Self {
        Self::Malformed { field, reason: reason.to_string().into() }
    }
}

/// The same as what came of reading.
pub(super) fn missing_before(stored: &StoredEvent) -> Decoded {
    Err(alone(stored.form()))
}

/// Why an event is not understood that would have to be read with one that is not there.
fn alone(Stored { event_type, event_version, .. }: Stored<'_>) -> DecodeError {
    let reason =
        format!("{event_type} version {event_version} is read with the event before it, which is missing");
    DecodeError::malformed("payload", &reason)
}

fn unknown(aggregate_type: &str, stored: Stored<'_>) -> DecodeError {
    DecodeError::Unknown {
        aggregate_type: aggregate_type.into(),
        event_type: stored.event_type.into(),
        event_version: stored.event_version.into(),
    }
}
