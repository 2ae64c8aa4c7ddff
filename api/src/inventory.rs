//! Stock: what is on hand, received, corrected and reserved.

use std::{num::NonZeroI32, sync::Arc};

use axum::{extract::State, response::Response};
use domain::{
    inventory_item::{AdjustReason, Command},
    value::{Quantity, ReservationId, Sku, Text},
};
use projections::{Cursor, LIMIT_MAX};
use serde::{Deserialize, Serialize};

use crate::{
    Shop,
    answer::segment,
    extract::{Json, Path, Query},
    freshness::{self, Freshness},
    idempotency::Call,
    problem::Problem,
};

/// Goods that came in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receive {
    quantity: Quantity,
    #[serde(default)]
    reference: Option<Text>,
}

/// A correction of the count.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjust {
    delta: NonZeroI32,
    reason: AdjustReason,
    #[serde(default)]
    reference: Option<Text>,
}

/// A hold on some units.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    #[serde(default)]
    reservation: Option<ReservationId>,
    quantity: Quantity,
    /// Without it the hold lasts until it is released or allocated.
    #[serde(default)]
    ttl_seconds: Option<u32>,
}

/// Which page of the stock, or of a SKU's reservations.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// `GET /v1/inventory`
pub async fn list(
    State(shop): State<Arc<Shop>>,
    Query(list): Query<List>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let limit = list.limit.unwrap_or(LIMIT_MAX);
    let page = shop.read.stock_list(list.cursor.as_ref(), limit, freshness).await?;
    Ok(freshness::answer(page))
}

/// `GET /v1/inventory/{sku}`
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(sku): Path<Sku>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let stock = shop.read.stock(&sku, freshness).await?;
    freshness::found(stock, |stock| stock.version, "inventory.not_found")
}

/// `GET /v1/inventory/{sku}/reservations`
pub async fn reservations(
    State(shop): State<Arc<Shop>>,
    Path(sku): Path<Sku>,
    Query(list): Query<List>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let limit = list.limit.unwrap_or(LIMIT_MAX);
    let page = shop.read.reservations(&sku, list.cursor.as_ref(), limit, freshness).await?;
    Ok(freshness::answer(page))
}

/// `POST /v1/inventory/{sku}/receive`
pub async fn receive(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(sku): Path<Sku>,
    Json(body): Json<Receive>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let Receive { quantity, reference } = body;
    let command = Command::Receive { quantity, reference };
    Ok(run.execute(&shop, sku.as_str(), command).await?.ok(sku.as_str()))
}

/// `POST /v1/inventory/{sku}/adjust`
pub async fn adjust(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(sku): Path<Sku>,
    Json(body): Json<Adjust>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    let Adjust { delta, reason, reference } = body;
    let command = Command::Adjust { delta, reason, reference };
    Ok(run.execute(&shop, sku.as_str(), command).await?.ok(sku.as_str()))
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
        expires_at: body.ttl_seconds.map(|ttl| now.plus_millis(i64::from(ttl) * 1_000)),
        in_stock: false,
        now,
    };
    let done = run.execute(&shop, sku.as_str(), command).await?;
    let location = format!("/v1/inventory/{}/reservations/{reservation}", segment(sku.as_str()));
    Ok(done.created(reservation.as_str(), &location))
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
