//! Endpoints that are told by webhook: registered, changed, given another secret, removed.

use std::sync::Arc;

use axum::{
    Json as Answer,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::value::Text;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::no_endpoint;
use crate::{
    Shop,
    answer::located,
    extract::{Json, OptionalJson, Path},
    idempotency::{Call, REPLAYED},
    orders::Nothing,
    outbound::{
        errands::Channel,
        news,
        webhooks::{Changes, DISABLED, Endpoint, NewEndpoint, Target},
    },
    pages::NOWHERE,
    problem::Problem,
    standard_webhooks::Secret,
    text::Note,
};

/// An endpoint to be registered.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = RegisterEndpoint))]
#[serde(deny_unknown_fields)]
pub struct Register {
    url: String,
    /// Everything, when none is named.
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    description: Option<Note>,
}

/// What is to be changed; what is not named stays.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ChangeEndpoint))]
#[serde(deny_unknown_fields)]
pub struct Change {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    types: Option<Vec<String>>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "named")]
    #[cfg_attr(test, schema(value_type = Option<Note>))]
    description: Option<Option<Note>>,
    #[serde(default)]
    enabled: Option<bool>,
}

/// Tells a member that is `null` from one that is not there.
fn named<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Note>>, D::Error> {
    Option::<Note>::deserialize(from).map(Some)
}

/// An endpoint with its secret, which is told this once.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    endpoint: &'a Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

fn told(status: StatusCode, endpoint: &Endpoint, secret: Option<&Secret>) -> Response {
    let body = Answer(Told { endpoint, secret: secret.map(Secret::reveal) });
    (status, [(header::CACHE_CONTROL, NOWHERE)], body).into_response()
}

fn checked_url(shop: &Shop, url: &str) -> Result<(), Problem> {
    Target::new(url, shop.outbound.allowed)
        .map(drop)
        .map_err(|wanted| Problem::new("webhook.url_refused", format!("url: wanted is {wanted}")))
}

fn checked_types(types: &[String]) -> Result<(), Problem> {
    let known = |wanted: &String| news::TYPES.iter().any(|(known, _)| known == wanted);
    match types.iter().find(|wanted| !known(wanted)) {
        None if types.len() <= news::TYPES.len() => Ok(()),
        None => Err(Problem::new("request.invalid", "types: each is named once at most")),
        Some(unknown) => {
            let names: Vec<_> = news::TYPES.iter().map(|(name, _)| *name).collect();
            let detail = format!("types: {unknown:?} is none of {}", names.join(", "));
            Err(Problem::new("request.invalid", detail))
        }
    }
}

/// `POST /v1/webhook-endpoints`
pub async fn register(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Json(body): Json<Register>,
) -> Result<Response, Problem> {
    checked_url(&shop, &body.url)?;
    checked_types(&body.types)?;
    let id = call.run(&shop, &body)?.new_id(&shop, "webhook-endpoint");
    let description = body.description.map(|note| Text::from(note).to_string());
    let new = NewEndpoint { id, url: &body.url, description: description.as_deref(), types: &body.types };
    let (endpoint, secret) = shop.outbound.endpoints.register(new).await?;
    let mut answer = located(
        told(StatusCode::CREATED, &endpoint, secret.as_ref()),
        &format!("/v1/webhook-endpoints/{id}"),
    );
    if secret.is_none() {
        let same =
            (&endpoint.url, &endpoint.types, &endpoint.description) == (&body.url, &body.types, &description);
        if !same {
            return Err(Problem::new(
                "idempotency.key_reused",
                "the key was used for another endpoint, or that one was changed since",
            ));
        }
        answer.headers_mut().insert(REPLAYED, header::HeaderValue::from_static("true"));
    }
    Ok(answer)
}

/// `GET /v1/webhook-endpoints`
pub async fn list(State(shop): State<Arc<Shop>>) -> Result<Response, Problem> {
    let data = shop.outbound.endpoints.list().await?;
    let body = serde_json::json!({ "data": data, "next_cursor": null, "has_more": false });
    Ok(([(header::CACHE_CONTROL, NOWHERE)], Answer(body)).into_response())
}

/// `GET /v1/webhook-endpoints/{id}`
pub async fn show(State(shop): State<Arc<Shop>>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let endpoint = shop.outbound.endpoints.show(id).await?.ok_or_else(no_endpoint)?;
    Ok(told(StatusCode::OK, &endpoint, None))
}

/// `PATCH /v1/webhook-endpoints/{id}`
pub async fn change(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<Uuid>,
    Json(body): Json<Change>,
) -> Result<Response, Problem> {
    if let Some(url) = &body.url {
        checked_url(&shop, url)?;
    }
    checked_types(body.types.as_deref().unwrap_or_default())?;
    let changes = Changes {
        url: body.url,
        description: body.description.map(|note| note.map(|note| Text::from(note).to_string())),
        types: body.types,
        enabled: body.enabled,
    };
    let endpoint = shop.outbound.endpoints.change(id, changes).await?.ok_or_else(no_endpoint)?;
    if endpoint.enabled {
        shop.outbound.queue.wake(Channel::Webhook);
    } else {
        shop.outbound.queue.give_up(&id.to_string(), DISABLED).await?;
    }
    Ok(told(StatusCode::OK, &endpoint, None))
}

/// `DELETE /v1/webhook-endpoints/{id}`
pub async fn remove(State(shop): State<Arc<Shop>>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    if !shop.outbound.endpoints.remove(id).await? {
        return Err(no_endpoint());
    }
    shop.outbound.queue.forget_lane(&id.to_string()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/webhook-endpoints/{id}/rotate-secret`
pub async fn rotate(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<Uuid>,
    OptionalJson(_): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let (endpoint, secret) = shop.outbound.endpoints.rotate(id).await?.ok_or_else(no_endpoint)?;
    Ok(told(StatusCode::OK, &endpoint, Some(&secret)))
}
