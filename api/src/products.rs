//! The catalogue: products listed, searched, shown, and their prices changed.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    product::{Command, Listing},
    value::{Money, ProductId, Sku, Text},
};
use projections::{
    Cursor,
    products::{ProductQuery, Sort},
};
use serde::{Deserialize, Serialize};

use crate::{
    Shop,
    extract::{Json, Path, Query},
    freshness::{self, Freshness},
    idempotency::Call,
    problem::Problem,
};

/// Entries of a page when the request does not say.
pub const LIMIT: u32 = 20;

/// What a product is listed with, and its id if the shop has one.
#[derive(Debug, Serialize, Deserialize)]
pub struct List {
    #[serde(default)]
    id: Option<ProductId>,
    #[serde(flatten)]
    listing: Listing,
}

/// A variant's new price.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangePrice {
    price: Money,
}

/// What is searched for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    #[serde(default)]
    q: Option<String>,
    /// The path from the widest category down, with slashes between.
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    brand: Option<Text>,
    #[serde(default)]
    price_min: Option<i64>,
    #[serde(default)]
    price_max: Option<i64>,
    #[serde(default)]
    sort: Sort,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
}

/// `POST /v1/products`
pub async fn list(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Json(body): Json<List>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let id = body.id.unwrap_or_else(|| run.new_id(&shop, "product").into());
    let done = run
        .execute(&shop, id.as_str(), Command::List(body.listing))
        .await?;
    Ok(done.created(id.as_str(), &format!("/v1/products/{id}")))
}

/// `GET /v1/products`
pub async fn search(
    State(shop): State<Arc<Shop>>,
    Query(find): Query<Find>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let category = find
        .category
        .iter()
        .flat_map(|path| path.split('/'))
        .filter(|level| !level.is_empty());
    let category = category
        .map(|level| Text::new(level).map_err(|error| Problem::new("request.invalid", error.to_string())))
        .collect::<Result<_, _>>()?;
    let query = ProductQuery {
        text: find.q.filter(|text| !text.trim().is_empty()),
        category,
        brand: find.brand,
        price_min: find.price_min,
        price_max: find.price_max,
        sort: find.sort,
        cursor: find.cursor.map(Cursor::new),
        limit: find.limit.unwrap_or(LIMIT),
    };
    Ok(freshness::answer(shop.read.products(&query, freshness).await?))
}

/// `GET /v1/products/{id}`
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<ProductId>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let product = shop.read.product(&id, freshness).await?;
    freshness::found(product, |product| product.version, "product.not_found")
}

/// `PUT /v1/products/{id}/prices/{sku}`
pub async fn change_price(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, sku)): Path<(ProductId, Sku)>,
    Json(body): Json<ChangePrice>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::ChangePrice {
        sku,
        price: body.price,
    };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}
