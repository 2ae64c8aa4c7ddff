//! A shop with its managers, buyers whose time is told, and the program beside it.

use std::{num::NonZeroI32, process::Command};

use domain::{
    AnyCommand, AnyEvent, AnyState,
    cart::{self, Delivery, Line},
    inventory_item::{self, AdjustReason},
    payment::{self, Authorization, CaptureWhen, Method},
    pricing::{self, Tables},
    value::{Currency, CustomerId, Money, OrderId, PaymentId, Quantity, Sealed, Sku, Text, Time},
};
use serde_json::Value as Json;
use store::{
    engine::Engine,
    executor::{ExecuteError, Executed},
    log::StreamId,
    ports::{Clock as _, Machine},
    testing::{self, eventually, master_key, request},
};

pub const MINUTE_MS: i64 = 60_000;
/// How long buyers may take to pay.
pub const WINDOW_MS: i64 = 30 * MINUTE_MS;

pub struct Shop {
    pub ground: testing::Ground,
    pub engine: Engine,
}

/// Somebody who wants units of a SKU.
pub struct Buyer<'a> {
    pub name: &'a str,
    pub customer: Option<&'a str>,
    pub lines: &'a [(&'a str, u32)],
    pub limit: Option<u32>,
    /// How long ago, in minutes.
    pub ago: i64,
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

pub fn tables() -> Tables {
    serde_json::from_str(include_str!("../../samples/pricing.json")).unwrap()
}

impl Shop {
    /// Everybody follows.
    pub async fn open() -> Self {
        let ground = testing::Ground::new().await;
        ground.lay(&projections::tables()).await;
        let mut engine = ground.engine().await;
        projections::start(&mut engine, ground.pool("_read").await);
        engine.manage();
        Self { ground, engine }
    }

    pub async fn run(&self, id: &str, command: impl Into<AnyCommand>) -> Result<Executed, ExecuteError> {
        self.engine.executor.execute(request(id, command)).await
    }

    pub async fn receive(&self, sku: &str, quantity: u32) {
        let receive =
            inventory_item::Command::Receive { quantity: units(quantity), location: None, reference: None };
        self.run(sku, receive).await.unwrap();
    }

    pub async fn adjust(&self, sku: &str, delta: i32) -> Result<Executed, ExecuteError> {
        let delta = NonZeroI32::new(delta).unwrap();
        let adjust = inventory_item::Command::Adjust {
            delta,
            reason: AdjustReason::Count,
            location: None,
            reference: None,
        };
        self.run(sku, adjust).await
    }

    /// Checks out, and waits for what the manager makes of it: whether everything was reserved.
    pub async fn buy(&self, buyer: Buyer<'_>) -> bool {
        let cart = format!("cart-{}", buyer.name);
        let customer: Option<CustomerId> = buyer.customer.map(|name| name.parse().unwrap());
        let open = cart::Command::Open { customer, currency: Currency::GBP, expires_at: None };
        self.run(&cart, open).await.unwrap();
        let lines: Vec<Line> =
            buyer.lines.iter().map(|(sku, quantity)| line(sku, *quantity, buyer.limit)).collect();
        for line in &lines {
            self.run(&cart, cart::Command::AddLine { line: line.clone(), expires_at: None }).await.unwrap();
        }
        let at = Machine.now().plus_millis(-buyer.ago * MINUTE_MS);
        let sealed = || Sealed { subject: cart.as_str().into(), sealed: "c2VjcmV0".into() };
        let quote = pricing::quote(&tables(), &text("GB"), Some(&text("standard")), Currency::GBP, &lines);
        let check_out = cart::Command::CheckOut {
            order: order(buyer.name),
            payment: payment(buyer.name),
            method: Method::Card,
            delivery: Delivery { contact: sealed(), address: sealed(), country: text("GB") },
            expected_total: None,
            pay_by: at.plus_millis(WINDOW_MS),
            now: Some(at),
            prices: vec![],
            quote: Some(quote.unwrap()),
            capture: CaptureWhen::AtOnce,
            attempts_max: Some(3),
            review: None,
        };
        let mut asked = request(&cart, check_out);
        asked.cause.occurred_at = Some(at);
        self.engine.executor.execute(asked).await.unwrap();
        eventually("the checkout is answered", || async {
            self.concluded(buyer.name).await.into_iter().find_map(|event| match event {
                domain::checkout::Event::Reserved {} => Some(true),
                domain::checkout::Event::ReservationFailed { .. }
                | domain::checkout::Event::GivenUp { .. } => Some(false),
                _ => None,
            })
        })
        .await
    }

