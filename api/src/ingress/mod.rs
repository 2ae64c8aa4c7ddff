//! What every request goes through before its route: connections, limits, and what all answers carry.

mod headers;
mod limits;
pub mod listener;
mod peer;
mod rate;
pub mod tls;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderValue},
    middleware::{self, Next},
    response::Response,
};
use tokio::sync::{Semaphore, watch};
use tower_http::compression::CompressionLayer;

pub(crate) use limits::within;
pub(crate) use peer::Party;
pub use peer::{Network, NetworkError, Peer};
pub(crate) use rate::by_principal;
pub use rate::{Rate, RateError};

use crate::Shop;

/// Requests at work at once.
const AT_WORK_MAX: usize = 2_048;
/// Answers without an end at once.
const SEATS: usize = 1_000;
/// How long a request may take until its answer begins; the longest wait that a client may ask for is far below.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What may be set about it.
#[derive(Clone, Debug)]
pub struct IngressSettings {
    /// Pages of these origins may read answers in a browser.
    pub origins: Vec<HeaderValue>,
    /// Proxies that are believed when they name a client.
    pub proxies: Vec<Network>,
    /// Requests of one address.
    pub per_address: Option<Rate>,
    /// Requests of one who has said who they are.
    pub per_principal: Option<Rate>,
    /// Whether clients come over TLS, here or at a proxy.
    pub https: bool,
    /// Requests at work at once.
    pub at_work_max: usize,
    /// How long a request may take until its answer begins.
    pub answer_within: Duration,
}

impl Default for IngressSettings {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            proxies: Network::LOOPBACK.to_vec(),
            per_address: Some(Rate::PER_ADDRESS),
            per_principal: Some(Rate::PER_PRINCIPAL),
            https: false,
            at_work_max: AT_WORK_MAX,
            answer_within: ANSWER_WITHIN,
        }
    }
}

/// What requests to a running process go through first.
#[derive(Clone)]
pub struct Ingress {
    turns: Arc<Semaphore>,
    at_work_max: usize,
    answer_within: Duration,
    proxies: Arc<[Network]>,
    per_address: Option<Arc<rate::Limiter<Party>>>,
    per_principal: Option<Arc<rate::Limiter<Box<str>>>>,
    draining: Arc<watch::Sender<bool>>,
    /// Places for answers without an end.
    pub(crate) seats: Arc<Semaphore>,
}

impl Ingress {
    /// One that takes requests.
    #[must_use]
    pub fn new(settings: &IngressSettings) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(settings.at_work_max)),
            at_work_max: settings.at_work_max,
            answer_within: settings.answer_within,
            proxies: settings.proxies.clone().into(),
            per_address: settings.per_address.map(|rate| Arc::new(rate::Limiter::new("address", rate))),
            per_principal: settings.per_principal.map(|rate| Arc::new(rate::Limiter::new("principal", rate))),
            draining: Arc::new(watch::Sender::new(false)),
            seats: Arc::new(Semaphore::new(SEATS)),
        }
    }

    /// Who asks, by where it comes from; `None` for this machine itself, or a trusted proxy that names nobody.
    pub(crate) fn party(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<Party> {
        Party::of(headers, extensions, &self.proxies)
    }

    /// How many requests are at work, and how many may be.
    pub(crate) fn active(&self) -> (usize, usize) {
        (self.at_work_max.saturating_sub(self.turns.available_permits()), self.at_work_max)
    }

    /// From now on `/readyz` says that requests should go elsewhere; they are answered all the same.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Whether this process is about to end.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }
}

/// Puts it around routes. What is added last is met first.
pub(crate) fn around(routes: Router<Arc<Shop>>, shop: &Arc<Shop>) -> Router<Arc<Shop>> {
    // Together: the router copies, for every request and every layer, whatever is within that layer.
    let through = middleware::from_fn_with_state(Arc::clone(shop), through);
    let routes = routes.layer((CompressionLayer::new(), through));
    match headers::cors(&shop.settings.ingress.origins) {
        Some(cors) => routes.layer(cors),
        None => routes,
    }
}

async fn through(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let bounded = |request| limits::bounded(&shop, request, |request| next.run(request));
    let counted = |request| rate::by_address(&shop, request, bounded);
    let mut response = crate::request::watched(&shop, request, counted).await;
    headers::guard(response.headers_mut(), shop.settings.ingress.https);
    response
}
