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

/// `GET /readyz`: the log and the read models can be read, these are of this log, and not too far behind.
pub async fn ready(State(shop): State<Arc<Shop>>) -> Result<Response, Problem> {
    let head = shop.log.head().await?;
    let position = head.position;
    let mut followers = Vec::new();
    for (name, at) in shop.read.checkpoints().await? {
        // Within one life nothing is lost. After a restore the rows may be of what is there no more, until they are
        // emptied.
        if at.incarnation != Some(head.incarnation) && !at.is_of(&*shop.log, &head).await? {
            let detail = format!("{name} holds what the log has lost, and is about to begin anew");
            return Err(Problem::new("read_model.behind", detail));
        }
        followers.push(Follower { name, position: at.position, behind: (position - at.position).max(0) });
    }
    if let Some(late) = followers.iter().find(|follower| follower.behind > shop.settings.lag_max) {
        let detail = format!("{} is {} events behind", late.name, late.behind);
        return Err(Problem::new("read_model.behind", detail).with("followers", followers));
    }
    Ok(Json(Readiness { status: "ready", position, followers }).into_response())
}
