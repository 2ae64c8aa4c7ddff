//! What is on its way to others, over HTTP: endpoints of webhooks, deliveries to them, and notices to people.

pub(crate) mod deliveries;
pub(crate) mod endpoints;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use crate::{Shop, outbound::webhooks::EndpointError, problem::Problem};

/// The routes of webhooks and notices.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/v1/webhook-endpoints", post(endpoints::register).get(endpoints::list))
        .route(
            "/v1/webhook-endpoints/{id}",
            get(endpoints::show).patch(endpoints::change).delete(endpoints::remove),
        )
        .route("/v1/webhook-endpoints/{id}/rotate-secret", post(endpoints::rotate))
        .route("/v1/webhook-endpoints/{id}/replay", post(deliveries::replay_all))
        .route("/v1/webhook-deliveries", get(deliveries::list_webhooks))
        .route("/v1/webhook-deliveries/{id}", get(deliveries::show_webhook))
        .route("/v1/webhook-deliveries/{id}/replay", post(deliveries::replay_webhook))
        .route("/v1/notices", get(deliveries::list_notices))
        .route("/v1/notices/{id}", get(deliveries::show_notice))
        .route("/v1/notices/{id}/replay", post(deliveries::replay_notice))
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::unavailable(&(&error).into())
    }
}

impl From<EndpointError> for Problem {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Database(error) => error.into(),
            EndpointError::Vault(error) => error.into(),
            EndpointError::TooMany => Self::new("webhook.too_many_endpoints", error.to_string()),
        }
    }
}

/// There is no such endpoint.
fn no_endpoint() -> Problem {
    Problem::new("webhook.endpoint_not_found", "no endpoint has this id")
}
