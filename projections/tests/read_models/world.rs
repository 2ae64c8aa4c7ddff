//! A store with its read models, and the commands that the tests give it.

use std::{sync::Arc, time::Duration};

use domain::{
    AnyCommand, cart, inventory_item, order,
    payment::{CaptureWhen, Method},
    product,
    value::{Currency, Money, Quantity, ReservationId, Sku, Text, Time},
};
use projections::{
    Freshness, ReadModels, all,
    rebuild::{self, RebuildError, Rebuilt},
    search::{Embedded, Followed, Index, Synonyms, follow},
};
use sqlx::PgPool;
use store::{
    engine::Engine,
    executor::{ExecuteError, Executed, Token},
    follow::Projection,
    ports::Machine,
    testing::{Ground, ROLE, request},
};
use tokio::task::JoinSet;

/// A log, perhaps with followers.
pub struct World {
    pub ground: Ground,
    pub engine: Engine,
    pub read: ReadModels,
    pub pool: PgPool,
    /// What products are searched in.
    pub index: Arc<dyn Index>,
    pub followed: Followed,
    /// Ends with the world, as a process does that is killed.
    pub search: JoinSet<()>,
}

impl World {
    /// Nobody follows.
    pub async fn idle() -> Self {
        let ground = Ground::new().await;
        ground.lay(&projections::tables()).await;
        Self::on(ground, false).await
    }

    /// Everybody follows.
    pub async fn new() -> Self {
        let ground = Ground::new().await;
        ground.lay(&projections::tables()).await;
        Self::on(ground, true).await
    }

    /// Everybody follows, with an index of the test's own.
    pub async fn keeping(index: Arc<dyn Index>) -> Self {
        let ground = Ground::new().await;
        ground.lay(&projections::tables()).await;
        Self::with(ground, true, index).await
    }

    pub async fn on(ground: Ground, following: bool) -> Self {
        Self::with(ground, following, Arc::new(Embedded::in_memory(Synonyms::default()))).await
    }

    /// The same with an index of the test's own.
    pub async fn with(ground: Ground, following: bool, index: Arc<dyn Index>) -> Self {
        let engine = ground.engine().await;
        Self::of(ground, engine, following, index).await
    }

    pub async fn of(ground: Ground, mut engine: Engine, following: bool, index: Arc<dyn Index>) -> Self {
        let pool = ground.pool("_read").await;
        if following {
            projections::start(&mut engine, pool.clone());
        }
        let read = ReadModels::new(pool.clone(), &engine.progress(), Arc::clone(&engine.clock))
            .of_log(engine.feed.incarnation());
        let mut search = JoinSet::new();
        let (followed, following) = follow(Arc::clone(&index), &engine, pool.clone());
        search.spawn(following);
        let read = read.with_index(followed.clone(), Synonyms::default());
        Self { ground, engine, read, pool, index, followed, search }
    }

    /// The same log under a new process, after something was done to it while nobody ran.
    pub async fn restarted(mut self, meanwhile: &[&str]) -> Self {
        self.engine.stop().await;
        self.search.shutdown().await;
        for sql in meanwhile {
            self.ground.as_owner(sql).await;
        }
        // What is in memory ends with the process.
        match self.index.is_shared() {
            true => Self::with(self.ground, true, self.index).await,
            false => Self::on(self.ground, true).await,
        }
    }

    pub async fn try_run(&self, id: &str, command: impl Into<AnyCommand>) -> Result<Executed, ExecuteError> {
        self.engine.executor.execute(request(id, command)).await
    }

    pub async fn run(&self, id: &str, command: impl Into<AnyCommand>) -> Token {
        self.try_run(id, command).await.unwrap().token
    }

    /// Receives a unit of a SKU so often.
    pub async fn run_many(&self, name: String, times: i64) {
        for _ in 0..times {
            self.engine.executor.execute_in_turn(request(&name, receive(1))).await.unwrap();
        }
    }

    /// Where the log stands.
    pub async fn head(&self) -> Token {
        let head = self.engine.log.head().await.unwrap();
        Token { incarnation: head.incarnation, position: head.position }
    }

    /// Waits until every follower has come to the log's end.
    pub async fn settle(&self) -> Token {
        let head = self.head().await;
        for follower in ["orders", "carts", "stock", "products", "sales"] {
            store::testing::eventually("a follower reaches the head", async || {
                let position: Option<i64> =
                    sqlx::query_scalar("SELECT position FROM followers WHERE name = $1 AND incarnation = $2")
                        .bind(follower)
                        .bind(head.incarnation)
                        .fetch_optional(&self.pool)
                        .await
                        .unwrap();
                position.filter(|position| *position >= head.position)
            })
            .await;
        }
        head
    }

