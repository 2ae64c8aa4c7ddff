//! A whole shop in process, and requests to it.

#![expect(clippy::unwrap_used, reason = "a test whose shop does not answer cannot go on")]

use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use api::{
    Identity, Member, Page, Principal, Settings, Shop, edge,
    ingress::{Front, Ingress, Peer},
    outbound::{
        Outbound, OutboundSettings, saved,
        simulator::{Late, Simulator},
        stripe::Stripe,
    },
    webhooks::{FromStripe, Secrets},
};
use async_trait::async_trait;
use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use domain::value::{CustomerId, Time};
use projections::{
    ReadModels,
    hot::Hot,
    rebuild,
    search::{Embedded, Synonyms, follow},
};
use serde_json::{Value, json};
use sqlx::{Executor as _, PgPool};
use store::{
    archive::{Archive, Archiving},
    engine::Engine,
    follow::Projection,
    ports::{Clock, Ids as _, Machine},
    testing::{Ground, ROLE, eventually},
};
use tokio::task::JoinSet;
use uuid::Uuid;

/// A shop with all its followers, read models and the simulated gateway.
pub struct Api {
    pub front: Front,
    pub engine: Engine,
    /// What the edge keeps in memory.
    pub pages: Hot<Page>,
    /// What requests go through first.
    pub ingress: Ingress,
    pub identity: Identity,
    /// The token of whoever asks unless a request says who does: somebody who may do everything.
    keeper: String,
    ground: Ground,
    late: Option<Late>,
    search: JoinSet<()>,
    /// Whoever tells others what happened, where somebody does.
    telling: JoinSet<()>,
}

/// The machine's clock, put forward.
#[derive(Default)]
pub struct Forward(AtomicI64);

impl Forward {
    pub fn by_s(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for Forward {
    fn now_us(&self) -> i64 {
        Machine.now_us() + self.0.load(Ordering::SeqCst)
    }

    fn elapsed_us(&self) -> i64 {
        Machine.elapsed_us()
    }

    async fn sleep(&self, duration: Duration) {
        Machine.sleep(duration).await;
    }

    async fn until(&self, moment: Time) {
        Machine.until(moment).await;
    }
}

/// The read models, with an index that is kept at their end.
fn models(engine: &Engine, read: PgPool, search: &mut JoinSet<()>) -> ReadModels {
    let index = Arc::new(Embedded::in_memory(Synonyms::default()));
    let (followed, following) = follow(index, engine, read.clone());
    search.spawn(following);
    let models = ReadModels::new(read, &engine.progress(), Arc::clone(&engine.clock));
    models.with_index(followed, Synonyms::default())
}

/// Accounts and tokens, with a token for somebody who may do everything.
async fn identity(ground: &Ground, engine: &Engine) -> (Identity, String) {
    let (clock, ids) = (Arc::clone(&engine.clock), Arc::clone(&engine.ids));
    let pool = ground.pool(edge::SUFFIX).await;
    let identity = Identity::start(pool, engine.vault.clone(), clock, ids).await.unwrap();
    let keeper = identity.token_for(&keeper(), 24 * 3_600).unwrap().unwrap();
    (identity, keeper)
}

/// Somebody who may do everything.
pub fn keeper() -> Principal {
    let customer = CustomerId::from(Uuid::nil());
    Principal::Admin(Member { account: Uuid::nil(), session: Uuid::nil(), customer })
}

/// Other parties that a shop has to do with.
#[derive(Default)]
struct With {
    stripe: Option<(Stripe, Secrets)>,
    outbound: Option<OutboundSettings>,
}

/// A request on its way.
pub struct Ask {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    peer: Option<Peer>,
    nobody: bool,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

/// What came back, as it came.
pub struct RawReply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

pub fn get(path: &str) -> Ask {
    Ask::new(Method::GET, path)
}

pub fn post(path: &str, body: &Value) -> Ask {
    Ask::new(Method::POST, path).json(body)
}

pub fn put(path: &str, body: &Value) -> Ask {
    Ask::new(Method::PUT, path).json(body)
}

pub fn patch(path: &str, body: &Value) -> Ask {
    Ask::new(Method::PATCH, path).json(body)
}

pub fn delete(path: &str) -> Ask {
    Ask::new(Method::DELETE, path)
}

/// A key that nobody used before.
pub fn fresh_key() -> String {
    Uuid::now_v7().to_string()
}

pub fn gbp(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "GBP" })
}

/// What a cart is checked out with, but for the cart.
pub fn buyer(cart: &str, method: &str) -> Value {
    json!({
        "cart": cart,
        "method": method,
        "contact": { "name": "Ada Lovelace", "email": "ada@example.com", "phone": "+44 20 7946 0000" },
        "address": { "lines": ["12 St James's Square"], "city": "London", "postcode": "SW1Y 4JH", "country": "GB" },
    })
}

impl Ask {
    pub fn new(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            nobody: false,
            peer: None,
        }
    }

