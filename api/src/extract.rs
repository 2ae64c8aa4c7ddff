//! Reads requests: bodies, paths and queries, with problems for what cannot be read.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{
        DefaultBodyLimit, FromRequest, FromRequestParts, Path as AxumPath, Query as AxumQuery, Request,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{card, ingress, problem::Problem};

/// Bytes of a body, where nothing else is said.
const BODY_MAX: usize = 1 << 20;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// A JSON body that may be left out, which means the default.
#[derive(Clone, Copy, Debug)]
pub struct OptionalJson<T>(pub T);

/// The path's parameters, percent-decoded.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

/// The query's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let body = body(request, state, BODY_MAX).await?;
        parse(json, &body).map(Self)
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let body = body(request, state, BODY_MAX).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        parse(json, &body).map(Self)
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match AxumPath::from_request_parts(parts, state).await {
            Ok(AxumPath(path)) => Ok(Self(path)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => {
                Err(Problem::new("request.invalid", error.body_text()))
            }
            Err(error) => Err(Problem::internal(&error)),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match AxumQuery::from_request_parts(parts, state).await {
            Ok(AxumQuery(query)) => Ok(Self(query)),
            Err(error) => Err(Problem::new("request.invalid", error.body_text())),
        }
    }
}

/// A body as it came, of at most so many bytes.
#[derive(Clone, Debug)]
pub struct Raw<const MAX: usize>(pub Bytes);

impl<const MAX: usize, S: Send + Sync> FromRequest<S> for Raw<MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        body(request, state, MAX).await.map(Self)
    }
}

async fn body<S: Send + Sync>(mut request: Request, state: &S, max: usize) -> Result<Bytes, Problem> {
    if request.headers().get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Problem::new(
            "request.unsupported_media_type",
            "send the body as it is, without a coding",
        ));
    }
    DefaultBodyLimit::max(max).apply(&mut request);
    let Some(body) = ingress::within(BODY_WITHIN, Bytes::from_request(request, state)).await else {
        let detail = format!("a body has to arrive within {} s", BODY_WITHIN.as_secs());
        return Err(Problem::new("request.timeout", detail));
    };
    body.map_err(|error: BytesRejection| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let (max, unit) = if max < 1 << 20 { (max >> 10, "KiB") } else { (max >> 20, "MiB") };
            Problem::new("request.too_large", format!("a body has at most {max} {unit} here"))
        } else {
            Problem::new("request.malformed", "the body ended before its end")
        }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    kind.is_some_and(|kind| {
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
    })
}

/// Text that is not JSON is malformed; JSON that does not say what was asked for is invalid.
pub(crate) fn parse<T: DeserializeOwned>(json: bool, body: &[u8]) -> Result<T, Problem> {
    if !json {
        return Err(Problem::new("request.unsupported_media_type", "send Content-Type: application/json"));
    }
    // First: what cannot be read is told with the value that is wrong.
    card::none_in(body)?;
    let parsed = serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => Problem::new("request.invalid", error.to_string()),
        Category::Io | Category::Syntax | Category::Eof => {
            Problem::new("request.malformed", error.to_string())
        }
    })?;
    // Members go by name: serde would take a list for them as well, in their order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::new("request.invalid", "invalid type: sequence, expected an object"));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request, response::IntoResponse};
    use futures::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let piece = Ok::<_, std::io::Error>(Bytes::from_static(b"{\"currency\":"));
        let body = Body::from_stream(stream::unfold(Some(piece), async |piece| match piece {
            Some(piece) => Some((piece, None)),
            None => std::future::pending().await,
        }));
        let request = Request::post("/v1/carts").body(body).unwrap_or_default();
        let refused =
            Raw::<BODY_MAX>::from_request(request, &()).await.err().map(IntoResponse::into_response);
        assert_eq!(refused.map(|refused| refused.status()), Some(StatusCode::REQUEST_TIMEOUT));
    }
}
