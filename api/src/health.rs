//! Whether this process is up, whether it should be sent requests, and how far everything has come.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use projections::{QueryError, Source};
use serde::Serialize;
use store::log::Position;

use crate::{Shop, pages::NOWHERE, problem::Problem};

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct Readiness {
    status: &'static str,
    position: Position,
    read_database: ReadDatabase,
    followers: Vec<Follower>,
}

/// Where queries are answered.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct ReadDatabase {
    standby: bool,
    /// Whether it has not heard of anybody who fills the read models for ten seconds.
    silent: bool,
}

#[derive(Clone, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
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
    if *shop.ingress.draining().borrow() {
        return Err(Problem::new(
            "edge.draining",
            "send requests elsewhere; those that still come are answered",
        ));
    }
    let head = shop.log.head().await?;
    let position = head.position;
    let mut followers = Vec::new();
    let asked = async { Ok::<_, QueryError>((shop.read.source().await?, shop.read.checkpoints().await?)) };
    let (Source { standby, alone }, checkpoints) =
        asked.await.map_err(|error| Problem::from(error).with("database", "read_models"))?;
    let read_database = ReadDatabase { standby, silent: alone };
    for (name, at) in checkpoints {
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
    if standby && alone {
        let detail = "the standby that answers queries hears nothing from the database that it follows";
        let problem = Problem::new("read_model.behind", detail).with("read_database", read_database);
        return Err(problem.with("followers", followers));
    }
    let ready = Readiness { status: "ready", position, read_database, followers };
    Ok(([(header::CACHE_CONTROL, NOWHERE)], Json(ready)).into_response())
}
