//! Serves the documents and the page, which change with the program only.

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use crate::{
    Shop,
    problem::Problem,
    tags::{self, Conditions, Hash, Judged},
};

/// The description of the API.
pub const OPENAPI: &str = include_str!("../../openapi.json");
/// The description of what is told.
pub const ASYNCAPI: &str = include_str!("../../asyncapi.json");
const PAGE: &str = include_str!("docs.html");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// It changes with the program: whoever has it asks whether that is another one.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// What the page may do: run its own script and style, which are known by their hashes, and ask this server.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = |name| STANDARD.encode(Sha256::digest(inside(PAGE, name).as_bytes()));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// The text of the page's one element of that name.
fn inside<'a>(page: &'a str, name: &str) -> &'a str {
    let begun = page.split_once(&format!("<{name}>")).map_or("", |(_, after)| after);
    begun.split_once(&format!("</{name}>")).map_or("", |(text, _)| text)
}

/// The routes of descriptions.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/asyncapi.json", get(asyncapi))
        .route("/docs", get(docs))
}

/// `GET /openapi.json`
pub async fn openapi(conditions: Conditions) -> Result<Response, Problem> {
    served(OPENAPI, JSON, &conditions)
}

/// `GET /asyncapi.json`
pub async fn asyncapi(conditions: Conditions) -> Result<Response, Problem> {
    served(ASYNCAPI, JSON, &conditions)
}

/// `GET /docs`
pub async fn docs(conditions: Conditions) -> Result<Response, Problem> {
    let mut page = served(PAGE, HTML, &conditions)?;
    page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    Ok(page)
}

fn served(text: &'static str, kind: HeaderValue, conditions: &Conditions) -> Result<Response, Problem> {
    let tag = tags::of_text(Hash::of(text.as_bytes()));
    let headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, KEPT),
        (header::ETAG, tag.clone()),
    ]);
    match conditions.judge(&tag) {
        Judged::Wanted => Ok((headers, text).into_response()),
        Judged::Known => Ok((StatusCode::NOT_MODIFIED, headers).into_response()),
        Judged::Another => Err(Problem::new("precondition.failed", "it is another one now")),
    }
}