    /// What the manager has concluded about an order.
    pub async fn concluded(&self, name: &str) -> Vec<domain::checkout::Event> {
        let stream = StreamId::new(domain::AggregateType::Checkout, order(name).as_str());
        let recorded = self.engine.log.recorded(&stream, 0).await.unwrap();
        let events = recorded.into_iter().flat_map(|recorded| recorded.events);
        events
            .filter_map(|event| if let AnyEvent::Checkout(event) = event { Some(event) } else { None })
            .collect()
    }

    /// The gateway holds the money.
    pub async fn pay(&self, name: &str) -> bool {
        let id = payment(name);
        let attempt = format!("try-{name}").parse().unwrap();
        let opened = eventually("the intent is opened or the order over", || async {
            let stream = StreamId::new(domain::AggregateType::Payment, id.as_str());
            let (state, version) = store::executor::folded(&*self.engine.log, &stream).await.unwrap();
            let over = self
                .concluded(name)
                .await
                .iter()
                .any(|event| matches!(event, domain::checkout::Event::GivenUp { .. }));
            let AnyState::Payment(_) = state else { return None };
            if version > 0 { Some(true) } else { over.then_some(false) }
        })
        .await;
        let authorize = payment::Command::Authorize {
            attempt,
            token: payment::Token::Plain(text("tok_approve")),
            keep_for: None,
        };
        if !opened || self.run(id.as_str(), authorize).await.is_err() {
            return false;
        }
        let attempt = format!("try-{name}").parse().unwrap();
        let outcome = Authorization::Approved { reference: text(name) };
        let record = payment::Command::RecordAuthorization { attempt, outcome };
        self.run(id.as_str(), record).await.is_ok()
    }

    /// Waits until nothing more follows from what happened.
    pub async fn rest(&self) -> i64 {
        let mut last = -1;
        loop {
            let head = self.engine.log.head().await.unwrap().position;
            eventually("everybody has come to the end", || async {
                let reached = self.engine.reached();
                let done = |of: &tokio::sync::watch::Receiver<store::follow::Reached>| {
                    let reached = *of.borrow();
                    reached.position >= head && reached.working == 0
                };
                reached.values().all(done).then_some(())
            })
            .await;
            if head == last {
                return head;
            }
            last = head;
        }
    }

    pub async fn stop(self) {
        self.engine.stop().await;
    }
}

fn line(sku: &str, quantity: u32, limit: Option<u32>) -> Line {
    Line {
        sku: Sku::new(sku).unwrap(),
        product: "p".parse().unwrap(),
        title: text(sku),
        quantity: units(quantity),
        unit_price: gbp(1_000),
        tax_category: None,
        weight_grams: 100,
        purchase_limit: limit.map(units),
    }
}

pub fn order(name: &str) -> OrderId {
    format!("order-{name}").parse().unwrap()
}

pub fn payment(name: &str) -> PaymentId {
    format!("payment-{name}").parse().unwrap()
}

/// The program as somebody runs it who has nothing but an address that may read the log.
pub fn daybook(url: &str, schema: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command.args(args).env("DATABASE_URL", url).env("DAYBOOK_SCHEMA", schema).env("DAYBOOK_LOG", "error");
    for name in ["NATS_URL", "DAYBOOK_MASTER_KEY", "DAYBOOK_PRICING"] {
        command.env_remove(name);
    }
    command
}

/// What it prints, what it says beside that, and its exit status.
pub fn said(ground: &testing::Ground, args: &[&str]) -> (Option<i32>, String, String) {
    let output = daybook(&ground.app_url, &ground.prefix, args).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), out, err)
}

/// The same as JSON.
pub fn told(ground: &testing::Ground, args: &[&str]) -> (Option<i32>, Json) {
    let args: Vec<_> = args.iter().copied().chain(["--json"]).collect();
    let (status, out, err) = said(ground, &args);
    (status, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}")))
}

/// An address of a role that may read everything of the test's, and nothing else.
pub async fn analyst(ground: &testing::Ground) -> String {
    let password = &master_key().to_text()[..16].replace(|letter: char| !letter.is_ascii_alphanumeric(), "x");
    let role = format!("analyst_{}", &ground.prefix[..16]);
    store::schema::ensure_role(&ground.owner_url, &role, password).await.unwrap();
    for suffix in ["", "_read"] {
        let schema = format!("{}{suffix}", ground.prefix);
        ground.as_owner(&format!("GRANT USAGE ON SCHEMA {schema} TO {role}")).await;
        ground.as_owner(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")).await;
    }
    ground.as_owner(&format!("ALTER ROLE {role} SET default_transaction_read_only = on")).await;
    let (scheme, rest) = ground.app_url.split_once("://").unwrap();
    format!("{scheme}://{role}:{password}@{}", rest.split_once('@').unwrap().1)
}

/// A moment for whoever says when.
pub fn now() -> Time {
    Machine.now()
}
