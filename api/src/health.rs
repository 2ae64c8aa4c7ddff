//! Whether this process is up, whether it should be sent requests, and how far everything has come.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use store::log::Position;

use crate::{Shop, problem::Problem};

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    position: Position,
    followers: Vec<Follower>,
}

#[derive(Clone, Serialize)]
struct Follower {
    name: String,
    position: Position,
    behind: Position,
}

/// `GET /healthz`: the process answers.
pub async fn up() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "up"}))
}

/// `GET /readyz`: the log and the read models can be read, and these are not too far behind.
pub async fn ready(State(shop): State<Arc<Shop>>) -> Result<Response, Problem> {
    let position = shop.log.head().await?.position;
    let followers: Vec<_> = shop
        .read
        .checkpoints()
        .await?
        .into_iter()
        .map(|(name, at)| Follower { name, position: at, behind: (position - at).max(0) })
        .collect();
    if let Some(late) = followers.iter().find(|follower| follower.behind > shop.settings.lag_max) {
        let detail = format!("{} is {} events behind", late.name, late.behind);
        return Err(Problem::new("read_model.behind", detail).with("followers", followers));
    }
    Ok(Json(Readiness { status: "ready", position, followers }).into_response())
}