    pub fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    pub fn raw(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As if it had come over a connection from there.
    pub fn from(self, address: &str) -> Self {
        Self { peer: Some(Peer(address.parse().unwrap())), ..self }
    }

    /// Whoever has that token asks.
    pub fn by(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Somebody without a token asks.
    pub fn by_nobody(mut self) -> Self {
        self.nobody = true;
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Waits as long as the edge lets anybody wait.
    pub fn patient(self) -> Self {
        self.header("prefer", "wait=30")
    }

    pub fn into_request(self) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::from(self.body)).unwrap();
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(peer);
        }
        request
    }

    /// Reads what `reply` wrote.
    pub fn after(self, reply: &Reply) -> Self {
        self.header("daybook-min-position", reply.header("daybook-position")).patient()
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A member of the body as text.
    pub fn text_of(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// A problem with that status and code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.code().as_str()), (status, code), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        for member in ["type", "title", "detail", "instance", "trace_id"] {
            assert!(body[member].is_string(), "{member} in {body}");
        }
        assert_eq!(body["status"], status);
        self
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        // Most tests put nothing away.
        let _ = std::fs::remove_dir_all(directory(&self.ground));
    }
}

/// Where a shop's archive is.
fn directory(ground: &Ground) -> PathBuf {
    std::env::temp_dir().join(format!("daybook-archive-{}", ground.prefix))
}

impl Api {
    pub async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// A shop in which a buyer has one try to pay.
    pub async fn start_strict() -> Self {
        Self::start_with(Settings { payment_attempts_max: 1, ..Settings::default() }).await
    }

    pub async fn start_with(settings: Settings) -> Self {
        Self::on(Self::laid().await, settings, With::default()).await
    }

    /// A shop that tells others what happened.
    pub async fn start_telling(outbound: OutboundSettings) -> Self {
        Self::start_set(Settings::default(), outbound).await
    }

    /// The same with settings of its own.
    pub async fn start_set(settings: Settings, outbound: OutboundSettings) -> Self {
        Self::on(Self::laid().await, settings, With { outbound: Some(outbound), ..With::default() }).await
    }

    /// Another process of the same shop that does so too.
    pub async fn another_telling(&self, outbound: OutboundSettings) -> Self {
        let with = With { outbound: Some(outbound), ..With::default() };
        Self::on(self.same_ground(), Settings::default(), with).await
    }

    /// Whoever tells others dies, with everything on its way.
    pub async fn stop_telling(&mut self) {
        self.telling.shutdown().await;
    }

    /// The edge's tables as those who serve see them.
    pub async fn edge(&self) -> PgPool {
        self.ground.pool(edge::SUFFIX).await
    }

    /// Another process of the same shop.
    pub async fn another(&self) -> Self {
        Self::on(self.same_ground(), Settings::default(), With::default()).await
    }

    fn same_ground(&self) -> Ground {
        let Ground { prefix, owner_url, app_url, nats_url } = &self.ground;
        Ground {
            prefix: prefix.clone(),
            owner_url: owner_url.clone(),
            app_url: app_url.clone(),
            nats_url: nats_url.clone(),
        }
    }

    /// The log's tables as their owner sees them.
    pub async fn owner(&self) -> PgPool {
        self.ground.owner_pool("").await
    }

