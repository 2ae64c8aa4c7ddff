//! What stands in the columns of an event's row.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use store::log::{DecodeError, LogError, Seen};
use uuid::Uuid;

use super::{
    Kind, Table,
    columns::{COMMON_COUNT, Holds, Node},
};

/// What stands in a column of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// A whole number, or a moment in the unit of its column.
    Integer(i64),
    /// Yes or no.
    Bool(bool),
    /// A text, or JSON.
    Text(Cow<'a, str>),
    /// A UUID.
    Id(Uuid),
}

/// Hands over the cells of an event's row, column by column.
///
/// # Errors
/// When the event is not of its type's shape, or `take` fails.
pub fn row<E: From<LogError>>(
    table: &Table,
    seen: &Seen,
    mut take: impl FnMut(usize, Cell<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let stored = &seen.stored;
    let broken = |source: DecodeError| E::from(LogError::of_event(stored, source));
    let brief = stored.brief().map_err(broken)?;
    let text = |text| Cell::Text(Cow::Borrowed(text));
    let common: [Cell<'_>; COMMON_COUNT] = [
        Cell::Integer(stored.position),
        Cell::Integer(i64::try_from(seen.part).unwrap_or(i64::MAX)),
        Cell::Id(seen.event_id()),
        text(stored.aggregate_type()),
        text(stored.aggregate_id()),
        Cell::Integer(stored.sequence),
        text(seen.event_type()),
        text(seen.event_version()),
        Cell::Integer(brief.occurred_at.millis()),
        Cell::Integer(stored.recorded_at_us),
        text(&brief.actor),
        Cell::Id(brief.correlation_id),
        Cell::Id(brief.causation_id),
        Cell::Id(brief.command_id),
    ];
    for (nth, cell) in common.into_iter().enumerate() {
        take(nth, cell)?;
    }
    let fields = seen.fields().map_err(broken)?;
    let Some(nodes) = &table.fields else {
        return take(COMMON_COUNT, Cell::Text(fields));
    };
    let own = table.columns.get(COMMON_COUNT..).unwrap_or_default();
    let mut found: Vec<Option<&str>> = vec![None; own.len()];
    spread(&fields, nodes, &mut found).map_err(|error| broken(malformed(&error)))?;
    for (nth, (column, text)) in own.iter().zip(found).enumerate() {
        let cell = cell(column.kind, text);
        let cell =
            cell.ok_or_else(|| broken(malformed(&format_args!("{} is not of its kind", column.name))))?;
        take(COMMON_COUNT + nth, cell)?;
    }
    Ok(())
}

fn malformed(reason: &dyn fmt::Display) -> DecodeError {
    DecodeError::Malformed { field: "payload", reason: reason.to_string().into() }
}

/// Finds the texts of an object's fields.
fn spread<'a>(
    object: &'a str,
    nodes: &[Node],
    found: &mut [Option<&'a str>],
) -> Result<(), serde_json::Error> {
    let Entries(entries) = serde_json::from_str(object)?;
    for (name, value) in entries {
        let Some(node) = nodes.iter().find(|node| *node.name == *name) else { continue };
        let text = value.get();
        if text == "null" {
            continue;
        }
        match &node.holds {
            Holds::One(nth) => {
                if let Some(place) = found.get_mut(*nth) {
                    *place = Some(text);
                }
            }
            Holds::Fields(nodes) => spread(text, nodes, found)?,
        }
    }
    Ok(())
}

/// What a text of JSON says in a column of that kind; `None` when it cannot.
fn cell(kind: Kind, text: Option<&str>) -> Option<Cell<'_>> {
    let Some(text) = text else { return Some(Cell::Null) };
    match kind {
        Kind::Integer | Kind::Millis | Kind::Micros => text.parse().ok().map(Cell::Integer),
        Kind::Bool => text.parse().ok().map(Cell::Bool),
        Kind::Text | Kind::Id => {
            let inner = text.strip_prefix('"')?.strip_suffix('"')?;
            if inner.contains('\\') {
                serde_json::from_str(text).ok().map(|text| Cell::Text(Cow::Owned(text)))
            } else {
                Some(Cell::Text(Cow::Borrowed(inner)))
            }
        }
        Kind::Json => Some(Cell::Text(Cow::Borrowed(text))),
    }
}

/// An object's fields in their order, not read further.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::with_capacity(16);
                while let Some(Key(name)) = map.next_key()? {
                    entries.push((name, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(All)
    }
}

/// A key, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_unescaped_and_what_is_not_of_its_kind_refused() {
        let text = |text: &'static str| Some(Cell::Text(Cow::Borrowed(text)));
        for (kind, said, expected) in [
            (Kind::Text, Some(r#""a\"b\u00fc""#), text("a\"bü")),
            (Kind::Text, Some(r#""""#), text("")),
            (Kind::Text, Some("7"), None),
            (Kind::Integer, Some("-7"), Some(Cell::Integer(-7))),
            (Kind::Integer, Some("7.5"), None),
            (Kind::Bool, Some("true"), Some(Cell::Bool(true))),
            (Kind::Json, Some(r#"[{"a": 1}]"#), text(r#"[{"a": 1}]"#)),
            (Kind::Text, None, Some(Cell::Null)),
        ] {
            assert_eq!(cell(kind, said), expected, "{said:?}");
        }
    }
}
