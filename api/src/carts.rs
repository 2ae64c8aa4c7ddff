//! Carts: opened, filled at the catalogue's prices, shown, put into another.

pub(crate) mod merge;

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    Aggregate, AggregateType, AnyEvent, AnyRefusal,
    cart::{Cart, Command, Event, Line, Price, Refusal},
    value::{CartId, Currency, CustomerId, Quantity, Sku, Time},
};
use projections::products::Offer;
use serde::{Deserialize, Serialize};
use store::{
    executor::{ExecuteError, Token},
    log::{Recorded, Sequence, StreamId},
};

use crate::{
    Permission, Principal, Shop, access,
    answer::Done,
    awaiting::{self, read},
    extract::{Json, OptionalJson, Path},
    freshness::{self, Freshness},
    idempotency::{Call, Run},
    problem::Problem,
    tags::Conditions,
};

pub use merge::merge;

/// Carts end at full hours, so that one which is touched often moves its end seldom.
const EXPIRY_STEP_MS: i64 = 60 * 60 * 1_000;
/// How often a line is set anew when somebody else changes the cart in between.
const TRIES_MAX: i64 = 5;

/// A new cart.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = OpenCart))]
#[serde(deny_unknown_fields)]
pub struct Open {
    currency: Currency,
    #[serde(default)]
    customer: Option<CustomerId>,
}

/// How many units a line is to have.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = SetLine))]
#[serde(deny_unknown_fields)]
pub struct Set {
    quantity: Quantity,
}

/// Units that go into the cart.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AddLine))]
#[serde(deny_unknown_fields)]
pub struct Add {
    sku: Sku,
    quantity: Quantity,
}

/// The catalogue says which prices; there is nothing to choose.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AcceptPrices {}

/// `POST /v1/carts`
pub async fn open(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Json(body): Json<Open>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let id = CartId::from(run.new_id(&shop, "cart"));
    let Open { currency, customer } = body;
    let customer = buyer(call.principal(), customer)?;
    let command = Command::Open { customer: customer.clone(), currency, expires_at: Some(expires_at(&shop)) };
    let done = run.execute(&shop, id.as_str(), command).await?;
    shop.owners.remember(AggregateType::Cart, id.as_str(), customer);
    Ok(done.created(id.as_str(), &format!("/v1/carts/{id}")))
}

/// Whose a new cart is: one's own, or of whom the staff says, or nobody's.
fn buyer(principal: &Principal, named: Option<CustomerId>) -> Result<Option<CustomerId>, Problem> {
    match principal.customer() {
        Some(own) if named.as_ref().is_none_or(|named| named == own) => Ok(Some(own.clone())),
        Some(_) | None => access::needs(principal, Permission::Orders).map(|()| named),
    }
}

/// `GET /v1/carts/{id}`
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<CartId>,
    Freshness(freshness): Freshness,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let cart = shop.read.cart(&id, freshness).await?;
    freshness::found(&cart, |cart| cart.version, "cart.not_found", &conditions)
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
    let command = adding(&shop, &wanted).await?;
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
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

/// `POST /v1/carts/{id}/accept-prices`
pub async fn accept_prices(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<CartId>,
    Freshness(freshness): Freshness,
    OptionalJson(body): OptionalJson<AcceptPrices>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let prices = current_prices(&shop, &folded(&history(&shop, &id).await?), freshness).await?;
    Ok(run.execute(&shop, id.as_str(), Command::AcceptPrices { prices }).await?.ok(id.as_str()))
}

