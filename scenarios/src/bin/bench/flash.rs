//! 500 buyers for 100 units, in three shapes: exactly 100 are sold, the others are told so, and the shop's counters are what
//! its events add up to.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::Value;

use crate::{
    Options,
    flow::{Buyer, End},
    load::{Client, percentile_ms},
    report::{Report, hundredths},
    shop::Shop,
};

const BUYERS: usize = 500;
const UNITS: u32 = 100;
const WORKERS: usize = 32;

/// When the buyers come.
#[derive(Clone, Copy)]
enum Shape {
    /// The whole way at once.
    AtOnce,
    /// All have filled their carts before the first one checks out.
    Together,
    /// So many at a time.
    Workers,
}

pub async fn run(options: &Options) {
    let shop = Shop::open(&[("DAYBOOK_PRICING", "samples/pricing.json")]).await;
    shop.stock(3, UNITS).await;
    let mut report = Report::new("flash", "none: what must be reached stands in docs/BENCHMARKS.md");
    let shapes = [("at_once", Shape::AtOnce), ("together", Shape::Together), ("workers", Shape::Workers)];
    let mut right = true;
    for (nth, (name, shape)) in shapes.into_iter().enumerate() {
        let sku = format!("A{nth}");
        let begun = Instant::now();
        let (ends, mut took) = sell(&shop, &sku, shape).await;
        let seconds = begun.elapsed().as_secs_f64();
        let confirmed = ends.iter().filter(|end| **end == End::Confirmed).count();
        let sold_out = ends.iter().filter(|end| **end == End::SoldOut).count();
        let sums = Sums::of(&shop, &sku).await;
        let stock = shop.stock_of(&sku).await;
        let counters = (stock["on_hand"].clone(), stock["reserved"].clone(), stock["available"].clone());
        right &= confirmed == UNITS as usize && sold_out == BUYERS - confirmed;
        right &=
            counters == (sums.on_hand.into(), sums.reserved.into(), (sums.on_hand - sums.reserved).into());
        right &= sums.on_hand == 0 && sums.confirmed == sums.allocated;
        report.note(&format!("{name}_confirmed"), confirmed);
        report.note(&format!("{name}_sold_out"), sold_out);
        report.note(&format!("{name}_seconds"), hundredths(seconds));
        report.note(&format!("{name}_flow_p99_ms"), percentile_ms(&mut took, 0.99));
        report.note(&format!("{name}_counters_are_the_fold"), counters.0 == sums.on_hand);
    }
    report.note("buyers", BUYERS);
    report.note("units", UNITS);
    report.note("right", right);
    report.print(options.json);
    drop(shop);
    assert!(right, "a flash sale did not end as it has to");
}

async fn sell(shop: &Shop, sku: &str, shape: Shape) -> (Vec<End>, Vec<Duration>) {
    let left = AtomicUsize::new(BUYERS);
    let ready = tokio::sync::Barrier::new(BUYERS);
    let at_once = if matches!(shape, Shape::Workers) { WORKERS } else { BUYERS };
    let all = join_all((0..at_once).map(|_| async {
        let mut client: Client = shop.client().await;
        let (mut ends, mut took) = (Vec::new(), Vec::new());
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            let begun = Instant::now();
            let buyer = Buyer::new(&mut client, sku).await;
            if matches!(shape, Shape::Together) {
                ready.wait().await;
            }
            ends.push(buyer.buy().await);
            took.push(begun.elapsed());
            if !matches!(shape, Shape::Workers) {
                break;
            }
        }
        (ends, took)
    }))
    .await;
    let (ends, took): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    (ends.concat(), took.concat())
}

/// What the log's events add up to, folded here and by nobody else.
#[derive(Default)]
struct Sums {
    on_hand: i64,
    reserved: i64,
    allocated: usize,
    confirmed: usize,
}

impl Sums {
    async fn of(shop: &Shop, sku: &str) -> Self {
        let mut staff = shop.staff().await;
        let (mut sums, mut from) = (Self::default(), 1_u64);
        let (mut holds, mut of_orders): (BTreeMap<String, i64>, BTreeMap<String, bool>) = Default::default();
        loop {
            let page = staff.get("events", &format!("/v1/events?from={from}&limit=2000")).await.expect(200);
            let text = String::from_utf8(page.body).unwrap();
            let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let Some(last) = events.last() else { break };
            from = last["position"].as_u64().unwrap() + 1;
            for event in &events {
                let name = event["event_type"].as_str().unwrap();
                let (id, payload) = (event["aggregate_id"].as_str().unwrap(), &event["payload"][name]);
                let units = |payload: &Value| payload["quantity"].as_i64().unwrap_or(0);
                match (event["aggregate_type"].as_str().unwrap(), name) {
                    ("inventory_item", "Received") if id == sku => sums.on_hand += units(payload),
                    ("inventory_item", "Reserved") if id == sku => {
                        holds.insert(payload["reservation"].as_str().unwrap().to_owned(), units(payload));
                    }
                    ("inventory_item", "Released" | "ReservationExpired") if id == sku => {
                        holds.remove(payload["reservation"].as_str().unwrap());
                    }
                    ("inventory_item", "Allocated") if id == sku => {
                        let held = holds.remove(payload["reservation"].as_str().unwrap()).unwrap();
                        sums.on_hand -= held;
                        sums.allocated += 1;
                    }
                    ("order", "Placed") if event["payload"].to_string().contains(&format!("\"{sku}\"")) => {
                        of_orders.insert(id.to_owned(), false);
                    }
                    ("order", "Confirmed") => {
                        of_orders.entry(id.to_owned()).and_modify(|confirmed| *confirmed = true);
                    }
                    _ => {}
                }
            }
        }
        sums.reserved = holds.values().sum();
        sums.confirmed = of_orders.values().filter(|confirmed| **confirmed).count();
        sums
    }
}
