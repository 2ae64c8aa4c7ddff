//! What was sold: units of each SKU on orders that were placed, without those that were called off.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{
    AggregateType, AnyEvent,
    order::{Event, Line},
};
use sqlx::{PgConnection, Row as _};
use store::{
    follow::{ApplyError, Projection, ReadTable},
    log::Recorded,
};

use crate::batch::{column, steps};

/// The follower's name.
pub const NAME: &str = "sales";

/// Follows orders for what they sell. A unit counts for good: what was sold long ago weighs as much as what was sold today.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sales;

/// An order's lines, in their order. A line that is gone stays with no units, so that whoever looks at the order afterwards
/// knows of which SKUs the units changed.
type Sold = Vec<(String, i64)>;

#[async_trait]
impl Projection for Sales {
    fn name(&self) -> &'static str {
        NAME
    }

    fn follows(&self) -> &'static [AggregateType] {
        &[AggregateType::Order]
    }

    fn tables(&self) -> &'static [ReadTable] {
        &[ReadTable { name: "sold", key: &["order_id"] }, ReadTable { name: "sales", key: &["sku"] }]
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        let steps = steps(events, AggregateType::Order, |event| match event {
            AnyEvent::Order(event) => Some(event),
            _ => None,
        });
        let selling: Vec<(&str, &Event)> = steps
            .iter()
            .filter_map(|step| Some((step.id, step.event?)))
            .filter(|(_, event)| sells(event))
            .collect();
        if selling.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = selling.iter().map(|(id, _)| *id).collect();
        let before = load(connection, &ids).await?;
        let mut after = before.clone();
        for (id, event) in selling {
            evolve(after.entry(id.to_owned()).or_default(), event);
        }
        let mut changes: BTreeMap<&str, i64> = BTreeMap::new();
        for (sold, sign) in [(&before, -1), (&after, 1)] {
            for (sku, units) in sold.values().flatten() {
                *changes.entry(sku).or_default() += sign * units;
            }
        }
        save(connection, &after).await?;
        add(connection, &changes).await
    }
}

fn sells(event: &Event) -> bool {
    matches!(
        event,
        Event::Placed(_) | Event::Cancelled { .. } | Event::LinesCancelled { .. } | Event::EditApplied { .. }
    )
}

fn evolve(sold: &mut Sold, event: &Event) {
    match event {
        Event::Placed(placed) => *sold = lines(&placed.lines),
        Event::Cancelled { .. } => sold.iter_mut().for_each(|(_, units)| *units = 0),
        Event::LinesCancelled { lines, .. } => {
            for off in lines {
                if let Some((_, units)) = sold.get_mut(off.line as usize) {
                    *units -= i64::from(off.quantity.get());
                }
            }
        }
        // What was cancelled before is no part of the lines that there are now.
        Event::EditApplied { lines: new, .. } => {
            let gone = sold.drain(..).map(|(sku, _)| (sku, 0));
            let gone: Sold =
                gone.filter(|(sku, _)| !new.iter().any(|line| line.sku.as_str() == sku)).collect();
            *sold = lines(new);
            sold.extend(gone);
        }
        _ => {}
    }
}

fn lines(lines: &[Line]) -> Sold {
    lines.iter().map(|line| (line.sku.as_str().to_owned(), i64::from(line.quantity.get()))).collect()
}

async fn load(connection: &mut PgConnection, ids: &[&str]) -> Result<BTreeMap<String, Sold>, sqlx::Error> {
    let rows = sqlx::query("SELECT order_id, skus, units FROM sold WHERE order_id = ANY($1)")
        .bind(ids)
        .fetch_all(connection)
        .await?;
    let one = |row: &sqlx::postgres::PgRow| {
        let (skus, units): (Vec<String>, Vec<i64>) = (row.try_get("skus")?, row.try_get("units")?);
        Ok((row.try_get("order_id")?, skus.into_iter().zip(units).collect()))
    };
    rows.iter().map(one).collect()
}

/// Arrays of arrays would be taken apart to the ground, so lines go one by one and come together again.
async fn save(connection: &mut PgConnection, sold: &BTreeMap<String, Sold>) -> Result<(), ApplyError> {
    let lines: Vec<(&str, i64, &str, i64)> = sold
        .iter()
        .flat_map(|(id, lines)| {
            (0..).zip(lines).map(move |(nth, (sku, units))| (id.as_str(), nth, sku.as_str(), *units))
        })
        .collect();
    sqlx::query(
        "INSERT INTO sold (order_id, skus, units) \
         SELECT order_id, array_agg(sku ORDER BY nth), array_agg(units ORDER BY nth) \
         FROM UNNEST($1::text[], $2::bigint[], $3::text[], $4::bigint[]) AS l (order_id, nth, sku, units) \
         GROUP BY order_id \
         ON CONFLICT (order_id) DO UPDATE SET skus = EXCLUDED.skus, units = EXCLUDED.units",
    )
    .bind(column(&lines, |line| line.0))
    .bind(column(&lines, |line| line.1))
    .bind(column(&lines, |line| line.2))
    .bind(column(&lines, |line| line.3))
    .execute(connection)
    .await?;
    Ok(())
}

async fn add(connection: &mut PgConnection, changes: &BTreeMap<&str, i64>) -> Result<(), ApplyError> {
    // A SKU that was sold and taken back has a row as well, in whatever batches its events came.
    let changes: Vec<(&str, i64)> = changes.iter().map(|(sku, units)| (*sku, *units)).collect();
    sqlx::query(
        "INSERT INTO sales (sku, units) SELECT * FROM UNNEST($1::text[], $2::bigint[]) \
         ON CONFLICT (sku) DO UPDATE SET units = sales.units + EXCLUDED.units",
    )
    .bind(column(&changes, |change| change.0))
    .bind(column(&changes, |change| change.1))
    .execute(connection)
    .await?;
    Ok(())
}
