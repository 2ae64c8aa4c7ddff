//! Units that come back.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    order::{Command, ReceivedUnits, Units},
    value::{OrderId, ReturnId, Text},
};
use serde::{Deserialize, Serialize};

use super::Nothing;
use crate::{
    Shop,
    extract::{Json, OptionalJson, Path},
    idempotency::Call,
    problem::Problem,
    text::Note,
};

/// Units that the buyer wants to send back; lines are counted from 0.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = RequestReturn))]
#[serde(deny_unknown_fields)]
pub struct Request {
    lines: Vec<Units>,
    reason: Note,
}

/// Why they may not come.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = RejectReturn))]
#[serde(deny_unknown_fields)]
pub struct Reject {
    #[serde(default)]
    note: Option<Note>,
}

/// What came, and what becomes of it.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ReceiveReturn))]
#[serde(deny_unknown_fields)]
pub struct Receive {
    lines: Vec<ReceivedUnits>,
}

/// `POST /v1/orders/{id}/returns`
pub async fn request(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<OrderId>,
    Json(body): Json<Request>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    let return_id = ReturnId::from(run.new_id(&shop, "return"));
    let (lines, reason) = (body.lines, body.reason.into());
    let command = Command::RequestReturn { return_id: return_id.clone(), lines, reason };
    let done = run.execute(&shop, id.as_str(), command).await?;
    Ok(done.created(return_id.as_str(), &format!("/v1/orders/{id}")))
}

/// `POST /v1/orders/{id}/returns/{return}/approve`
pub async fn approve(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, return_id)): Path<(OrderId, ReturnId)>,
    OptionalJson(body): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::ApproveReturn { return_id };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}

/// `POST /v1/orders/{id}/returns/{return}/reject`
pub async fn reject(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, return_id)): Path<(OrderId, ReturnId)>,
    OptionalJson(body): OptionalJson<Reject>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::RejectReturn { return_id, note: body.note.map(Text::from) };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}

/// `POST /v1/orders/{id}/returns/{return}/receive`
pub async fn receive(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, return_id)): Path<(OrderId, ReturnId)>,
    Json(body): Json<Receive>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::ReceiveReturn { return_id, lines: body.lines, issued_at: shop.clock.now() };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}
