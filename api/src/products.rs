//! The catalogue: products listed, found, shown, priced.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    AggregateType,
    product::{Command, Listing, Variant},
    value::{Money, ProductId, Sku, Text},
};
use projections::{
    Cursor,
    search::{FacetSet, ProductQuery, Sort},
};
use serde::{Deserialize, Serialize};
use store::log::StreamId;

use crate::{
    Shop,
    extract::{Json, Path, Query},
    freshness::{self, Freshness},
    idempotency::Call,
    pages::{self, Page},
    problem::Problem,
    tags::Conditions,
};

/// Products on a page unless the client says how many.
const LIMIT: u32 = 20;
/// Characters of a text that is searched for.
const TEXT_CHARS_MAX: usize = 200;

/// A product to be listed; `id` is made up when it is left out.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ListProduct))]
#[serde(deny_unknown_fields)]
pub struct List {
    #[serde(default)]
    id: Option<ProductId>,
    title: Text,
    #[serde(default)]
    description: Option<Text>,
    #[serde(default)]
    brand: Option<Text>,
    #[serde(default)]
    category: Vec<Text>,
    #[serde(default)]
    images: Vec<Text>,
    variants: Vec<Variant>,
}

/// Which products.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Words to look for; `"…"` for a phrase, `-` for not.
    #[serde(default)]
    #[cfg_attr(test, schema(max_length = 200))]
    q: Option<String>,
    /// `Home`, or a path such as `Home > Kitchen`.
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    brand: Option<Text>,
    /// Minor units.
    #[serde(default)]
    #[cfg_attr(test, schema(minimum = 0))]
    price_min: Option<i64>,
    /// Minor units.
    #[serde(default)]
    #[cfg_attr(test, schema(minimum = 0))]
    price_max: Option<i64>,
    /// Stars, from 0 to 5; half ones too.
    #[serde(default)]
    #[cfg_attr(test, schema(minimum = 0, maximum = 5))]
    rating_min: Option<f64>,
    #[serde(default)]
    available: Option<bool>,
    /// Names with commas between them, such as `brand,price`.
    #[serde(default)]
    #[cfg_attr(test, schema(pattern = "^(?:(?:brand|category|price|rating|available)(?:,|$))*$"))]
    facets: Option<String>,
    #[serde(default)]
    sort: Option<Sort>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// What somebody has typed so far.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Suggest {
    #[cfg_attr(test, schema(max_length = 200))]
    q: String,
}

/// What a variant costs from now on.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePrice {
    price: Money,
}

/// `POST /v1/products`
pub async fn list(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Json(body): Json<List>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let id = body.id.unwrap_or_else(|| run.new_id(&shop, "product").into());
    let listing = Listing {
        title: body.title,
        description: body.description,
        brand: body.brand,
        category: body.category,
        images: body.images,
        variants: body.variants,
    };
    let done = run.execute(&shop, id.as_str(), Command::List(listing)).await?;
    Ok(done.created(id.as_str(), &format!("/v1/products/{id}")))
}

/// `PUT /v1/products/{id}/prices/{sku}`
pub async fn change_price(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, sku)): Path<(ProductId, Sku)>,
    Json(body): Json<ChangePrice>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::ChangePrice { sku, price: body.price };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}

/// `GET /v1/products/{id}`
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<ProductId>,
    Freshness(freshness): Freshness,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let (at, id) = (&*shop, &id);
    let ask = |freshness| async move {
        let found = at.read.product_page(id, at.clock.now(), freshness).await?;
        found.try_map(|product| Page::of_more(&product, product.version))
    };
    let key = StreamId::new(AggregateType::Product, id.as_str());
    let found = shop.pages.get(key, freshness, ask).await?;
    let page = found.value.as_ref().ok_or_else(|| pages::missing(&found, "product.not_found"))?;
    page.answer(&found, &conditions, shop.keeping.clone())
}

/// `GET /v1/products`
pub async fn search(
    State(shop): State<Arc<Shop>>,
    Query(search): Query<Search>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let query = search.query()?;
    let results = shop.read.products(&query, freshness).await?;
    Ok(freshness::answer_for(results, shop.keeping.clone()))
}

/// `GET /v1/products/suggest`
pub async fn suggest(
    State(shop): State<Arc<Shop>>,
    Query(typed): Query<Suggest>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    short(&typed.q)?;
    Ok(freshness::answer(shop.read.suggestions(&typed.q, freshness).await?))
}

impl Search {
    fn query(self) -> Result<ProductQuery, Problem> {
        short(self.q.as_deref().unwrap_or_default())?;
        if self.price_min.is_some_and(|min| min < 0) || self.price_max.is_some_and(|max| max < 0) {
            return Err(invalid("price_min and price_max are minor units, from 0 on"));
        }
        if self.price_min.zip(self.price_max).is_some_and(|(min, max)| min > max) {
            return Err(invalid("price_min is more than price_max"));
        }
        Ok(ProductQuery {
            text: self.q,
            category: levels(self.category.as_deref().unwrap_or_default())?,
            brand: self.brand,
            price_min: self.price_min,
            price_max: self.price_max,
            rating_min: self.rating_min.map(thousandths).transpose()?,
            available: self.available,
            facets: facets(self.facets.as_deref().unwrap_or_default())?,
            sort: self.sort.unwrap_or_default(),
            cursor: self.cursor,
            limit: self.limit.unwrap_or(LIMIT),
        })
    }
}

fn invalid(detail: &'static str) -> Problem {
    Problem::new("request.invalid", detail)
}

fn short(text: &str) -> Result<(), Problem> {
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(Problem::new("request.invalid", format!("q has at most {TEXT_CHARS_MAX} characters")));
    }
    Ok(())
}

fn thousandths(stars: f64) -> Result<u32, Problem> {
    if !(0.0..=5.0).contains(&stars) {
        return Err(invalid("rating_min is a number of stars from 0 to 5"));
    }
    // From 0 to 5,000.
    Ok((stars * 1_000.0).round() as u32)
}

fn facets(names: &str) -> Result<FacetSet, Problem> {
    let mut set = FacetSet::default();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match name {
            "brand" => set.brand = true,
            "category" => set.category = true,
            "price" => set.price = true,
            "rating" => set.rating = true,
            "available" => set.available = true,
            _ => return Err(invalid("facets are brand, category, price, rating and available")),
        }
    }
    Ok(set)
}

/// The levels of a category path such as `Home > Kitchen`.
fn levels(path: &str) -> Result<Vec<Text>, Problem> {
    let levels = path.split('>').map(str::trim).filter(|level| !level.is_empty());
    Ok(levels.map(Text::new).collect::<Result<_, _>>()?)
}
