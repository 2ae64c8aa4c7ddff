//! Tables of a database as a folder of Parquet: a file each, with their columns, in the order of their keys.

use std::path::PathBuf;

use futures::TryStreamExt as _;
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use store::follow::ReadTable;

use super::{
    AnalyticsError, CHECKPOINT_ROWS, Cell, Column, Format, Kind, Table, Work,
    export::{COLUMN_BYTES, path},
    parquet::{Rows, whole},
};

/// Columns of a table that the connection sees, in their order: name, type, and whether it may be empty.
const COLUMNS: &str = "SELECT attname::text, format_type(atttypid, NULL), NOT attnotnull FROM pg_attribute \
                       WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

/// Why a table is not in a file.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It cannot be read.
    #[error("reading the rows: {0}")]
    Database(#[from] sqlx::Error),
    /// It cannot be written.
    #[error(transparent)]
    Written(#[from] AnalyticsError),
}

/// Writes tables that the connection sees, each as `<name>.parquet`, and puts the folder in its place: names and bytes. A row
/// at a time is read, and a row group at a time kept.
///
/// # Errors
/// When the tables cannot be read, or the files not written; then nothing is in its place.
pub async fn write_tables(
    mut work: Work,
    connection: &mut PgConnection,
    tables: &[ReadTable],
) -> Result<Vec<(PathBuf, u64)>, TableError> {
    for table in tables {
        write_one(&mut work, connection, table).await?;
    }
    Ok(work.finish()?)
}

async fn write_one(
    work: &mut Work,
    connection: &mut PgConnection,
    read: &ReadTable,
) -> Result<(), TableError> {
    let columns: Vec<(String, String, bool)> =
        sqlx::query_as(COLUMNS).bind(read.name).fetch_all(&mut *connection).await?;
    let selected: Vec<_> = columns.iter().map(|(name, of, _)| selected(name, of)).collect();
    let columns = columns.into_iter().map(|(name, of, optional)| Column { name, kind: kind(&of), optional });
    let table = Table::of_columns(read.name, columns.collect());
    let file = path(&table.name, None, Format::Parquet);
    let sql = format!("SELECT {} FROM {} ORDER BY {}", selected.join(", "), read.name, read.key.join(", "));
    let mut found = sqlx::query(&sql).fetch(connection);
    let (mut rows, mut groups) = (Rows::of(&table), 0);
    loop {
        let row = found.try_next().await?;
        let full = rows.bytes >= COLUMN_BYTES || rows.count as u64 >= CHECKPOINT_ROWS;
        // A table without rows still has its columns.
        if full || row.is_none() && (rows.count > 0 || groups == 0) {
            let group = std::mem::replace(&mut rows, Rows::of(&table));
            work.add_segment(&[(file.clone(), whole(&table, group)?)])?;
            groups += 1;
        }
        let Some(row) = row else { return Ok(()) };
        for (nth, column) in table.columns.iter().enumerate() {
            rows.put(nth, &cell(&row, nth, column.kind)?);
        }
        rows.count += 1;
    }
}

/// What a column of that type holds; whatever has parts becomes JSON, and whatever else there is a text.
fn kind(of: &str) -> Kind {
    match of {
        "bigint" | "integer" | "smallint" => Kind::Integer,
        "boolean" => Kind::Bool,
        "json" | "jsonb" => Kind::Json,
        array if array.ends_with("[]") => Kind::Json,
        _ => Kind::Text,
    }
}

/// How it is asked for.
fn selected(name: &str, of: &str) -> String {
    match kind(of) {
        Kind::Integer => format!("{name}::bigint"),
        Kind::Json => format!("to_json({name})::text"),
        Kind::Bool => name.to_owned(),
        Kind::Text | Kind::Id | Kind::Millis | Kind::Micros => format!("{name}::text"),
    }
}

fn cell(row: &PgRow, nth: usize, kind: Kind) -> Result<Cell<'_>, sqlx::Error> {
    let cell = match kind {
        Kind::Integer => row.try_get::<Option<i64>, _>(nth)?.map(Cell::Integer),
        Kind::Bool => row.try_get::<Option<bool>, _>(nth)?.map(Cell::Bool),
        Kind::Text | Kind::Json | Kind::Id | Kind::Millis | Kind::Micros => {
            row.try_get::<Option<&str>, _>(nth)?.map(|text| Cell::Text(text.into()))
        }
    };
    Ok(cell.unwrap_or(Cell::Null))
}