/// Sets the line, or adds it to just that version of the cart that had none: two requests at once set, never add up.
async fn set_or_add(shop: &Shop, run: Run, id: &CartId, wanted: &Wanted) -> Result<Done, Problem> {
    for round in 0..TRIES_MAX {
        let setting = if round == 0 { run.clone() } else { run.further(round * 2, run.expected().clone()) };
        let command = Command::SetQuantity {
            sku: wanted.sku.clone(),
            quantity: wanted.quantity,
            expires_at: Some(expires_at(shop)),
        };
        let without = match setting.execute(shop, id.as_str(), command).await {
            Err(error) => without_line(error)?,
            Ok(done) => return Ok(done),
        };
        let command = adding(shop, wanted).await?;
        let adding = run.further(round * 2 + 1, Some(without).into());
        match adding.execute(shop, id.as_str(), command).await {
            Err(ExecuteError::VersionMismatch { .. }) if !run.expected().names_versions() => {}
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

/// When a cart ends that is touched now.
fn expires_at(shop: &Shop) -> Time {
    shop.clock.now().plus_millis(shop.settings.cart_lifetime_ms).rounded_up(EXPIRY_STEP_MS)
}

/// Adds a line at the catalogue's price of now.
async fn adding(shop: &Shop, wanted: &Wanted) -> Result<Command, Problem> {
    let sku = &wanted.sku;
    let ask = |freshness| async move { shop.written.offer(sku, freshness).await };
    let offer = shop.offers.get(offer_of(sku), wanted.freshness, ask).await?;
    let Some(offer) = offer.value.map(Arc::unwrap_or_clone) else {
        return Err(
            Problem::new("product.unknown_sku", "the catalogue has no such SKU").with("sku", &wanted.sku)
        );
    };
    let line = Line {
        sku: offer.sku,
        product: offer.product,
        title: offer.title,
        quantity: wanted.quantity,
        unit_price: offer.price,
        tax_category: offer.tax_category,
        weight_grams: offer.weight_grams,
        purchase_limit: offer.purchase_limit,
    };
    Ok(Command::AddLine { line, expires_at: Some(expires_at(shop)) })
}

/// The events of a cart, as the log has them.
pub async fn history(shop: &Shop, id: &CartId) -> Result<Vec<Recorded>, Problem> {
    read(shop, &StreamId::new(AggregateType::Cart, id.as_str()), 0).await
}

/// The same from memory, with how far it goes, if it is there.
pub async fn recent(shop: &Shop, id: &CartId, at_least: Option<Token>) -> Option<(Vec<Recorded>, Token)> {
    awaiting::recent(shop, &StreamId::new(AggregateType::Cart, id.as_str()), at_least).await
}

/// Whose the cart of that history is; nobody's where it was never opened.
pub fn owner(history: &[Recorded]) -> Option<CustomerId> {
    let mut events = history.iter().flat_map(|recorded| &recorded.events);
    events.find_map(|event| match event {
        AnyEvent::Cart(Event::Opened { customer, .. }) => customer.clone(),
        _ => None,
    })
}

/// The cart of that history.
pub fn folded(history: &[Recorded]) -> Cart {
    let events = history.iter().flat_map(|recorded| &recorded.events);
    events.fold(Cart::default(), |cart, event| match event {
        AnyEvent::Cart(event) => cart.evolve(event.clone()),
        _ => cart,
    })
}

/// What the catalogue asks now for what is in a cart.
pub async fn current_prices(
    shop: &Shop,
    cart: &Cart,
    freshness: projections::Freshness,
) -> Result<Vec<Price>, Problem> {
    let skus: Vec<Sku> = cart.lines().iter().map(|line| line.sku.clone()).collect();
    if skus.is_empty() {
        return Ok(vec![]);
    }
    let price = |offer: &Offer| Price {
        sku: offer.sku.clone(),
        unit_price: offer.price,
        purchase_limit: offer.purchase_limit,
    };
    let known = |sku| shop.offers.known(&offer_of(sku), freshness);
    if let Some(offers) = skus.iter().map(known).collect::<Option<Vec<_>>>() {
        return Ok(offers.iter().map(|offer| price(offer)).collect());
    }
    let offers = shop.written.variants(&skus, freshness).await?.value;
    Ok(offers.iter().map(price).collect())
}

/// The name of what a SKU is and costs, among what is kept.
fn offer_of(sku: &Sku) -> StreamId {
    StreamId::new(AggregateType::Product, sku.as_str())
}
