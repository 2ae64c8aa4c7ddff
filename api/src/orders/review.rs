//! An order held until somebody has looked at it, and what came of that.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    order::Command,
    value::{OrderId, Text},
};
use serde::{Deserialize, Serialize};

use crate::{
    Shop,
    extract::{Json, OptionalJson, Path},
    idempotency::Call,
    problem::Problem,
    text::Note,
};

/// An order to be looked at.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = HoldOrder))]
#[serde(deny_unknown_fields)]
pub struct Hold {
    reason: Note,
}

/// What was found.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ReviewFinding))]
#[serde(deny_unknown_fields)]
pub struct Finding {
    #[serde(default)]
    note: Option<Note>,
}

/// `POST /v1/orders/{id}/hold`
pub async fn hold(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<OrderId>,
    Json(body): Json<Hold>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::HoldForReview { reason: body.reason.into() };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}

/// `POST /v1/orders/{id}/release`
pub async fn release(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<OrderId>,
    OptionalJson(body): OptionalJson<Finding>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::ReleaseFromReview { note: body.note.map(Text::from) };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}

/// `POST /v1/orders/{id}/reject`
pub async fn reject(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<OrderId>,
    OptionalJson(body): OptionalJson<Finding>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::RejectAfterReview { note: body.note.map(Text::from) };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}
