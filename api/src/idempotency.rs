//! Executes a client's command once, however often the request comes.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, MatchedPath, RawPathParams},
    http::{HeaderMap, HeaderName, request::Parts},
};
use domain::{AnyCommand, AnyEvent};
use serde::Serialize;
use store::{
    executor::{Cause, ExecuteError, Executed, Origin, Request, derived_id, of_its_time},
    log::{LogError, Sequence},
    secrets::client_command_id,
};
use uuid::Uuid;

use crate::{
    Shop,
    answer::Done,
    principal::Principal,
    problem::Problem,
    request,
    tags::{Expected, NO_VERSION},
};

/// Tells that an answer is the first one again.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Characters of a key.
const KEY_MAX: usize = 255;

/// Everything about a request that a command needs beside its body.
#[derive(Clone, Debug)]
pub struct Call {
    principal: Principal,
    /// Method, route and path parameters: what a key is good for.
    scope: String,
    key: Option<Box<str>>,
    expected: Expected,
}

impl FromRequestParts<Arc<Shop>> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, shop).await?;
        let route =
            MatchedPath::from_request_parts(parts, shop).await.map_err(|error| Problem::internal(&error))?;
        let params = RawPathParams::from_request_parts(parts, shop)
            .await
            .map_err(|error| Problem::new("request.malformed", error.to_string()))?;
        let params: Vec<_> = params.iter().collect();
        let scope = serde_json::to_string(&(parts.method.as_str(), route.as_str(), params))
            .map_err(|error| Problem::internal(&error))?;
        Ok(Self { principal, scope, key: key(&parts.headers)?, expected: Expected::of(&parts.headers)? })
    }
}

fn key(headers: &HeaderMap) -> Result<Option<Box<str>>, Problem> {
    let Some(key) = headers.get(KEY) else {
        return Ok(None);
    };
    checked(key.to_str().unwrap_or_default()).map(|key| Some(key.into()))
}

fn checked(key: &str) -> Result<&str, Problem> {
    if (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(key);
    }
    Err(Problem::new("idempotency.key_invalid", "a key is 1 to 255 visible ASCII characters without spaces"))
}

impl Call {
    /// Who asks.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// A run of a command that must not happen twice: without a key there is none.
    ///
    /// # Errors
    /// `idempotency.key_missing`.
    pub fn keyed(&self, shop: &Shop, body: &impl Serialize) -> Result<Run, Problem> {
        if self.key.is_none() {
            return Err(Problem::new(
                "idempotency.key_missing",
                "send an Idempotency-Key of your own, the same again when you repeat the request",
            ));
        }
        self.run(shop, body)
    }

    /// A run of one of many commands in a request; `scope` is what it is for, and its key is good for that alone.
    ///
    /// # Errors
    /// `idempotency.key_invalid`.
    pub fn one_of_many(
        &self,
        shop: &Shop,
        scope: &[&str],
        key: &str,
        body: &impl Serialize,
        expected: Expected,
    ) -> Result<Run, Problem> {
        let scope =
            serde_json::to_string(&(&self.scope, scope)).map_err(|error| Problem::internal(&error))?;
        let key = Some(checked(key)?.into());
        Self { scope, key, expected, principal: self.principal.clone() }.keyed(shop, body)
    }

    /// A run of a command; without a key every request is another command.
    ///
    /// # Errors
    /// When the body cannot be written as JSON.
    pub fn run(&self, shop: &Shop, body: &impl Serialize) -> Result<Run, Problem> {
        let actor = self.principal.actor();
        let body = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
        Ok(Run {
            command_id: match &self.key {
                Some(key) => client_command_id(&actor, &self.scope, key),
                None => shop.ids.next(),
            },
            keyed: self.key.is_some(),
            fingerprint: shop.fingerprints.of_parts(&[self.scope.as_bytes(), &body]),
            expected: self.expected.clone(),
            actor,
        })
    }
}

/// A command on its way, under the id that its key stands for.
#[derive(Clone, Debug)]
pub struct Run {
    command_id: Uuid,
    keyed: bool,
    /// Over the body as the client meant it: what is sealed or priced on the way may differ between repeats.
    fingerprint: [u8; 32],
    expected: Expected,
    actor: Arc<str>,
}

