//! What went wrong, told as RFC 9457 problem details.

use std::borrow::Cow;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::AnyRefusal;
use serde::Serialize;
use serde_json::{Map, Value};
use store::{
    executor::ExecuteError,
    json::ToJson as _,
    log::{DecodeError, LogError},
    outage::{Outage, Reason},
    vault::VaultError,
};

use crate::{codes, freshness::POSITION, idempotency::REPLAYED, pages::NOWHERE, request};

/// Seconds after which it is worth trying again what the store could not do.
const RETRY_AFTER_S: &str = "1";

/// An answer that is not what was asked for.
#[derive(Clone, Debug)]
pub struct Problem(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    code: &'static str,
    detail: Cow<'static, str>,
    values: Map<String, Value>,
    headers: HeaderMap,
}

impl Problem {
    /// A problem of the table's code; `detail` is prose.
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut headers = HeaderMap::new();
        if codes::of(code).status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        Self(Box::new(Details { code, detail: detail.into(), values: Map::new(), headers }))
    }

    /// Adds a value that explains it, as a member of the answer.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.0.values.insert(name.to_owned(), value);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.insert(name, value);
        }
        self
    }

    /// Something that must not happen; its cause is logged and not told.
    #[must_use]
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, trace_id = request::trace_id(), "a request failed");
        Self::new("internal", "the cause is in the log under this trace_id")
    }

    /// What a refusal says, its values included.
    #[must_use]
    pub fn refused(refusal: &AnyRefusal) -> Self {
        let mut problem = Self::new(refusal.code(), refusal.to_string());
        if let Ok(Value::Object(mut parts)) = refusal.to_json_value()
            && let Some(Value::Object(values)) = parts.remove("values")
        {
            problem.0.values = values;
        }
        problem
    }

    /// Its status, and its members save for those that only a whole answer has.
    #[must_use]
    pub(crate) fn members(self) -> (StatusCode, Map<String, Value>) {
        let (status, members, mut body) = self.parts();
        body.extend(members);
        (status, body)
    }

    /// Its status, its members, and apart from them the values that explain it.
    #[must_use]
    pub(crate) fn parts(self) -> (StatusCode, Map<String, Value>, Map<String, Value>) {
        let Details { code, detail, values, .. } = *self.0;
        let row = codes::of(code);
        let members = [
            ("type", format!("urn:daybook:error:{code}").into()),
            ("title", row.title.into()),
            ("detail", detail.into()),
            ("code", code.into()),
        ];
        let members = members.map(|(name, value): (_, Value)| (name.to_owned(), value));
        (row.status, members.into_iter().collect(), values)
    }

    fn render(self, instance: &str, trace_id: u128) -> Response {
        let headers = self.0.headers.clone();
        let (status, mut body) = self.members();
        let members = [
            ("status", status.as_u16().into()),
            ("instance", instance.into()),
            ("trace_id", format!("{trace_id:032x}").into()),
        ];
        body.extend(members.map(|(name, value): (_, Value)| (name.to_owned(), value)));
        let json = [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
            (header::CACHE_CONTROL, NOWHERE),
        ];
        (status, headers, json, Value::Object(body).to_string()).into_response()
    }
}

impl IntoResponse for Problem {
    /// The status alone; `complete` writes the body, because only it knows the request.
    fn into_response(self) -> Response {
        let mut response = codes::of(self.0.code).status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Refused(refused) => {
                let problem = Self::refused(&refused.refusal)
                    .with_header(POSITION, &refused.token.to_string())
                    .with_header(header::ETAG, &format!("\"{}\"", refused.version));
                if refused.replayed { problem.with_header(REPLAYED, "true") } else { problem }
            }
            ExecuteError::IdReused => Self::new(
                "idempotency.key_reused",
                "the key was used for a request with another body or path",
            ),
            ExecuteError::InFlight => {
                Self::new("idempotency.in_flight", "the first request with this key has no answer yet")
            }
            ExecuteError::VersionMismatch { actual } => {
                Self::new("precondition.failed", format!("the version is {actual} now"))
                    .with("version", actual)
                    .with_header(header::ETAG, &format!("\"{actual}\""))
            }
            ExecuteError::Overloaded => Self::new("store.overloaded", "try again in a moment"),
            ExecuteError::Unavailable(cause) => Self::unavailable(&cause),
        }
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match error {
            error @ (LogError::Database(_)
            | LogError::OtherLog
            | LogError::Standby
            | LogError::Archive(_)
            | LogError::Decode { source: DecodeError::Unknown { .. }, .. }) => {
                Self::unavailable(&(&error).into())
            }
            error @ (LogError::Decode { .. } | LogError::Gap { .. }) => Self::internal(&error),
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => Self::unavailable(&(&error).into()),
            VaultError::Unwritten(store::vault::Failed::Database(error)) => {
                Self::unavailable(&(&*error).into())
            }
            VaultError::Forgotten { ref subject } => {
                Self::new("subject.forgotten", error.to_string()).with("subject", subject)
            }
            // While keys are rotated, a process that has both master keys does better.
            VaultError::Unwritten(_) | VaultError::OtherMaster { .. } => {
                Self::unavailable(&error.to_string().into())
            }
            VaultError::Randomness(_) | VaultError::Broken { .. } | VaultError::WrongMaster { .. } => {
                Self::internal(&error)
            }
        }
    }
}

impl From<domain::value::Invalid> for Problem {
    fn from(error: domain::value::Invalid) -> Self {
        Self::new("request.invalid", error.to_string()).with("wanted", error.wanted)
    }
}

impl Problem {
    /// The cause is logged; whoever asked is told in a word what stands in the way.
    pub(crate) fn unavailable(cause: &Outage) -> Self {
        tracing::error!(%cause, trace_id = request::trace_id(), "the store is unavailable");
        let detail = match cause.reason {
            Reason::ReadOnly => {
                "the database takes no writes for now; repeat a command later under its Idempotency-Key"
            }
            Reason::DiskFull => {
                "the database has no room left; repeat a command later under its Idempotency-Key"
            }
            Reason::TooNew => {
                "this holds an event of a newer program than the one that answers; it is served again after the upgrade"
            }
            Reason::Unreachable | Reason::Other => {
                "try again; a command may have taken effect, so repeat it under its Idempotency-Key"
            }
        };
        Self::new("store.unavailable", detail).with("reason", cause.reason.as_str())
    }
}

/// Writes the body of whatever is not what was asked for, whoever answered with it; says under which code.
pub(crate) fn complete(
    response: Response,
    method: &Method,
    instance: &str,
    trace_id: u128,
) -> (Response, Option<&'static str>) {
    let status = response.status();
    if status.is_success() {
        return (response, None);
    }
    let mut response = response;
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if status == StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new("route.method_not_allowed", format!("{method} means nothing here"))
        }
        None => return (response, None),
    };
    let code = problem.0.code;
    let mut told = problem.render(instance, trace_id);
    // What others on the way have said of the request stays true; the length is that of a body that was not there yet.
    for (name, value) in response.headers().iter().filter(|(name, _)| *name != header::CONTENT_LENGTH) {
        told.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    (told, Some(code))
}

/// The answer where no route is.
pub async fn unknown_route() -> Problem {
    Problem::new("route.unknown", "no resource has this path")
}
