//! Checkouts on a real log: reserved, paid and confirmed, or undone without a trace; and nothing done twice.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod foreseen;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use domain::{
    AggregateType, AnyEvent, cart, inventory_item,
    order::CancelReason,
    payment::{self, Authorization, Method, Settlement},
    value::{
        AttemptId, CaptureId, Currency, Money, OrderId, PaymentId, ProductId, Quantity, RefundId, Sealed,
        Sku, Text, Time,
    },
};
use store::{
    engine::Engine,
    executor::Request,
    gateway::{Ask, Authorized, Gateway, GatewayError, Means, Settled},
    log::StreamId,
    ports::{Clock as _, Machine},
    testing::{Ground, eventually, request},
};

/// Approves every token but `no`, and counts how often it is asked.
#[derive(Default)]
struct Approving {
    asked: AtomicU32,
}

impl Approving {
    fn done(&self) -> Result<Settled, GatewayError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(Settled::Answered(Settlement::Done))
    }
}

#[async_trait]
impl Gateway for Approving {
    async fn authorize(&self, ask: &Ask, _: &AttemptId, means: &Means) -> Result<Authorized, GatewayError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(Authorized::Answered(if means.token.as_str() == "no" {
            Authorization::Declined { reason: Text::new("do_not_honor").unwrap() }
        } else {
            Authorization::Approved { reference: Text::new(ask.request_id.to_string()).unwrap() }
        }))
    }
    async fn capture(&self, _: &Ask, _: &Text, _: &CaptureId, _: Money) -> Result<Settled, GatewayError> {
        self.done()
    }
    async fn void(&self, _: &Ask, _: &Text) -> Result<Settled, GatewayError> {
        self.done()
    }
    async fn refund(&self, _: &Ask, _: &Text, _: &RefundId, _: Money) -> Result<Settled, GatewayError> {
        self.done()
    }
}

async fn shop(ground: &Ground) -> Engine {
    shop_with(ground, Arc::default()).await
}

async fn shop_with(ground: &Ground, gateway: Arc<Approving>) -> Engine {
    let mut engine = ground.engine().await;
    engine.relay();
    engine.manage();
    engine.ask(gateway);
    engine
}

async fn stock(engine: &Engine, sku: &str, units: u32) {
    let command = inventory_item::Command::Receive {
        quantity: Quantity::new(units).unwrap(),
        location: None,
        reference: None,
    };
    engine.executor.execute(request(sku, command)).await.unwrap();
}

/// A cart of one unit of each SKU.
async fn fill_cart(engine: &Engine, name: &str, skus: &[&str]) {
    let currency = Currency::GBP;
    let mut commands = vec![cart::Command::Open { customer: None, currency, expires_at: None }];
    commands.extend(skus.iter().map(|sku| {
        let line = cart::Line {
            sku: Sku::new(*sku).unwrap(),
            product: ProductId::new("p").unwrap(),
            title: Text::new("Thing").unwrap(),
            quantity: Quantity::new(1).unwrap(),
            unit_price: Money::new(250, currency),
            tax_category: None,
            weight_grams: 0,
            purchase_limit: None,
        };
        cart::Command::AddLine { line, expires_at: None }
    }));
    for command in commands {
        engine.executor.execute(request(&format!("cart-{name}"), command)).await.unwrap();
    }
}

/// What checks that cart out; the order is called `<name>`, its payment `pay-<name>`.
fn checking_out(name: &str, method: Method, pay_by: Time) -> Request {
    let sealed = Sealed { subject: "cart:c".into(), sealed: "AAAA".into() };
    let command = cart::Command::CheckOut {
        order: OrderId::new(name).unwrap(),
        payment: PaymentId::new(format!("pay-{name}")).unwrap(),
        method,
        delivery: cart::Delivery {
            contact: sealed.clone(),
            address: sealed,
            country: Text::new("GB").unwrap(),
        },
        expected_total: None,
        pay_by,
        now: None,
        prices: vec![],
        quote: None,
        capture: payment::CaptureWhen::AtOnce,
        attempts_max: None,
        review: None,
    };
    request(&format!("cart-{name}"), command)
}

