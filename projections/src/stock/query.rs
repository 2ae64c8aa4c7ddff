//! The stock of a SKU or of all of them, and who holds units of one.

use domain::value::{Quantity, ReservationId, Sku, Time};
use sqlx::{Row as _, postgres::PgRow};

use super::{NAME, Reservation, Stock};
use crate::{
    Cursor, Fresh, Freshness, Page, QueryError, ReadModels, page::rows_wanted, read_models::Statement,
    rows::named,
};

const COLUMNS: &str = "true AS found, sku, on_hand, reserved, available, version, position";
const OWN_STREAM: &str = "p.aggregate_type = 'inventory_item' AND p.aggregate_id = $1";

impl ReadModels {
    /// The stock of a SKU; `None` when nothing ever happened to it.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn stock(&self, sku: &Sku, freshness: Freshness) -> Result<Fresh<Option<Stock>>, QueryError> {
        let rows = format!("SELECT {COLUMNS} FROM stock WHERE sku = $1");
        let statement = Statement::new(NAME, OWN_STREAM, &rows, "");
        let rows = self.asker.ask(&statement, freshness, |query| query.bind(sku.as_str())).await?;
        rows.try_map(|rows| Ok(rows.first().map(stock_of).transpose()?))
    }

    /// The stock of all SKUs, in the order of their bytes.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn stock_list(
        &self,
        cursor: Option<&Cursor>,
        limit: u32,
        freshness: Freshness,
    ) -> Result<Fresh<Page<Stock>>, QueryError> {
        let after = cursor.map(Cursor::key::<Sku>).transpose()?;
        // No SKU is empty, so everything comes after the empty text.
        let after = after.as_ref().map_or("", Sku::as_str);
        let statement = Statement::new(
            NAME,
            "p.aggregate_type = 'inventory_item'",
            &format!("SELECT {COLUMNS} FROM stock WHERE sku > $1 ORDER BY sku LIMIT $2"),
            "ORDER BY r.sku",
        );
        let rows =
            self.asker.ask(&statement, freshness, |query| query.bind(after).bind(rows_wanted(limit))).await?;
        rows.try_map(|rows| {
            let stocks = rows.iter().map(stock_of).collect::<Result<Vec<_>, _>>()?;
            Page::of(stocks, limit, |last| last.sku.clone())
        })
    }

    /// Who holds units of a SKU, in the order of the reservations' names.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn reservations(
        &self,
        sku: &Sku,
        cursor: Option<&Cursor>,
        limit: u32,
        freshness: Freshness,
    ) -> Result<Fresh<Page<Reservation>>, QueryError> {
        let after = cursor.map(Cursor::key::<ReservationId>).transpose()?;
        let after = after.as_ref().map_or("", ReservationId::as_str);
        let statement = Statement::new(
            NAME,
            OWN_STREAM,
            "SELECT true AS found, reservation, quantity, expires_at_ms FROM reservations \
             WHERE sku = $1 AND reservation > $2 ORDER BY reservation LIMIT $3",
            "ORDER BY r.reservation",
        );
        let rows = self
            .asker
            .ask(&statement, freshness, |query| query.bind(sku.as_str()).bind(after).bind(rows_wanted(limit)))
            .await?;
        rows.try_map(|rows| {
            let held = rows.iter().map(reservation_of).collect::<Result<Vec<_>, _>>()?;
            Page::of(held, limit, |last| last.reservation.clone())
        })
    }
}

fn stock_of(row: &PgRow) -> Result<Stock, sqlx::Error> {
    Ok(Stock {
        sku: named(row, "sku")?,
        on_hand: row.try_get("on_hand")?,
        reserved: row.try_get("reserved")?,
        available: row.try_get("available")?,
        version: row.try_get("version")?,
        position: row.try_get("position")?,
    })
}

fn reservation_of(row: &PgRow) -> Result<Reservation, sqlx::Error> {
    let quantity: i64 = row.try_get("quantity")?;
    let quantity = u32::try_from(quantity).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let expires_at: Option<i64> = row.try_get("expires_at_ms")?;
    Ok(Reservation {
        reservation: named(row, "reservation")?,
        quantity: Quantity::new(quantity).map_err(|error| sqlx::Error::Decode(error.into()))?,
        expires_at: expires_at.map(Time::from_millis),
    })
}
