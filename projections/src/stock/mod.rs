//! Stock: what is on hand, reserved and available of each SKU, and who holds it.

mod query;

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{
    AnyEvent,
    inventory_item::Event,
    value::{Quantity, ReservationId, Sku, Time},
};
use serde::{Serialize, Serializer};
use sqlx::{PgConnection, Row as _};
use store::{
    follow::{ApplyError, Projection},
    log::{Position, Recorded, Sequence},
};

use crate::batch::{At, Step, column, fold, loaded};

/// The follower's name.
pub const NAME: &str = "stock";

/// The stock of one SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stock {
    /// Which.
    pub sku: Sku,
    /// Units in the house, reserved ones included.
    pub on_hand: i64,
    /// Units held for somebody.
    pub reserved: i64,
    /// Units that can still be reserved.
    pub available: i64,
    /// The stream's version.
    pub version: Sequence,
    /// The last event that changed it.
    pub position: Position,
}

/// Units held for somebody. A hold past its time stays until somebody else needs the units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reservation {
    /// Its name; a checkout's is its order's id.
    pub reservation: ReservationId,
    /// How many.
    pub quantity: Quantity,
    /// Until when, if not for good.
    #[serde(serialize_with = "moment_if_any")]
    pub expires_at: Option<Time>,
}

/// Follows inventory items.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stocks;

/// A SKU's row without its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row {
    on_hand: i64,
    reserved: i64,
    version: Sequence,
    position: Position,
}

/// A reservation's row without its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    quantity: Quantity,
    expires_at: Option<Time>,
    position: Position,
}

/// Holds that a batch leaves behind, and those that it ends, by SKU and name.
type Holds<'e> = BTreeMap<(&'e str, &'e str), Option<Held>>;

#[async_trait]
impl Projection for Stocks {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        let steps: Vec<_> = events
            .iter()
            .filter_map(|recorded| match &recorded.event {
                AnyEvent::InventoryItem(event) => {
                    Some(Step { id: &recorded.stream.id, event, at: At::of(recorded) })
                }
                AnyEvent::Allowance(_)
                | AnyEvent::Cart(_)
                | AnyEvent::Checkout(_)
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
        write_stock(connection, &rows).await?;
        write_holds(connection, &holds(&steps)).await
    }

    async fn clear(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM stock").execute(&mut *connection).await?;
        sqlx::query("DELETE FROM reservations").execute(connection).await?;
        Ok(())
    }
}

/// The row after one more event.
fn apply(row: Option<Row>, step: &Step<'_, Event>) -> Result<Row, ApplyError> {
    let row = row.unwrap_or_default();
    let (on_hand, reserved) = match step.event {
        Event::Received { quantity, .. } => (units(*quantity), 0),
        Event::Adjusted { delta, .. } => (i64::from(delta.get()), 0),
        Event::Reserved { quantity, .. } => (0, units(*quantity)),
        Event::Released { quantity, .. } | Event::Expired { quantity, .. } => (0, -units(*quantity)),
        Event::Allocated { quantity, .. } => (-units(*quantity), -units(*quantity)),
    };
    Ok(Row {
        on_hand: row.on_hand.saturating_add(on_hand),
        reserved: row.reserved.saturating_add(reserved),
        version: step.at.after(row.version)?,
        position: step.at.position,
    })
}

/// What a batch does to reservations: only the last word on each name counts.
fn holds<'e>(steps: &[Step<'e, Event>]) -> Holds<'e> {
    let mut holds = Holds::new();
    for step in steps {
        let (reservation, held) = match step.event {
            Event::Reserved { reservation, quantity, expires_at } => {
                let held = Held { quantity: *quantity, expires_at: *expires_at, position: step.at.position };
                (reservation, Some(held))
            }
            Event::Released { reservation, .. }
            | Event::Expired { reservation, .. }
            | Event::Allocated { reservation, .. } => (reservation, None),
            Event::Received { .. } | Event::Adjusted { .. } => continue,
        };
        holds.insert((step.id, reservation.as_str()), held);
    }
    holds
}

fn units(quantity: Quantity) -> i64 {
    i64::from(quantity.get())
}

async fn load(connection: &mut PgConnection, skus: &[&str]) -> Result<BTreeMap<String, Row>, sqlx::Error> {
    if skus.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query("SELECT sku, on_hand, reserved, version, position FROM stock WHERE sku = ANY($1)")
        .bind(skus)
        .fetch_all(connection)
        .await?;
    let one = |row: &sqlx::postgres::PgRow| {
        let found = Row {
            on_hand: row.try_get("on_hand")?,
            reserved: row.try_get("reserved")?,
            version: row.try_get("version")?,
            position: row.try_get("position")?,
        };
        Ok((row.try_get("sku")?, found))
    };
    rows.iter().map(one).collect()
}

async fn write_stock(connection: &mut PgConnection, rows: &BTreeMap<String, Row>) -> Result<(), ApplyError> {
    let rows: Vec<(&String, &Row)> = rows.iter().collect();
    sqlx::query(
        "INSERT INTO stock (sku, on_hand, reserved, version, position) \
         SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) \
         ON CONFLICT (sku) DO UPDATE SET on_hand = EXCLUDED.on_hand, reserved = EXCLUDED.reserved, \
             version = EXCLUDED.version, position = EXCLUDED.position",
    )
    .bind(column(&rows, |(sku, _)| sku.as_str()))
    .bind(column(&rows, |(_, row)| row.on_hand))
    .bind(column(&rows, |(_, row)| row.reserved))
    .bind(column(&rows, |(_, row)| row.version))
    .bind(column(&rows, |(_, row)| row.position))
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_holds(connection: &mut PgConnection, holds: &Holds<'_>) -> Result<(), ApplyError> {
    let (mut kept, mut ended) = (Vec::new(), Vec::new());
    for (names, held) in holds {
        match held {
            Some(held) => kept.push((*names, *held)),
            None => ended.push(*names),
        }
    }
    if !ended.is_empty() {
        sqlx::query(
            "DELETE FROM reservations USING UNNEST($1::text[], $2::text[]) AS ended (sku, reservation) \
             WHERE reservations.sku = ended.sku AND reservations.reservation = ended.reservation",
        )
        .bind(column(&ended, |(sku, _)| *sku))
        .bind(column(&ended, |(_, name)| *name))
        .execute(&mut *connection)
        .await?;
    }
    if kept.is_empty() {
        return Ok(());
    }
    // A name may be held again after it was let go of in the same batch.
    sqlx::query(
        "INSERT INTO reservations (sku, reservation, quantity, expires_at_ms, position) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) \
         ON CONFLICT (sku, reservation) DO UPDATE SET quantity = EXCLUDED.quantity, \
             expires_at_ms = EXCLUDED.expires_at_ms, position = EXCLUDED.position",
    )
    .bind(column(&kept, |((sku, _), _)| *sku))
    .bind(column(&kept, |((_, name), _)| *name))
    .bind(column(&kept, |(_, held)| units(held.quantity)))
    .bind(column(&kept, |(_, held)| held.expires_at.map(Time::millis)))
    .bind(column(&kept, |(_, held)| held.position))
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) fn moment_if_any<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => store::rfc3339::serialize(time, serializer),
        None => serializer.serialize_none(),
    }
}
