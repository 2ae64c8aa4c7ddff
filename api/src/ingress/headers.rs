//! Headers that every answer carries, and what pages of other origins may do.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

use super::rate;
use crate::{events, freshness, idempotency};

/// What a browser is told of everything. Pages with more to say, such as an invoice, bring a policy of their own.
const GUARDS: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::X_FRAME_OPTIONS, "DENY"),
];
/// Two years, as browsers' own lists of sites want it.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
/// How long a browser may remember what it was allowed.
const ALLOWED_FOR: Duration = Duration::from_secs(3_600);

/// Adds what is missing.
pub(super) fn guard(headers: &mut HeaderMap, https: bool) {
    for (name, value) in GUARDS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
}

/// What pages of these origins may do; nothing when there are none.
pub(super) fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let sent = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        idempotency::KEY,
        freshness::MIN_POSITION,
        freshness::PREFER,
        HeaderName::from_static("last-event-id"),
        HeaderName::from_static("traceparent"),
    ];
    let read = [
        header::ETAG,
        header::LOCATION,
        header::RETRY_AFTER,
        freshness::POSITION,
        freshness::STALE_SINCE,
        idempotency::REPLAYED,
        events::NEXT,
        rate::LIMIT,
        rate::POLICY,
    ];
    Some(
        CorsLayer::new()
            .allow_origin(origins.to_vec())
            .allow_methods(methods)
            .allow_headers(sent)
            .expose_headers(read)
            .max_age(ALLOWED_FOR),
    )
}
