//! Orders that were really placed and paid, told as scenarios.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;

use api::outbound::simulator::Simulator;
use async_trait::async_trait;
use domain::{
    AggregateType, AnyCommand,
    payment::{Authorization, Settlement},
    value::{AttemptId, CaptureId, Money, RefundId, Text},
};
use scenarios::{
    record::{LoadError, Wanted, load, record},
    suite::{Suite, in_memory},
};
use serde_json::{Value, json};
use store::{
    engine::Engine,
    gateway::{Ask, Authorized, Gateway, GatewayError, Means, Settled},
    log::StreamId,
    testing::{Ground, eventually, request},
};

/// A gateway that the simulator knows nothing of.
struct Foreign;

#[async_trait]
impl Gateway for Foreign {
    async fn authorize(&self, _: &Ask, _: &AttemptId, _: &Means) -> Result<Authorized, GatewayError> {
        let reference = Text::new("foreign-1").unwrap();
        Ok(Authorized::Answered(Authorization::Approved { reference }))
    }
    async fn capture(&self, _: &Ask, _: &Text, _: &CaptureId, _: Money) -> Result<Settled, GatewayError> {
        Ok(Settled::Answered(Settlement::Done))
    }
    async fn void(&self, _: &Ask, _: &Text) -> Result<Settled, GatewayError> {
        Ok(Settled::Answered(Settlement::Done))
    }
    async fn refund(&self, _: &Ask, _: &Text, _: &RefundId, _: Money) -> Result<Settled, GatewayError> {
        Ok(Settled::Answered(Settlement::Done))
    }
}

async fn shop(gateway: Arc<dyn Gateway>) -> Engine {
    let mut engine = Ground::new().await.engine().await;
    engine.manage();
    engine.ask(gateway);
    engine
}

async fn ask(engine: &Engine, aggregate: &str, id: &str, command: Value) {
    let command: AnyCommand = serde_json::from_value(json!({ aggregate: command })).unwrap();
    engine.executor.execute(request(id, command)).await.unwrap();
}

/// Waits for an event of a stream.
async fn until(engine: &Engine, aggregate_type: AggregateType, id: &str, event: &str) {
    let stream = StreamId::new(aggregate_type, id);
    eventually(&format!("{event} of {stream}"), || async {
        let recorded = engine.log.recorded(&stream, 0).await.unwrap();
        let mut known = recorded.iter().flat_map(|recorded| &recorded.events);
        known.any(|known| known.event_type() == event).then_some(())
    })
    .await;
}

/// An order of two mugs, paid, with something before it and beside it that does not belong to it.
async fn buy(engine: &Engine, token: &str) {
    let line = json!({"sku": "MUG", "product": "P1", "title": "Mug", "quantity": 2,
                      "unit_price": {"amount": 1500, "currency": "GBP"}});
    let sealed = |text: &str| json!({"subject": "cart:C1", "sealed": text});
    ask(engine, "inventory_item", "MUG", json!({"Receive": {"quantity": 5000}})).await;
    for cart in ["C1", "C2"] {
        ask(engine, "cart", cart, json!({"Open": {"currency": "GBP"}})).await;
        ask(engine, "cart", cart, json!({"AddLine": {"line": line}})).await;
    }
    for (cart, order, payment) in [("C2", "O2", "P2"), ("C1", "O1", "P1")] {
        let pay_by = engine.clock.now().millis() + 1_800_000;
        let check_out = json!({"CheckOut": {"order": order, "payment": payment, "method": "card", "pay_by": pay_by,
            "delivery": {"contact": sealed("bm90IEFkYQ"), "address": sealed("bm90IExvbmRvbg"), "country": "GB"}}});
        ask(engine, "cart", cart, check_out).await;
        until(engine, AggregateType::Payment, payment, "IntentOpened").await;
    }
    ask(engine, "payment", "P1", json!({"Authorize": {"attempt": "A1", "token": token}})).await;
    until(engine, AggregateType::Fulfilment, "O1", "CaptureNoted").await;
}

async fn recorded(engine: &Engine, wanted: &Wanted) -> String {
    let recorded = load(&*engine.log, wanted).await.unwrap();
    let text = record("What happened", &recorded).unwrap();
    let mut suite = Suite::default();
    suite.read("recorded.feature", &text);
    assert_eq!(suite.problems, []);
    assert_eq!(in_memory(&suite.scenarios[0].plays[0]).failure, None);
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_buyer_did_is_asked_again_and_what_the_shop_did_is_seen() {
    let (simulator, _late) = Simulator::new();
    let engine = shop(Arc::new(simulator)).await;
    buy(&engine, "tok_approve").await;
    let text = recorded(&engine, &Wanted::Order("O1".into())).await;
    for told in [
        "cart \"C1\": Open {currency: GBP}",
        "cart \"C1\": AddLine {line: {sku: MUG, product: P1, title: Mug, quantity: 2, unit_price: 15.00 GBP}}",
        "delivery: {contact: contact-1, address: address-1, country: GB}",
        "payment \"P1\": Authorize {attempt: A1, token: tok_approve}",
        "And eventually checkout \"O1\": Completed",
        "And eventually order \"O1\": Confirmed",
        "And eventually payment \"P1\": Captured {order: O1, capture: due-1, amount: 30.00 GBP}",
    ] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
    // Of the stock only as much as the order took; nothing of anybody else, and nothing sealed.
    assert!(text.contains("inventory_item \"MUG\": Received {location: main, quantity: 2}"), "{text}");
    for hidden in ["C2", "O2", "bm90", "5000", "subject"] {
        assert!(!text.contains(hidden), "{hidden} is in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_gateways_token_becomes_the_one_that_does_the_same() {
    let engine = shop(Arc::new(Foreign)).await;
    buy(&engine, "secret-4711").await;
    let text = recorded(&engine, &Wanted::Order("O1".into())).await;
    assert!(text.contains("Authorize {attempt: A1, token: tok_approve}"), "{text}");
    assert!(!text.contains("secret-4711"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_alone_is_told_with_the_commands_that_others_sent_it() {
    let engine = shop(Arc::new(Foreign)).await;
    buy(&engine, "secret-4711").await;
    let streams = [AggregateType::Payment, AggregateType::InventoryItem];
    let streams = streams.iter().zip(["P1", "MUG"]).map(|(of, id)| StreamId::new(*of, id)).collect();
    let text = recorded(&engine, &Wanted::Streams(streams)).await;
    for told in
        ["payment \"P1\": OpenIntent", "Receive {quantity: 5000", "Reserve {reservation: O1", "Capture {"]
    {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_there_is_said_to_be_missing() {
    let engine = Ground::new().await.engine().await;
    let missing = load(&*engine.log, &Wanted::Order("O9".into())).await;
    assert!(matches!(missing, Err(LoadError::Nothing(_))), "{missing:?}");
}
