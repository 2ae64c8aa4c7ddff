//! An event as every reader sees it, in text: as it stands in the log, or as what an old form means today.

use std::borrow::Cow;

use domain::value::Time;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{DecodeError, Decoder, Log, LogError, RawEvent, meant_id, understand};
use crate::json::ToJson as _;

/// One of the events that a stored event means; nearly always the one that it is.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What stands in the log.
    pub stored: RawEvent,
    /// Its place among what the stored event means, from 0.
    pub part: usize,
    became: Option<Became>,
}

/// What is read in place of what is stored.
#[derive(Clone, Debug)]
struct Became {
    event_type: Box<str>,
    event_version: Box<str>,
    payload: String,
}

impl Seen {
    /// Its name today.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.became.as_ref().map_or(self.stored.event_type(), |became| &became.event_type)
    }

    /// Its version today.
    #[must_use]
    pub fn event_version(&self) -> &str {
        self.became.as_ref().map_or(self.stored.event_version(), |became| &became.event_version)
    }

    /// What it is known by.
    #[must_use]
    pub fn event_id(&self) -> Uuid {
        meant_id(self.stored.event_id, self.part)
    }

    /// The payload, with its outer tag.
    #[must_use]
    pub fn payload(&self) -> &str {
        self.became.as_ref().map_or(self.stored.payload(), |became| &became.payload)
    }

    /// Puts another payload, with the outer tag, in the place of its own: one that has been opened.
    pub fn set_payload(&mut self, payload: String) {
        let (event_type, event_version) = (self.event_type().into(), self.event_version().into());
        self.became = Some(Became { event_type, event_version, payload });
    }

    /// The fields under the outer tag, as an object on one line.
    ///
    /// # Errors
    /// When the payload is not an object with the event's name as its one key.
    pub fn fields(&self) -> Result<Cow<'_, str>, DecodeError> {
        let (payload, name) = (self.payload(), self.event_type());
        // As this program writes it.
        let inner = payload
            .strip_prefix("{\"")
            .and_then(|rest| rest.strip_prefix(name)?.strip_prefix("\":"))
            .and_then(|rest| rest.strip_suffix('}'));
        match inner {
            Some(inner) if inner.starts_with('{') && !inner.contains('\n') => Ok(Cow::Borrowed(inner)),
            _ => under(payload, name).map(Cow::Owned),
        }
    }
}

/// The same of any text that says it.
fn under(payload: &str, name: &str) -> Result<String, DecodeError> {
    let malformed = |reason: &dyn std::fmt::Display| DecodeError::malformed("payload", reason);
    let tagged: std::collections::BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(payload).map_err(|error| malformed(&error))?;
    let inner = tagged.get(name).filter(|_| tagged.len() == 1);
    let inner = inner.ok_or_else(|| malformed(&format_args!("it is not a {name}")))?;
    let value: serde_json::Value = serde_json::from_str(inner.get()).map_err(|error| malformed(&error))?;
    match value {
        serde_json::Value::Null => Ok("{}".to_owned()),
        value => Ok(value.to_string()),
    }
}

/// Adds what a stored event means to `seen`: itself where it is stored in a current form, else what it became.
///
/// # Errors
/// When it cannot be understood, or the log cannot be read.
pub async fn see(
    log: &(impl Log + ?Sized),
    decoder: &mut Decoder,
    raw: RawEvent,
    seen: &mut Vec<Seen>,
) -> Result<(), LogError> {
    if raw.is_current() {
        seen.push(Seen { stored: raw, part: 0, became: None });
        return Ok(());
    }
    let stored = raw.to_stored();
    let recorded = LogError::unless(&stored, understand(log, decoder, &stored).await?)?;
    for (part, event) in recorded.events.iter().enumerate() {
        let payload = event.to_json().map_err(|error| LogError::Decode {
            stream: recorded.stream.to_string().into(),
            sequence: recorded.sequence,
            source: DecodeError::malformed("payload", &error),
        })?;
        let became = Became {
            event_type: event.event_type().into(),
            event_version: event.event_version().into(),
            payload,
        };
        seen.push(Seen { stored: raw.clone(), part, became: Some(became) });
    }
    Ok(())
}

impl LogError {
    /// What could not be read of an event.
    #[must_use]
    pub fn of_event(event: &RawEvent, source: DecodeError) -> Self {
        let stream = format!("{}-{}", event.aggregate_type(), event.aggregate_id());
        Self::Decode { stream: stream.into(), sequence: event.sequence, source }
    }
}

/// The moment of the event, for whoever asks for that alone.
pub(super) fn occurred_at(event: &RawEvent) -> Result<Time, LogError> {
    event.brief().map(|brief| brief.occurred_at).map_err(|source| LogError::of_event(event, source))
}
