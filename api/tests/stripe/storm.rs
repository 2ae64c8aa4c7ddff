//! Many orders, every webhook several times and in any order, and calls that fail half way: each order is charged once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, http::StatusCode};
use domain::{AnyEvent, payment::Event};
use futures::{StreamExt as _, stream};
use serde_json::Value;
use store::testing::eventually;
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
async fn deliver(mut webhooks: mpsc::UnboundedReceiver<Told>, router: Router, dice: Dice) {
    let mut bag: Vec<String> = Vec::new();
    let mut under_way = JoinSet::new();
    while let Some(Told { body, delivered }) = webhooks.recv().await {
        let copies = 1 + dice.roll(5);
        if delivered.is_some() {
            let router = router.clone();
            let now = body.clone();
            under_way.spawn(async move {
                send(&router, &now).await;
                drop(delivered);
            });
        }
        bag.extend((0..copies).map(|_| body.clone()));
        while bag.len() > SHUFFLED {
            let at = usize::try_from(dice.roll(bag.len() as u64)).unwrap();
            let (router, body) = (router.clone(), bag.swap_remove(at));
            under_way.spawn(async move { send(&router, &body).await });
        }
        while under_way.len() > 2 * SHUFFLED {
            under_way.join_next().await.unwrap().unwrap();
        }
    }
}

/// As Stripe does: until it is taken.
async fn send(router: &Router, body: &str) {
    eventually("a webhook is taken", || async {
        let response = tower::ServiceExt::oneshot(router.clone(), signed(body).into_request()).await.unwrap();
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

/// What the log holds of each payment.
#[derive(Default)]
struct Told2 {
    captured: u32,
}

async fn captures(api: &Api) -> BTreeMap<String, Told2> {
    let mut told: BTreeMap<String, Told2> = BTreeMap::new();
    let head = api.engine.log.head().await.unwrap().position;
    let mut after = 0;
    while after < head {
        let page = api.engine.log.recorded_after(after, 1_000).await.unwrap();
        for recorded in page {
            after = recorded.position;
            for event in &recorded.events {
                if let AnyEvent::Payment(Event::Captured { order, .. }) = event {
                    told.entry(order.to_string()).or_default().captured += 1;
                }
            }
        }
    }
    told
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
    tokio::spawn(deliver(proxy.webhooks(), api.router.clone(), dice.clone()));

    let bought: Vec<(String, String)> =
        stream::iter(0..ORDERS).map(|_| buy(&api)).buffer_unordered(BUYERS).collect().await;

    // What nobody answered for is found out, and what was set aside is tried again.
    let settled = eventually_settled(&api, &proxy, &bought).await;
    let mut charged = 0;
    let log = captures(&api).await;
    for (order, _) in &bought {
        let at_stripe = &settled[order];
        let taken = at_stripe.iter().filter(|intent| intent["status"] == "succeeded").count();
        let in_log = log.get(order).map_or(0, |told| told.captured);
        assert_eq!(u32::try_from(taken), Ok(in_log), "{order}: {at_stripe:?}");
        let shown = api.send(crate::support::get(&format!("/v1/orders/{order}"))).await.json();
        match in_log {
            0 => assert_eq!(shown["status"], "cancelled", "{shown}"),
            1 => {
                assert_eq!(shown["status"], "confirmed", "{shown}");
                charged += 1;
            }
            _ => panic!("{order} was captured {in_log} times"),
        }
    }
    assert!(charged * 10 >= ORDERS * 9, "{charged} of {ORDERS} were paid");
    // Nobody else was charged.
    let known: Vec<&String> = bought.iter().map(|(order, _)| order).collect();
    assert!(log.keys().all(|order| known.contains(&order)));
    assert_eq!(metric(&api, "daybook_webhooks_total{outcome=\"unexplained\"}").await, "0");
    api.until_stock("STORM", i64::from(ORDERS - charged), 0).await;
}

/// Waits until no PaymentIntent is open any more and every order knows its end; the PaymentIntents by order.
async fn eventually_settled(
    api: &Api,
    proxy: &Proxy,
    bought: &[(String, String)],
) -> BTreeMap<String, Vec<Value>> {
    // Instances that were set aside are tried again a second later, then two, four …
    let mut last = None;
    for _ in 0..3 {
        let settled = tokio::spawn({
            let (proxy, log) = (proxy.clone(), Arc::clone(&api.engine.log));
            let orders: Vec<String> = bought.iter().map(|(order, _)| order.clone()).collect();
            async move {
                eventually("everything is settled at Stripe", || async {
                    let all = proxy.real("/v1/payment_intents?limit=100000").await;
                    let mut of: BTreeMap<String, Vec<Value>> =
                        orders.iter().map(|order| (order.clone(), vec![])).collect();
                    for intent in all["data"].as_array().unwrap() {
                        if let Some(intents) =
                            intent["metadata"]["order"].as_str().and_then(|order| of.get_mut(order))
                        {
                            intents.push(intent.clone());
                        }
                    }
                    let open = |intent: &Value| {
                        intent["status"] == "requires_capture" || intent["status"] == "requires_confirmation"
                    };
                    let settled = !of.values().flatten().any(open) && captured_or_over(&*log, of.len()).await;
                    settled.then_some(of)
                })
                .await
            }
        });
        match settled.await {
            Ok(of) => return of,
            Err(error) => last = Some(error),
        }
    }
    panic!("{last:?}");
}

/// Whether every payment of the log has been captured, or let go of for good.
async fn captured_or_over(log: &dyn store::log::Log, orders: usize) -> bool {
    let mut over = std::collections::BTreeSet::new();
    let head = log.head().await.unwrap().position;
    let mut after = 0;
    while after < head {
        for recorded in log.recorded_after(after, 1_000).await.unwrap() {
            after = recorded.position;
            for event in &recorded.events {
                if let AnyEvent::Payment(Event::Captured { order, .. } | Event::Voided { order }) = event {
                    over.insert(order.clone());
                }
            }
        }
    }
    over.len() == orders
}
