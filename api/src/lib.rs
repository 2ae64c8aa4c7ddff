//! The HTTP edge: it reads requests into commands and queries, and tells what came of them. It knows no rules.

pub mod access;
mod answer;
mod awaiting;
mod card;
pub mod carriers;
mod carts;
mod checkouts;
pub mod clients;
pub mod codes;
pub mod commands;
pub mod edge;
mod events;
mod extract;
mod freshness;
mod health;
mod idempotency;
pub mod identity;
pub mod ingress;
mod inventory;
mod live;
mod metrics;
mod notices;
mod openapi;
mod orders;
pub mod outbound;
mod owners;
mod pages;
mod paying;
mod payments;
mod principal;
mod problem;
mod products;
mod quotes;
mod request;
pub mod standard_webhooks;
mod subjects;
mod tags;
mod text;
pub mod webhooks;

use std::sync::Arc;

use axum::{
    Router,
    http::HeaderValue,
    middleware,
    routing::{delete, get, post, put},
};
use domain::{pricing::Tables, value::Money};
use futures::{FutureExt as _, future::BoxFuture};
use projections::{ReadModels, hot::Hot, products::Offer, stock::StockChecked};
use store::{
    census::Census,
    engine::Engine,
    executor::Executor,
    feed::Feed,
    follow::Board,
    log::Log,
    ports::{Clock, Ids},
    secrets::Fingerprints,
    vault::Vault,
    verify::Watched,
};

use sqlx::PgPool;

use carriers::Carriers;
use ingress::{Front, Ingress, IngressSettings, tls::Tls};
use inventory::{reservations, shelves};
use outbound::{Outbound, saved::Saved, stripe};
use owners::Owners;
use webhooks::FromStripe;

pub use answer::segment;
pub use identity::Identity;
pub use pages::{Keeping, Page};
pub use principal::{Member, Permission, Permissions, Principal};
pub use problem::Problem;
pub use text::{Email, NotAnEmail};

/// What may be set about the edge.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a buyer may take to authorize the payment.
    pub payment_window_ms: i64,
    /// How long a cart stays open that nobody touches.
    pub cart_lifetime_ms: i64,
    /// How often a buyer may try to pay an order.
    pub payment_attempts_max: u32,
    /// Tax and shipping, where the shop has set them.
    pub pricing: Option<Arc<Tables>>,
    /// Orders that cost so much or more are held until somebody has looked at them.
    pub review_from: Option<Money>,
    /// Events that a read model may be behind before this process calls itself not ready.
    pub lag_max: i64,
    /// About how many bytes the pages kept in memory may take; with 0 none are kept.
    pub page_bytes_max: usize,
    /// For how long others may keep a product's page.
    pub keeping: Keeping,
    /// What every request goes through before its route.
    pub ingress: IngressSettings,
    /// Whose word is taken about parcels.
    pub carriers: Carriers,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            payment_window_ms: 30 * 60 * 1_000,
            payment_attempts_max: 3,
            pricing: None,
            review_from: None,
            cart_lifetime_ms: 30 * 24 * 60 * 60 * 1_000,
            lag_max: 10_000,
            page_bytes_max: 64 << 20,
            keeping: Keeping { fresh_s: 5, stale_s: 30 },
            ingress: IngressSettings::default(),
            carriers: Carriers::default(),
        }
    }
}

impl Settings {
    /// Bytes of offers kept in memory: of what pages may take, a quarter on top.
    const fn offer_bytes_max(&self) -> usize {
        self.page_bytes_max / 4
    }
}

/// Everything that the routes reach; cheap to clone.
#[derive(Clone)]
pub struct Shop {
    /// Runs commands.
    pub executor: Executor,
    /// The newest events.
    pub feed: Feed,
    /// The log.
    pub log: Arc<dyn Log>,
    /// Personal data.
    pub vault: Vault,
    /// Tells repeated requests.
    pub fingerprints: Fingerprints,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// New names.
    pub ids: Arc<dyn Ids>,
    /// Answers queries.
    pub read: ReadModels,
    /// Answers what commands have to know, where the read models are written.
    pub written: ReadModels,
    /// Pages that many ask for.
    pub pages: Hot<Page>,
    /// What SKUs are and cost, as long as that is true.
    pub offers: Hot<Offer>,
    /// For how long others may keep a product's page, as a header says it.
    pub keeping: HeaderValue,
    /// The edge's own tables.
    pub edge: PgPool,
    /// Who is who.
    pub identity: Identity,
    /// Whose carts, orders and payments are.
    owners: Owners,
    /// Who follows, and how far everybody has come.
    pub board: Board,
    /// What requests go through first.
    pub ingress: Ingress,
    /// Who tells of payments, where Stripe is the gateway.
    pub stripe: Option<FromStripe>,
    /// What customers keep to pay with again.
    pub saved: Saved,
    /// What is on its way to others.
    pub outbound: Outbound,
    /// What came of requests until now.
    requests: Arc<request::Tally>,
    /// What this process has appended.
    census: Arc<Census>,
    /// What was found at the log's end.
    watched: Arc<Watched>,
    /// The certificate that the listener shows.
    pub tls: Option<Tls>,
    /// What was found in the stock.
    pub stock_checked: StockChecked,
    /// What may be set.
    pub settings: Settings,
}

