//! What somebody keeps to pay with again. It is saved by paying with it; its token is never shown.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;
use uuid::Uuid;

use super::login::secret;
use crate::{Shop, extract::Path, principal::Member, problem::Problem};

/// `GET /v1/me/payment-methods`
pub async fn list(State(shop): State<Arc<Shop>>, member: Member) -> Result<Response, Problem> {
    let data = shop.saved.list(&member.customer).await?;
    Ok(secret(StatusCode::OK, json!({ "data": data, "next_cursor": null, "has_more": false })))
}

/// `DELETE /v1/me/payment-methods/{method}`: nobody pays with it from now on, and the gateway lets go of it soon after.
pub async fn remove(
    State(shop): State<Arc<Shop>>,
    member: Member,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    shop.saved.remove(&member.customer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
