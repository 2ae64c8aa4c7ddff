//! Whether this process is up, whether it should be asked, and a few figures about it.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::value::Sku;
use projections::{Freshness, carts, orders, products, stock};
use serde_json::{Value, json};
use store::log::Position;
use uuid::Uuid;

use crate::{Shop, problem::Problem};

/// How long a part may take to show that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /healthz`
pub async fn up() -> Json<Value> {
    Json(json!({ "status": "up" }))
}

/// `GET /readyz`
pub async fn ready(State(shop): State<Arc<Shop>>) -> Response {
    let looked = tokio::select! {
        looked = look(&shop) => looked,
        () = shop.clock.sleep(PATIENCE) => Err(Problem::new("store.unavailable", "Postgres does not answer")),
    };
    let (head, models) = match looked {
        Ok(looked) => looked,
        Err(problem) => return problem.into_response(),
    };
    let behind: Vec<_> = models
        .iter()
        .filter(|(_, position)| head - position > shop.settings.lag_max)
        .map(|(name, position)| json!({ "read_model": name, "position": position }))
        .collect();
    if !behind.is_empty() {
        return Problem::new("read_model.behind", "read models are too far behind the log")
            .with("head", head)
            .with("behind", behind)
            .into_response();
    }
    let positions: serde_json::Map<_, _> = models
        .into_iter()
        .map(|(name, position)| (name.to_owned(), position.into()))
        .collect();
    Json(json!({ "status": "ready", "head": head, "read_models": positions })).into_response()
}

/// `GET /metrics`
pub async fn metrics(State(shop): State<Arc<Shop>>) -> Result<Response, Problem> {
    let (head, models) = look(&shop).await?;
    let mut text = format!(
        "# HELP daybook_log_head_position The log's last position.\n\
         # TYPE daybook_log_head_position gauge\n\
         daybook_log_head_position {head}\n\
         # HELP daybook_read_model_position The position that a read model reflects.\n\
         # TYPE daybook_read_model_position gauge\n"
    );
    for (name, position) in models {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "daybook_read_model_position{{read_model=\"{name}\"}} {position}"
        );
    }
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Ok((StatusCode::OK, kind, text).into_response())
}

/// The log's head and how far every read model has come, whichever process lets it follow.
async fn look(shop: &Shop) -> Result<(Position, Vec<(&'static str, Position)>), Problem> {
    let head = shop.log.head().await?.position;
    let (any, nobody) = (Freshness::default(), Uuid::nil());
    // What is asked for need not be there: an answer tells what it reflects all the same.
    let of_orders = shop.read.order(&nobody.into(), any).await?.reflects.position;
    let of_carts = shop.read.cart(&nobody.into(), any).await?.reflects.position;
    let of_products = shop.read.product(&nobody.into(), any).await?.reflects.position;
    let of_stock = shop.read.stock(&Sku::new("none")?, any).await?.reflects.position;
    let positions = vec![
        (orders::NAME, of_orders),
        (carts::NAME, of_carts),
        (stock::NAME, of_stock),
        (products::NAME, of_products),
    ];
    Ok((head, positions))
}
