//! What a cart comes to with tax and shipping, from the shop's tables.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use domain::{
    cart::{Cart, Line},
    pricing::{self, Quote},
    value::{CartId, Text},
};
use projections::{Fresh, QueryError};
use serde::{Deserialize, Serialize};
use store::executor::Token;

use crate::{
    Shop, carts,
    extract::{Json, Path},
    freshness::{self, Freshness},
    problem::Problem,
    text::{Country, Short},
};

/// Where it goes, and how.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = QuoteWanted))]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    country: Country,
    /// The code of a shipping method; without it, shipping is not quoted.
    #[serde(default)]
    shipping: Option<Short>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = CartQuote))]
pub(crate) struct Answer {
    cart: CartId,
    lines: Vec<Line>,
    /// The tax of each line, in their order, shipping, and what is to be paid.
    quote: Quote,
}

/// `POST /v1/carts/{id}/quote`: changes nothing.
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<CartId>,
    Freshness(freshness): Freshness,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    let (history, reflects) = match carts::recent(&shop, &id, freshness.at_least).await {
        Some(recent) => recent,
        None => {
            // What this process knows of is read in any case, and so is what anybody knows of in this life of the log.
            let head = *shop.executor.head().borrow();
            let other = |token: &Token| token.position > 0 && token.incarnation != head.incarnation;
            if freshness.at_least.as_ref().is_some_and(other) {
                return Err(QueryError::WrongIncarnation.into());
            }
            let seen = freshness.at_least.map_or(0, |token| token.position);
            let reflects = Token { incarnation: head.incarnation, position: head.position.max(seen) };
            (carts::history(&shop, &id).await?, reflects)
        }
    };
    let cart = carts::folded(&history);
    let Cart::Open(basket) = &cart else {
        return Err(Problem::new("cart.not_open", "the cart was never opened, or is open no longer"));
    };
    let shipping = wanted.shipping.map(Text::from);
    let quote = quoted(&shop, &cart, &Text::from(wanted.country), shipping.as_ref())?;
    let quote =
        quote.ok_or_else(|| Problem::new("checkout.no_tables", "the shop has set no tax or shipping"))?;
    let value = Answer { cart: id, lines: basket.lines.clone(), quote };
    Ok(freshness::answer(Fresh::whole(value, reflects)))
}

/// The quote for a cart; none where the shop has no tables, or the cart is not open.
///
/// # Errors
/// `checkout.not_shipped_there`, `checkout.too_much_to_ship`, `cart.bad_total`.
pub fn quoted(
    shop: &Shop,
    cart: &Cart,
    country: &Text,
    shipping: Option<&Text>,
) -> Result<Option<Quote>, Problem> {
    let Some(tables) = &shop.settings.pricing else {
        return match shipping {
            Some(_) => Err(Problem::new("checkout.no_tables", "the shop has set no tax or shipping")),
            None => Ok(None),
        };
    };
    let Cart::Open(basket) = cart else { return Ok(None) };
    let quote = pricing::quote(tables, country, shipping, basket.currency, &basket.lines);
    quote.map(Some).map_err(|error| Problem::new(error.code(), error.to_string()))
}
