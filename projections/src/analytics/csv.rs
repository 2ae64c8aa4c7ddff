//! An event as a record with commas, after RFC 4180; what is empty stands for nothing.

use csv::Writer;
use store::log::Seen;

use super::{AnalyticsError, Cell, Kind, Table, row, stamp};

/// Writes the names of the columns.
pub(super) fn heading(table: &Table, out: &mut Writer<Vec<u8>>) -> Result<(), AnalyticsError> {
    Ok(out.write_record(table.columns.iter().map(|column| &column.name))?)
}

/// Writes an event.
pub(super) fn record(
    table: &Table,
    seen: &Seen,
    scratch: &mut Vec<u8>,
    out: &mut Writer<Vec<u8>>,
) -> Result<(), AnalyticsError> {
    row(table, seen, |nth, cell| {
        use std::io::Write as _;
        scratch.clear();
        let kind = table.columns.get(nth).map(|column| column.kind);
        // Writing to a vector cannot fail.
        match cell {
            Cell::Null => {}
            Cell::Integer(moment) if kind == Some(Kind::Millis) => stamp::millis(scratch, moment),
            Cell::Integer(moment) if kind == Some(Kind::Micros) => stamp::micros(scratch, moment),
            Cell::Integer(number) => drop(write!(scratch, "{number}")),
            Cell::Bool(yes) => drop(write!(scratch, "{yes}")),
            Cell::Text(text) => return Ok(out.write_field(text.as_bytes())?),
            Cell::Id(id) => {
                let mut buffer = uuid::Uuid::encode_buffer();
                return Ok(out.write_field(id.hyphenated().encode_lower(&mut buffer).as_bytes())?);
            }
        }
        Ok::<_, AnalyticsError>(out.write_field(&*scratch)?)
    })?;
    Ok(out.write_record(None::<&[u8]>)?)
}
