//! What every request goes through before its route: connections, limits, and what all answers carry.

mod front;
mod headers;
mod limits;
pub mod listener;
mod peer;
mod rate;
pub mod tls;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::Request,
    http::{Extensions, HeaderMap, HeaderValue, Method, header},
    response::Response,
};
use futures::FutureExt as _;
use tokio::sync::{Semaphore, watch};
use tower::{Layer as _, Service as _, service_fn};
use tower_http::compression::{CompressionLayer, DefaultPredicate, Predicate as _};

pub use front::Front;
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

/// Most answers have about so many headers in the end: room is made for all at once.
pub(crate) const HEADERS: usize = 16;

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
    per_principal: Option<Arc<rate::Limiter<Arc<str>>>>,
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

/// Puts it before routes: as a service around the router, for a layer of the router is copied with all that is within it for
/// each request.
pub(crate) fn before(routes: Router, shop: Arc<Shop>) -> Front {
    let cors = headers::cors(&shop.settings.ingress.origins);
    let service = service_fn(move |request| answered(Arc::clone(&shop), routes.clone(), request).map(Ok));
    match cors {
        Some(cors) => Front::of(cors.layer(service)),
        None => Front::of(service),
    }
}

/// Answers; to `HEAD` with all that `GET` would be answered but the body.
async fn answered(shop: Arc<Shop>, routes: Router, request: Request) -> Response {
    let head = request.method() == Method::HEAD;
    let mut response = coded(&shop, routes, request).await;
    if head {
        let length = response.body().size_hint().exact();
        let headers = response.headers_mut();
        if let Some(length) = length.filter(|_| !headers.contains_key(header::CONTENT_LENGTH)) {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        *response.body_mut() = Body::empty();
    }
    response
}

/// Answers in a coding that the client takes, if it takes any.
async fn coded(shop: &Shop, routes: Router, request: Request) -> Response {
    if request.headers().contains_key(header::ACCEPT_ENCODING) {
        let through =
            service_fn(|request| through(shop, routes.clone(), request).map(Ok::<_, Infallible>).boxed());
        let Ok(response) = CompressionLayer::new().layer(through).call(request).await;
        return response.map(Body::new);
    }
    let mut response = through(shop, routes, request).await;
    // Somebody else's would be another one, and caches are to know: the layer says so of what it may code.
    if DefaultPredicate::new().should_compress(&response) {
        response.headers_mut().append(header::VARY, header::ACCEPT_ENCODING.into());
    }
    response
}

async fn through(shop: &Shop, mut routes: Router, request: Request) -> Response {
    let routed = |mut request: Request| async move {
        // The router would take the body away at once, before a problem is written and it is known what a coding makes of it.
        if request.method() == Method::HEAD {
            *request.method_mut() = Method::GET;
        }
        let Ok(response) = routes.call(request).await;
        response
    };
    let bounded = |request| limits::bounded(shop, request, routed);
    let counted = |request| rate::by_address(shop, request, bounded);
    let mut response = crate::request::watched(shop, request, counted).await;
    headers::guard(response.headers_mut(), shop.settings.ingress.https);
    response
}
