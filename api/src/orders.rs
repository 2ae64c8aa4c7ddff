//! Orders: shown with their delivery opened, listed by customer, cancelled, and everything that happened to them.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{
    AggregateType,
    order::{CancelReason, Command},
    value::{CustomerId, OrderId, Sealed, Text},
};
use projections::{Cursor, Fresh, orders::Order};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{executor::Token, log::StreamId};

use crate::{
    Shop,
    events::Event,
    extract::{Json, Path, Query},
    freshness::{self, Freshness},
    idempotency::Call,
    problem::Problem,
    products::LIMIT,
    text::Note,
};

/// Whose orders, and which page of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    customer: CustomerId,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
}

/// Why an order is called off.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    reason: CancelReason,
    #[serde(default)]
    note: Option<Note>,
}

/// An order as a client sees it: the delivery opened.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    order: Order,
    contact: Personal,
    address: Personal,
}

/// A personal value, as far as it can still be known.
#[derive(Serialize)]
#[serde(untagged)]
enum Personal {
    /// The order carries none.
    None,
    /// Whose it was is forgotten: the key is gone, and with it the value.
    Forgotten { forgotten: bool },
    /// The value.
    Known(Value),
}

/// An order's events, in the order they happened.
#[derive(Serialize)]
struct Audit<'a> {
    data: Vec<Event<'a>>,
}

/// `GET /v1/orders`
pub async fn history(
    State(shop): State<Arc<Shop>>,
    Query(history): Query<History>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let cursor = history.cursor.map(Cursor::new);
    let limit = history.limit.unwrap_or(LIMIT);
    Ok(freshness::answer(
        shop.read
            .orders(&history.customer, cursor.as_ref(), limit, freshness)
            .await?,
    ))
}

/// `GET /v1/orders/{id}`
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<OrderId>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let Fresh { value, reflects } = shop.read.order(&id, freshness).await?;
    let value = match value {
        None => None,
        Some(mut order) => {
            let delivery = order.delivery.take();
            let (contact, address) = match &delivery {
                Some(delivery) => (
                    open(&shop, &delivery.contact).await?,
                    open(&shop, &delivery.address).await?,
                ),
                None => (Personal::None, Personal::None),
            };
            Some(Shown {
                order,
                contact,
                address,
            })
        }
    };
    freshness::found(
        Fresh { value, reflects },
        |shown| shown.order.version,
        "order.not_found",
    )
}

/// `GET /v1/orders/{id}/events`: the order's own, its checkout's and its payment's.
pub async fn events(State(shop): State<Arc<Shop>>, Path(id): Path<OrderId>) -> Result<Response, Problem> {
    let head = *shop.executor.head().borrow();
    let mut stored = shop
        .log
        .load(&StreamId::new(AggregateType::Order, id.as_str()), 0)
        .await?;
    stored.extend(
        shop.log
            .load(&StreamId::new(AggregateType::Checkout, id.as_str()), 0)
            .await?,
    );
    if stored.is_empty() {
        return Err(Problem::new("order.not_found", "nothing has this id"));
    }
    let order = shop
        .read
        .order(&id, projections::Freshness::default())
        .await?
        .value;
    if let Some(payment) = order.and_then(|order| order.payment) {
        stored.extend(
            shop.log
                .load(&StreamId::new(AggregateType::Payment, payment.as_str()), 0)
                .await?,
        );
    }
    stored.sort_by_key(|event| event.position);
    let data = stored.iter().map(Event::new).collect::<Result<_, _>>()?;
    let reflects = Token {
        incarnation: head.incarnation,
        position: head.position,
    };
    Ok(freshness::answer(Fresh {
        value: Audit { data },
        reflects,
    }))
}

/// `POST /v1/orders/{id}/cancel`
pub async fn cancel(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<OrderId>,
    Json(body): Json<Cancel>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::Cancel {
        reason: body.reason,
        note: body.note.map(Text::from),
    };
    let done = run.execute(&shop, id.as_str(), command).await?;
    Ok(done.respond(StatusCode::OK, done.receipt(id.as_str())))
}

async fn open(shop: &Shop, sealed: &Sealed) -> Result<Personal, Problem> {
    let Some(plain) = shop.vault.open(sealed).await? else {
        return Ok(Personal::Forgotten { forgotten: true });
    };
    let value = serde_json::from_slice(&plain).map_err(|error| Problem::internal(&error))?;
    Ok(Personal::Known(value))
}
