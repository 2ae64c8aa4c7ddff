//! An event on the broker: CloudEvents 1.0 in JSON, its payload the log's own text.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{log::StoredEvent, trace::Traceparent};

/// An event with the life of the log that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Which life of the log.
    pub incarnation: Uuid,
    /// The event as it is stored.
    pub event: StoredEvent,
}

/// A message that is not one of Daybook's envelopes.
#[derive(Debug, thiserror::Error)]
#[error("not an envelope: {0}")]
pub struct EnvelopeError(String);

/// What a message is written from, but for `data`, which is the payload's own text. Extension attributes are lower case
/// without separators, as CloudEvents asks. `metadata` holds who, when and why as the log's own JSON text.
#[derive(Serialize)]
struct Written<'a> {
    specversion: &'a str,
    id: Uuid,
    source: Joined<'a>,
    #[serde(rename = "type")]
    event: Joined<'a>,
    subject: Joined<'a>,
    time: &'a str,
    datacontenttype: &'a str,
    position: i64,
    sequence: i64,
    aggregatetype: &'a str,
    aggregateid: &'a str,
    recordedatus: i64,
    metadata: &'a str,
}

/// A text that is made where it is written.
struct Joined<'a>(fmt::Arguments<'a>);

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What is read of a message.
#[derive(Deserialize)]
struct CloudEvent<'a> {
    id: Uuid,
    source: Cow<'a, str>,
    #[serde(rename = "type")]
    event: Cow<'a, str>,
    position: i64,
    sequence: i64,
    aggregatetype: Cow<'a, str>,
    aggregateid: Cow<'a, str>,
    recordedatus: i64,
    metadata: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

const SOURCE: &str = "urn:daybook:log:";

impl Envelope {
    /// The span that the event goes on from, where somebody collects its trace.
    #[must_use]
    pub fn traceparent(&self) -> Option<Traceparent> {
        #[derive(Deserialize)]
        struct Only {
            traceparent: Option<Traceparent>,
        }
        // Most have none, and a text is searched sooner than read.
        let metadata = Some(&self.event.metadata).filter(|text| text.contains("\"traceparent\""))?;
        serde_json::from_str::<Only>(metadata).ok()?.traceparent
    }

    /// The message's body. The payload is taken to be JSON, as the log takes no other.
    ///
    /// # Errors
    /// When something else of the event cannot be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, EnvelopeError> {
        let event = &self.event;
        let recorded_at = domain::value::Time::from_millis(event.recorded_at_us.div_euclid(1_000));
        let (of, id) = (&*event.aggregate_type, &*event.aggregate_id);
        // What stands around the two texts takes less than this.
        let mut body = Vec::with_capacity(event.payload.len() + event.metadata.len() * 5 / 4 + 640);
        let written = serde_json::to_writer(
            &mut body,
            &Written {
                specversion: "1.0",
                id: event.event_id,
                source: Joined(format_args!("{SOURCE}{}", self.incarnation)),
                event: Joined(format_args!("daybook.{of}.{}.v{}", event.event_type, event.event_version)),
                subject: Joined(format_args!("{of}-{id}")),
                time: &crate::rfc3339::format(recorded_at),
                datacontenttype: "application/json",
                position: event.position,
                sequence: event.sequence,
                aggregatetype: of,
                aggregateid: id,
                recordedatus: event.recorded_at_us,
                metadata: &event.metadata,
            },
        );
        written.map_err(wrong)?;
        // Its closing brace.
        body.pop();
        body.extend_from_slice(b",\"data\":");
        body.extend_from_slice(event.payload.as_bytes());
        body.push(b'}');
        Ok(body)
    }

    /// Reads a message's body.
    ///
    /// # Errors
    /// When it is not one of Daybook's envelopes.
    pub fn from_json(body: &[u8]) -> Result<Self, EnvelopeError> {
        let cloud_event: CloudEvent<'_> = serde_json::from_slice(body).map_err(wrong)?;
        let incarnation = cloud_event
            .source
            .strip_prefix(SOURCE)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| EnvelopeError(format!("source {:?}", cloud_event.source)))?;
        let prefix = format!("daybook.{}.", cloud_event.aggregatetype);
        let (event_type, event_version) = cloud_event
            .event
            .strip_prefix(prefix.as_str())
            .and_then(|rest| rest.rsplit_once(".v"))
            .ok_or_else(|| EnvelopeError(format!("type {:?}", cloud_event.event)))?;
        Ok(Self {
            incarnation,
            event: StoredEvent {
                position: cloud_event.position,
                event_type: event_type.into(),
                event_version: event_version.into(),
                aggregate_type: cloud_event.aggregatetype.into(),
                aggregate_id: cloud_event.aggregateid.into(),
                sequence: cloud_event.sequence,
                payload: cloud_event.data.get().into(),
                metadata: cloud_event.metadata.into(),
                event_id: cloud_event.id,
                recorded_at_us: cloud_event.recordedatus,
            },
        })
    }

    /// `<prefix>.events.<aggregate_type>.<id>.<EventType>`, the id percent-encoded outside `[A-Za-z0-9_-]`, since real
    /// SKUs hold spaces and dots.
    #[must_use]
    pub fn subject(&self, prefix: &str) -> String {
        use std::fmt::Write as _;
        let event = &self.event;
        let mut subject = String::with_capacity(128);
        // Writing to a String cannot fail.
        let _ = write!(subject, "{prefix}.events.{}.", event.aggregate_type);
        for byte in event.aggregate_id.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
                subject.push(char::from(byte));
            } else {
                let _ = write!(subject, "%{byte:02X}");
            }
        }
        subject.push('.');
        subject.push_str(&event.event_type);
        subject
    }
}

fn wrong(error: serde_json::Error) -> EnvelopeError {
    EnvelopeError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            incarnation: Uuid::from_u128(7),
            event: StoredEvent {
                position: 42,
                aggregate_type: "inventory_item".into(),
                aggregate_id: "BANK CHARGES.é".into(),
                sequence: 3,
                event_type: "Received".into(),
                event_version: "1".into(),
                payload: r#"{"Received": {"quantity":5,  "reference":"a.vb"}}"#.into(),
                metadata: r#"{"actor":"staff:\"x\""}"#.into(),
                event_id: Uuid::from_u128(9),
                recorded_at_us: 1_291_191_960_000_001,
            },
        }
    }

    #[test]
    fn an_envelope_keeps_every_text_to_the_byte() {
        let body = envelope().to_json().unwrap();
        assert_eq!(Envelope::from_json(&body).unwrap(), envelope());
    }

    #[test]
    fn a_subject_holds_no_byte_that_means_something_to_nats() {
        assert_eq!(
            envelope().subject("daybook"),
            "daybook.events.inventory_item.BANK%20CHARGES%2E%C3%A9.Received"
        );
    }

    #[test]
    fn a_foreign_message_is_not_an_envelope() {
        assert!(Envelope::from_json(b"hello").is_err());
        assert!(Envelope::from_json(b"{}").is_err());
    }
}
