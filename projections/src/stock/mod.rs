//! Stock: what is on hand, reserved and available of each SKU, where it lies, and who holds it or waits for it.

mod check;
mod holds;
mod policy;
mod query;

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{
    AggregateType, AnyEvent,
    inventory_item::{Event, StockPolicy},
    value::{LocationId, Quantity, ReservationId, Sku, Time},
};
use serde::{Serialize, Serializer};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use store::{
    follow::{ApplyError, Projection, ReadTable},
    log::{Position, Recorded, Sequence},
};

use crate::{
    batch::{At, Versioned, column, fold, loaded, steps},
    rows::{document, text},
};

pub use check::StockChecked;
pub use policy::Policy;

/// The follower's name.
pub const NAME: &str = "stock";

/// Units by the place where they lie.
pub type Locations = BTreeMap<LocationId, i64>;

/// The stock of one SKU at the time of asking: holds whose time is over do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stock {
    /// Which.
    pub sku: Sku,
    /// Units in the house, reserved ones included.
    pub on_hand: i64,
    /// Units held for somebody, as far as they are there.
    pub reserved: i64,
    /// Units promised to somebody and not there yet.
    pub backordered: i64,
    /// Units that can still be reserved; who waits for units goes first.
    pub available: i64,
    /// Where units lie.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, i64>))]
    pub locations: Locations,
    /// How few available units are few, if somebody said so.
    pub reorder_point: Option<u32>,
    /// Whether few are available.
    pub low: bool,
    /// What happens when more is asked for than is available.
    pub policy: Policy,
    /// The stream's version.
    pub version: Sequence,
    /// The last event that changed it.
    pub position: Position,
}

/// Units held for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reservation {
    /// Its name; a checkout's is its order's id.
    pub reservation: ReservationId,
    /// How many, those that are still to come included.
    pub quantity: Quantity,
    /// How many are still to come.
    pub short: u32,
    /// When those were promised for.
    #[serde(serialize_with = "moment_if_any")]
    pub promised_at: Option<Time>,
    /// Whether they go to their order as soon as they are there.
    pub committed: bool,
    /// Until when, if not for good.
    #[serde(serialize_with = "moment_if_any")]
    pub expires_at: Option<Time>,
}

/// Follows inventory items.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stocks;

/// A SKU's row without its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    on_hand: i64,
    reserved: i64,
    backordered: i64,
    locations: Locations,
    reorder_point: Option<u32>,
    policy: StockPolicy,
    version: Sequence,
    position: Position,
}

#[async_trait]
impl Projection for Stocks {
    fn name(&self) -> &'static str {
        NAME
    }

    fn follows(&self) -> &'static [AggregateType] {
        &[AggregateType::InventoryItem]
    }

    fn tables(&self) -> &'static [ReadTable] {
        &[
            ReadTable { name: "stock", key: &["sku"] },
            ReadTable { name: "reservations", key: &["sku", "reservation"] },
        ]
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        let steps = steps(events, AggregateType::InventoryItem, |event| match event {
            AnyEvent::InventoryItem(event) => Some(event),
            _ => None,
        });
        if steps.is_empty() {
            return Ok(());
        }
        let mut rows = load(connection, &loaded(&steps)).await?;
        fold(&mut rows, &steps, apply)?;
        write_stock(connection, &rows).await?;
        holds::write(connection, &steps).await
    }
}

impl Versioned for Row {
    fn last(&mut self) -> (&mut Sequence, &mut Position) {
        (&mut self.version, &mut self.position)
    }

    fn of_nothing() -> Option<Self> {
        Some(Self::default())
    }
}

/// The row after one more event.
fn apply(row: Option<Row>, event: &Event, at: At) -> Result<Row, ApplyError> {
    let version = at.after(row.as_ref().map(|row| row.version))?;
    let mut row = row.unwrap_or_default();
    let change = event.change();
    row.on_hand = row.on_hand.saturating_add(change.on_hand);
    row.reserved = row.reserved.saturating_add(change.reserved);
    row.backordered = row.backordered.saturating_add(change.backordered);
    for (location, delta) in event.moves() {
        let there = row.locations.entry(location.clone()).or_default();
        *there = there.saturating_add(delta);
        if *there == 0 {
            row.locations.remove(location);
        }
    }
    match event {
        Event::PolicySet { policy } => row.policy = policy.clone(),
        Event::ReorderPointSet { units } => row.reorder_point = *units,
        Event::Received { .. }
        | Event::Adjusted { .. }
        | Event::Counted { .. }
        | Event::Transferred { .. }
        | Event::Reserved { .. }
        | Event::Backordered { .. }
        | Event::BackorderFilled { .. }
        | Event::Extended { .. }
        | Event::Committed { .. }
        | Event::Released { .. }
        | Event::Expired { .. }
        | Event::Allocated { .. }
        | Event::LowStock { .. } => {}
    }
    Ok(Row { version, position: at.position, ..row })
}

async fn load(connection: &mut PgConnection, skus: &[&str]) -> Result<BTreeMap<String, Row>, sqlx::Error> {
    if skus.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(
        "SELECT sku, on_hand, reserved, backordered, locations::text, reorder_point, policy::text, version, position \
         FROM stock WHERE sku = ANY($1)",
    )
    .bind(skus)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("sku")?, row_of(row)?))).collect()
}

fn row_of(row: &PgRow) -> Result<Row, sqlx::Error> {
    Ok(Row {
        on_hand: row.try_get("on_hand")?,
        reserved: row.try_get("reserved")?,
        backordered: row.try_get("backordered")?,
        locations: document(row, "locations")?,
        reorder_point: row.try_get::<Option<i64>, _>("reorder_point")?.map(few).transpose()?,
        policy: document(row, "policy")?,
        version: row.try_get("version")?,
        position: row.try_get("position")?,
    })
}

/// A count of units that was stored as a wider number.
fn few(units: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(units).map_err(|error| sqlx::Error::Decode(error.into()))
}

async fn write_stock(connection: &mut PgConnection, rows: &BTreeMap<String, Row>) -> Result<(), ApplyError> {
    let rows: Vec<(&String, &Row)> = rows.iter().collect();
    let locations = rows.iter().map(|(_, row)| text(&row.locations)).collect::<Result<Vec<_>, _>>()?;
    let policies = rows.iter().map(|(_, row)| text(&row.policy)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(
        "INSERT INTO stock (sku, on_hand, reserved, backordered, locations, reorder_point, policy, version, position) \
         SELECT sku, on_hand, reserved, backordered, locations::json, reorder_point, policy::json, version, position \
         FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], \
                     $8::bigint[], $9::bigint[]) \
              AS t (sku, on_hand, reserved, backordered, locations, reorder_point, policy, version, position) \
         ON CONFLICT (sku) DO UPDATE SET on_hand = EXCLUDED.on_hand, reserved = EXCLUDED.reserved, \
             backordered = EXCLUDED.backordered, locations = EXCLUDED.locations, \
             reorder_point = EXCLUDED.reorder_point, policy = EXCLUDED.policy, version = EXCLUDED.version, \
             position = EXCLUDED.position",
    )
    .bind(column(&rows, |(sku, _)| sku.as_str()))
    .bind(column(&rows, |(_, row)| row.on_hand))
    .bind(column(&rows, |(_, row)| row.reserved))
    .bind(column(&rows, |(_, row)| row.backordered))
    .bind(locations)
    .bind(column(&rows, |(_, row)| row.reorder_point.map(i64::from)))
    .bind(policies)
    .bind(column(&rows, |(_, row)| row.version))
    .bind(column(&rows, |(_, row)| row.position))
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
