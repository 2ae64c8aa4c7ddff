//! An event as the database sends it: texts that lie where they came in, for whoever passes many of them on.

use std::{borrow::Cow, ops::Range};

use bytes::{Buf as _, Bytes};
use domain::{AggregateType, value::Time};
use serde::Deserialize;
use uuid::Uuid;

use super::{DecodeError, Position, Sequence, StoredEvent, row::YEAR_2000_US};

/// What [`RawEvent::of_copy`] reads, in its order.
pub(super) const RAW_COLUMNS: &str = "position, sequence, event_id, recorded_at, aggregate_type, aggregate_id, \
                                      event_type, event_version, payload, metadata";
/// Texts among them, which stand last.
const TEXTS: usize = 6;
/// What a binary COPY begins with; flags and the length of an extension follow.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// An event as it stands in the log. Cheap to clone: its texts are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// Its own id.
    pub event_id: Uuid,
    /// When the log took it, in microseconds since the epoch.
    pub recorded_at_us: i64,
    bytes: Bytes,
    texts: [Range<usize>; TEXTS],
}

/// Who, when, why, read without copying. What else stands in the metadata is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief<'a> {
    /// Business time.
    pub occurred_at: Time,
    /// Who.
    pub actor: Cow<'a, str>,
    /// The whole business transaction that this belongs to.
    pub correlation_id: Uuid,
    /// The event or request that caused it.
    pub causation_id: Uuid,
    /// The command that it came from.
    pub command_id: Uuid,
}

impl RawEvent {
    /// A message of `COPY (SELECT RAW_COLUMNS …) TO STDOUT (FORMAT binary)`: one row, the first behind the signature; `None`
    /// for the end.
    pub(super) fn of_copy(mut message: Bytes) -> Result<Option<Self>, sqlx::Error> {
        if message.starts_with(SIGNATURE) {
            if message.len() < SIGNATURE.len() + 4 {
                return Err(foreign());
            }
            message.advance(SIGNATURE.len() + 4);
            let extension = read_i32(&mut message)?;
            message.advance(usize::try_from(extension).unwrap_or(0).min(message.len()));
        }
        if message.len() <= 2 {
            return Ok(None);
        }
        if read_i16(&mut message)? != 4 + TEXTS as i16 {
            return Err(foreign());
        }
        let position = int(&mut message)?;
        let sequence = int(&mut message)?;
        let event_id = Uuid::from_slice(&field(&mut message)?).map_err(|_| foreign())?;
        let recorded_at_us = YEAR_2000_US + int(&mut message)?;
        let mut texts = [const { 0..0 }; TEXTS];
        let mut at = 0;
        for text in &mut texts {
            let length: i32 = message.get(at..at + 4).and_then(be).ok_or_else(foreign)?;
            let begin = at + 4;
            at = begin + usize::try_from(length).map_err(|_| foreign())?;
            *text = begin..at;
            if message.get(text.clone()).is_none_or(|bytes| std::str::from_utf8(bytes).is_err()) {
                return Err(foreign());
            }
        }
        Ok(Some(Self { position, sequence, event_id, recorded_at_us, bytes: message, texts }))
    }

    fn text(&self, nth: usize) -> &str {
        let range = self.texts.get(nth).cloned().unwrap_or_default();
        // Every text was looked at when the row came in.
        self.bytes.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// `aggregate_type`, as stored.
    #[must_use]
    pub fn aggregate_type(&self) -> &str {
        self.text(0)
    }

    /// The aggregate's id.
    #[must_use]
    pub fn aggregate_id(&self) -> &str {
        self.text(1)
    }

    /// Its stored name.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.text(2)
    }

    /// Its stored version.
    #[must_use]
    pub fn event_version(&self) -> &str {
        self.text(3)
    }

    /// The payload's exact text.
    #[must_use]
    pub fn payload(&self) -> &str {
        self.text(4)
    }

    /// The metadata's exact text.
    #[must_use]
    pub fn metadata(&self) -> &str {
        self.text(5)
    }

    /// Whether it is stored in the form in which this program writes such events.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let known: Option<AggregateType> = self.aggregate_type().parse().ok();
        known.and_then(|known| known.event_version(self.event_type())) == Some(self.event_version())
    }

    /// Who, when, why.
    ///
    /// # Errors
    /// When the metadata is not what this program writes.
    pub fn brief(&self) -> Result<Brief<'_>, DecodeError> {
        #[derive(Deserialize)]
        struct Text<'a> {
            #[serde(borrow)]
            occurred_at: Cow<'a, str>,
            #[serde(borrow)]
            actor: Cow<'a, str>,
            correlation_id: Uuid,
            causation_id: Uuid,
            command_id: Uuid,
        }
        let malformed = |reason: &dyn std::fmt::Display| DecodeError::malformed("metadata", reason);
        let text: Text<'_> = serde_json::from_str(self.metadata()).map_err(|error| malformed(&error))?;
        Ok(Brief {
            occurred_at: crate::rfc3339::parse(&text.occurred_at).map_err(|error| malformed(&error))?,
            actor: text.actor,
            correlation_id: text.correlation_id,
            causation_id: text.causation_id,
            command_id: text.command_id,
        })
    }

    /// The same with texts of its own.
    #[must_use]
    pub fn to_stored(&self) -> StoredEvent {
        StoredEvent {
            position: self.position,
            aggregate_type: self.aggregate_type().into(),
            aggregate_id: self.aggregate_id().into(),
            sequence: self.sequence,
            event_type: self.event_type().into(),
            event_version: self.event_version().into(),
            payload: self.payload().into(),
            metadata: self.metadata().into(),
            event_id: self.event_id,
            recorded_at_us: self.recorded_at_us,
        }
    }
}

