//! Holds the stock that the log comes to against the read model's rows.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use sqlx::{PgPool, Row as _};
use store::{
    history::Moment,
    log::{LogError, Position, PostgresLog},
};

use super::stock::{Asked, each_item};
use crate::stock::{Locations, NAME};

/// A SKU whose row is not what its events come to: `None` where there is no row, or no event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// Which.
    pub sku: Arc<str>,
    /// What the row says.
    pub row: Option<Figures>,
    /// What the events come to.
    pub log: Option<Figures>,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Units in the house.
    pub on_hand: i64,
    /// Units held, those of holds whose time is over included.
    pub reserved: i64,
    /// Units promised and not there.
    pub backordered: i64,
    /// Where units lie.
    pub locations: Locations,
    /// The version of the SKU's stream.
    pub version: i64,
}

/// What came of comparing.
#[derive(Clone, Debug)]
pub struct Compared {
    /// How far the read model has come: the log was folded up to there.
    pub position: Position,
    /// Where the log stands.
    pub head: Position,
    /// SKUs on either side.
    pub skus: u64,
    /// Events of stock that were read.
    pub events: u64,
    /// What differs.
    pub differing: Vec<Differing>,
}

/// Compares every row of stock with the log at the position that the read model has come to.
///
/// # Errors
/// When the rows or the log cannot be read.
pub async fn compare_stock(
    log: &PostgresLog,
    read: &PgPool,
    asked: Asked<'_>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Compared, LogError> {
    let (position, mut rows) = rows(read, &asked).await?;
    let asked = Asked { moment: Moment::Position(position), ..asked };
    let (mut differing, mut skus) = (Vec::new(), 0);
    let (head, events, _) = each_item(log, asked, progress, &mut |item| {
        skus += 1;
        let state = &item.state;
        let log = Figures {
            on_hand: state.on_hand(),
            reserved: state.reserved(),
            backordered: state.backordered(),
            locations: state.locations().clone(),
            version: item.version,
        };
        let row = rows.remove(&*item.sku);
        if row.as_ref() != Some(&log) {
            differing.push(Differing { sku: item.sku, row, log: Some(log) });
        }
    })
    .await?;
    skus += rows.len() as u64;
    let only_rows = rows.into_iter();
    differing.extend(only_rows.map(|(sku, row)| Differing { sku: sku.into(), row: Some(row), log: None }));
    Ok(Compared { position, head: head.position, skus, events, differing })
}

/// The rows, and the position that they have come to, in one snapshot.
async fn rows(
    pool: &PgPool,
    asked: &Asked<'_>,
) -> Result<(Position, BTreeMap<String, Figures>), sqlx::Error> {
    let mut snapshot = store::transaction::snapshot(pool).await?;
    let position: Option<Position> = sqlx::query_scalar("SELECT position FROM followers WHERE name = $1")
        .bind(NAME)
        .fetch_optional(&mut *snapshot)
        .await?;
    let found = sqlx::query(
        "SELECT sku, on_hand, reserved, backordered, locations::text AS locations, version FROM stock \
         WHERE $1::text IS NULL OR sku = $1",
    )
    .bind(asked.sku.map(domain::value::Sku::as_str))
    .fetch_all(&mut *snapshot)
    .await?;
    snapshot.rollback().await?;
    let figures = found.iter().map(|row| {
        let figures = Figures {
            on_hand: row.try_get("on_hand")?,
            reserved: row.try_get("reserved")?,
            backordered: row.try_get("backordered")?,
            locations: crate::rows::document(row, "locations")?,
            version: row.try_get("version")?,
        };
        Ok((row.try_get("sku")?, figures))
    });
    Ok((position.unwrap_or(0), figures.collect::<Result<_, sqlx::Error>>()?))
}
