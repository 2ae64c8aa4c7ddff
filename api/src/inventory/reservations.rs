//! Holds on the units of a SKU: made, extended, given back, handed over.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    inventory_item::Command,
    value::{Quantity, ReservationId, Sku, Time},
};
use projections::LIMIT_MAX;
use serde::{Deserialize, Serialize};

use super::List;
use crate::{
    Shop,
    answer::segment,
    extract::{Json, Path, Query},
    freshness::{self, Freshness},
    idempotency::Call,
    problem::Problem,
};

/// A hold on some units.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ReserveUnits))]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    #[serde(default)]
    reservation: Option<ReservationId>,
    quantity: Quantity,
    /// Without it the hold lasts until it is released or allocated.
    #[serde(default)]
    ttl_seconds: Option<u32>,
}

/// How long a hold is to last, counted from now.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ExtendReservation))]
#[serde(deny_unknown_fields)]
pub struct Extend {
    ttl_seconds: u32,
}

/// `GET /v1/inventory/{sku}/reservations`
pub async fn list(
    State(shop): State<Arc<Shop>>,
    Path(sku): Path<Sku>,
    Query(list): Query<List>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let limit = list.limit.unwrap_or(LIMIT_MAX);
    let now = shop.clock.now();
    let page = shop.read.reservations(&sku, now, list.cursor.as_ref(), limit, freshness).await?;
    Ok(freshness::answer(page))
}

/// `POST /v1/inventory/{sku}/reservations`
pub async fn reserve(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(sku): Path<Sku>,
    Json(body): Json<Reserve>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let now = shop.clock.now();
    let reservation = body.reservation.unwrap_or_else(|| run.new_id(&shop, "reservation").into());
    let command = Command::Reserve {
        reservation: reservation.clone(),
        quantity: body.quantity,
        expires_at: body.ttl_seconds.map(|ttl| later(now, ttl)),
        in_stock: false,
        now,
    };
    let done = run.execute(&shop, sku.as_str(), command).await?;
    let location = format!("/v1/inventory/{}/reservations/{reservation}", segment(sku.as_str()));
    Ok(done.created(reservation.as_str(), &location))
}

/// `POST /v1/inventory/{sku}/reservations/{reservation}/extend`
pub async fn extend(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((sku, reservation)): Path<(Sku, ReservationId)>,
    Json(body): Json<Extend>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let id = reservation.to_string();
    let now = shop.clock.now();
    let command = Command::Extend { reservation, expires_at: later(now, body.ttl_seconds), now };
    Ok(run.execute(&shop, sku.as_str(), command).await?.ok(&id))
}

/// `DELETE /v1/inventory/{sku}/reservations/{reservation}`
pub async fn release(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((sku, reservation)): Path<(Sku, ReservationId)>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &())?;
    let id = reservation.to_string();
    let command = Command::Release { reservation };
    Ok(run.execute(&shop, sku.as_str(), command).await?.ok(&id))
}

/// `POST /v1/inventory/{sku}/reservations/{reservation}/allocate`
pub async fn allocate(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((sku, reservation)): Path<(Sku, ReservationId)>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &())?;
    let id = reservation.to_string();
    let command = Command::Allocate { reservation, now: shop.clock.now() };
    Ok(run.execute(&shop, sku.as_str(), command).await?.ok(&id))
}

const fn later(now: Time, seconds: u32) -> Time {
    now.plus_millis(seconds as i64 * 1_000)
}
