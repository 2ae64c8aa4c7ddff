//! Reads and writes orders' rows, a batch at a time.

use std::collections::BTreeMap;

use domain::order::{Event, Source};
use sqlx::{PgConnection, Row as _};
use store::follow::ApplyError;

use super::fold::{Placed, Row, apply};
use crate::{
    batch::{Step, column, fold, loaded},
    rows::{named, named_if_any, unword, word},
};

/// Documents that one statement carries, about: orders may have thousands of lines.
const STATEMENT_BYTES_MAX: usize = 8 << 20;

/// Applies a batch to the table.
pub(super) async fn write(
    connection: &mut PgConnection,
    steps: &[Step<'_, Event>],
) -> Result<(), ApplyError> {
    if steps.is_empty() {
        return Ok(());
    }
    let mut rows = load(connection, &loaded(steps)).await?;
    fold(&mut rows, steps, apply)?;
    let (mut new, mut changed) = (Vec::new(), Vec::new());
    for (id, row) in &rows {
        match &row.placed {
            Some(placed) => new.push((id.as_str(), &**placed, row)),
            None => changed.push((id.as_str(), row)),
        }
    }
    let mut rest = new.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(fitting(rest));
        insert(connection, now).await?;
        rest = later;
    }
    if changed.is_empty() {
        return Ok(());
    }
    update(connection, &changed).await
}

async fn load(connection: &mut PgConnection, ids: &[&str]) -> Result<BTreeMap<String, Row>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(
        "SELECT id, status, cancel_reason, cancel_note, version, position FROM orders WHERE id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let one = |row: &sqlx::postgres::PgRow| {
        let reason: Option<&str> = row.try_get("cancel_reason")?;
        let found = Row {
            placed: None,
            status: named(row, "status")?,
            cancel_reason: reason.map(unword).transpose()?,
            cancel_note: named_if_any(row, "cancel_note")?,
            version: row.try_get("version")?,
            position: row.try_get("position")?,
        };
        Ok((row.try_get("id")?, found))
    };
    rows.iter().map(one).collect()
}

/// How many of these go into one statement, at least one.
fn fitting(new: &[(&str, &Placed, &Row)]) -> usize {
    let mut bytes = 0_usize;
    let fitting = new.iter().take_while(|(_, placed, _)| {
        bytes = bytes.saturating_add(placed.lines.len() + placed.charges.len());
        bytes <= STATEMENT_BYTES_MAX
    });
    fitting.count().max(1)
}

async fn insert(connection: &mut PgConnection, new: &[(&str, &Placed, &Row)]) -> Result<(), ApplyError> {
    let reasons = reasons(new.iter().map(|(_, _, row)| *row))?;
    sqlx::query(
        "INSERT INTO orders (id, kind, customer, source_kind, source_id, credits, placed_at_ms, currency, total, units, \
                             line_count, lines, charges, payment, country, delivery, status, cancel_reason, \
                             cancel_note, version, position) \
         SELECT id, kind, customer, source_kind, source_id, credits, placed_at_ms, currency, total, units, \
                line_count, lines::json, charges::json, payment, country, delivery::json, status, cancel_reason, \
                cancel_note, version, position \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], \
                     $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::text[], \
                     $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::bigint[]) \
              AS new (id, kind, customer, source_kind, source_id, credits, placed_at_ms, currency, total, units, \
                      line_count, lines, charges, payment, country, delivery, status, cancel_reason, cancel_note, \
                      version, position)",
    )
    .bind(column(new, |(id, _, _)| *id))
    .bind(column(new, |(_, placed, _)| placed.kind.as_str()))
    .bind(column(new, |(_, placed, _)| placed.customer.as_ref().map(|id| id.as_str())))
    .bind(column(new, |(_, placed, _)| source(&placed.source).0))
    .bind(column(new, |(_, placed, _)| source(&placed.source).1))
    .bind(column(new, |(_, placed, _)| placed.credits.as_ref().map(|id| id.as_str())))
    .bind(column(new, |(_, placed, _)| placed.placed_at.millis()))
    .bind(column(new, |(_, placed, _)| placed.total.currency.as_str()))
    .bind(column(new, |(_, placed, _)| placed.total.amount))
    .bind(column(new, |(_, placed, _)| placed.units))
    .bind(column(new, |(_, placed, _)| placed.line_count))
    .bind(column(new, |(_, placed, _)| placed.lines.as_str()))
    .bind(column(new, |(_, placed, _)| placed.charges.as_str()))
    .bind(column(new, |(_, placed, _)| placed.payment.as_ref().map(|id| id.as_str())))
    .bind(column(new, |(_, placed, _)| placed.country.as_ref().map(|text| text.as_str())))
    .bind(column(new, |(_, placed, _)| placed.delivery.as_deref()))
    .bind(column(new, |(_, _, row)| row.status.as_str()))
    .bind(reasons)
    .bind(column(new, |(_, _, row)| row.cancel_note.as_ref().map(|text| text.as_str())))
    .bind(column(new, |(_, _, row)| row.version))
    .bind(column(new, |(_, _, row)| row.position))
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(connection: &mut PgConnection, changed: &[(&str, &Row)]) -> Result<(), ApplyError> {
    let reasons = reasons(changed.iter().map(|(_, row)| *row))?;
    sqlx::query(
        "UPDATE orders SET status = new.status, cancel_reason = new.cancel_reason, cancel_note = new.cancel_note, \
                           version = new.version, position = new.position \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[]) \
              AS new (id, status, cancel_reason, cancel_note, version, position) \
         WHERE orders.id = new.id",
    )
    .bind(column(changed, |(id, _)| *id))
    .bind(column(changed, |(_, row)| row.status.as_str()))
    .bind(reasons)
    .bind(column(changed, |(_, row)| row.cancel_note.as_ref().map(|text| text.as_str())))
    .bind(column(changed, |(_, row)| row.version))
    .bind(column(changed, |(_, row)| row.position))
    .execute(connection)
    .await?;
    Ok(())
}

fn reasons<'r>(rows: impl Iterator<Item = &'r Row>) -> Result<Vec<Option<String>>, ApplyError> {
    rows.map(|row| row.cancel_reason.as_ref().map(word).transpose()).collect()
}

fn source(source: &Source) -> (&'static str, &str) {
    match source {
        Source::Cart(cart) => ("cart", cart.as_str()),
        Source::Import(name) => ("import", name.as_str()),
    }
}
