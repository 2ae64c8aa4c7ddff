//! What a shop's log holds after so many orders, without the managers that carry them on: their commands are given here.

use domain::{
    AnyCommand, cart, inventory_item,
    order::{self, Line, Placement, Source, Terms, Units},
    payment::{self, Authorization, CaptureWhen, Method, Settlement},
    value::{AttemptId, CaptureId, Currency, Money, Quantity, ReservationId, Sku, Text, Time},
};
use store::{engine::Engine, executor::Token, testing::request};

const CALLERS: usize = 128;
/// What the shop sells.
pub const SKUS: usize = 2_000;
const LINES: usize = 3;

/// What has just happened to an order or to stock.
#[allow(dead_code, reason = "a benchmark that only fills a log asks for nothing")]
pub enum Seen<'s> {
    /// Something happened to that order.
    Order(&'s str),
    /// Something happened to that SKU.
    Stock(&'s str),
}

/// Puts units of everything on the shelf.
pub async fn stock_up(engine: &Engine) {
    for sku in 0..SKUS {
        let quantity = Quantity::new(1_000_000).unwrap();
        let receive = inventory_item::Command::Receive { quantity, location: None, reference: None };
        run(engine, format!("SKU {sku}"), receive).await;
    }
}

/// Carries orders from the cart to the door, the first of them that `next` tells, for as long as there are any.
pub async fn trade(engine: &Engine, next: impl Fn() -> Option<usize>) {
    let callers = (0..CALLERS).map(|_| async {
        while let Some(nth) = next() {
            carry(engine, nth, &|_, _| {}).await;
        }
    });
    futures::future::join_all(callers).await;
}

/// Gives a command, and returns where the log has come to with it.
pub async fn run(engine: &Engine, id: String, command: impl Into<AnyCommand>) -> Token {
    let answer = engine.executor.execute_in_turn(request(&id, command)).await.unwrap();
    assert!(!answer.events.is_empty());
    answer.token
}

fn sku(order: usize, line: usize) -> Sku {
    Sku::new(format!("SKU {}", (order * 7 + line * 311) % SKUS)).unwrap()
}

fn gbp(amount: i64) -> Money {
    Money::new(amount, Currency::GBP)
}

fn one() -> Quantity {
    Quantity::new(1).unwrap()
}

/// Carries one order from the cart to the door, telling what happens to it and to its stock as soon as it is in the log.
pub async fn carry(engine: &Engine, nth: usize, tell: &(dyn Fn(Seen<'_>, Token) + Sync)) {
    let (cart, order, payment) =
        (format!("cart-{nth:07}"), format!("order-{nth:07}"), format!("pay-{nth:07}"));
    let at = Time::from_millis(1_291_191_960_000 + i64::try_from(nth).unwrap() * 1_000);
    run(
        engine,
        cart.clone(),
        cart::Command::Open { customer: None, currency: Currency::GBP, expires_at: None },
    )
    .await;
    for line in 0..LINES {
        let line = cart::Line {
            sku: sku(nth, line),
            product: "p".parse().unwrap(),
            title: Text::new("WHITE HANGING HEART T-LIGHT HOLDER").unwrap(),
            quantity: one(),
            unit_price: gbp(255),
            tax_category: None,
            weight_grams: 150,
            purchase_limit: None,
        };
        run(engine, cart.clone(), cart::Command::AddLine { line, expires_at: None }).await;
    }
    let terms =
        Terms { payment: payment.parse().unwrap(), method: Method::Card, capture: CaptureWhen::AtOnce };
    let lines = (0..LINES).map(|line| Line {
        sku: sku(nth, line),
        title: Some(Text::new("WHITE HANGING HEART T-LIGHT HOLDER").unwrap()),
        quantity: one(),
        unit_price: gbp(255),
        tax: None,
    });
    let placement = Placement {
        customer: Some(format!("customer-{}", nth % 5_000).parse().unwrap()),
        source: Source::Cart(cart.parse().unwrap()),
        lines: lines.collect(),
        charges: vec![],
        prices_include_tax: true,
        payment: Some(terms),
        delivery: None,
        country: Some(Text::new("United Kingdom").unwrap()),
        placed_at: at,
    };
    let placed = run(engine, order.clone(), order::Command::Place(placement)).await;
    tell(Seen::Order(&order), placed);
    let reservation = ReservationId::new(&order).unwrap();
    let each = |command: &dyn Fn(ReservationId) -> inventory_item::Command| {
        let commands = (0..LINES).map(|line| (sku(nth, line).to_string(), command(reservation.clone())));
        commands.collect::<Vec<_>>()
    };
    for (sku, reserve) in each(&|reservation| inventory_item::Command::Reserve {
        reservation,
        quantity: one(),
        expires_at: Some(Time::from_millis(4_102_444_800_000)),
        in_stock: true,
        now: at,
    }) {
        let reserved = run(engine, sku.clone(), reserve).await;
        tell(Seen::Stock(&sku), reserved);
    }
    pay(engine, &payment, &order).await;
    let confirmed = run(engine, order.clone(), order::Command::Confirm {}).await;
    tell(Seen::Order(&order), confirmed);
    for (sku, allocate) in each(&|reservation| inventory_item::Command::Allocate { reservation, now: at }) {
        run(engine, sku, allocate).await;
    }
    let shipment = "s1".parse().unwrap();
    let lines = (0..LINES).map(|line| Units { line: u32::try_from(line).unwrap(), quantity: one() });
    let ship = order::Command::Ship {
        shipment,
        carrier: Text::new("DHL").unwrap(),
        tracking: None,
        lines: lines.collect(),
    };
    run(engine, order.clone(), ship).await;
    run(engine, order, order::Command::Deliver { shipment: "s1".parse().unwrap() }).await;
}

async fn pay(engine: &Engine, payment: &str, order: &str) {
    let text = |text: &str| Text::new(text).unwrap();
    let (attempt, capture): (AttemptId, CaptureId) = ("a1".parse().unwrap(), "c1".parse().unwrap());
    let commands = [
        payment::Command::OpenIntent {
            order: order.parse().unwrap(),
            amount: gbp(765),
            method: Method::Card,
            capture: CaptureWhen::AtOnce,
        },
        payment::Command::Authorize {
            attempt: attempt.clone(),
            token: text("tok_visa").into(),
            keep_for: None,
        },
        payment::Command::RecordAuthorization {
            attempt,
            outcome: Authorization::Approved { reference: text("auth_1") },
        },
        payment::Command::Capture { capture: capture.clone(), amount: None },
        payment::Command::RecordCapture { capture, outcome: Settlement::Done },
    ];
    for command in commands {
        run(engine, payment.to_owned(), command).await;
    }
}
