//! Which columns a table of events has: those that every event has, and those of a type's own fields.

use domain::{
    AggregateType,
    shape::{Field, Shape},
};

use super::AnalyticsError;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers of 64 bits.
    Integer,
    /// Yes or no.
    Bool,
    /// Words.
    Text,
    /// What has parts of its own: JSON as a text.
    Json,
    /// A UUID.
    Id,
    /// A moment in milliseconds since the epoch, UTC.
    Millis,
    /// A moment in microseconds since the epoch, UTC.
    Micros,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be empty.
    pub optional: bool,
}

/// A table of events.
#[derive(Clone, Debug)]
pub struct Table {
    /// What its files are called: `events`, or `<aggregate_type>.<EventType>`.
    pub name: String,
    /// Its columns, the common ones first.
    pub columns: Vec<Column>,
    /// Where a payload's fields go; `None` where all of it goes into the last column.
    pub(super) fields: Option<Vec<Node>>,
}

/// A field of a payload.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub name: &'static str,
    pub holds: Holds,
}

/// Where what a field holds goes. Numbers are those of columns behind the common ones.
#[derive(Clone, Debug)]
pub(super) enum Holds {
    One(usize),
    Fields(Vec<Node>),
}

/// What every event has.
const COMMON: [(&str, Kind); 14] = [
    ("position", Kind::Integer),
    ("part", Kind::Integer),
    ("event_id", Kind::Id),
    ("aggregate_type", Kind::Text),
    ("aggregate_id", Kind::Text),
    ("sequence", Kind::Integer),
    ("event_type", Kind::Text),
    ("event_version", Kind::Text),
    ("occurred_at", Kind::Millis),
    ("recorded_at", Kind::Micros),
    ("actor", Kind::Text),
    ("correlation_id", Kind::Id),
    ("causation_id", Kind::Id),
    ("command_id", Kind::Id),
];

/// How many columns are common to all events.
pub(super) const COMMON_COUNT: usize = COMMON.len();

impl Table {
    /// The table of all events, each with its whole payload.
    #[must_use]
    pub fn of_all() -> Self {
        let mut columns = common();
        columns.push(Column { name: "payload".to_owned(), kind: Kind::Json, optional: false });
        Self { name: "events".to_owned(), columns, fields: None }
    }

    /// A table of anything else, with columns of its own.
    pub(super) fn of_columns(name: &str, columns: Vec<Column>) -> Self {
        Self { name: name.to_owned(), columns, fields: None }
    }

    /// The table of one type of event, with its fields as columns. Amounts of money are two columns, whole minor units and
    /// currency; a struct's fields follow its name; what there may be any number of is JSON.
    ///
    /// # Errors
    /// When it cannot be told what the event's fields are.
    pub fn of_type(aggregate_type: AggregateType, event_type: &str) -> Result<Self, AnalyticsError> {
        let name = format!("{aggregate_type}.{event_type}");
        let shape = aggregate_type.event_shape();
        let shape = shape.map_err(|source| AnalyticsError::Columns { table: name.clone(), source })?;
        let mut columns = common();
        let body = shape.variant(event_type).map(|variant| &variant.body);
        let nodes = match body.map(bare) {
            Some(Shape::Struct(_, fields)) => nodes(fields, "", &mut columns),
            _ => vec![],
        };
        Ok(Self { name, columns, fields: Some(nodes) })
    }
}

fn common() -> Vec<Column> {
    COMMON
        .iter()
        .map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind, optional: false })
        .collect()
}

/// A shape without what may be missing, and without a name around it that says nothing of how it is written.
fn bare(shape: &Shape) -> &Shape {
    match shape {
        Shape::Option(inner) => bare(inner),
        Shape::Named(name, inner) if *name != "Time" => bare(inner),
        shape => shape,
    }
}

fn nodes(fields: &[Field], before: &str, columns: &mut Vec<Column>) -> Vec<Node> {
    let mut nodes = vec![];
    for field in fields {
        let shape = bare(&field.shape);
        let name = format!("{before}{}", field.name);
        let holds = match shape {
            Shape::Nothing => continue,
            Shape::Struct(_, parts) if names(parts) == ["amount", "currency"] => Holds::Fields(vec![
                Node { name: "amount", holds: one(format!("{name}_minor"), Kind::Integer, columns) },
                Node { name: "currency", holds: one(format!("{name}_currency"), Kind::Text, columns) },
            ]),
            Shape::Struct(_, parts) if names(parts) != ["subject", "sealed"] => {
                Holds::Fields(self::nodes(parts, &format!("{name}_"), columns))
            }
            shape => one(name, kind(shape), columns),
        };
        nodes.push(Node { name: field.name, holds });
    }
    nodes
}

fn names(fields: &[Field]) -> Vec<&'static str> {
    fields.iter().map(|field| field.name).collect()
}

fn kind(shape: &Shape) -> Kind {
    match shape {
        Shape::Named("Time", _) => Kind::Millis,
        Shape::Integer { .. } => Kind::Integer,
        Shape::Bool => Kind::Bool,
        Shape::Text => Kind::Text,
        Shape::Enum(_, variants) if variants.iter().all(|variant| variant.body == Shape::Nothing) => {
            Kind::Text
        }
        _ => Kind::Json,
    }
}

fn one(name: String, kind: Kind, columns: &mut Vec<Column>) -> Holds {
    // One that is called as a common one would hide it.
    let taken = columns.iter().any(|column| column.name == name);
    let name = if taken { format!("payload_{name}") } else { name };
    columns.push(Column { name, kind, optional: true });
    Holds::One(columns.len() - 1 - COMMON_COUNT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_of_event_has_columns_and_each_a_name_of_its_own() {
        for kind in AggregateType::ALL {
            for (event_type, _) in kind.event_types() {
                let table = Table::of_type(*kind, event_type).unwrap();
                let names: BTreeSet<_> = table.columns.iter().map(|column| &column.name).collect();
                assert_eq!(names.len(), table.columns.len(), "{}: {names:?}", table.name);
            }
        }
    }

    #[test]
    fn money_times_structs_and_lists_become_what_the_documentation_says() {
        let table = Table::of_type(AggregateType::Order, "Placed").unwrap();
        let kind = |name: &str| table.columns.iter().find(|column| column.name == name).map(|one| one.kind);
        for (name, expected) in [
            ("total_minor", Kind::Integer),
            ("total_currency", Kind::Text),
            ("placed_at", Kind::Millis),
            ("lines", Kind::Json),
            ("payment_method", Kind::Text),
            ("delivery_contact", Kind::Json),
            ("delivery_country", Kind::Text),
            ("prices_include_tax", Kind::Bool),
        ] {
            assert_eq!(kind(name), Some(expected), "{name} of {:?}", table.columns);
        }
    }
}
