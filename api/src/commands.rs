//! Commands in bulk: one a line in, one answer a line out.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use domain::{
    AggregateType, AnyCommand, payment, subject,
    value::{PaymentId, SubjectId},
};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{json, log::Sequence};

use crate::{
    Shop, access,
    answer::Receipt,
    clients::{is_for_clients, is_now, needed_for},
    extract::{Raw, parse},
    idempotency::Call,
    paying::sealed_token,
    problem::Problem,
};

/// Bytes of a bulk request.
const BODY_MAX: usize = 16 << 20;
/// Commands of a request.
const LINES_MAX: usize = 10_000;
/// Commands on their way at once. Those of one aggregate take effect in the order of their lines all the same.
const AT_ONCE: usize = 256;

/// One line.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = BulkLine))]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// The command's Idempotency-Key: the same again when it is repeated.
    key: String,
    aggregate_type: String,
    aggregate_id: String,
    /// `{"<Command>": {…}}`
    command: Value,
    /// The version that the aggregate must have.
    #[serde(default)]
    expected_version: Option<Sequence>,
}

/// What became of a line.
#[derive(Serialize)]
struct Answer {
    /// Its number, from 1.
    line: usize,
    status: u16,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Done {
        #[serde(flatten)]
        receipt: Receipt,
        replayed: bool,
    },
    Problem {
        #[serde(flatten)]
        members: Map<String, Value>,
        /// Apart: a refusal may well tell of a line of its own.
        #[serde(skip_serializing_if = "Map::is_empty")]
        values: Map<String, Value>,
    },
}

/// `POST /v1/commands`
pub async fn bulk(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Raw(body): Raw<BODY_MAX>,
) -> Result<Response, Problem> {
    let text =
        std::str::from_utf8(&body).map_err(|_| Problem::new("request.malformed", "the body is not UTF-8"))?;
    let lines: Vec<String> =
        text.lines().filter(|line| !line.trim().is_empty()).take(LINES_MAX + 1).map(str::to_owned).collect();
    if lines.is_empty() {
        return Err(Problem::new("request.malformed", "send one JSON object a line"));
    }
    if lines.len() > LINES_MAX {
        let detail = format!("a request takes at most {LINES_MAX} commands; nothing was done");
        return Err(Problem::new("request.too_large", detail));
    }
    let answers = stream::iter(lines.into_iter().zip(1_usize..))
        .map(move |(text, line)| {
            let (shop, call) = (Arc::clone(&shop), call.clone());
            async move { answer(line, run(&shop, &call, &text).await) }
        })
        .buffered(AT_ONCE);
    let mut response = Response::new(Body::from_stream(answers));
    // Each line has a status of its own.
    *response.status_mut() = StatusCode::MULTI_STATUS;
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

async fn run(shop: &Shop, call: &Call, text: &str) -> Result<Outcome, Problem> {
    let Line { key, aggregate_type, aggregate_id, command, expected_version } = parse(true, text.as_bytes())?;
    let aggregate_type: AggregateType = aggregate_type
        .parse()
        .map_err(|error: domain::UnknownAggregate| Problem::new("request.invalid", error.to_string()))?;
    aggregate_type.check_id(&aggregate_id)?;
    let scope = [aggregate_type.as_str(), &*aggregate_id];
    let run = call.one_of_many(shop, &scope, &key, &command, expected_version.into())?;
    let mut command = json::written_command(aggregate_type, &command)
        .map_err(|misfit| Problem::new("request.invalid", format!("command: {misfit}")))?;
    if !is_for_clients(&command) {
        return Err(Problem::new(
            "command.not_for_clients",
            "what the shop tells itself, and what carries prices, is not taken as it stands: see whether it has a route",
        ));
    }
    access::needs(call.principal(), needed_for(&command))?;
    is_now(&mut command, shop.clock.now());
    // A simulated gateway's tokens are no secrets, and tell what happens.
    if shop.stripe.is_some()
        && let AnyCommand::Payment(payment::Command::Authorize { token, .. }) = &mut command
        && let payment::Token::Plain(plain) = &*token
    {
        *token = sealed_token(shop, &PaymentId::new(&*aggregate_id)?, plain.clone()).await?;
    }
    let leaving = match &command {
        AnyCommand::Subject(subject::Command::Forget { .. }) => {
            Some(shop.identity.leaving(SubjectId::new(&*aggregate_id)?, (call.principal(), None)).await?)
        }
        _ => None,
    };
    let done = run.execute(shop, &aggregate_id, command).await?;
    if let Some(leaving) = leaving {
        shop.identity.forget(leaving).await?;
    }
    Ok(Outcome::Done { receipt: done.receipt(&aggregate_id), replayed: done.replayed })
}

fn answer(line: usize, outcome: Result<Outcome, Problem>) -> Result<Vec<u8>, serde_json::Error> {
    let answer = match outcome {
        Ok(outcome) => Answer { line, status: StatusCode::OK.as_u16(), outcome },
        Err(problem) => {
            let (status, members, values) = problem.parts();
            Answer { line, status: status.as_u16(), outcome: Outcome::Problem { members, values } }
        }
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    Ok(text)
}
