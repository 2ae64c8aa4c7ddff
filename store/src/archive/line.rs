//! An event as a line of JSON: every column as its exact text.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::log::{Digest, Position, Sequence, StoredEvent};

/// How every line begins; the position follows, so that one line is found without reading the others.
const BEGINS: &str = "{\"position\":";

/// The names of the columns, in their order. Payload and metadata are texts within the text: whatever stood in them
/// stands in them again, to the byte.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    position: Position,
    #[serde(borrow)]
    aggregate_type: Cow<'a, str>,
    #[serde(borrow)]
    aggregate_id: Cow<'a, str>,
    sequence: Sequence,
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    event_version: Cow<'a, str>,
    #[serde(borrow)]
    payload: Cow<'a, str>,
    #[serde(borrow)]
    metadata: Cow<'a, str>,
    event_id: Uuid,
    recorded_at_us: i64,
    #[serde(borrow)]
    digest: Cow<'a, str>,
}

/// Writes an event and its digest behind what `out` holds, with a line's end.
pub(super) fn write(
    out: &mut Vec<u8>,
    event: &StoredEvent,
    digest: &Digest,
) -> Result<(), serde_json::Error> {
    let line = Line {
        position: event.position,
        aggregate_type: (&*event.aggregate_type).into(),
        aggregate_id: (&*event.aggregate_id).into(),
        sequence: event.sequence,
        event_type: (&*event.event_type).into(),
        event_version: (&*event.event_version).into(),
        payload: (&*event.payload).into(),
        metadata: (&*event.metadata).into(),
        event_id: event.event_id,
        recorded_at_us: event.recorded_at_us,
        digest: hex(digest).into(),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.push(b'\n');
    Ok(())
}

/// Reads a line.
pub(super) fn read(line: &str) -> Result<StoredEvent, serde_json::Error> {
    let line: Line<'_> = serde_json::from_str(line)?;
    Ok(StoredEvent {
        position: line.position,
        aggregate_type: line.aggregate_type.into(),
        aggregate_id: line.aggregate_id.into(),
        sequence: line.sequence,
        event_type: line.event_type.into(),
        event_version: line.event_version.into(),
        payload: line.payload.into(),
        metadata: line.metadata.into(),
        event_id: line.event_id,
        recorded_at_us: line.recorded_at_us,
    })
}

/// The position of a line, which is not read further.
pub(super) fn position(line: &str) -> Option<Position> {
    line.strip_prefix(BEGINS)?.split_once(',')?.0.parse().ok()
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