impl Shop {
    /// The doors of a running engine, with its read models and those who may use it, once everybody follows who is going to.
    #[must_use]
    pub fn new(engine: &Engine, read: ReadModels, identity: Identity, settings: Settings) -> Self {
        Self {
            executor: engine.executor.clone(),
            feed: engine.feed.clone(),
            log: Arc::clone(&engine.log),
            vault: engine.vault.clone(),
            fingerprints: engine.fingerprints.clone(),
            clock: Arc::clone(&engine.clock),
            ids: Arc::clone(&engine.ids),
            written: read.clone(),
            pages: Hot::new(engine.feed.clone(), Arc::clone(&engine.clock), settings.page_bytes_max),
            offers: Hot::new(engine.feed.clone(), Arc::clone(&engine.clock), settings.offer_bytes_max()),
            keeping: settings.keeping.header(),
            read,
            saved: identity.saved(),
            outbound: Outbound::resting(engine, identity.pool()),
            edge: identity.pool(),
            identity,
            owners: Owners::default(),
            board: engine.board(),
            ingress: Ingress::new(&settings.ingress),
            requests: Arc::default(),
            census: Arc::clone(&engine.census),
            watched: Arc::clone(&engine.watched),
            tls: None,
            stock_checked: StockChecked::default(),
            stripe: None,
            settings,
        }
    }

    /// The same where queries are answered by another database than the one that the read models are written to.
    #[must_use]
    pub fn with_written(self, written: ReadModels) -> Self {
        Self { written, ..self }
    }

    /// The same where Stripe is the gateway.
    #[must_use]
    pub fn with_stripe(self, stripe: FromStripe) -> Self {
        Self { saved: self.saved.at(stripe::NAME), stripe: Some(stripe), ..self }
    }

    /// The same in a process that tells others what happened.
    #[must_use]
    pub fn with_outbound(self, outbound: Outbound) -> Self {
        Self { outbound, ..self }
    }

    /// Compares the stock with the log for as long as this is driven.
    pub fn check_stock(&self) -> BoxFuture<'static, ()> {
        let (log, clock) = (Arc::clone(&self.log), Arc::clone(&self.clock));
        self.stock_checked.clone().keep(self.written.pool().clone(), log, clock).boxed()
    }

    /// Keeps pages and offers for as long as they are true: until this is driven, none are kept.
    pub fn keep_pages(&self) -> BoxFuture<'static, ()> {
        let pages = self.pages.clone().run(self.read.clone());
        let offers = self.offers.clone().run(self.written.clone());
        async {
            tokio::join!(pages, offers);
        }
        .boxed()
    }
}

/// Every route, behind what every request goes through first.
pub fn front(shop: Shop) -> Front {
    let shop = Arc::new(shop);
    let routes = Router::new()
        .route("/v1/products", post(products::list).get(products::search))
        .route("/v1/products/suggest", get(products::suggest))
        .route("/v1/products/{id}", get(products::show))
        .route("/v1/products/{id}/prices/{sku}", put(products::change_price))
        .route("/v1/carts", post(carts::open))
        .route("/v1/carts/{id}", get(carts::show))
        .route("/v1/carts/{id}/items", post(carts::add))
        .route("/v1/carts/{id}/items/{sku}", put(carts::set).delete(carts::remove))
        .route("/v1/carts/{id}/accept-prices", post(carts::accept_prices))
        .route("/v1/carts/{id}/quote", post(quotes::show))
        .route("/v1/carts/{id}/merge", post(carts::merge))
        .route("/v1/checkouts", post(checkouts::create))
        .merge(orders::routes())
        .route("/v1/payments/{id}", get(payments::show))
        .route("/v1/payments/{id}/authorize", post(payments::authorize))
        .route("/v1/payments/{id}/capture", post(payments::capture))
        .route("/v1/payments/{id}/void", post(payments::void))
        .route("/v1/payments/{id}/refund", post(payments::refund))
        .route("/v1/inventory", get(inventory::list))
        .route("/v1/inventory/{sku}", get(inventory::show))
        .route("/v1/inventory/{sku}/receive", post(inventory::receive))
        .route("/v1/inventory/{sku}/adjust", post(inventory::adjust))
        .route("/v1/inventory/{sku}/count", post(shelves::count))
        .route("/v1/inventory/{sku}/transfer", post(shelves::transfer))
        .route("/v1/inventory/{sku}/policy", put(shelves::set_policy))
        .route("/v1/inventory/{sku}/reorder-point", put(shelves::set_reorder_point))
        .route("/v1/inventory/{sku}/reservations", post(reservations::reserve).get(reservations::list))
        .route("/v1/inventory/{sku}/reservations/{id}", delete(reservations::release))
        .route("/v1/inventory/{sku}/reservations/{id}/extend", post(reservations::extend))
        .route("/v1/inventory/{sku}/reservations/{id}/allocate", post(reservations::allocate))
        .route("/v1/subjects/{subject}/forget", post(subjects::forget))
        .merge(notices::routes())
        .merge(carriers::routes())
        .route("/v1/commands", post(commands::bulk))
        .route("/v1/events", get(events::list))
        .route("/v1/webhooks/stripe", post(webhooks::stripe))
        .route("/healthz", get(health::up))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .merge(identity::routes())
        .merge(openapi::served::routes())
        // Guards what stands above it, so no route stands below.
        .route_layer(middleware::from_fn_with_state(Arc::clone(&shop), access::enforce))
        .fallback(problem::unknown_route)
        .with_state(Arc::clone(&shop));
    ingress::before(routes, shop)
}
