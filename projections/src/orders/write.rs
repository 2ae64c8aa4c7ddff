//! Reads and writes orders' rows, a batch at a time.

use std::collections::BTreeMap;

use domain::order::{Event, Source};
use sqlx::{PgConnection, Row as _};
use store::follow::ApplyError;

use super::{
    fold::{Placed, Row, apply},
    fulfilment::Fulfilment,
};
use crate::{
    batch::{Step, column, fold, loaded},
    rows::{document, named, named_if_any, text, unword, word},
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
        "SELECT id, status, cancel_reason, cancel_note, version, position, ordered, progress::text AS progress, \
                shipments::text AS shipments, returns::text AS returns \
         FROM orders WHERE id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let one = |row: &sqlx::postgres::PgRow| {
        let reason: Option<&str> = row.try_get("cancel_reason")?;
        let found = Row {
            placed: None,
            restated: None,
            fulfilment: Fulfilment {
                ordered: row.try_get("ordered")?,
                progress: document(row, "progress")?,
                shipments: document(row, "shipments")?,
                returns: document(row, "returns")?,
            },
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
    let words = Words::of(new.iter().map(|(_, _, row)| *row))?;
    sqlx::query(
        "INSERT INTO orders (id, kind, customer, source_kind, source_id, credits, placed_at_ms, currency, total, units, \
                             line_count, lines, charges, payment, country, delivery, status, cancel_reason, \
                             cancel_note, version, position, ordered, progress, shipments, returns) \
         SELECT id, kind, customer, source_kind, source_id, credits, placed_at_ms, currency, total, units, \
                line_count, lines::json, charges::json, payment, country, delivery::json, status, cancel_reason, \
                cancel_note, version, position, ordered, progress::json, shipments::json, returns::json \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], \
                     $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::text[], \
                     $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::bigint[], \
                     $22::bigint[], $23::text[], $24::text[], $25::text[]) \
              AS new (id, kind, customer, source_kind, source_id, credits, placed_at_ms, currency, total, units, \
                      line_count, lines, charges, payment, country, delivery, status, cancel_reason, cancel_note, \
                      version, position, ordered, progress, shipments, returns)",
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
    .bind(words.reasons)
    .bind(column(new, |(_, _, row)| row.cancel_note.as_ref().map(|text| text.as_str())))
    .bind(column(new, |(_, _, row)| row.version))
    .bind(column(new, |(_, _, row)| row.position))
    .bind(column(new, |(_, _, row)| row.fulfilment.ordered))
    .bind(words.progress)
    .bind(words.shipments)
    .bind(words.returns)
    .execute(connection)
    .await?;
    Ok(())
}

/// Most orders change while their lines stay as they are; `units` counts charges as well, which always stay.
async fn update(connection: &mut PgConnection, changed: &[(&str, &Row)]) -> Result<(), ApplyError> {
    let words = Words::of(changed.iter().map(|(_, row)| *row))?;
    sqlx::query(
        "UPDATE orders SET status = new.status, cancel_reason = new.cancel_reason, cancel_note = new.cancel_note, \
                           version = new.version, position = new.position, \
                           units = orders.units - orders.ordered + new.ordered, ordered = new.ordered, \
                           progress = new.progress::json, shipments = new.shipments::json, \
                           returns = new.returns::json, lines = COALESCE(new.lines::json, orders.lines), \
                           total = COALESCE(new.total, orders.total), \
                           line_count = COALESCE(new.line_count, orders.line_count) \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], \
                     $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[]) \
              AS new (id, status, cancel_reason, cancel_note, version, position, ordered, progress, shipments, \
                      returns, lines, total, line_count) \
         WHERE orders.id = new.id",
    )
    .bind(column(changed, |(id, _)| *id))
    .bind(column(changed, |(_, row)| row.status.as_str()))
    .bind(words.reasons)
    .bind(column(changed, |(_, row)| row.cancel_note.as_ref().map(|text| text.as_str())))
    .bind(column(changed, |(_, row)| row.version))
    .bind(column(changed, |(_, row)| row.position))
    .bind(column(changed, |(_, row)| row.fulfilment.ordered))
    .bind(words.progress)
    .bind(words.shipments)
    .bind(words.returns)
    .bind(column(changed, |(_, row)| row.restated.as_ref().map(|restated| restated.lines.as_str())))
    .bind(column(changed, |(_, row)| row.restated.as_ref().map(|restated| restated.total)))
    .bind(column(changed, |(_, row)| row.restated.as_ref().map(|restated| restated.line_count)))
    .execute(connection)
    .await?;
    Ok(())
}

/// Columns whose text has to be written first.
struct Words {
    reasons: Vec<Option<String>>,
    progress: Vec<String>,
    shipments: Vec<String>,
    returns: Vec<String>,
}

impl Words {
    fn of<'r>(rows: impl Iterator<Item = &'r Row> + Clone) -> Result<Self, ApplyError> {
        let reasons = rows.clone().map(|row| row.cancel_reason.as_ref().map(word).transpose());
        Ok(Self {
            reasons: reasons.collect::<Result<_, _>>()?,
            progress: rows.clone().map(|row| text(&row.fulfilment.progress)).collect::<Result<_, _>>()?,
            shipments: rows.clone().map(|row| text(&row.fulfilment.shipments)).collect::<Result<_, _>>()?,
            returns: rows.map(|row| text(&row.fulfilment.returns)).collect::<Result<_, _>>()?,
        })
    }
}

fn source(source: &Source) -> (&'static str, &str) {
    match source {
        Source::Cart(cart) => ("cart", cart.as_str()),
        Source::Import(name) => ("import", name.as_str()),
    }
}