    /// The read models' tables as those who follow see them.
    pub async fn read(&self) -> PgPool {
        self.ground.pool("_read").await
    }

    /// A shop that lives by another clock.
    pub async fn start_at(clock: Arc<dyn Clock>, settings: Settings) -> Self {
        let ground = Self::laid().await;
        let engine = ground.engine_at(clock).await;
        Self::of(ground, engine, settings, With::default()).await
    }

    /// A shop whose clock can be put forward.
    pub async fn start_with_clock(settings: Settings) -> (Self, Arc<Forward>) {
        let clock = Arc::new(Forward::default());
        (Self::start_at(Arc::clone(&clock) as _, settings).await, clock)
    }

    /// A shop that Stripe, or what says that it is, is the gateway of.
    pub async fn start_paid(settings: Settings, stripe: Stripe, secrets: Secrets) -> Self {
        let with = With { stripe: Some((stripe, secrets)), ..With::default() };
        Self::on(Self::laid().await, settings, with).await
    }

    /// Another process of the same shop, with such a gateway.
    pub async fn another_paid(&self, stripe: Stripe, secrets: Secrets) -> Self {
        let with = With { stripe: Some((stripe, secrets)), ..With::default() };
        Self::on(self.same_ground(), Settings::default(), with).await
    }

    async fn laid() -> Ground {
        let ground = Ground::new().await;
        ground.lay(&projections::tables()).await;
        ground.lay(&edge::tables()).await;
        ground
    }

    async fn on(ground: Ground, settings: Settings, with: With) -> Self {
        let engine = ground.engine_with(Archive::at(directory(&ground))).await;
        Self::of(ground, engine, settings, with).await
    }

    async fn of(ground: Ground, mut engine: Engine, settings: Settings, with: With) -> Self {
        let With { stripe, outbound } = with;
        let read = ground.pool("_read").await;
        let (simulator, late) = Simulator::new();
        projections::start(&mut engine, read.clone());
        engine.relay();
        engine.manage();
        let mut search = JoinSet::new();
        let edge = ground.pool(edge::SUFFIX).await;
        match &stripe {
            Some((stripe, _)) => {
                search.spawn(saved::start(&mut engine, edge, Arc::new(stripe.clone())).await.unwrap())
            }
            None => search.spawn(saved::start(&mut engine, edge, Arc::new(simulator)).await.unwrap()),
        };
        let models = models(&engine, read, &mut search);
        let (identity, keeper) = identity(&ground, &engine).await;
        let mut shop = Shop::new(&engine, models, identity.clone(), settings);
        if let Some((stripe, secrets)) = stripe {
            shop = shop.with_stripe(FromStripe { stripe, secrets, results: engine.payment_results() });
        }
        let mut telling = JoinSet::new();
        if let Some(settings) = outbound {
            let edge = ground.pool(edge::SUFFIX).await;
            let (outbound, running) = Outbound::start(&mut engine, edge, settings).unwrap();
            telling.spawn(running);
            shop = shop.with_outbound(outbound);
        }
        tokio::spawn(shop.keep_pages());
        tokio::spawn(identity.clone().watch());
        let (pages, ingress) = (shop.pages.clone(), shop.ingress.clone());
        let front = api::front(shop);
        Self { front, engine, pages, ingress, identity, keeper, ground, late: Some(late), search, telling }
    }

    /// The read models' tables as their owner sees them.
    pub async fn read_owner(&self) -> PgPool {
        self.ground.owner_pool("_read").await
    }

    /// Builds a read model anew beside the one that serves, and lets it serve.
    pub async fn rebuild(&self, projection: Arc<dyn Projection>) {
        let beside = rebuild::Ground {
            owner_url: self.ground.owner_url.clone(),
            prefix: self.ground.prefix.clone(),
            role: ROLE.to_owned(),
            tables: projections::tables(),
            log: Arc::clone(&self.engine.log),
            clock: Arc::new(Machine),
            ids: Arc::new(Machine),
        };
        let rebuilt = rebuild::rebuild(&beside, projection, true, &|_| {}).await.unwrap();
        assert!(rebuilt.swapped);
    }

