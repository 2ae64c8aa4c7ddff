//! Orders: shown with their delivery opened, listed, audited, cancelled; the rest of their life by theme.

pub(crate) mod edits;
pub(crate) mod invoice;
mod invoice_page;
pub(crate) mod live;
pub(crate) mod past;
pub(crate) mod returns;
pub(crate) mod review;
pub(crate) mod shipping;

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use domain::{
    AggregateType, AnyEvent,
    cart::Delivery,
    order::{self, CancelReason, Command},
    value::{CustomerId, OrderId, PaymentId, Sealed, Text},
};
use projections::{
    Cursor, Fresh, LIMIT_MAX,
    orders::{self, Order},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{
    executor::Token,
    log::{Recorded, StreamId, decode_stream},
};

use crate::{
    Permission, Principal, Shop, access,
    events::Event,
    extract::{OptionalJson, Path, Query},
    freshness::{self, Freshness, POSITION},
    idempotency::Call,
    pages::{self, PRIVATE, Page},
    problem::Problem,
    tags::Conditions,
    text::Note,
};

/// A body without any member.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The routes of orders.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/v1/orders", get(history))
        .route("/v1/orders/{id}", get(show))
        .route("/v1/orders/{id}/events", get(events))
        .route("/v1/orders/{id}/live", get(live::follow))
        .route("/v1/orders/{id}/invoice", get(invoice::show))
        .route("/v1/orders/{id}/hold", post(review::hold))
        .route("/v1/orders/{id}/release", post(review::release))
        .route("/v1/orders/{id}/reject", post(review::reject))
        .route("/v1/orders/{id}/cancel", post(cancel))
        .route("/v1/orders/{id}/cancel-lines", post(shipping::cancel_lines))
        .route("/v1/orders/{id}/shipments", post(shipping::ship))
        .route("/v1/orders/{id}/shipments/{shipment}/tracking", post(shipping::change_tracking))
        .route("/v1/orders/{id}/shipments/{shipment}/deliver", post(shipping::deliver))
        .route("/v1/orders/{id}/edits", post(edits::begin))
        .route("/v1/orders/{id}/edits/{edit}/stage", post(edits::stage))
        .route("/v1/orders/{id}/edits/{edit}/commit", post(edits::commit))
        .route("/v1/orders/{id}/edits/{edit}/abandon", post(edits::abandon))
        .route("/v1/orders/{id}/returns", post(returns::request))
        .route("/v1/orders/{id}/returns/{return}/approve", post(returns::approve))
        .route("/v1/orders/{id}/returns/{return}/reject", post(returns::reject))
        .route("/v1/orders/{id}/returns/{return}/receive", post(returns::receive))
}

/// Which orders.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Whose: one's own, unless the staff asks.
    #[serde(default)]
    customer: Option<CustomerId>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// Why an order is called off by somebody; the shop has further reasons of its own.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = CancelRequestReason))]
#[serde(rename_all = "snake_case")]
enum Reason {
    #[default]
    CustomerRequest,
    Staff,
}

/// An order to be called off.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = CancelOrder))]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    #[serde(default)]
    reason: Reason,
    #[serde(default)]
    note: Option<Note>,
}

/// Who gets it and where, opened.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = OpenedDelivery))]
pub(crate) struct Opened {
    contact: Personal,
    address: Personal,
    country: Text,
}

/// Personal data, unless its subject was forgotten.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Personal {
    Known(Box<RawValue>),
    Forgotten(&'static str),
}

/// `GET /v1/orders`
pub async fn history(
    State(shop): State<Arc<Shop>>,
    principal: Principal,
    Query(history): Query<History>,
    Freshness(freshness): Freshness,
) -> Result<Response, Problem> {
    let limit = history.limit.unwrap_or(LIMIT_MAX);
    let customer = whose(&principal, history.customer)?;
    let page = shop.read.orders(&customer, history.cursor.as_ref(), limit, freshness).await?;
    Ok(freshness::answer(page))
}

/// Whose orders are listed: one's own, or, for the staff, whose they say.
fn whose(principal: &Principal, named: Option<CustomerId>) -> Result<CustomerId, Problem> {
    match (principal.customer(), named) {
        (Some(own), None) => Ok(own.clone()),
        (Some(own), Some(named)) if *own == named => Ok(named),
        (_, named) => {
            access::needs(principal, Permission::Orders)?;
            named.ok_or_else(|| Problem::new("request.invalid", "say whose orders: ?customer="))
        }
    }
}

/// `GET /v1/orders/{id}`
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<OrderId>,
    Query(wanted): Query<past::Shown>,
    Freshness(freshness): Freshness,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let shown = match &wanted.as_of {
        None => shown(&shop, &id, freshness).await?,
        Some(as_of) => past::shown(&shop, &id, as_of, freshness).await?,
    };
    shown.value.answer(&shown, &conditions, PRIVATE)
}

