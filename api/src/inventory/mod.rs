//! Stock: what is on hand and where, received, corrected and reserved.

pub mod reservations;
pub mod shelves;

use std::{num::NonZeroI32, sync::Arc};

use axum::{extract::State, response::Response};
use domain::{
    inventory_item::{AdjustReason, Command},
    value::{LocationId, Quantity, Sku, Text},
};
use projections::{Cursor, LIMIT_MAX};
use serde::{Deserialize, Serialize};

use crate::{
    Shop,
    extract::{Json, Path, Query},
    freshness::{self, Freshness},
    idempotency::Call,
    pages::{self, PRIVATE, Page},
    problem::Problem,
    tags::Conditions,
};

/// Goods that came in.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ReceiveStock))]
#[serde(deny_unknown_fields)]
pub struct Receive {
    quantity: Quantity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<LocationId>,
    #[serde(default)]
    reference: Option<Text>,
}

/// A correction of the count.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AdjustStock))]
#[serde(deny_unknown_fields)]
pub struct Adjust {
    #[cfg_attr(test, schema(value_type = i32))]
    delta: NonZeroI32,
    reason: AdjustReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<LocationId>,
    #[serde(default)]
    reference: Option<Text>,
}

/// Which page of the stock, or of a SKU's reservations.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = InventoryList))]
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
    let page = shop.read.stock_list(shop.clock.now(), list.cursor.as_ref(), limit, freshness).await?;
    Ok(freshness::answer(page))
}

/// `GET /v1/inventory/{sku}`
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(sku): Path<Sku>,
    Freshness(freshness): Freshness,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let found = shop.read.stock(&sku, shop.clock.now(), freshness).await?;
    let stock = found.value.as_ref().ok_or_else(|| pages::missing(&found, "inventory.not_found"))?;
    // It changes without an event, too: when a hold is over.
    Page::of_more(stock, stock.version)?.answer(&found, &conditions, PRIVATE)
}

/// `POST /v1/inventory/{sku}/receive`
pub async fn receive(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(sku): Path<Sku>,
    Json(body): Json<Receive>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let Receive { quantity, location, reference } = body;
    let command = Command::Receive { quantity, location, reference };
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
    let Adjust { delta, reason, location, reference } = body;
    let command = Command::Adjust { delta, reason, location, reference };
    Ok(run.execute(&shop, sku.as_str(), command).await?.ok(sku.as_str()))
}