    /// Another process of the same shop that fills no read model.
    pub async fn onlooker(&self) -> Self {
        let ground = self.same_ground();
        let engine = ground.engine_with(Archive::at(directory(&ground))).await;
        let mut search = JoinSet::new();
        let models = models(&engine, ground.pool("_read").await, &mut search);
        let (identity, keeper) = identity(&ground, &engine).await;
        let shop = Shop::new(&engine, models, identity.clone(), Settings::default());
        tokio::spawn(shop.keep_pages());
        let (pages, ingress) = (shop.pages.clone(), shop.ingress.clone());
        let front = api::front(shop);
        Self {
            front,
            engine,
            pages,
            ingress,
            identity,
            keeper,
            ground,
            late: None,
            search,
            telling: JoinSet::new(),
        }
    }

    /// Asks until the page comes from memory.
    pub async fn keeps(&self, path: &str) -> Reply {
        eventually(&format!("{path} is kept"), || async {
            let (given, _) = self.pages.answers();
            let reply = self.send(get(path)).await;
            (reply.status == StatusCode::OK && self.pages.answers().0 > given).then_some(reply)
        })
        .await
    }

    /// Delivers the gateway's late answers from now on.
    pub fn deliver_late_answers(&mut self) {
        if let Some(late) = self.late.take() {
            let results = self.engine.payment_results();
            tokio::spawn(late.run(results, Arc::clone(&self.engine.clock), Duration::ZERO));
        }
    }

    /// Destroys every personal key, and starts the edge anew so that none is remembered.
    pub async fn forget(&mut self) {
        let keys = self.ground.owner_pool("_keys").await;
        keys.execute("DELETE FROM subject_keys").await.unwrap();
        let read = self.ground.pool("_read").await;
        let mut engine = self.ground.engine().await;
        projections::start(&mut engine, read.clone());
        self.search = JoinSet::new();
        let models = models(&engine, read, &mut self.search);
        let (identity, keeper) = identity(&self.ground, &engine).await;
        self.front = api::front(Shop::new(&engine, models, identity.clone(), Settings::default()));
        (self.identity, self.keeper) = (identity, keeper);
        self.engine = engine;
    }