    /// Builds a projection anew beside the rows that serve.
    pub async fn rebuild(
        &self,
        projection: Arc<dyn Projection>,
        swap: bool,
    ) -> Result<Rebuilt, RebuildError> {
        rebuild::rebuild(&self.beside(), projection, swap, &|_| {}).await
    }

    /// Builds every read model anew and lets it serve.
    pub async fn rebuild_all(&self) {
        for projection in all() {
            assert!(self.rebuild(projection, true).await.unwrap().swapped);
        }
    }

    /// What a rebuild stands on.
    pub fn beside(&self) -> rebuild::Ground {
        rebuild::Ground {
            owner_url: self.ground.owner_url.clone(),
            prefix: self.ground.prefix.clone(),
            role: ROLE.to_owned(),
            tables: projections::tables(),
            log: Arc::clone(&self.engine.log),
            clock: Arc::new(Machine),
            ids: Arc::new(Machine),
        }
    }

    /// Every row of every read model, as text.
    pub async fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for table in
            ["orders", "payments", "carts", "stock", "reservations", "products", "variants", "sold", "sales"]
        {
            let sql = format!("SELECT '{table} ' || to_json(t)::text FROM {table} t ORDER BY 1");
            rows.extend(sqlx::query_scalar::<_, String>(&sql).fetch_all(&self.pool).await.unwrap());
        }
        rows
    }
}

/// When these tests ask: before any of their holds is over.
pub const NOW: Time = Time::from_millis(-1_000);

/// Waits for a token as long as it takes.
pub fn after(token: Token) -> Freshness {
    Freshness { at_least: Some(token), wait: Duration::from_secs(20) }
}

/// Takes whatever there is.
pub fn any() -> Freshness {
    Freshness::default()
}

pub fn units(units: u32) -> Quantity {
    Quantity::new(units).unwrap()
}

pub fn gbp(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

pub fn text(text: &str) -> Text {
    Text::new(text).unwrap()
}

pub fn sku(name: &str) -> Sku {
    Sku::new(name).unwrap()
}

pub fn receive(quantity: u32) -> inventory_item::Command {
    inventory_item::Command::Receive { quantity: units(quantity), location: None, reference: None }
}

pub fn reserve(name: &str, quantity: u32, expires_at: Option<i64>) -> inventory_item::Command {
    inventory_item::Command::Reserve {
        reservation: ReservationId::new(name).unwrap(),
        quantity: units(quantity),
        expires_at: expires_at.map(Time::from_millis),
        in_stock: false,
        now: Time::from_millis(0),
    }
}

pub fn release(name: &str) -> inventory_item::Command {
    inventory_item::Command::Release { reservation: ReservationId::new(name).unwrap() }
}

pub fn allocate(name: &str) -> inventory_item::Command {
    inventory_item::Command::Allocate {
        reservation: ReservationId::new(name).unwrap(),
        now: Time::from_millis(0),
    }
}

pub fn order_line(name: &str, quantity: u32, price: i64) -> order::Line {
    order::Line { sku: sku(name), title: None, quantity: units(quantity), unit_price: gbp(price), tax: None }
}

pub fn charge(code: &str, amount: i64) -> order::Charge {
    order::Charge { code: text(code), title: None, quantity: units(1), unit_amount: gbp(amount), tax: None }
}

/// How an order is paid, by that intent.
pub fn terms(payment: &str) -> order::Terms {
    order::Terms { payment: payment.parse().unwrap(), method: Method::Card, capture: CaptureWhen::AtOnce }
}

/// An imported order of one line.
pub fn placement(source: &str, placed_at: Time) -> order::Placement {
    order::Placement {
        customer: None,
        source: order::Source::Import(text(source)),
        lines: vec![order_line("A", 2, 150)],
        charges: vec![],
        prices_include_tax: true,
        payment: None,
        delivery: None,
        country: None,
        placed_at,
    }
}

pub fn credit(source: &str, issued_at: Time) -> order::Credit {
    order::Credit {
        customer: None,
        source: order::Source::Import(text(source)),
        order: None,
        lines: vec![order_line("A", 1, 150)],
        charges: vec![],
        prices_include_tax: true,
        country: None,
        issued_at,
    }
}

pub fn cart_line(name: &str, quantity: u32, price: i64) -> cart::Line {
    cart::Line {
        sku: sku(name),
        product: "p".parse().unwrap(),
        title: text(name),
        quantity: units(quantity),
        unit_price: gbp(price),
        tax_category: None,
        weight_grams: 0,
        purchase_limit: None,
    }
}

pub fn listing(title: &str, variants: &[(&str, i64)]) -> product::Listing {
    product::Listing {
        title: text(title),
        description: None,
        brand: None,
        category: vec![],
        images: vec![],
        variants: variants
            .iter()
            .map(|(name, price)| product::Variant {
                sku: sku(name),
                title: None,
                price: gbp(*price),
                tax_category: None,
                weight_grams: 0,
                purchase_limit: None,
            })
            .collect(),
    }
}
