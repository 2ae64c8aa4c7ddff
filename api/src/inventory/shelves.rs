//! Where units lie, how many are really there, and what happens when they run out.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    inventory_item::Command,
    value::{LocationId, Quantity, Sku, Text},
};
use projections::stock::Policy;
use serde::{Deserialize, Serialize};

use crate::{
    Shop,
    extract::{Json, Path},
    idempotency::Call,
    problem::Problem,
    text::Short,
};

/// What a count found at a place.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = CountStock))]
#[serde(deny_unknown_fields)]
pub struct Count {
    #[serde(default)]
    location: Option<LocationId>,
    counted: u32,
    /// What was on hand there in the book when the count was made; another number now refuses the count.
    #[serde(default)]
    expected: Option<i64>,
    #[serde(default)]
    reference: Option<Text>,
}

/// Units that go from one place to another.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = TransferStock))]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The same transfer again is the same move.
    #[serde(default)]
    transfer: Option<Short>,
    from: LocationId,
    to: LocationId,
    quantity: Quantity,
}

/// How few available units are few; `null` for never.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReorderPoint {
    units: Option<u32>,
}

/// `POST /v1/inventory/{sku}/count`
pub async fn count(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(sku): Path<Sku>,
    Json(body): Json<Count>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    let Count { location, counted, expected, reference } = body;
    let command = Command::Count { location, counted, expected, reference };
    Ok(run.execute(&shop, sku.as_str(), command).await?.ok(sku.as_str()))
}

/// `POST /v1/inventory/{sku}/transfer`
pub async fn transfer(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(sku): Path<Sku>,
    Json(body): Json<Transfer>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let Transfer { transfer, from, to, quantity } = body;
    let transfer = match transfer {
        Some(transfer) => transfer.into(),
        None => {
            Text::new(run.new_id(&shop, "transfer").to_string()).map_err(|error| Problem::internal(&error))?
        }
    };
    let command = Command::Transfer { transfer, from, to, quantity };
    Ok(run.execute(&shop, sku.as_str(), command).await?.ok(sku.as_str()))
}

/// `PUT /v1/inventory/{sku}/policy`
pub async fn set_policy(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(sku): Path<Sku>,
    Json(body): Json<Policy>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::SetPolicy { policy: body.into() };
    Ok(run.execute(&shop, sku.as_str(), command).await?.ok(sku.as_str()))
}

/// `PUT /v1/inventory/{sku}/reorder-point`
pub async fn set_reorder_point(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(sku): Path<Sku>,
    Json(body): Json<ReorderPoint>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::SetReorderPoint { units: body.units };
    Ok(run.execute(&shop, sku.as_str(), command).await?.ok(sku.as_str()))
}
