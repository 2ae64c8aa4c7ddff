//! A report for programs: numbers as they are, in the units that the names of their columns tell.

use projections::analytics::reports::{Cell, Report, Table};
use serde_json::{Map, Value, json};
use store::rfc3339;

use super::ReportFailure;

/// Everything, as one object.
pub fn json(report: &Report) -> Value {
    let figures: Map<String, Value> =
        report.figures.iter().map(|figure| (figure.name.to_owned(), json!(figure.value))).collect();
    let tables: Map<String, Value> =
        report.tables.iter().map(|table| (table.name.to_owned(), rows(table))).collect();
    let queries: Map<String, Value> =
        report.tables.iter().map(|table| (table.name.to_owned(), json!(table.query))).collect();
    json!({
        "report": report.about.as_str(),
        "from": report.period.first().to_string(),
        "to": report.period.last().to_string(),
        // The moment that it is about: the end of its days, or when it was made, where they are not over.
        "as_of": rfc3339::format(report.period.end().min(report.now)),
        "currency": report.currency,
        "position": report.position,
        "archived_events": report.archived,
        "figures": figures,
        "tables": tables,
        "queries": queries,
    })
}

fn rows(table: &Table) -> Value {
    let rows = table.rows.iter().map(|row| {
        let cells = table.columns.iter().zip(row);
        let fields: Map<String, Value> =
            cells.map(|(column, cell)| (column.name.to_owned(), value(cell))).collect();
        Value::Object(fields)
    });
    rows.collect()
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Text(text) => json!(text),
        Cell::Number(number) => json!(number),
    }
}

/// One table.
pub fn csv(table: &Table) -> Result<String, ReportFailure> {
    let mut csv = csv::Writer::from_writer(vec![]);
    csv.write_record(table.columns.iter().map(|column| column.name))?;
    for row in &table.rows {
        let cell = |cell: &Cell| match cell {
            Cell::Empty => String::new(),
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
        };
        csv.write_record(row.iter().map(cell))?;
    }
    let bytes = csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