async fn check_out(engine: &Engine, name: &str, skus: &[&str], method: Method, pay_by: Time) {
    fill_cart(engine, name, skus).await;
    engine.executor.execute(checking_out(name, method, pay_by)).await.unwrap();
}

async fn authorize(engine: &Engine, name: &str, token: &str) {
    let command = payment::Command::Authorize {
        attempt: AttemptId::new("a1").unwrap(),
        token: token.parse().unwrap(),
        keep_for: None,
    };
    engine.executor.execute(request(&format!("pay-{name}"), command)).await.unwrap();
}

async fn events(engine: &Engine, aggregate_type: AggregateType, id: &str) -> Vec<AnyEvent> {
    let recorded = engine.log.recorded(&StreamId::new(aggregate_type, id), 0).await.unwrap();
    recorded.into_iter().flat_map(|recorded| recorded.events).collect()
}

async fn names(engine: &Engine, aggregate_type: AggregateType, id: &str) -> Vec<&'static str> {
    events(engine, aggregate_type, id).await.iter().map(AnyEvent::event_type).collect()
}

async fn until(engine: &Engine, aggregate_type: AggregateType, id: &str, wanted: &[&str]) {
    eventually(&format!("{aggregate_type}-{id}: {wanted:?}"), || async {
        (names(engine, aggregate_type, id).await == wanted).then_some(())
    })
    .await;
}

