//! Many orders, every webhook several times and in any order, and calls that fail half way: each order is charged once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use api::ingress::Front;
use axum::http::StatusCode;
use domain::{AggregateType, AnyEvent, payment::Event};
use futures::{StreamExt as _, stream};
use serde_json::Value;
use store::{log::StreamId, testing::eventually};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    proxy::{Fault, Proxy, Told},
    shop::{GOOD, metric, shop, signed},
    support::Api,
};

const ORDERS: u32 = 60;
const BUYERS: usize = 6;
/// Webhooks that wait to be shuffled.
const SHUFFLED: usize = 8;

/// Chance that comes out the same each time it begins with the same seed, save for who asks when.
#[derive(Clone)]
struct Dice(Arc<AtomicU64>);

impl Dice {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0x9e37_79b9_7f4a_7c15)))
    }

    /// Below `sides`; splitmix64.
    fn roll(&self, sides: u64) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// One call in four goes wrong: refused, done and not heard of, done and said to have failed.
fn fault(dice: &Dice) -> Option<Fault> {
    match dice.roll(32) {
        0 => Some(Fault::Refuse(409)),
        1 => Some(Fault::Refuse(429)),
        2 | 3 => Some(Fault::Refuse(500)),
        4 | 5 => Some(Fault::Cut),
        6 | 7 => Some(Fault::Keep(500)),
        _ => None,
    }
}

/// Delivers every webhook one to five times: those that an answer waits for at once, the others shuffled with what came
/// before and after them.
async fn deliver(mut webhooks: mpsc::UnboundedReceiver<Told>, front: Front, dice: Dice) {
    let mut bag: Vec<String> = Vec::new();
    let mut under_way = JoinSet::new();
    while let Some(Told { body, delivered }) = webhooks.recv().await {
        let copies = 1 + dice.roll(5);
        if delivered.is_some() {
            let front = front.clone();
            let now = body.clone();
            under_way.spawn(async move {
                send(&front, &now).await;
                drop(delivered);
            });
        }
        bag.extend((0..copies).map(|_| body.clone()));
        while bag.len() > SHUFFLED {
            let at = usize::try_from(dice.roll(bag.len() as u64)).unwrap();
            let (front, body) = (front.clone(), bag.swap_remove(at));
            under_way.spawn(async move { send(&front, &body).await });
        }
        while under_way.len() > 2 * SHUFFLED {
            under_way.join_next().await.unwrap().unwrap();
        }
    }
}

/// As Stripe does: until it is taken.
async fn send(front: &Front, body: &str) {
    eventually("a webhook is taken", || async {
        let response = front.answer(signed(body).into_request()).await;
        let status = response.status();
        assert!(status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE, "{status} {body}");
        (status == StatusCode::OK).then_some(())
    })
    .await;
}

/// Buys one unit, and pays as often as it takes: the order and its payment.
async fn buy(api: &Api) -> (String, String) {
    let (order, payment) = api.order("STORM", 1).await;
    for _ in 0..3 {
        let paid = api.authorize(&payment, GOOD).await;
        match (paid.status.as_u16(), paid.code().as_str()) {
            (200 | 202, _) | (409, "payment.already_authorized") => break,
            (409, "payment.timed_out" | "payment.in_progress") => {}
            other => panic!("{other:?}: {paid:?}"),
        }
    }
    (order, payment)
}

/// How often each order was captured, by the log.
async fn captures(api: &Api) -> BTreeMap<String, u32> {
    let mut captures = BTreeMap::new();
    let head = api.engine.log.head().await.unwrap().position;
    let mut after = 0;
    while after < head {
        for recorded in api.engine.log.recorded_after(after, 1_000).await.unwrap() {
            after = recorded.position;
            for event in &recorded.events {
                if let AnyEvent::Payment(Event::Captured { order, .. }) = event {
                    *captures.entry(order.to_string()).or_default() += 1;
                }
            }
        }
    }
    captures
}

/// Waits until an order is paid for or called off, and nothing is held for it at Stripe any more; its PaymentIntents.
async fn settled(api: &Api, proxy: &Proxy, order: &str, payment: &str) -> Vec<Value> {
    let stream = StreamId::new(AggregateType::Payment, payment);
    eventually(&format!("payment {payment} of {order} is settled"), || async {
        let recorded = api.engine.log.recorded(&stream, 0).await.unwrap();
        let mut events = recorded.iter().flat_map(|recorded| &recorded.events);
        let over = |event: &AnyEvent| {
            matches!(event, AnyEvent::Payment(Event::Captured { .. } | Event::Voided { .. }))
        };
        let intents = proxy.intents_of(order).await;
        // One that nobody confirmed holds nothing: its name was lost together with the answer that told it.
        let held = intents.iter().any(|intent| intent["status"] == "requires_capture");
        (events.any(over) && !held).then_some(intents)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_is_charged_once_whatever_comes_late_twice_or_not_at_all() {
    let proxy = Proxy::start().await;
    let api = shop(&proxy).await;
    let dice = Dice::new();
    api.stock("STORM", 500, ORDERS).await;
    let (unlucky, first) = (dice.clone(), dice.clone());
    proxy.faults().choose(move |_| fault(&unlucky));
    proxy.faults().second(move |_| first.roll(4) == 0);
    tokio::spawn(deliver(proxy.webhooks(), api.front.clone(), dice.clone()));

    let bought: Vec<(String, String)> =
        stream::iter(0..ORDERS).map(|_| buy(&api)).buffer_unordered(BUYERS).collect().await;

    // What nobody answered for is found out, and what was set aside is tried again.
    let mut at_stripe = BTreeMap::new();
    for (order, payment) in &bought {
        at_stripe.insert(order, settled(&api, &proxy, order, payment).await);
    }
    let mut charged = 0;
    let log = captures(&api).await;
    for (order, intents) in at_stripe {
        let taken = intents.iter().filter(|intent| intent["status"] == "succeeded").count();
        let in_log = log.get(order).copied().unwrap_or_default();
        assert_eq!(u32::try_from(taken), Ok(in_log), "{order}: {intents:?}");
        let path = format!("/v1/orders/{order}");
        match in_log {
            0 => api.until(&path, "status", "cancelled").await,
            1 => {
                charged += 1;
                api.until(&path, "status", "confirmed").await
            }
            _ => panic!("{order} was captured {in_log} times"),
        };
    }
    assert!(charged * 10 >= ORDERS * 9, "{charged} of {ORDERS} were paid");
    // Nobody else was charged.
    let known: Vec<&String> = bought.iter().map(|(order, _)| order).collect();
    assert!(log.keys().all(|order| known.contains(&order)));
    assert_eq!(metric(&api, "daybook_webhooks_total{outcome=\"unexplained\"}").await, "0");
    api.until_stock("STORM", i64::from(ORDERS - charged), 0).await;
}