impl Run {
    /// A new name for what the command makes; under a key a repeat makes the same.
    #[must_use]
    pub fn new_id(&self, shop: &Shop, kind: &str) -> Uuid {
        if self.keyed { derived_id(self.command_id, kind, 0) } else { shop.ids.next() }
    }

    /// The same, as one of the time that the id of what it is made from begins with.
    #[must_use]
    pub fn new_id_from(&self, shop: &Shop, kind: &str, from: &str) -> Uuid {
        let id = self.new_id(shop, kind);
        match Uuid::try_parse(from) {
            Ok(from) if self.keyed => of_its_time(from, id),
            _ => id,
        }
    }

    /// The run of the `nth` further command of the same request, on a version that the request has found.
    #[must_use]
    pub fn further(&self, nth: i64, expected: Expected) -> Self {
        Self { command_id: derived_id(self.command_id, "further", nth), expected, ..self.clone() }
    }

    /// The same run on a version that the request has found.
    #[must_use]
    pub fn on(&self, version: Sequence) -> Self {
        Self { expected: Some(version).into(), ..self.clone() }
    }

    /// What everything that follows from the command is known by.
    #[must_use]
    pub const fn correlation_id(&self) -> Uuid {
        self.command_id
    }

    /// The version that the client insists on.
    #[must_use]
    pub const fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Executes a command on an aggregate.
    ///
    /// # Errors
    /// As the executor says.
    pub async fn execute(
        &self,
        shop: &Shop,
        id: &str,
        command: impl Into<AnyCommand>,
    ) -> Result<Done, ExecuteError> {
        let request = Request {
            aggregate_id: id.into(),
            command: command.into(),
            command_id: self.command_id,
            fingerprint: self.fingerprint,
            origin: Origin::Client,
            expected_version: None,
            cause: Cause {
                actor: self.actor.clone(),
                correlation_id: self.command_id,
                causation_id: self.command_id,
                occurred_at: None,
                traceparent: None,
            },
        };
        request::runs(self.command_id);
        let executed = match self.as_expected(shop, &request).await {
            // A repeat finds the version that it made itself: its first answer counts, not the version.
            Err(stale @ ExecuteError::VersionMismatch { .. }) if self.keyed => {
                let answers = shop.log.answers(&[self.command_id]).await.map_err(unread)?;
                if answers.is_empty() {
                    return Err(stale);
                }
                shop.executor.execute(request).await?
            }
            executed => executed?,
        };
        done(shop, executed).await
    }

    /// Executes it on one of the versions that the client expects.
    async fn as_expected(&self, shop: &Shop, request: &Request) -> Result<Executed, ExecuteError> {
        let on = |expected_version| shop.executor.execute(Request { expected_version, ..request.clone() });
        match &self.expected {
            Expected::Whatever => on(None).await,
            // What is there once is there for ever.
            Expected::There => match on(Some(NO_VERSION)).await {
                Err(ExecuteError::VersionMismatch { actual }) if actual > 0 => on(None).await,
                executed => executed,
            },
            Expected::Versions(versions) => {
                match on(Some(versions.first().copied().unwrap_or(NO_VERSION))).await {
                    Err(ExecuteError::VersionMismatch { actual }) if versions.contains(&actual) => {
                        on(Some(actual)).await
                    }
                    executed => executed,
                }
            }
        }
    }
}

/// A first answer given again has its events in the log.
async fn done(shop: &Shop, executed: Executed) -> Result<Done, ExecuteError> {
    let events: Vec<AnyEvent> = match executed.positions {
        Some((first, last)) if executed.replayed => {
            let recorded = shop.log.recorded_after(first - 1, last - first + 1).await.map_err(unread)?;
            recorded.into_iter().flat_map(|recorded| recorded.events).collect()
        }
        _ => executed.events.into_iter().map(|(_, event)| event).collect(),
    };
    Ok(Done { version: executed.version, events, token: executed.token, replayed: executed.replayed })
}

fn unread(error: LogError) -> ExecuteError {
    ExecuteError::Unavailable((&error).into())
}
