//! The stock of a SKU or of all of them, and who holds units of one.

use std::collections::BTreeMap;

use domain::value::{Quantity, ReservationId, Sku, Time};
use sqlx::{Row as _, postgres::PgRow};

use super::{NAME, Reservation, Row, Stock, few, row_of};
use crate::{
    Cursor, Fresh, Freshness, Page, QueryError, ReadModels, fresh::Seen, page::rows_wanted,
    read_models::Statement, rows::named,
};

/// A row of the stock, and what of it is held by reservations whose time is over at `$1`.
const STOCK: &str = "SELECT true AS found, s.sku, on_hand, reserved - COALESCE(over.held, 0) AS reserved, \
                            backordered - COALESCE(over.short, 0) AS backordered, locations::text AS locations, \
                            reorder_point, policy::text AS policy, version, position \
                     FROM stock s LEFT JOIN LATERAL ( \
                         SELECT sum(quantity - short)::bigint AS held, sum(short)::bigint AS short FROM reservations h \
                         WHERE h.sku = s.sku AND h.expires_at_ms <= $1 \
                     ) over ON true";
/// When the next hold on the SKU is over.
const NEXT_OVER: &str = "LEFT JOIN LATERAL ( \
                             SELECT min(expires_at_ms) AS over_ms FROM reservations h \
                             WHERE h.sku = a.sku AND h.expires_at_ms > $1 \
                         ) next ON true";
const OWN_STREAM: &str = "p.aggregate_type = 'inventory_item' AND p.aggregate_id = $2";

impl ReadModels {
    /// The stock of a SKU at `now`; `None` when nothing ever happened to it.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn stock(
        &self,
        sku: &Sku,
        now: Time,
        freshness: Freshness,
    ) -> Result<Fresh<Option<Stock>>, QueryError> {
        let statement = Statement::new(NAME, OWN_STREAM, &format!("{STOCK} WHERE s.sku = $2"), "");
        let rows = self
            .asker
            .ask(&statement, freshness, |query| query.bind(now.millis()).bind(sku.as_str()))
            .await?;
        rows.try_map(|rows| Ok(rows.first().map(stock_of).transpose()?))
    }

    /// What can be reserved of each of these SKUs at `now`, and when that changes by itself: when the next hold is over.
    /// SKUs that nothing ever happened to are not among them.
    pub(crate) async fn available(
        &self,
        skus: &[&str],
        now: Time,
        freshness: Freshness,
    ) -> Result<(BTreeMap<String, i64>, Option<Time>, Seen), QueryError> {
        let statement = Statement::new(
            NAME,
            "p.aggregate_type = 'inventory_item' AND p.aggregate_id = ANY($2)",
            &format!("SELECT a.*, next.over_ms FROM ({STOCK} WHERE s.sku = ANY($2)) a {NEXT_OVER}"),
            "",
        );
        let (rows, seen) = self
            .asker
            .ask_seen(&statement, freshness, |query| query.bind(now.millis()).bind(skus.to_vec()))
            .await?;
        let (mut available, mut over_ms) = (BTreeMap::new(), None);
        for row in &rows {
            let next: Option<i64> = row.try_get("over_ms")?;
            over_ms = over_ms.into_iter().chain(next).min();
            available.insert(row.try_get("sku")?, stock_of(row)?.available);
        }
        Ok((available, over_ms.map(Time::from_millis), seen))
    }

    /// The stock of all SKUs at `now`, in the order of their bytes.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn stock_list(
        &self,
        now: Time,
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
            &format!("{STOCK} WHERE s.sku > $2 ORDER BY s.sku LIMIT $3"),
            "ORDER BY r.sku",
        );
        let rows = self
            .asker
            .ask(&statement, freshness, |query| query.bind(now.millis()).bind(after).bind(rows_wanted(limit)))
            .await?;
        rows.try_map(|rows| {
            let stocks = rows.iter().map(stock_of).collect::<Result<Vec<_>, _>>()?;
            Page::of(stocks, limit, |last| last.sku.clone())
        })
    }

    /// Who holds units of a SKU at `now` or waits for them, in the order of the reservations' names.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn reservations(
        &self,
        sku: &Sku,
        now: Time,
        cursor: Option<&Cursor>,
        limit: u32,
        freshness: Freshness,
    ) -> Result<Fresh<Page<Reservation>>, QueryError> {
        let after = cursor.map(Cursor::key::<ReservationId>).transpose()?;
        let after = after.as_ref().map_or("", ReservationId::as_str);
        let statement = Statement::new(
            NAME,
            OWN_STREAM,
            "SELECT true AS found, reservation, quantity, short, promised_at_ms, committed, expires_at_ms \
             FROM reservations WHERE sku = $2 AND reservation > $3 AND (expires_at_ms <= $1) IS NOT TRUE \
             ORDER BY reservation LIMIT $4",
            "ORDER BY r.reservation",
        );
        let rows = self
            .asker
            .ask(&statement, freshness, |query| {
                query.bind(now.millis()).bind(sku.as_str()).bind(after).bind(rows_wanted(limit))
            })
            .await?;
        rows.try_map(|rows| {
            let held = rows.iter().map(reservation_of).collect::<Result<Vec<_>, _>>()?;
            Page::of(held, limit, |last| last.reservation.clone())
        })
    }
}

fn stock_of(row: &PgRow) -> Result<Stock, sqlx::Error> {
    let Row { on_hand, reserved, backordered, locations, reorder_point, policy, version, position } =
        row_of(row)?;
    // Who waits has been promised what comes free next.
    let available = on_hand.saturating_sub(reserved).saturating_sub(backordered).max(0);
    Ok(Stock {
        sku: named(row, "sku")?,
        on_hand,
        reserved,
        backordered,
        available,
        locations,
        reorder_point,
        low: reorder_point.is_some_and(|few| available <= i64::from(few)),
        policy: policy.into(),
        version,
        position,
    })
}

fn reservation_of(row: &PgRow) -> Result<Reservation, sqlx::Error> {
    let quantity = Quantity::new(few(row.try_get("quantity")?)?);
    Ok(Reservation {
        reservation: named(row, "reservation")?,
        quantity: quantity.map_err(|error| sqlx::Error::Decode(error.into()))?,
        short: few(row.try_get("short")?)?,
        promised_at: row.try_get::<Option<i64>, _>("promised_at_ms")?.map(Time::from_millis),
        committed: row.try_get("committed")?,
        expires_at: row.try_get::<Option<i64>, _>("expires_at_ms")?.map(Time::from_millis),
    })
}
