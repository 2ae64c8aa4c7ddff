//! Carts: opened, filled at the catalogue's prices, shown.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    AnyRefusal,
    cart::{Command, Line, Refusal},
    value::{CartId, Currency, CustomerId, Quantity, Sku},
};
use serde::{Deserialize, Serialize};
use store::{executor::ExecuteError, log::Sequence};

use crate::{
    Shop,
    answer::Done,
    extract::{Json, Path},
    freshness::{self, Freshness},
    idempotency::{Call, Run},
    problem::Problem,
};

/// How often a line is set anew when somebody else changes the cart in between.
const TRIES_MAX: i64 = 5;

/// A new cart.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    currency: Currency,
    #[serde(default)]
    customer: Option<CustomerId>,
}

/// How many units a line is to have.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    quantity: Quantity,
}

/// Units that go into the cart.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    sku: Sku,
    quantity: Quantity,
}

/// `POST /v1/carts`
pub async fn open(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Json(body): Json<Open>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let id = CartId::from(run.new_id(&shop, "cart"));
    let Open { currency, customer } = body;
    let done = run.execute(&shop, id.as_str(), Command::Open { customer, currency }).await?;
    Ok(done.created(id.as_str(), &format!("/v1/carts/{id}")))
}

/// `GET /v1/carts/{id}`
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<CartId>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let cart = shop.read.cart(&id, freshness).await?;
    freshness::found(cart, |cart| cart.version, "cart.not_found")
}

/// `POST /v1/carts/{id}/items`
pub async fn add(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<CartId>,
    Freshness(freshness): Freshness,
    Json(body): Json<Add>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let Add { sku, quantity } = body;
    let wanted = Wanted { sku, quantity, freshness };
    let line = priced(&shop, &wanted).await?;
    Ok(run.execute(&shop, id.as_str(), Command::AddLine(line)).await?.ok(id.as_str()))
}

/// `PUT /v1/carts/{id}/items/{sku}`
pub async fn set(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, sku)): Path<(CartId, Sku)>,
    Freshness(freshness): Freshness,
    Json(body): Json<Set>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let wanted = Wanted { sku, quantity: body.quantity, freshness };
    let done = set_or_add(&shop, run, &id, &wanted).await?;
    Ok(done.ok(id.as_str()))
}

/// `DELETE /v1/carts/{id}/items/{sku}`
pub async fn remove(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path((id, sku)): Path<(CartId, Sku)>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &())?;
    Ok(run.execute(&shop, id.as_str(), Command::RemoveLine { sku }).await?.ok(id.as_str()))
}

/// Sets the line, or adds it to just that version of the cart that had none: two requests at once set, never add up.
async fn set_or_add(shop: &Shop, run: Run, id: &CartId, wanted: &Wanted) -> Result<Done, Problem> {
    for round in 0..TRIES_MAX {
        let setting = if round == 0 { run.clone() } else { run.further(round * 2, run.expected_version()) };
        let command = Command::SetQuantity { sku: wanted.sku.clone(), quantity: wanted.quantity };
        let without = match setting.execute(shop, id.as_str(), command).await {
            Err(error) => without_line(error)?,
            Ok(done) => return Ok(done),
        };
        let line = priced(shop, wanted).await?;
        let adding = run.further(round * 2 + 1, Some(without));
        match adding.execute(shop, id.as_str(), Command::AddLine(line)).await {
            Err(ExecuteError::VersionMismatch { .. }) if run.expected_version().is_none() => {}
            answer => return Ok(answer?),
        }
    }
    Err(ExecuteError::Overloaded.into())
}

/// The version of the cart that has no such line, when that is what was refused.
fn without_line(error: ExecuteError) -> Result<Sequence, Problem> {
    match error {
        ExecuteError::Refused(refused)
            if matches!(refused.refusal, AnyRefusal::Cart(Refusal::NoSuchLine { .. })) =>
        {
            Ok(refused.version)
        }
        error => Err(error.into()),
    }
}

/// What is to go into a cart, and how new the catalogue has to be that tells its price.
struct Wanted {
    sku: Sku,
    quantity: Quantity,
    freshness: projections::Freshness,
}

/// A line at the catalogue's price of now.
async fn priced(shop: &Shop, wanted: &Wanted) -> Result<Line, Problem> {
    let offer = shop.read.variant(&wanted.sku, wanted.freshness).await?;
    let Some(offer) = offer.value else {
        return Err(
            Problem::new("product.unknown_sku", "the catalogue has no such SKU").with("sku", &wanted.sku)
        );
    };
    Ok(Line {
        sku: offer.sku,
        product: offer.product,
        title: offer.title,
        quantity: wanted.quantity,
        unit_price: offer.price,
    })
}
