//! What a command answers: its version, its events, and the position to read one's own write from.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::AnyEvent;
use serde::Serialize;
use store::{
    executor::Token,
    log::{Position, Recorded, Sequence},
};

use crate::{freshness::POSITION, idempotency::REPLAYED, ingress::HEADERS, problem::Problem};

/// A command that was accepted, durably, with its events even when this is a repeat.
#[derive(Clone, Debug)]
pub struct Done {
    /// The stream's version after it.
    pub version: Sequence,
    /// What happened; nothing when it had happened before.
    pub events: Vec<AnyEvent>,
    /// For reading one's own writes.
    pub token: Token,
    /// Whether this is the first answer again.
    pub replayed: bool,
}

/// The body that answers a command.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Receipt {
    /// What the command was for.
    pub id: String,
    /// Its version after it.
    pub version: Sequence,
    /// The stored names of what happened.
    pub events: Vec<&'static str>,
    /// The log's position after it.
    pub position: Position,
}

impl Done {
    /// The same with an event that followed.
    #[must_use]
    pub fn then(mut self, recorded: &Recorded) -> Self {
        self.version = recorded.sequence;
        self.token.position = recorded.position;
        self.events.extend(recorded.events.iter().cloned());
        self
    }

    /// What happened, in short.
    #[must_use]
    pub fn receipt(&self, id: &str) -> Receipt {
        Receipt {
            id: id.to_owned(),
            version: self.version,
            events: self.events.iter().map(AnyEvent::event_type).collect(),
            position: self.token.position,
        }
    }

    /// The answer with a body of its own.
    #[must_use]
    pub fn respond(&self, status: StatusCode, body: impl Serialize) -> Response {
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", self.version)) {
            headers.insert(header::ETAG, tag);
        }
        if let Ok(token) = HeaderValue::from_str(&self.token.to_string()) {
            headers.insert(POSITION, token);
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }

    /// A problem that came of it after all, with what it reflects.
    #[must_use]
    pub fn problem(&self, problem: Problem) -> Problem {
        let problem = problem.with_header(POSITION, &self.token.to_string());
        if self.replayed { problem.with_header(REPLAYED, "true") } else { problem }
    }

    /// 200 with the receipt.
    #[must_use]
    pub fn ok(&self, id: &str) -> Response {
        self.respond(StatusCode::OK, self.receipt(id))
    }

    /// 201 with the receipt and where the new thing is.
    #[must_use]
    pub fn created(&self, id: &str, location: &str) -> Response {
        located(self.respond(StatusCode::CREATED, self.receipt(id)), location)
    }
}

/// The response, saying where the thing is.
#[must_use]
pub fn located(mut response: Response, location: &str) -> Response {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// One segment of a path, percent-encoded outside the unreserved characters of RFC 3986.
#[must_use]
pub fn segment(text: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes()
        .map(|byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
