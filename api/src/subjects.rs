//! Whoever asks to be forgotten is forgotten.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{
    subject::Command,
    value::{SubjectId, Text},
};
use serde::{Deserialize, Serialize};

use crate::{
    Shop,
    extract::{OptionalJson, Path},
    freshness::Freshness,
    idempotency::Call,
    identity::Password,
    problem::Problem,
    text::Short,
};

/// Why, in words that say nothing about the person.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ForgetSubject))]
#[serde(deny_unknown_fields)]
pub struct Forget {
    #[serde(default)]
    reason: Option<Short>,
    /// Of whoever forgets themselves, unless they have logged in within the last five minutes.
    #[serde(default, skip_serializing)]
    #[cfg_attr(test, schema(value_type = Option<String>))]
    password: Option<Password>,
}

/// `POST /v1/subjects/{subject}/forget`: 200 when nothing of theirs opens any more, 202 when that is still under way.
pub async fn forget(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(subject): Path<SubjectId>,
    Freshness(freshness): Freshness,
    OptionalJson(body): OptionalJson<Forget>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let command = Command::Forget { reason: body.reason.map(Text::from) };
    let by = (call.principal(), body.password.as_ref());
    let leaving = shop.identity.leaving(subject.clone(), by).await?;
    let done = run.execute(&shop, subject.as_str(), command).await?;
    let answer = done.ok(subject.as_str());
    shop.identity.forget(leaving).await?;
    tokio::select! {
        forgotten = shop.vault.until_forgotten(subject.as_str()) => {
            forgotten?;
            Ok(answer)
        }
        () = shop.clock.sleep(freshness.wait) => Ok((StatusCode::ACCEPTED, answer).into_response()),
    }
}