    /// What somebody who may do everything sends along.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.keeper)
    }

    pub async fn send(&self, ask: Ask) -> Reply {
        let RawReply { status, headers, body } = self.send_raw(ask).await;
        Reply { status, headers, text: String::from_utf8(body).unwrap() }
    }

    pub async fn send_raw(&self, ask: Ask) -> RawReply {
        let named = ask.nobody || ask.headers.iter().any(|(name, _)| name == "authorization");
        let request = if named { ask } else { ask.by(&self.keeper) }.into_request();
        let response = self.front.answer(request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        // What goes on without an end is not waited for.
        let goes_on = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = if goes_on { Body::empty() } else { response.into_body() };
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        RawReply { status, headers, body }
    }

    /// Lists a product of one SKU, and waits until carts know its price.
    pub async fn list(&self, sku: &str, pence: i64) {
        let body =
            json!({ "title": format!("The {sku}"), "variants": [{ "sku": sku, "price": gbp(pence) }] });
        let listed = self.send(post("/v1/products", &body)).await.expect(201);
        let path = listed.header("location").to_owned();
        self.send(get(&path).after(&listed)).await.expect(200);
        self.send(get("/v1/products?limit=1").after(&listed).patient()).await.expect(200);
    }

    /// Lists a product and receives units of it.
    pub async fn stock(&self, sku: &str, pence: i64, units: u32) {
        self.list(sku, pence).await;
        let path = format!("/v1/inventory/{sku}/receive");
        self.send(post(&path, &json!({ "quantity": units }))).await.expect(200);
    }

    /// A cart with so many units of each SKU.
    pub async fn cart(&self, lines: &[(&str, u32)]) -> String {
        let opened = self.send(post("/v1/carts", &json!({ "currency": "GBP" }))).await.expect(201);
        let cart = opened.text_of("id");
        for (sku, quantity) in lines {
            let path = format!("/v1/carts/{cart}/items");
            let body = json!({ "sku": sku, "quantity": quantity });
            self.send(post(&path, &body)).await.expect(200);
        }
        cart
    }

    pub async fn check_out(&self, cart: &str, method: &str) -> Reply {
        let ask = post("/v1/checkouts", &buyer(cart, method)).key(&fresh_key());
        self.send(ask.patient()).await
    }

    /// An order of so many units, reserved and waiting for its payment: its id and its payment's.
    pub async fn order(&self, sku: &str, units: u32) -> (String, String) {
        let cart = self.cart(&[(sku, units)]).await;
        let reply = self.check_out(&cart, "card").await.expect(201);
        (reply.text_of("order"), reply.text_of("payment"))
    }

    /// Runs a statement as the database's owner.
    pub async fn as_owner(&self, sql: &str) {
        self.ground.as_owner(sql).await;
    }

    /// As if two days had passed.
    pub async fn forget_answers(&self) {
        self.ground.as_owner("DELETE FROM commands").await;
    }

    pub async fn authorize(&self, payment: &str, token: &str) -> Reply {
        let path = format!("/v1/payments/{payment}/authorize");
        self.send(post(&path, &json!({ "token": token })).key(&fresh_key()).patient()).await
    }

    /// A customer with an account that is nowhere else, and their token.
    pub fn customer(&self) -> (String, String) {
        let (account, session) = (Machine.next(), Machine.next());
        let customer = CustomerId::from(account);
        let id = customer.to_string();
        let member = Principal::Customer(Member { account, session, customer });
        (id, self.identity.token_for(&member, 3_600).unwrap().unwrap())
    }

    /// An order of one unit by whoever has the token, and its payment.
    pub async fn order_by(&self, token: &str, sku: &str) -> (String, String) {
        let opened = self.send(post("/v1/carts", &json!({ "currency": "GBP" })).by(token)).await;
        let cart = opened.expect(201).text_of("id");
        let item = put(&format!("/v1/carts/{cart}/items/{sku}"), &json!({ "quantity": 1 }));
        self.send(item.by(token)).await.expect(200);
        let checkout = post("/v1/checkouts", &buyer(&cart, "card")).by(token).key(&fresh_key()).patient();
        let reply = self.send(checkout).await.expect(201);
        (reply.text_of("order"), reply.text_of("payment"))
    }

    pub async fn cancel(&self, order: &str) -> Reply {
        let body = json!({ "reason": "customer_request" });
        self.send(post(&format!("/v1/orders/{order}/cancel"), &body)).await
    }

    /// Waits until a resource's member has a value.
    pub async fn until(&self, path: &str, member: &str, value: impl Into<Value>) -> Value {
        let value = value.into();
        eventually(&format!("{member} of {path} is {value}"), || async {
            let body = self.send(get(path)).await.json();
            (body[member] == value).then_some(body)
        })
        .await
    }

    /// Waits until a SKU has so much on hand and reserved.
    pub async fn until_stock(&self, sku: &str, on_hand: i64, reserved: i64) {
        let path = format!("/v1/inventory/{sku}");
        eventually(&format!("{sku} has {on_hand} on hand, {reserved} reserved"), || async {
            let body = self.send(get(&path)).await.json();
            (body["on_hand"] == on_hand && body["reserved"] == reserved).then_some(())
        })
        .await;
    }

    /// Puts away whatever may go, however new, and says how many events went.
    pub async fn archive(&self) -> u64 {
        let archiving = Archiving {
            pool: self.ground.owner_pool("").await,
            followers: vec![self.ground.owner_pool("_read").await],
            directory: directory(&self.ground),
            before_us: self.engine.clock.now_us() + 1,
            dry_run: false,
            events_per_file: 10,
        };
        archiving.run(&|_| ControlFlow::Continue(())).await.unwrap().events
    }

    /// Which events are rows no more.
    pub async fn archived(&self) -> Vec<i64> {
        let sql = "SELECT position FROM archived_events ORDER BY position";
        sqlx::query_scalar(sql).fetch_all(&self.engine.pool).await.unwrap()
    }

    /// The log's events, in order.
    pub async fn events(&self) -> Vec<Value> {
        let reply = self.send(get("/v1/events?limit=2000")).await.expect(200);
        reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