impl From<&StoredEvent> for RawEvent {
    fn from(event: &StoredEvent) -> Self {
        let all: [&str; TEXTS] = [
            &event.aggregate_type,
            &event.aggregate_id,
            &event.event_type,
            &event.event_version,
            &event.payload,
            &event.metadata,
        ];
        let mut at = 0;
        let texts = all.map(|text| {
            let begin = at;
            at += text.len();
            begin..at
        });
        Self {
            position: event.position,
            sequence: event.sequence,
            event_id: event.event_id,
            recorded_at_us: event.recorded_at_us,
            bytes: all.concat().into(),
            texts,
        }
    }
}

fn be(bytes: &[u8]) -> Option<i32> {
    bytes.try_into().ok().map(i32::from_be_bytes)
}

fn read_i16(message: &mut Bytes) -> Result<i16, sqlx::Error> {
    message.try_get_i16().map_err(|_| foreign())
}

fn read_i32(message: &mut Bytes) -> Result<i32, sqlx::Error> {
    message.try_get_i32().map_err(|_| foreign())
}

/// The next field; none of them is ever NULL.
fn field(message: &mut Bytes) -> Result<Bytes, sqlx::Error> {
    let length = usize::try_from(read_i32(message)?).map_err(|_| foreign())?;
    if length > message.len() {
        return Err(foreign());
    }
    Ok(message.split_to(length))
}

fn int(message: &mut Bytes) -> Result<i64, sqlx::Error> {
    field(message)?.try_get_i64().map_err(|_| foreign())
}

fn foreign() -> sqlx::Error {
    sqlx::Error::Decode("a row that was copied out is not one of events".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use super::*;

    fn stored() -> StoredEvent {
        StoredEvent {
            position: 7,
            aggregate_type: "cart".into(),
            aggregate_id: "C/1 ü".into(),
            sequence: 2,
            event_type: "Expired".into(),
            event_version: "1".into(),
            payload: r#"{"Expired":{}}"#.into(),
            metadata: concat!(
                r#"{"occurred_at":"2010-12-01T08:26:00Z","actor":"guest","#,
                r#""correlation_id":"00000000-0000-0000-0000-000000000001","#,
                r#""causation_id":"00000000-0000-0000-0000-000000000002","#,
                r#""command_id":"00000000-0000-0000-0000-000000000003","more":1}"#
            )
            .into(),
            event_id: Uuid::from_u128(9),
            recorded_at_us: 1_291_191_960_000_001,
        }
    }

    /// The row as Postgres sends it.
    fn sent(event: &StoredEvent) -> Vec<u8> {
        let mut row = 10_i16.to_be_bytes().to_vec();
        let mut push = |bytes: &[u8]| {
            row.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
            row.extend(bytes);
        };
        push(&event.position.to_be_bytes());
        push(&event.sequence.to_be_bytes());
        push(event.event_id.as_bytes());
        push(&(event.recorded_at_us - YEAR_2000_US).to_be_bytes());
        for text in [&*event.aggregate_type, &*event.aggregate_id, &*event.event_type, &*event.event_version]
        {
            push(text.as_bytes());
        }
        push(event.payload.as_bytes());
        push(event.metadata.as_bytes());
        row
    }

    #[test]
    fn a_row_is_read_with_and_without_the_signature_before_it() {
        let first = [SIGNATURE, &[0; 8], &sent(&stored())].concat();
        for message in [sent(&stored()), first] {
            let raw = RawEvent::of_copy(message.into()).unwrap().unwrap();
            assert_eq!(raw.to_stored(), stored());
            assert_eq!(RawEvent::from(&stored()).to_stored(), stored());
        }
        for end in [vec![0xff, 0xff], [SIGNATURE, &[0; 8], &[0xff, 0xff]].concat()] {
            assert_eq!(RawEvent::of_copy(end.into()).unwrap(), None);
        }
    }

    #[test]
    fn a_row_that_breaks_off_is_refused() {
        let whole = sent(&stored());
        for length in 3..whole.len() {
            assert!(RawEvent::of_copy(whole[..length].to_vec().into()).is_err(), "{length}");
        }
    }

    #[test]
    fn metadata_is_read_and_what_is_new_in_it_is_passed_over() {
        let raw = RawEvent::from(&stored());
        let brief = raw.brief().unwrap();
        assert_eq!((&*brief.actor, brief.occurred_at.millis()), ("guest", 1_291_191_960_000));
        assert_eq!(brief.command_id, Uuid::from_u128(3));
        assert!(raw.is_current());
    }
}