/// An order's page with its delivery opened.
async fn shown(shop: &Shop, id: &OrderId, freshness: projections::Freshness) -> Result<Fresh<Page>, Problem> {
    let recent = async {
        let newest = shop.pages.newest(orders::NAME, freshness).await;
        let based = newest.and_then(|newest| orders::recent(&newest, id));
        based.map(|based| based.try_map(page)).transpose()
    };
    let ask = |freshness| async move { shop.read.order_based(id, freshness).await?.try_map(page) };
    let key = StreamId::new(AggregateType::Order, id.as_str());
    let found = shop.pages.get_recent(key, freshness, recent, ask).await?;
    let page = found.value.as_ref().ok_or_else(|| pages::missing(&found, "order.not_found"))?;
    let shown = opened(shop, page).await?;
    Ok(found.map(|_| shown))
}

/// The page with whom it goes to.
async fn opened(shop: &Shop, page: &Page) -> Result<Page, Problem> {
    match &page.delivery {
        None => page.with("delivery", &(), &[]),
        Some(delivery) => {
            let opened = open(shop, delivery).await?;
            page.with("delivery", &opened, opened.forgotten())
        }
    }
}

/// Everything about an order that is nobody's secret, and the rest sealed.
fn page(mut order: Order) -> Result<Page, Problem> {
    let delivery = order.delivery.take();
    let page = Page::of_more(&order, order.version)?;
    Ok(page.delivered_to(delivery))
}

async fn open(shop: &Shop, delivery: &Delivery) -> Result<Opened, Problem> {
    Ok(Opened {
        contact: personal(shop, &delivery.contact).await?,
        address: personal(shop, &delivery.address).await?,
        country: delivery.country.clone(),
    })
}

impl Opened {
    /// What of it is gone, where anything is: a page without it is another page.
    fn forgotten(&self) -> &'static [u8] {
        let is_forgotten = |personal: &Personal| matches!(personal, Personal::Forgotten(_));
        match (is_forgotten(&self.contact), is_forgotten(&self.address)) {
            (false, false) => b"",
            (true, false) => b"contact",
            (false, true) => b"address",
            (true, true) => b"contact and address",
        }
    }
}

async fn personal(shop: &Shop, sealed: &Sealed) -> Result<Personal, Problem> {
    match shop.vault.open(sealed).await? {
        Some(json) => {
            serde_json::from_slice(&json).map(Personal::Known).map_err(|error| Problem::internal(&error))
        }
        None => Ok(Personal::Forgotten("forgotten")),
    }
}

/// `POST /v1/orders/{id}/cancel`
pub async fn cancel(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<OrderId>,
    OptionalJson(body): OptionalJson<Cancel>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    if matches!(body.reason, Reason::Staff) {
        access::needs(call.principal(), Permission::Orders)?;
    }
    let command = Command::Cancel {
        reason: match body.reason {
            Reason::CustomerRequest => CancelReason::CustomerRequest,
            Reason::Staff => CancelReason::Staff,
        },
        note: body.note.map(Text::from),
    };
    Ok(run.execute(&shop, id.as_str(), command).await?.ok(id.as_str()))
}

/// `GET /v1/orders/{id}/events`
pub async fn events(State(shop): State<Arc<Shop>>, Path(id): Path<OrderId>) -> Result<Response, Problem> {
    let head = shop.log.head().await?;
    let reflects = Token { incarnation: head.incarnation, position: head.position };
    let stream = |aggregate_type, id: &str| StreamId::new(aggregate_type, id);
    let mut events = shop.log.load(&stream(AggregateType::Order, id.as_str()), 0).await?;
    // An order has one payment, and each edit that made it dearer another.
    let payments: BTreeSet<PaymentId> = decode_stream(&events).flatten().flat_map(payments).collect();
    if events.is_empty() {
        return Err(Problem::new("order.not_found", "the log holds no such order")
            .with_header(POSITION, &reflects.to_string()));
    }
    for manager in [AggregateType::Checkout, AggregateType::Fulfilment] {
        events.extend(shop.log.load(&stream(manager, id.as_str()), 0).await?);
    }
    for payment in payments {
        events.extend(shop.log.load(&stream(AggregateType::Payment, payment.as_str()), 0).await?);
    }
    events.sort_by_key(|stored| stored.position);
    let data = events.iter().map(Event::new).collect::<Result<Vec<_>, _>>()?;
    let list = serde_json::json!({ "data": data, "next_cursor": null, "has_more": false });
    Ok(freshness::answer(Fresh::whole(list, reflects)))
}

fn payments(recorded: Recorded) -> impl Iterator<Item = PaymentId> {
    recorded.events.into_iter().filter_map(|event| match event {
        AnyEvent::Order(order::Event::Placed(placed)) => placed.payment.map(|terms| terms.payment),
        AnyEvent::Order(order::Event::EditCommitted { payment, .. }) => payment,
        _ => None,
    })
}
