//! What other parties' systems tell by themselves.

mod signature;
mod stripe;

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
};
use store::gateway::PaymentResults;

use crate::{
    Shop,
    extract::Raw,
    outbound::stripe::{Stripe, tally::Delivery},
    problem::{self, Problem},
};

pub use signature::{NoSecrets, Secrets};

/// Bytes of a webhook.
const BODY_MAX: usize = 256 << 10;

const SIGNATURE: HeaderName = HeaderName::from_static("stripe-signature");

/// What it takes to hear what Stripe tells. Cheap to clone.
#[derive(Clone)]
pub struct FromStripe {
    /// Where it is looked up how something stands.
    pub stripe: Stripe,
    /// What it signs with.
    pub secrets: Secrets,
    /// Where it goes.
    pub results: PaymentResults,
}

/// `POST /v1/webhooks/stripe`
pub async fn stripe(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    Raw(body): Raw<BODY_MAX>,
) -> Result<StatusCode, Problem> {
    let Some(door) = &shop.stripe else {
        return Err(problem::unknown_route().await);
    };
    let tally = door.stripe.tally();
    let header = headers.get(SIGNATURE).and_then(|header| header.to_str().ok());
    door.secrets.check(header, &body, shop.clock.now()).map_err(|error| {
        tally.delivered(Delivery::Unsigned);
        tracing::warn!(%error, "a webhook is not believed");
        Problem::new("webhook.bad_signature", error.to_string())
    })?;
    // What is wrong with it is not told: it may hold anything.
    let event = serde_json::from_slice(&body)
        .map_err(|_| Problem::new("request.malformed", "the body is no event of Stripe's"))?;
    let delivery = stripe::take(&shop, door, event).await?;
    tally.delivered(delivery);
    Ok(StatusCode::OK)
}
