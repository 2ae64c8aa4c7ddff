//! An event as a line of JSON: the common columns as texts and numbers, and the payload as it is stored.

use std::io::Write as _;

use store::log::{LogError, Seen};

use super::{Cell, Kind, Table, row, stamp};

/// Writes an event behind what `out` holds, with a line's end.
///
/// # Errors
/// When its metadata or its payload is not as this program writes them.
pub fn line(table: &Table, seen: &Seen, out: &mut Vec<u8>) -> Result<(), LogError> {
    object(table, seen, out)?;
    out.push(b'\n');
    Ok(())
}

/// The same without a line's end.
///
/// # Errors
/// When its metadata or its payload is not as this program writes them.
pub fn object(table: &Table, seen: &Seen, out: &mut Vec<u8>) -> Result<(), LogError> {
    row(table, seen, |nth, cell| {
        let Some(column) = table.columns.get(nth) else { return Ok(()) };
        out.extend_from_slice(if nth == 0 { b"{\"" } else { b",\"" });
        // The names of columns need no escapes.
        out.extend_from_slice(column.name.as_bytes());
        out.extend_from_slice(b"\":");
        value(column.kind, cell, out);
        Ok::<_, LogError>(())
    })?;
    out.push(b'}');
    Ok(())
}

fn value(kind: Kind, cell: Cell<'_>, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail, and neither can a text be no JSON.
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Integer(number) => match kind {
            Kind::Millis | Kind::Micros => {
                out.push(b'"');
                match kind {
                    Kind::Millis => stamp::millis(out, number),
                    _ => stamp::micros(out, number),
                }
                out.push(b'"');
            }
            _ => {
                let _ = write!(out, "{number}");
            }
        },
        Cell::Bool(yes) => out.extend_from_slice(if yes { b"true" } else { b"false" }),
        Cell::Text(text) if kind == Kind::Json => out.extend_from_slice(text.as_bytes()),
        Cell::Text(text) => {
            let _ = serde_json::to_writer(out, &*text);
        }
        Cell::Id(id) => {
            let mut buffer = uuid::Uuid::encode_buffer();
            out.push(b'"');
            out.extend_from_slice(id.hyphenated().encode_lower(&mut buffer).as_bytes());
            out.push(b'"');
        }
    }
}
