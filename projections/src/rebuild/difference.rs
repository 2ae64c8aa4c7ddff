//! Where two sets of rows differ.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::{PgConnection, Row as _};
use store::follow::ReadTable;

/// Rows that are shown of each kind of difference.
pub(crate) const EXAMPLES: i64 = 5;

/// Where old and new rows differ, table by table.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Every table of the projection.
    pub tables: Vec<TableDifference>,
}

/// Where they differ in one table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableDifference {
    /// The table's name.
    pub table: Cow<'static, str>,
    /// New rows.
    pub rows: i64,
    /// Rows that are gone.
    pub only_old: i64,
    /// Rows that have come.
    pub only_new: i64,
    /// Rows that say something else.
    pub changed: i64,
    /// In how many of them each column does.
    pub columns: BTreeMap<String, i64>,
    /// Some of them.
    pub examples: Vec<Change>,
}

/// One row that is not the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its key.
    pub key: Map<String, Value>,
    /// The columns that differ, as they were; all of them when it is gone, and none when it has come.
    pub old: Map<String, Value>,
    /// The same as they are now.
    pub new: Map<String, Value>,
}

impl Difference {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.tables.iter().all(|table| table.rows_that_differ() == 0)
    }
}

impl Change {
    /// What differs between two rows; one that is not there is empty.
    pub(crate) fn between(
        key: Map<String, Value>,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
    ) -> Self {
        let differing = |of: &Map<String, Value>, other: &Map<String, Value>| {
            let columns = of.iter().filter(|(column, value)| other.get(*column) != Some(value));
            columns.map(|(column, value)| (column.clone(), value.clone())).collect()
        };
        Self { old: differing(old, new), new: differing(new, old), key }
    }
}

impl TableDifference {
    /// How many rows are not the same in both.
    #[must_use]
    pub const fn rows_that_differ(&self) -> i64 {
        self.only_old + self.only_new + self.changed
    }
}

/// Compares all tables of two schemas as the connection's snapshot has them.
pub(super) async fn between(
    connection: &mut PgConnection,
    (old, new): (&str, &str),
    tables: &[ReadTable],
) -> Result<Difference, sqlx::Error> {
    let mut difference = Difference::default();
    for table in tables {
        difference.tables.push(of_table(connection, (old, new), *table).await?);
    }
    Ok(difference)
}

async fn of_table(
    connection: &mut PgConnection,
    (old, new): (&str, &str),
    table: ReadTable,
) -> Result<TableDifference, sqlx::Error> {
    let ReadTable { name, key } = table;
    let (first, keys) = (key.first().copied().unwrap_or("ctid"), key.join(", "));
    // A row's own text: documents have no equality, and their words count as they are written.
    let pairs = format!("{old}.{name} o FULL JOIN {new}.{name} n USING ({keys})");
    let differs = "o::text IS DISTINCT FROM n::text";
    let counts = format!(
        "SELECT count(*) FILTER (WHERE n.{first} IS NULL), count(*) FILTER (WHERE o.{first} IS NULL), \
                count(*) FILTER (WHERE o.{first} IS NOT NULL AND n.{first} IS NOT NULL), \
                (SELECT count(*) FROM {new}.{name}) \
         FROM {pairs} WHERE {differs}"
    );
    let row = sqlx::query(&counts).fetch_one(&mut *connection).await?;
    let mut found = TableDifference {
        table: name.into(),
        only_old: row.try_get(0)?,
        only_new: row.try_get(1)?,
        changed: row.try_get(2)?,
        rows: row.try_get(3)?,
        columns: BTreeMap::new(),
        examples: Vec::new(),
    };
    if found.changed > 0 {
        let columns = format!(
            "SELECT c.key, count(*) FROM {pairs}, \
                    LATERAL (SELECT COALESCE(a.key, b.key) AS key FROM jsonb_each(to_jsonb(o)) a \
                             FULL JOIN jsonb_each(to_jsonb(n)) b ON a.key = b.key \
                             WHERE a.value IS DISTINCT FROM b.value) c \
             WHERE {differs} AND o.{first} IS NOT NULL AND n.{first} IS NOT NULL GROUP BY 1"
        );
        let rows: Vec<(String, i64)> = sqlx::query_as(&columns).fetch_all(&mut *connection).await?;
        found.columns = rows.into_iter().collect();
    }
    for kind in [
        format!("n.{first} IS NULL"),
        format!("o.{first} IS NULL"),
        format!("o.{first} IS NOT NULL AND n.{first} IS NOT NULL"),
    ] {
        let examples = format!(
            "SELECT to_jsonb(o)::text, to_jsonb(n)::text FROM {pairs} WHERE {differs} AND {kind} \
             ORDER BY {keys} LIMIT {EXAMPLES}"
        );
        if found.rows_that_differ() > 0 {
            for row in sqlx::query(&examples).fetch_all(&mut *connection).await? {
                found.examples.push(change(key, row.try_get(0)?, row.try_get(1)?)?);
            }
        }
    }
    Ok(found)
}

fn change(key: &[&str], old: Option<&str>, new: Option<&str>) -> Result<Change, sqlx::Error> {
    let columns = |text: Option<&str>| -> Result<Map<String, Value>, sqlx::Error> {
        let parsed = serde_json::from_str(text.unwrap_or("{}"));
        parsed.map_err(|error| sqlx::Error::Decode(error.into()))
    };
    let (old, new) = (columns(old)?, columns(new)?);
    let whole = if new.is_empty() { &old } else { &new };
    let key = key.iter().filter_map(|column| Some(((*column).to_owned(), whole.get(*column)?.clone())));
    let key: Map<String, Value> = key.collect();
    Ok(Change::between(key, &old, &new))
}
