//! Carts: what is in each, and which order it became.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::{
    Aggregate, AggregateType, AnyEvent,
    cart::{self, Basket, Event, Line},
    value::{CartId, Currency, CustomerId, Money, OrderId, Time},
};
use serde::Serialize;
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use store::{
    follow::{ApplyError, Projection, ReadTable},
    log::{Position, Recorded, Sequence},
};

use crate::{
    Fresh, Freshness, QueryError, ReadModels,
    batch::{At, Versioned, column, fold, loaded, steps},
    read_models::Statement,
    rows::{document, named, named_if_any, text, words},
    stock::moment_if_any,
};

/// The follower's name.
pub const NAME: &str = "carts";

words! {
    /// How far a cart has come.
    #[cfg_attr(feature = "openapi", schema(as = CartStatus))]
    Status {
        /// Being filled.
        Open = "open",
        /// Became an order.
        CheckedOut = "checked_out",
        /// Nobody touched it for too long.
        Expired = "expired",
        /// Went into another cart.
        Merged = "merged",
    }
}

/// A cart.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cart {
    /// Its id.
    pub id: CartId,
    /// Whose it is, unless a guest's.
    pub customer: Option<CustomerId>,
    /// How far it has come.
    pub status: Status,
    /// What is in it, or was when it ended; in the order of adding.
    pub lines: Vec<Line>,
    /// What that costs; once it became an order, with shipping and tax.
    pub total: Money,
    /// When it ends unless it is touched.
    #[serde(serialize_with = "moment_if_any")]
    pub expires_at: Option<Time>,
    /// The order that it became.
    pub order: Option<OrderId>,
    /// The cart that it went into.
    pub merged_into: Option<CartId>,
    /// The stream's version.
    pub version: Sequence,
    /// The last event that changed it.
    pub position: Position,
}

/// A cart's row without its id.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    customer: Option<CustomerId>,
    status: Status,
    lines: Vec<Line>,
    total: Money,
    expires_at: Option<Time>,
    order: Option<OrderId>,
    merged_into: Option<CartId>,
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

    fn follows(&self) -> &'static [AggregateType] {
        &[AggregateType::Cart]
    }

    fn tables(&self) -> &'static [ReadTable] {
        &[ReadTable { name: "carts", key: &["id"] }]
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        let steps = steps(events, AggregateType::Cart, |event| match event {
            AnyEvent::Cart(event) => Some(event),
            _ => None,
        });
        if steps.is_empty() {
            return Ok(());
        }
        let mut rows = load(connection, &loaded(&steps)).await?;
        fold(&mut rows, &steps, apply)?;
        write(connection, &rows).await
    }
}

/// The row after one more event. While a cart is open, the domain says what an event makes of its lines.
fn apply(row: Option<Row>, event: &Event, at: At) -> Result<Row, ApplyError> {
    let version = at.after(row.as_ref().map(|row| row.version))?;
    let position = at.position;
    let row = match (row, event) {
        (None, Event::Opened { customer, currency, expires_at }) => Ok(Row {
            customer: customer.clone(),
            status: Status::Open,
            lines: vec![],
            total: Money::zero(*currency),
            expires_at: *expires_at,
            order: None,
            merged_into: None,
            version,
            position,
        }),
        (Some(row), Event::CheckedOut { order, lines, total, .. }) => Ok(Row {
            status: Status::CheckedOut,
            lines: lines.clone(),
            total: *total,
            order: Some(order.clone()),
            ..row
        }),
        (Some(row), Event::Expired {}) => Ok(Row { status: Status::Expired, ..row }),
        (Some(row), Event::MergedInto { into, .. }) => {
            Ok(Row { status: Status::Merged, merged_into: Some(into.clone()), ..row })
        }
        (Some(row), Event::MergeUndone { .. }) => Ok(Row { status: Status::Open, merged_into: None, ..row }),
        (Some(row), event) => Ok(row.changed(event)),
        (None, _) => Err(ApplyError::Poison("the cart was never opened".to_owned())),
    };
    Ok(Row { version, position, ..row? })
}

impl Versioned for Row {
    fn last(&mut self) -> (&mut Sequence, &mut Position) {
        (&mut self.version, &mut self.position)
    }
}

impl Row {
    /// The row after an event that leaves the cart open.
    fn changed(self, event: &Event) -> Self {
        let open = cart::Cart::Open(Basket {
            customer: None,
            currency: self.total.currency,
            lines: self.lines,
            expires_at: self.expires_at,
            taken: BTreeSet::new(),
        });
        let open = open.evolve(event.clone());
        Self {
            lines: open.lines().to_vec(),
            total: open.total().unwrap_or(self.total),
            expires_at: open.expires_at(),
            ..self
        }
    }
}

const COLUMNS: &str = "id, customer, status, currency, lines::text AS lines, total, expires_at_ms, order_id, \
                       merged_into, version, position";

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
        "INSERT INTO carts (id, customer, status, currency, lines, total, order_id, version, position, expires_at_ms, \
                            merged_into) \
         SELECT id, customer, status, currency, lines::json, total, order_id, version, position, expires_at_ms, \
                merged_into \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], \
                     $8::bigint[], $9::bigint[], $10::bigint[], $11::text[]) \
              AS new (id, customer, status, currency, lines, total, order_id, version, position, expires_at_ms, \
                      merged_into) \
         ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status, lines = EXCLUDED.lines, total = EXCLUDED.total, \
             order_id = EXCLUDED.order_id, version = EXCLUDED.version, position = EXCLUDED.position, \
             expires_at_ms = EXCLUDED.expires_at_ms, merged_into = EXCLUDED.merged_into",
    )
    .bind(column(&rows, |(id, _)| id.as_str()))
    .bind(column(&rows, |(_, row)| row.customer.as_ref().map(CustomerId::as_str)))
    .bind(column(&rows, |(_, row)| row.status.as_str()))
    .bind(column(&rows, |(_, row)| row.total.currency.as_str()))
    .bind(lines)
    .bind(column(&rows, |(_, row)| row.total.amount))
    .bind(column(&rows, |(_, row)| row.order.as_ref().map(OrderId::as_str)))
    .bind(column(&rows, |(_, row)| row.version))
    .bind(column(&rows, |(_, row)| row.position))
    .bind(column(&rows, |(_, row)| row.expires_at.map(Time::millis)))
    .bind(column(&rows, |(_, row)| row.merged_into.as_ref().map(CartId::as_str)))
    .execute(connection)
    .await?;
    Ok(())
}

fn row_of(row: &PgRow) -> Result<Row, sqlx::Error> {
    let currency: Currency = named(row, "currency")?;
    Ok(Row {
        customer: named_if_any(row, "customer")?,
        status: named(row, "status")?,
        lines: document(row, "lines")?,
        total: Money::new(row.try_get("total")?, currency),
        expires_at: row.try_get::<Option<i64>, _>("expires_at_ms")?.map(Time::from_millis),
        order: named_if_any(row, "order_id")?,
        merged_into: named_if_any(row, "merged_into")?,
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
        customer: row.customer,
        status: row.status,
        lines: row.lines,
        total: row.total,
        expires_at: row.expires_at,
        order: row.order,
        merged_into: row.merged_into,
        version: row.version,
        position: row.position,
    })
}
