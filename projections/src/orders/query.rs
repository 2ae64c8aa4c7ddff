//! Orders by their id, and those of a customer, newest first.

use domain::{
    AggregateType,
    order::{CancelReason, Source},
    value::{CartId, CustomerId, Money, OrderId, PaymentId, Text, Time},
};
use serde::{Deserialize, Serialize};
use sqlx::{Row as _, postgres::PgRow};
use store::log::StreamId;

use super::{Invoiced, NAME, Order, Summary, fulfilment::Progress};
use crate::{
    Cursor, Fresh, Freshness, Page, QueryError, ReadModels,
    hot::{Based, Basis},
    page::rows_wanted,
    payments,
    read_models::Statement,
    rows::{document, named, named_if_any, unword},
};

/// The payment that an order names, or else the newest one that names the order.
const PAYMENT: &str = "LEFT JOIN LATERAL ( \
         SELECT pay.id AS paid_by, pay.status AS payment_status, pay.position AS payment_position, \
                pay.disputes::text AS disputes FROM payments pay \
         WHERE pay.order_id = o.id AND (o.payment IS NULL OR pay.id = o.payment) \
         ORDER BY pay.opened_at DESC LIMIT 1) AS paid ON true";

const SUMMARY: &str = "true AS found, o.id, o.kind, o.status, o.customer, o.source_kind, o.source_id, o.placed_at_ms, \
                       o.currency, o.total, o.units, o.line_count, COALESCE(o.payment, paid.paid_by) AS payment, \
                       paid.payment_status, o.cancel_reason, o.version, \
                       GREATEST(o.position, paid.payment_position) AS position";

/// A stream that was set aside is the customer's if one of the orders that it is known to concern is, or if none is known.
const CUSTOMERS_OWN: &str = "p.aggregate_type IN ('order', 'payment') AND ( \
         SELECT COALESCE(bool_or(o.customer IS NOT DISTINCT FROM $1), true) FROM ( \
             SELECT customer FROM orders WHERE p.aggregate_type = 'order' AND id = p.aggregate_id \
             UNION ALL \
             SELECT customer FROM orders WHERE p.aggregate_type = 'payment' AND payment = p.aggregate_id \
             UNION ALL \
             SELECT paid.customer FROM payments pay JOIN orders paid ON paid.id = pay.order_id \
             WHERE p.aggregate_type = 'payment' AND pay.id = p.aggregate_id) AS o)";

/// Where a page of a customer's history begins.
#[derive(Serialize, Deserialize)]
struct After {
    placed_at: Time,
    id: OrderId,
}

impl ReadModels {
    /// An order or credit note; `None` when there is none of that id.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn order(
        &self,
        id: &OrderId,
        freshness: Freshness,
    ) -> Result<Fresh<Option<Order>>, QueryError> {
        Ok(self.order_based(id, freshness).await?.fresh)
    }

    /// The same with what it rests on: the order's stream, and those of its payments.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn order_based(
        &self,
        id: &OrderId,
        freshness: Freshness,
    ) -> Result<Based<Option<Order>>, QueryError> {
        let statement = Statement::new(
            NAME,
            "p.aggregate_type = 'order' AND p.aggregate_id = $1 \
             OR p.aggregate_type = 'payment' AND p.aggregate_id IN ( \
                 SELECT payment FROM orders WHERE id = $1 UNION ALL SELECT id FROM payments WHERE order_id = $1)",
            &format!(
                "SELECT {SUMMARY}, o.credits, o.lines::text AS lines, o.charges::text AS charges, o.country, \
                        o.delivery::text AS delivery, o.cancel_note, o.progress::text AS progress, \
                        o.shipments::text AS shipments, o.returns::text AS returns, \
                        COALESCE(paid.disputes, '[]') AS disputes, \
                        ARRAY(SELECT p.id FROM payments p WHERE p.order_id = o.id) AS payments \
                 FROM orders o {PAYMENT} WHERE o.id = $1"
            ),
            "",
        );
        let (rows, seen) =
            self.asker.ask_seen(&statement, freshness, |query| query.bind(id.as_str())).await?;
        let order = rows.first().map(order_of).transpose()?;
        let streams = rows.first().map(|row| streams_of(id, order.as_ref(), row)).transpose()?;
        Ok(Based {
            fresh: Fresh::seen(order, &seen),
            basis: streams.map(|streams| Basis::new(NAME, seen, streams)),
        })
    }

    /// A customer's orders and credit notes, the newest first.
    ///
    /// # Errors
    /// As [`QueryError`] says. A stream that was set aside counts unless it is known to be another customer's.
    pub async fn orders(
        &self,
        customer: &CustomerId,
        cursor: Option<&Cursor>,
        limit: u32,
        freshness: Freshness,
    ) -> Result<Fresh<Page<Summary>>, QueryError> {
        let after = cursor.map(Cursor::key::<After>).transpose()?;
        let beginning = match after {
            Some(_) => "AND (o.placed_at_ms, o.id) < ($3, $4)",
            None => "",
        };
        let statement = Statement::new(
            NAME,
            CUSTOMERS_OWN,
            &format!(
                "SELECT {SUMMARY} FROM orders o {PAYMENT} WHERE o.customer = $1 {beginning} \
                 ORDER BY o.placed_at_ms DESC, o.id DESC LIMIT $2"
            ),
            "ORDER BY r.placed_at_ms DESC, r.id DESC",
        );
        let rows = self
            .asker
            .ask(&statement, freshness, |query| {
                let query = query.bind(customer.as_str()).bind(rows_wanted(limit));
                match &after {
                    Some(after) => query.bind(after.placed_at.millis()).bind(after.id.to_string()),
                    None => query,
                }
            })
            .await?;
        rows.try_map(|rows| {
            let orders = rows.iter().map(summary_of).collect::<Result<Vec<_>, _>>()?;
            Page::of(orders, limit, |last| After { placed_at: last.placed_at, id: last.id.clone() })
        })
    }
}

