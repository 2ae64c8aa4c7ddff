//! What was sold and what came back each day, to compare with the books that orders were imported from.

use domain::value::Money;
use serde::{Serialize, Serializer};
use sqlx::{Row as _, postgres::PgRow};
use time::Date;

use crate::{Fresh, Freshness, QueryError, ReadModels, orders::NAME, read_models::Statement, rows::named};

/// One business day in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The day in UTC.
    #[serde(serialize_with = "iso")]
    pub date: Date,
    /// Orders that were not cancelled.
    pub orders: i64,
    /// The quantities of all their lines and charges.
    pub units: i64,
    /// The sum of their totals.
    pub sale_value: Money,
    /// The sum of the totals of credit notes, above or equal to zero.
    pub returned_value: Money,
}

/// The day's number counts from 1970-01-01, earlier days included. A sum beyond 64 bits fails instead of wrapping.
const DAYS: &str = "SELECT true AS found, date '1970-01-01' + floor(placed_at_ms / 86400000.0)::int AS date, currency, \
                           count(*) FILTER (WHERE sold) AS orders, \
                           COALESCE(sum(units) FILTER (WHERE sold), 0)::bigint AS units, \
                           COALESCE(sum(total) FILTER (WHERE sold), 0)::bigint AS sale_value, \
                           COALESCE(sum(total) FILTER (WHERE kind = 'credit_note'), 0)::bigint AS returned_value \
                    FROM (SELECT *, kind = 'sale' AND status <> 'cancelled' AS sold FROM orders \
                          WHERE source_kind = 'import' AND source_id IN (SELECT unnest($1::text[]))) AS imported \
                    GROUP BY 2, 3";

const PARKED: &str = "p.aggregate_type = 'order'";

impl ReadModels {
    /// What imports brought in under these names, such as `retail:536365`, a row a day and currency, of whatever day.
    ///
    /// # Errors
    /// As [`QueryError`] says; any order that was set aside counts.
    pub async fn days(&self, names: &[String], freshness: Freshness) -> Result<Fresh<Vec<Day>>, QueryError> {
        let statement = Statement::new(NAME, PARKED, DAYS, "ORDER BY r.date, r.currency");
        let rows = self.asker.ask(&statement, freshness, |query| query.bind(names.to_vec())).await?;
        rows.try_map(|rows| Ok(rows.iter().map(day_of).collect::<Result<_, _>>()?))
    }
}

fn day_of(row: &PgRow) -> Result<Day, sqlx::Error> {
    let currency = named(row, "currency")?;
    Ok(Day {
        date: row.try_get("date")?,
        orders: row.try_get("orders")?,
        units: row.try_get("units")?,
        sale_value: Money::new(row.try_get("sale_value")?, currency),
        returned_value: Money::new(row.try_get("returned_value")?, currency),
    })
}

/// `Date` shows itself as ISO 8601 asks for years 0 to 9999, which business days are.
fn iso<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}
