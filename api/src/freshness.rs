//! How new an answer has to be, how long to wait for it, and how new it is.

use std::time::Duration;

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use projections::{Fresh, QueryError};
use serde::Serialize;
use store::{executor::Token, log::Sequence};

use crate::{
    ingress::HEADERS,
    pages::{self, PRIVATE, Page, VARY},
    problem::Problem,
    tags::Conditions,
};

/// The position that an answer reflects, or that a command has reached.
pub const POSITION: HeaderName = HeaderName::from_static("daybook-position");

/// The first event that an answer lacks, because its stream was set aside.
pub const STALE_SINCE: HeaderName = HeaderName::from_static("daybook-stale-since");

pub(crate) const MIN_POSITION: HeaderName = HeaderName::from_static("daybook-min-position");
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// How long is waited for what a client did not say how long to wait for.
const WAIT: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long the client prefers to wait: `Prefer: wait=<seconds>`, two seconds unless it says so, thirty at most.
#[derive(Clone, Copy, Debug)]
pub struct Wait(pub Duration);

/// What a query has to reflect: `Daybook-Min-Position`, and how long to wait for it.
#[derive(Clone, Copy, Debug)]
pub struct Freshness(pub projections::Freshness);

impl<S: Send + Sync> FromRequestParts<S> for Wait {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(wait(&parts.headers)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Freshness {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let at_least = match parts.headers.get(MIN_POSITION) {
            None => None,
            Some(text) => Some(text.to_str().ok().and_then(token).ok_or_else(|| {
                Problem::new(
                    "position.malformed",
                    "send what a Daybook-Position said: <incarnation>:<position>",
                )
            })?),
        };
        Ok(Self(projections::Freshness { at_least, wait: wait(&parts.headers) }))
    }
}

/// Preferences are wishes: one that cannot be read is as if it were not there (RFC 7240).
fn wait(headers: &HeaderMap) -> Duration {
    let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut waits = preferences
        .flat_map(|value| value.split(','))
        .filter_map(|preference| preference.trim().strip_prefix("wait=")?.trim().parse().ok());
    waits.next().map_or(WAIT, |seconds| Duration::from_secs(seconds).min(WAIT_MAX))
}

/// A token as a header has it.
pub(crate) fn token(text: &str) -> Option<Token> {
    let (incarnation, position) = text.trim().split_once(':')?;
    Some(Token {
        incarnation: incarnation.parse().ok()?,
        position: position.parse().ok().filter(|position| *position >= 0)?,
    })
}

/// 200 with what a read model says, and what that reflects; for one reader.
pub fn answer<T: Serialize>(fresh: Fresh<T>) -> Response {
    answer_for(fresh, PRIVATE)
}

/// The same for whom the header says.
pub fn answer_for<T: Serialize>(fresh: Fresh<T>, keeping: HeaderValue) -> Response {
    let Fresh { value, reflects, stale_since } = fresh;
    let mut response = (StatusCode::OK, Json(value)).into_response();
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::CACHE_CONTROL, keeping);
    headers.insert(header::VARY, VARY);
    pages::tell(headers, reflects, stale_since);
    response
}

/// 200 with one thing that follows from one stream, under its version, or the problem that there is none; for one reader.
///
/// # Errors
/// `missing`, when there is nothing; it too says what it reflects. `precondition.failed`, when the client insists on another.
pub fn found<T: Serialize>(
    fresh: &Fresh<Option<T>>,
    version: impl Fn(&T) -> Sequence,
    missing: &'static str,
    conditions: &Conditions,
) -> Result<Response, Problem> {
    let value = fresh.value.as_ref().ok_or_else(|| pages::missing(fresh, missing))?;
    Page::of_stream(value, version(value))?.answer(fresh, conditions, PRIVATE)
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Behind { reflects } => {
                Self::new("read_model.behind", error.to_string()).with("reflects", reflects)
            }
            QueryError::Parked { first_position } => {
                Self::new("read_model.parked", error.to_string()).with("first_position", first_position)
            }
            QueryError::WrongIncarnation => Self::new("position.other_log", error.to_string()),
            QueryError::BadCursor => Self::new("request.invalid", error.to_string()),
            QueryError::CutOff => Self::new("store.unavailable", error.to_string()).with("reason", "cut_off"),
            // Its cause names addresses and files.
            error @ QueryError::Index(_) => {
                tracing::error!(%error, "a search failed");
                Self::new("search.unavailable", "the search index does not answer: try again in a moment")
            }
            QueryError::Database(error) => Self::unavailable(&(&error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use projections::QueryError;

    use crate::problem::Problem;

    #[test]
    fn what_is_wrong_with_the_index_is_nobodys_business_outside() {
        let problem = Problem::from(QueryError::Index("http://10.0.0.5:7700: the key is wrong".to_owned()));
        let (status, members, values) = problem.parts();
        assert_eq!((status.as_u16(), members["code"].as_str()), (503, Some("search.unavailable")));
        let told = format!("{members:?}{values:?}");
        assert!(!told.contains("10.0.0.5") && !told.contains("key"), "{told}");
    }
}
