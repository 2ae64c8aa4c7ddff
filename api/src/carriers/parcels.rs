//! Which shipment a carrier means by a tracking number: rows that follow from the log, kept where they are asked for.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    AnyEvent,
    order::Event,
    value::{OrderId, ShipmentId, Text},
};
use sqlx::{PgPool, Row as _};
use store::{
    follow::{React, ReactError},
    log::Meant,
};

use super::CarrierName;

/// The follower's name.
pub const NAME: &str = "parcels";

/// Follows shipments, from the first one on: doing it again changes nothing.
pub struct Parcels {
    /// The edge's tables.
    pub pool: PgPool,
}

/// A parcel's name with its carrier, as an event gives it.
fn named(event: &Event) -> Option<(&ShipmentId, &Text, Option<&Text>)> {
    match event {
        Event::Shipped { shipment, carrier, tracking, .. }
        | Event::TrackingChanged { shipment, carrier, tracking } => {
            Some((shipment, carrier, tracking.as_ref()))
        }
        _ => None,
    }
}

#[async_trait]
impl React for Parcels {
    fn name(&self) -> &'static str {
        NAME
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        let AnyEvent::Order(event) = meant.event else { return None };
        named(event).map(|_| meant.recorded.stream.id.clone())
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        let AnyEvent::Order(event) = meant.event else { return Ok(()) };
        let Some((shipment, carrier, tracking)) = named(event) else { return Ok(()) };
        let (order, since_us) = (&*meant.recorded.stream.id, meant.recorded.recorded_at_us);
        let carrier = CarrierName::new(carrier.as_str());
        let name = carrier.as_ref().zip(tracking);
        let renamed = async {
            let mut transaction = store::transaction::begin(&self.pool).await?;
            sqlx::query("DELETE FROM parcels WHERE order_id = $1 AND shipment_id = $2 AND since_us < $3")
                .bind(order)
                .bind(shipment.as_str())
                .bind(since_us)
                .execute(&mut *transaction)
                .await?;
            if let Some((carrier, tracking)) = name {
                sqlx::query(
                    "INSERT INTO parcels (carrier, tracking, order_id, shipment_id, since_us) \
                     VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (carrier, tracking) DO UPDATE \
                         SET order_id = EXCLUDED.order_id, shipment_id = EXCLUDED.shipment_id, since_us = EXCLUDED.since_us \
                         WHERE parcels.since_us <= EXCLUDED.since_us",
                )
                .bind(carrier.as_str())
                .bind(plain(tracking.as_str()))
                .bind(order)
                .bind(shipment.as_str())
                .bind(since_us)
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await
        };
        renamed.await.map_err(|error: sqlx::Error| ReactError(error.to_string()))
    }
}

/// A tracking number without the spaces that people put into it, in capitals.
pub(super) fn plain(tracking: &str) -> String {
    tracking.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect()
}

/// The shipment that a carrier knows by that number.
///
/// # Errors
/// The database's.
pub(super) async fn find(
    pool: &PgPool,
    carrier: &str,
    tracking: &str,
) -> Result<Option<(OrderId, ShipmentId)>, sqlx::Error> {
    let row = sqlx::query("SELECT order_id, shipment_id FROM parcels WHERE carrier = $1 AND tracking = $2")
        .bind(carrier)
        .bind(plain(tracking))
        .fetch_optional(pool)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let wrong = |error: domain::value::Invalid| sqlx::Error::Decode(Box::new(error));
    let (order, shipment): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Some((OrderId::new(order).map_err(wrong)?, ShipmentId::new(shipment).map_err(wrong)?)))
}
