//! The log itself, page by page, for whoever analyses it.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{
    executor::Token,
    log::{Position, Sequence, StoredEvent},
    rfc3339,
};
use uuid::Uuid;

use crate::{
    Shop,
    extract::Query,
    freshness::POSITION,
    pages::{self, NOWHERE},
    problem::Problem,
};

/// Where the next page begins.
const NEXT: HeaderName = HeaderName::from_static("daybook-next");
const LIMIT: u32 = 500;
const LIMIT_MAX: u32 = 2_000;

/// Which part of the log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The first position, 1 when it does not say.
    #[serde(default)]
    from: Option<Position>,
    #[serde(default)]
    limit: Option<u32>,
}

/// An event with payload and metadata as they are stored, to the byte.
#[derive(Serialize)]
pub(crate) struct Event<'a> {
    position: Position,
    stream: String,
    aggregate_type: &'a str,
    aggregate_id: &'a str,
    sequence: Sequence,
    event_id: Uuid,
    event_type: &'a str,
    event_version: &'a str,
    recorded_at: String,
    metadata: &'a RawValue,
    payload: &'a RawValue,
}

impl<'a> Event<'a> {
    pub(crate) fn new(stored: &'a StoredEvent) -> Result<Self, Problem> {
        let recorded_at = domain::value::Time::from_millis(stored.recorded_at_us.div_euclid(1_000));
        let raw = |text: &'a str| serde_json::from_str(text).map_err(|error| Problem::internal(&error));
        Ok(Self {
            position: stored.position,
            stream: format!("{}-{}", stored.aggregate_type, stored.aggregate_id),
            aggregate_type: &stored.aggregate_type,
            aggregate_id: &stored.aggregate_id,
            sequence: stored.sequence,
            event_id: stored.event_id,
            event_type: &stored.event_type,
            event_version: &stored.event_version,
            recorded_at: rfc3339::format(recorded_at),
            metadata: raw(&stored.metadata)?,
            payload: raw(&stored.payload)?,
        })
    }
}

/// `GET /v1/events`
pub async fn list(State(shop): State<Arc<Shop>>, Query(page): Query<Page>) -> Result<Response, Problem> {
    let from = page.from.unwrap_or(1).max(1);
    let limit = page.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
    let events = shop.log.read(from - 1, i64::from(limit)).await?;
    let mut lines = Vec::new();
    for stored in &events {
        serde_json::to_writer(&mut lines, &Event::new(stored)?).map_err(|error| Problem::internal(&error))?;
        lines.push(b'\n');
    }
    let last = events.last().map_or(from - 1, |last| last.position);
    let head = *shop.executor.head().borrow();
    // Who asks beyond the end has seen the end only; another process may have appended what was read.
    let seen = events.last().map_or_else(|| last.min(head.position), |last| last.position);
    let reflects = Token { incarnation: head.incarnation, position: seen };
    let mut response = Response::new(Body::from(lines));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(NEXT, HeaderValue::from(last + 1));
    headers.insert(header::CACHE_CONTROL, NOWHERE);
    headers.insert(POSITION, pages::position(reflects));
    Ok(response.into_response())
}
