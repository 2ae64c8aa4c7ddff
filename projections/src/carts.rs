//! Carts: what is in each, and which order it became.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{
    Aggregate, AnyEvent,
    cart::{self, Event, Line},
    value::{CartId, Currency, CustomerId, Money, OrderId},
};
use serde::Serialize;
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use store::{
    follow::{ApplyError, Projection},
    log::{Position, Recorded, Sequence},
};

use crate::{
    Fresh, Freshness, QueryError, ReadModels,
    batch::{At, Step, column, fold, loaded},
    read_models::Statement,
    rows::{document, named, named_if_any, text, words},
};

/// The follower's name.
pub const NAME: &str = "carts";

words! {
    /// How far a cart has come.
    Status {
        /// Being filled.
        Open = "open",
        /// Became an order.
        CheckedOut = "checked_out",
    }
}

/// A cart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cart {
    /// Its id.
    pub id: CartId,
    /// Whose it is, unless a guest's.
    pub customer: Option<CustomerId>,
    /// How far it has come.
    pub status: Status,
    /// What is in it, or was when it became an order; in the order of adding.
    pub lines: Vec<Line>,
    /// What that costs.
    pub total: Money,
    /// The order that it became.
    pub order: Option<OrderId>,
    /// The stream's version.
    pub version: Sequence,
    /// The last event that changed it.
    pub position: Position,
}

/// A cart's row without its id.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    customer: Option<CustomerId>,
    lines: Vec<Line>,
    total: Money,
    order: Option<OrderId>,
    version: Sequence,
    position: Position,
}

/// Follows carts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carts;

#[async_trait]
impl Projection for Carts {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        let steps: Vec<_> = events
            .iter()
            .filter_map(|recorded| match &recorded.event {
                AnyEvent::Cart(event) => Some(Step { id: &recorded.stream.id, event, at: At::of(recorded) }),
                AnyEvent::Checkout(_)
                | AnyEvent::InventoryItem(_)
                | AnyEvent::InvoiceBook(_)
                | AnyEvent::Order(_)
                | AnyEvent::Payment(_)
                | AnyEvent::Product(_) => None,
            })
            .collect();
        if steps.is_empty() {
            return Ok(());
        }
        let mut rows = load(connection, &loaded(&steps)).await?;
        fold(&mut rows, &steps, apply)?;
        write(connection, &rows).await
    }

    async fn clear(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM carts").execute(connection).await?;
        Ok(())
    }
}

/// The row after one more event. While a cart is open, the domain says what an event makes of its lines.
fn apply(row: Option<Row>, step: &Step<'_, Event>) -> Result<Row, ApplyError> {
    let version = step.at.after(row.as_ref().map_or(0, |row| row.version))?;
    let position = step.at.position;
    match (row, step.event) {
        (None, Event::Opened { customer, currency }) => Ok(Row {
            customer: customer.clone(),
            lines: vec![],
            total: Money::zero(*currency),
            order: None,
            version,
            position,
        }),
        (Some(row), Event::CheckedOut { order, lines, total, .. }) => Ok(Row {
            lines: lines.clone(),
            total: *total,
            order: Some(order.clone()),
            version,
            position,
            ..row
        }),
        (Some(row), event) => {
            let open = cart::Cart::Open { customer: None, currency: row.total.currency, lines: row.lines };
            let open = open.evolve(event.clone());
            Ok(Row {
                lines: open.lines().to_vec(),
                total: open.total().unwrap_or(row.total),
                customer: row.customer,
                order: row.order,
                version,
                position,
            })
        }
        (None, _) => Err(ApplyError::Poison("the cart was never opened".to_owned())),
    }
}

impl Row {
    const fn status(&self) -> Status {
        match self.order {
            None => Status::Open,
            Some(_) => Status::CheckedOut,
        }
    }
}

const COLUMNS: &str = "id, customer, currency, lines::text AS lines, total, order_id, version, position";

async fn load(connection: &mut PgConnection, ids: &[&str]) -> Result<BTreeMap<String, Row>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(&format!("SELECT {COLUMNS} FROM carts WHERE id = ANY($1)"))
        .bind(ids)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, row_of(row)?))).collect()
}

async fn write(connection: &mut PgConnection, rows: &BTreeMap<String, Row>) -> Result<(), ApplyError> {
    let rows: Vec<(&String, &Row)> = rows.iter().collect();
    let lines = rows.iter().map(|(_, row)| text(&row.lines)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(
        "INSERT INTO carts (id, customer, status, currency, lines, total, order_id, version, position) \
         SELECT id, customer, status, currency, lines::json, total, order_id, version, position \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], \
                     $8::bigint[], $9::bigint[]) \
              AS new (id, customer, status, currency, lines, total, order_id, version, position) \
         ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status, lines = EXCLUDED.lines, total = EXCLUDED.total, \
             order_id = EXCLUDED.order_id, version = EXCLUDED.version, position = EXCLUDED.position",
    )
    .bind(column(&rows, |(id, _)| id.as_str()))
    .bind(column(&rows, |(_, row)| row.customer.as_ref().map(CustomerId::as_str)))
    .bind(column(&rows, |(_, row)| row.status().as_str()))
    .bind(column(&rows, |(_, row)| row.total.currency.as_str()))
    .bind(lines)
    .bind(column(&rows, |(_, row)| row.total.amount))
    .bind(column(&rows, |(_, row)| row.order.as_ref().map(OrderId::as_str)))
    .bind(column(&rows, |(_, row)| row.version))
    .bind(column(&rows, |(_, row)| row.position))
    .execute(connection)
    .await?;
    Ok(())
}

fn row_of(row: &PgRow) -> Result<Row, sqlx::Error> {
    let currency: Currency = named(row, "currency")?;
    Ok(Row {
        customer: named_if_any(row, "customer")?,
        lines: document(row, "lines")?,
        total: Money::new(row.try_get("total")?, currency),
        order: named_if_any(row, "order_id")?,
        version: row.try_get("version")?,
        position: row.try_get("position")?,
    })
}

impl ReadModels {
    /// A cart; `None` when it was never opened.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn cart(&self, id: &CartId, freshness: Freshness) -> Result<Fresh<Option<Cart>>, QueryError> {
        let statement = Statement::new(
            NAME,
            "p.aggregate_type = 'cart' AND p.aggregate_id = $1",
            &format!("SELECT true AS found, {COLUMNS} FROM carts WHERE id = $1"),
            "",
        );
        let rows = self.asker.ask(&statement, freshness, |query| query.bind(id.as_str())).await?;
        rows.try_map(|rows| Ok(rows.first().map(cart_of).transpose()?))
    }
}

fn cart_of(row: &PgRow) -> Result<Cart, sqlx::Error> {
    let id = named(row, "id")?;
    let row = row_of(row)?;
    Ok(Cart {
        id,
        status: row.status(),
        customer: row.customer,
        lines: row.lines,
        total: row.total,
        order: row.order,
        version: row.version,
        position: row.position,
    })
}
