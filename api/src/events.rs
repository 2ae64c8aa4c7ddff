//! The log itself, page by page, for whoever analyses it.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt as _;
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
    live::{Seat, Told, beat, follow, going_on, last_event, sse, wants_sse},
    pages::{self, NOWHERE},
    problem::Problem,
};

/// Where the next page begins.
pub(crate) const NEXT: HeaderName = HeaderName::from_static("daybook-next");
const NDJSON: &str = "application/x-ndjson";
const LIMIT: u32 = 500;
const LIMIT_MAX: u32 = 2_000;

/// Which part of the log.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = EventPage))]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The first position, 1 when it does not say.
    #[serde(default)]
    from: Option<Position>,
    #[serde(default)]
    limit: Option<u32>,
    /// With NDJSON: go on when the end is reached.
    #[serde(default)]
    follow: bool,
    #[serde(flatten)]
    filter: Filter,
}

/// Which events: of all that are named, any when nothing is.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = EventFilter))]
pub(crate) struct Filter {
    /// Types, with commas between them.
    #[serde(default, rename = "type")]
    types: Option<String>,
    /// Kinds of aggregates, with commas between them.
    #[serde(default)]
    aggregate_type: Option<String>,
    #[serde(default)]
    aggregate_id: Option<String>,
}

impl Filter {
    pub(crate) fn wants(&self, stored: &StoredEvent) -> bool {
        let among = |list: &Option<String>, name: &str| {
            list.as_ref().is_none_or(|list| list.split(',').any(|one| one.trim() == name))
        };
        among(&self.types, &stored.event_type)
            && among(&self.aggregate_type, &stored.aggregate_type)
            && self.aggregate_id.as_deref().is_none_or(|id| id == &*stored.aggregate_id)
    }
}

/// An event with payload and metadata as they are stored, to the byte.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = LoggedEvent))]
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
    #[cfg_attr(test, schema(value_type = Object))]
    metadata: &'a RawValue,
    #[cfg_attr(test, schema(value_type = Object))]
    payload: &'a RawValue,
}

impl<'a> Event<'a> {
    pub(crate) fn new(stored: &'a StoredEvent) -> Result<Self, Problem> {
        Self::of(stored).map_err(|error| Problem::internal(&error))
    }

    fn of(stored: &'a StoredEvent) -> Result<Self, serde_json::Error> {
        let recorded_at = domain::value::Time::from_millis(stored.recorded_at_us.div_euclid(1_000));
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
            metadata: serde_json::from_str(&stored.metadata)?,
            payload: serde_json::from_str(&stored.payload)?,
        })
    }
}

/// `GET /v1/events`: a page, or everything from there on as it happens.
pub async fn list(
    State(shop): State<Arc<Shop>>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = last_event(&shop, &headers)?;
    let from = last.map_or_else(|| page.from.unwrap_or(1).max(1), |last| last.position + 1);
    if wants_sse(&headers) {
        return tell(&shop, page.filter, from, "text/event-stream", as_sse);
    }
    if page.follow {
        return tell(&shop, page.filter, from, NDJSON, as_line);
    }
    let limit = page.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
    let events = shop.log.read(from - 1, i64::from(limit)).await?;
    let mut lines = Vec::new();
    for stored in events.iter().filter(|stored| page.filter.wants(stored)) {
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
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    headers.insert(NEXT, HeaderValue::from(last + 1));
    headers.insert(header::CACHE_CONTROL, NOWHERE);
    headers.insert(POSITION, pages::position(reflects));
    Ok(response.into_response())
}

/// Everything from a position on, written in some way, for as long as it lasts.
fn tell(
    shop: &Arc<Shop>,
    filter: Filter,
    from: Position,
    kind: &'static str,
    write: fn(Token, Told) -> Result<Bytes, serde_json::Error>,
) -> Result<Response, Problem> {
    let incarnation = shop.feed.incarnation();
    let told = follow(Seat::take(shop)?, filter, from - 1).map(move |told| {
        let position = match &told {
            Told::Event(stored) => stored.position,
            Told::Nothing(position) => *position,
        };
        write(Token { incarnation, position }, told)
    });
    Ok(going_on(kind, told))
}

fn as_sse(token: Token, told: Told) -> Result<Bytes, serde_json::Error> {
    let Told::Event(stored) = told else { return Ok(beat(token)) };
    Ok(sse(token, &stored.event_type, &serde_json::to_vec(&Event::of(&stored)?)?))
}

/// An empty line says that there is nothing new: readers of NDJSON skip it.
fn as_line(_: Token, told: Told) -> Result<Bytes, serde_json::Error> {
    let mut line = match told {
        Told::Event(stored) => serde_json::to_vec(&Event::of(&stored)?)?,
        Told::Nothing(_) => Vec::new(),
    };
    line.push(b'\n');
    Ok(line.into())
}