/// What the order's page follows from; the payment that it names may have no row yet.
fn streams_of(id: &OrderId, order: Option<&Order>, row: &PgRow) -> Result<Vec<StreamId>, sqlx::Error> {
    let payments: Vec<String> = row.try_get("payments")?;
    let named = order.and_then(|order| order.payment.as_ref()).map(PaymentId::as_str);
    let payments = payments.iter().map(String::as_str).chain(named);
    let payments = payments.map(|payment| StreamId::new(AggregateType::Payment, payment));
    Ok(payments.chain([StreamId::new(AggregateType::Order, id.as_str())]).collect())
}

fn summary_of(row: &PgRow) -> Result<Summary, sqlx::Error> {
    let reason: Option<&str> = row.try_get("cancel_reason")?;
    let reason: Option<CancelReason> = reason.map(unword).transpose()?;
    Ok(Summary {
        id: named(row, "id")?,
        kind: named(row, "kind")?,
        status: named(row, "status")?,
        customer: named_if_any(row, "customer")?,
        source: match row.try_get("source_kind")? {
            "cart" => Source::Cart(named::<CartId>(row, "source_id")?),
            _ => Source::Import(named::<Text>(row, "source_id")?),
        },
        placed_at: Time::from_millis(row.try_get("placed_at_ms")?),
        total: Money::new(row.try_get("total")?, named(row, "currency")?),
        units: row.try_get("units")?,
        line_count: row.try_get("line_count")?,
        payment: named_if_any(row, "payment")?,
        payment_status: named_if_any(row, "payment_status")?.unwrap_or(payments::Status::None),
        cancel_reason: reason,
        version: row.try_get("version")?,
        position: row.try_get("position")?,
    })
}

fn order_of(row: &PgRow) -> Result<Order, sqlx::Error> {
    let summary = summary_of(row)?;
    let delivery: Option<&str> = row.try_get("delivery")?;
    let delivery =
        delivery.map(serde_json::from_str).transpose().map_err(|error| sqlx::Error::Decode(error.into()))?;
    let progress: Progress = document(row, "progress")?;
    Ok(Order {
        id: summary.id,
        kind: summary.kind,
        status: summary.status,
        customer: summary.customer,
        source: summary.source,
        credits: named_if_any(row, "credits")?,
        placed_at: summary.placed_at,
        total: summary.total,
        units: summary.units,
        lines: document(row, "lines")?,
        progress: progress.lines(),
        charges: document(row, "charges")?,
        payment: summary.payment,
        payment_status: summary.payment_status,
        disputes: document(row, "disputes")?,
        country: named_if_any(row, "country")?,
        delivery,
        cancel_reason: summary.cancel_reason,
        cancel_note: named_if_any(row, "cancel_note")?,
        held: progress.held,
        shipments: document(row, "shipments")?,
        returns: document(row, "returns")?,
        edit: progress.edit,
        invoice: progress.invoice.map(Invoiced::from),
        version: summary.version,
        position: summary.position,
    })
}