fn later() -> Time {
    Machine.now().plus_millis(3_600_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_checkout_is_confirmed_allocated_and_captured() {
    let ground = Ground::new().await;
    let engine = shop(&ground).await;
    stock(&engine, "A", 5).await;
    stock(&engine, "B", 5).await;
    check_out(&engine, "o1", &["A", "B"], Method::Card, later()).await;
    until(&engine, AggregateType::Checkout, "o1", &["Started", "Reserved"]).await;
    until(&engine, AggregateType::Payment, "pay-o1", &["IntentOpened"]).await;
    authorize(&engine, "o1", "yes").await;
    until(&engine, AggregateType::Order, "o1", &["Placed", "Confirmed"]).await;
    until(&engine, AggregateType::InventoryItem, "A", &["Received", "Reserved", "Allocated"]).await;
    let paid = ["IntentOpened", "AuthorizationRequested", "Authorized", "CaptureRequested", "Captured"];
    until(&engine, AggregateType::Payment, "pay-o1", &paid).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shortage_releases_what_was_reserved_and_cancels() {
    let ground = Ground::new().await;
    let engine = shop(&ground).await;
    stock(&engine, "A", 5).await;
    check_out(&engine, "o1", &["A", "NONE"], Method::Card, later()).await;
    until(&engine, AggregateType::Checkout, "o1", &["Started", "ReservationFailed"]).await;
    until(&engine, AggregateType::InventoryItem, "A", &["Received", "Reserved", "Released"]).await;
    until(&engine, AggregateType::Order, "o1", &["Placed", "Cancelled"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_payment_releases_and_cancels() {
    let ground = Ground::new().await;
    let engine = shop(&ground).await;
    stock(&engine, "A", 5).await;
    check_out(&engine, "o1", &["A"], Method::Card, later()).await;
    until(&engine, AggregateType::Payment, "pay-o1", &["IntentOpened"]).await;
    authorize(&engine, "o1", "no").await;
    until(&engine, AggregateType::Checkout, "o1", &["Started", "Reserved", "GivenUp"]).await;
    until(&engine, AggregateType::InventoryItem, "A", &["Received", "Reserved", "Released"]).await;
    until(
        &engine,
        AggregateType::Payment,
        "pay-o1",
        &["IntentOpened", "AuthorizationRequested", "Declined", "Voided"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_token_is_opened_for_the_gateway_and_closed_for_good_with_its_buyer() {
    let ground = Ground::new().await;
    let gateway = Arc::new(Approving::default());
    let engine = shop_with(&ground, Arc::clone(&gateway)).await;
    stock(&engine, "A", 5).await;
    for (name, subject, reason) in
        [("o1", "customer:ada", "do_not_honor"), ("o2", "customer:eve", "method_gone")]
    {
        check_out(&engine, name, &["A"], Method::Card, later()).await;
        let payment = format!("pay-{name}");
        until(&engine, AggregateType::Payment, &payment, &["IntentOpened"]).await;
        let sealed = engine.vault.seal(subject, b"no").await.unwrap();
        if reason == "method_gone" {
            engine.vault.forget(&[subject]).await.unwrap();
        }
        authorize(&engine, name, &payment::Token::Sealed(sealed).to_string()).await;
        let declined = eventually("it is declined", || async {
            let events = events(&engine, AggregateType::Payment, &payment).await;
            events.into_iter().find_map(|event| match event {
                AnyEvent::Payment(payment::Event::Declined { reason, .. }) => Some(reason),
                _ => None,
            })
        });
        assert_eq!(declined.await.as_str(), reason);
    }
    assert_eq!(gateway.asked.load(Ordering::Relaxed), 1, "nothing is asked with what does not open");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaid_checkout_is_given_up_by_its_timer() {
    let ground = Ground::new().await;
    let engine = shop(&ground).await;
    stock(&engine, "A", 1).await;
    check_out(&engine, "o1", &["A"], Method::Card, Machine.now().plus_millis(300)).await;
    until(&engine, AggregateType::Order, "o1", &["Placed", "Cancelled"]).await;
    let order = events(&engine, AggregateType::Order, "o1").await;
    let AnyEvent::Order(domain::order::Event::Cancelled { reason, confirmed, .. }) = &order[1] else {
        panic!("{order:?}")
    };
    assert_eq!((*reason, *confirmed), (CancelReason::PaymentTimedOut, false));
    until(&engine, AggregateType::InventoryItem, "A", &["Received", "Reserved", "Released"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn going_through_the_whole_log_again_does_nothing_twice() {
    let ground = Ground::new().await;
    let engine = shop(&ground).await;
    stock(&engine, "A", 5).await;
    for (name, skus) in [("o1", &["A"][..]), ("o2", &["A", "NONE"])] {
        check_out(&engine, name, skus, Method::CashOnDelivery, later()).await;
    }
    check_out(&engine, "o3", &["A"], Method::Card, later()).await;
    until(&engine, AggregateType::Payment, "pay-o3", &["IntentOpened"]).await;
    authorize(&engine, "o3", "yes").await;
    let paid = ["IntentOpened", "AuthorizationRequested", "Authorized", "CaptureRequested", "Captured"];
    until(&engine, AggregateType::Payment, "pay-o3", &paid).await;
    until(&engine, AggregateType::Order, "o1", &["Placed", "Confirmed"]).await;
    until(&engine, AggregateType::Order, "o2", &["Placed", "Cancelled"]).await;
    everybody_has_come_to_the_end(&engine).await;
    engine.stop().await;
    ground.as_owner("UPDATE followers SET position = 0 WHERE name NOT IN ('relay', 'timers')").await;
    let gateway = Arc::new(Approving::default());
    let engine = shop_with(&ground, Arc::clone(&gateway)).await;
    let head = engine.log.head().await.unwrap().position;
    everybody_has_come_to_the_end(&engine).await;
    assert_eq!(engine.log.head().await.unwrap().position, head);
    assert_eq!(gateway.asked.load(Ordering::Relaxed), 0, "a gateway may have forgotten its requests' ids");
}

/// Process managers, policies and the gateway have worked on every event, and that has led to no further one.
async fn everybody_has_come_to_the_end(engine: &Engine) {
    eventually("every follower is at the log's end", || async {
        let head = engine.log.head().await.unwrap().position;
        let behind: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM followers WHERE name NOT IN ('relay', 'timers') AND position < $1",
        )
        .bind(head)
        .fetch_one(&engine.pool)
        .await
        .unwrap();
        (behind == 0 && engine.log.head().await.unwrap().position == head).then_some(())
    })
    .await;
}
