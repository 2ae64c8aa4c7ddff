//! `POST /v1/webhooks/carriers/{carrier}`: signed as Standard Webhooks says, taken once however often it comes.

use std::sync::Arc;

use axum::{
    Json as Answer, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use domain::value::Text;
use serde::Deserialize;
use serde_json::json;
use store::executor::derived_id;
use uuid::Uuid;

use super::{CarrierName, Tell, Word, tell::Happened};
use crate::{
    Shop,
    extract::{Path, Raw, parse},
    outbound::errands::{Channel, NewErrand, Outcome, State as Became, carry_one},
    problem::Problem,
    standard_webhooks::verify,
    text::Short,
};

/// Bytes of a carrier's message.
const BODY_MAX: usize = 64 << 10;
/// What the ids of carriers' messages are derived under.
const NAMESPACE: Uuid = Uuid::from_u128(0x6461_7962_6f6f_6b00_8000_0000_0000_0004);

/// A message. What else stands in it is the carrier's own business.
#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<Parcel>,
}

#[derive(Deserialize)]
struct Parcel {
    #[serde(default)]
    tracking: Option<Short>,
}

/// The route of carriers' webhooks.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/v1/webhooks/carriers/{carrier}", post(take))
}

/// `POST /v1/webhooks/carriers/{carrier}`
pub async fn take(
    State(shop): State<Arc<Shop>>,
    Path(carrier): Path<String>,
    headers: HeaderMap,
    Raw(body): Raw<BODY_MAX>,
) -> Result<Response, Problem> {
    let known = CarrierName::new(&carrier).filter(|name| name.as_str() == carrier);
    let unknown = || Problem::new("carrier.unknown", "the shop has set no secret for this carrier");
    let carrier = known.ok_or_else(unknown)?;
    let secrets = shop.settings.carriers.secrets(&carrier).ok_or_else(unknown)?;
    let id = verify(secrets, &headers, &body, shop.clock.now())
        .map_err(|why| Problem::new("webhook.not_believed", why.to_string()))?;
    let message: Message = parse(true, &body)?;
    let Some((kind, happened)) = Happened::of(&message.kind) else {
        return Ok(said(StatusCode::OK, "ignored"));
    };
    let tracking = message.data.and_then(|data| data.tracking);
    let tracking =
        tracking.ok_or_else(|| Problem::new("request.invalid", "data.tracking: a tracking number"))?;
    let word = Word { carrier: carrier.to_string(), tracking: Text::from(tracking).to_string(), happened };
    let payload = serde_json::to_string(&word).map_err(|error| Problem::internal(&error))?;
    let errand = derived_id(NAMESPACE, &format!("{carrier}:{id}"), 0);
    bring(&shop, errand, kind, payload).await
}

/// Keeps the word, and brings it at once if that can be done.
async fn bring(shop: &Shop, id: Uuid, kind: &'static str, payload: String) -> Result<Response, Problem> {
    let queue = &shop.outbound.queue;
    let new = NewErrand {
        id,
        channel: Channel::Carrier,
        lane: String::new(),
        kind,
        message: id,
        origin: None,
        payload: Some(payload),
        dead: None,
    };
    let taken = match queue.put_taken(&new).await? {
        Some(made) => Some(made),
        None => queue.take_one(id).await?,
    };
    if let Some(errand) = taken {
        let tell = Tell::new(shop.executor.clone(), shop.fingerprints.clone(), shop.edge.clone());
        let outcome = carry_one(&tell, queue, &*shop.clock, &shop.outbound.counters, &errand).await;
        return Ok(match outcome {
            Outcome::Done => said(StatusCode::OK, "taken"),
            Outcome::Void(_) | Outcome::Again(_) | Outcome::Never(_) => said(StatusCode::ACCEPTED, "kept"),
        });
    }
    let known = queue.show(&[Channel::Carrier], id).await?;
    Ok(match known.map(|known| known.state) {
        Some(Became::Done) => said(StatusCode::OK, "taken"),
        Some(Became::Waiting | Became::Void | Became::Dead) | None => said(StatusCode::ACCEPTED, "kept"),
    })
}

fn said(status: StatusCode, what: &str) -> Response {
    (status, Answer(json!({ "status": what }))).into_response()
}
