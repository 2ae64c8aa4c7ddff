//! What is on its way to endpoints and people: listed by what became of it, and sent again when somebody asks for it.

use std::sync::Arc;

use axum::{
    Json as Answer,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::value::Time;
use projections::{Cursor, LIMIT_MAX};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::no_endpoint;
use crate::{
    Shop,
    extract::{Json, OptionalJson, Path, Query},
    orders::Nothing,
    outbound::errands::{AGAIN_MAX, Channel, Listed, State as Became, Wanted},
    pages::NOWHERE,
    problem::Problem,
};

const WEBHOOKS: &[Channel] = &[Channel::Webhook];
const NOTICES: &[Channel] = &[Channel::Mail, Channel::Sms, Channel::Carrier];
const LIMIT_USUAL: u32 = 20;

/// Which of them.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = WhichErrands))]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Option<Became>))]
    state: Option<String>,
    #[serde(default)]
    endpoint: Option<Uuid>,
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Option<Channel>))]
    channel: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// Which deliveries of an endpoint are sent again.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ReplayDeliveries))]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// Made then or later.
    #[serde(with = "store::rfc3339")]
    from: Time,
    /// Made before then.
    #[serde(with = "store::rfc3339")]
    to: Time,
    /// Those that were taken as well.
    #[serde(default)]
    done: bool,
}

/// `GET /v1/webhook-deliveries`
pub async fn list_webhooks(
    State(shop): State<Arc<Shop>>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    list(&shop, WEBHOOKS, which).await
}

/// `GET /v1/notices`
pub async fn list_notices(
    State(shop): State<Arc<Shop>>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    list(&shop, NOTICES, which).await
}

/// `GET /v1/webhook-deliveries/{id}`
pub async fn show_webhook(State(shop): State<Arc<Shop>>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    one(shop.outbound.queue.show(WEBHOOKS, id).await?)
}

/// `GET /v1/notices/{id}`
pub async fn show_notice(State(shop): State<Arc<Shop>>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    one(shop.outbound.queue.show(NOTICES, id).await?)
}

/// `POST /v1/webhook-deliveries/{id}/replay`
pub async fn replay_webhook(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<Uuid>,
    OptionalJson(_): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let endpoint =
        shop.outbound.queue.show(WEBHOOKS, id).await?.and_then(|known| known.endpoint?.parse().ok());
    if let Some(endpoint) = endpoint {
        enabled(&shop, endpoint).await?;
    }
    again(&shop, WEBHOOKS, id).await
}

/// `POST /v1/notices/{id}/replay`
pub async fn replay_notice(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<Uuid>,
    OptionalJson(_): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    again(&shop, NOTICES, id).await
}

/// `POST /v1/webhook-endpoints/{id}/replay`
pub async fn replay_all(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<Uuid>,
    Json(body): Json<Again>,
) -> Result<Response, Problem> {
    enabled(&shop, id).await?;
    if body.from >= body.to {
        return Err(Problem::new("request.invalid", "from lies before to"));
    }
    let states: &[Became] = if body.done { &[Became::Dead, Became::Done] } else { &[Became::Dead] };
    let queue = &shop.outbound.queue;
    let (replayed, last) = queue.all_again(&id.to_string(), (body.from, body.to), states).await?;
    let has_more = replayed >= AGAIN_MAX;
    // Of those made at that very moment some may come once more, under the same names.
    let next_from = last.filter(|_| has_more).map(store::rfc3339::format);
    let body = json!({ "id": id, "replayed": replayed, "has_more": has_more, "next_from": next_from });
    Ok((StatusCode::ACCEPTED, Answer(body)).into_response())
}

/// What is sent again to an endpoint that is told nothing would wait for ever.
async fn enabled(shop: &Shop, id: Uuid) -> Result<(), Problem> {
    let endpoint = shop.outbound.endpoints.show(id).await?.ok_or_else(no_endpoint)?;
    if endpoint.enabled {
        Ok(())
    } else {
        Err(Problem::new("webhook.endpoint_disabled", "enable the endpoint first"))
    }
}

async fn list(shop: &Shop, channels: &[Channel], which: Which) -> Result<Response, Problem> {
    let state = which.state.as_deref().map(known::<Became>).transpose()?;
    let channel = which.channel.as_deref().map(known::<Channel>).transpose()?;
    let channels: Vec<_> =
        channels.iter().copied().filter(|of| channel.is_none_or(|channel| channel == *of)).collect();
    let limit = which.limit.unwrap_or(LIMIT_USUAL).clamp(1, LIMIT_MAX) as usize;
    let lane = which.endpoint.map(|endpoint| endpoint.to_string());
    let before = which.cursor.as_ref().map(place).transpose()?;
    // One more than is given, to know whether there are more.
    let rows_wanted = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let wanted = Wanted { channels: &channels, state, lane: lane.as_deref(), before, limit: rows_wanted };
    let mut data = shop.outbound.queue.list(wanted).await?;
    let has_more = data.len() > limit;
    data.truncate(limit);
    let next_cursor = data.last().filter(|_| has_more).map(cursor);
    let body = json!({ "data": data, "next_cursor": next_cursor, "has_more": has_more });
    Ok(([(header::CACHE_CONTROL, NOWHERE)], Answer(body)).into_response())
}

fn known<W: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<W, Problem> {
    text.parse().map_err(|error: W::Err| Problem::new("request.invalid", error.to_string()))
}

fn cursor(last: &Listed) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}:{}", last.created_at.millis(), last.id))
}

fn place(cursor: &Cursor) -> Result<(Time, Uuid), Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor.as_str()).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let place = text.as_deref().and_then(|text| text.split_once(':'));
    let place =
        place.and_then(|(millis, id)| Some((Time::from_millis(millis.parse().ok()?), id.parse().ok()?)));
    place.ok_or_else(|| Problem::new("request.invalid", "cursor: take next_cursor of the page before"))
}

fn one(found: Option<Listed>) -> Result<Response, Problem> {
    let found = found
        .ok_or_else(|| Problem::new("notice.not_found", "nothing of that id is on its way, or was lately"))?;
    Ok(([(header::CACHE_CONTROL, NOWHERE)], Answer(found)).into_response())
}

async fn again(shop: &Shop, channels: &[Channel], id: Uuid) -> Result<Response, Problem> {
    let found = shop.outbound.queue.again(channels, id).await?;
    Ok((StatusCode::ACCEPTED, one(found)?).into_response())
}
