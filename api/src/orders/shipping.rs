//! Units that leave an order: shipped, or cancelled before that.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    order::{Command, Units},
    value::{CancellationId, OrderId, ShipmentId, Text},
};
use serde::{Deserialize, Serialize};

use super::Nothing;
use crate::{
    Shop,
    extract::{Json, OptionalJson, Path},
    idempotency::Call,
    problem::Problem,
    text::{Note, Short},
};

/// Units that leave the house; lines are counted from 0.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ShipUnits))]
#[serde(deny_unknown_fields)]
pub struct Ship {
    carrier: Short,
    #[serde(default)]
    tracking: Option<Short>,
    lines: Vec<Units>,
}

/// The name that a shipment travels under.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ChangeTracking))]
#[serde(deny_unknown_fields)]
pub struct Tracking {
    carrier: Short,
    #[serde(default)]
    tracking: Option<Short>,
}

/// Units to be called off; lines are counted from 0.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelLines {
    lines: Vec<Units>,
    #[serde(default)]
    note: Option<Note>,
}

/// `POST /v1/orders/{id}/shipments`
pub async fn ship(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<OrderId>,
    Json(body): Json<Ship>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    let shipment = ShipmentId::from(run.new_id(&shop, "shipment"));
    let command = Command::Ship {
        shipment: shipment.clone(),
        carrier: body.carrier.into(),
        tracking: body.tracking.map(Text::from),
        lines: body.lines,
    };
    let done = run.execute(&shop, id.as_str(), command).await?;
    Ok(done.created(shipment.as_str(), &format!("/v1/orders/{id}")))
}

/// `POST /v1/orders/{id}/shipments/{shipment}/tracking`
pub async fn change_tracking(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, shipment)): Path<(OrderId, ShipmentId)>,
    Json(body): Json<Tracking>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let (carrier, tracking) = (body.carrier.into(), body.tracking.map(Text::from));
    let command = Command::ChangeTracking { shipment, carrier, tracking };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}

/// `POST /v1/orders/{id}/shipments/{shipment}/deliver`
pub async fn deliver(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, shipment)): Path<(OrderId, ShipmentId)>,
    OptionalJson(body): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::Deliver { shipment };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}

/// `POST /v1/orders/{id}/cancel-lines`
pub async fn cancel_lines(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<OrderId>,
    Json(body): Json<CancelLines>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    let command = Command::CancelLines {
        cancellation: CancellationId::from(run.new_id(&shop, "cancellation")),
        lines: body.lines,
        note: body.note.map(Text::from),
    };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}
