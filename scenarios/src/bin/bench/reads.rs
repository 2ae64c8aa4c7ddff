//! What readers get while orders go on: product pages, searches and orders, 70 to 20 to 10.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::json;

use crate::{
    Options,
    cpu::Used,
    flow::{Buyer, End},
    load::percentile_ms,
    report::{Report, hundredths, whole},
    shop::Shop,
};

const PRODUCTS: usize = 1_000;
const READERS: usize = 32;
const BUYERS: usize = 4;
/// What a hundred million visitors a day come to.
const WANTED_PER_S: f64 = 23_000.0;

/// The path of an order that is paid.
pub async fn order(shop: &Shop) -> String {
    let mut client = shop.client().await;
    assert_eq!(Buyer::new(&mut client, "A0").await.buy().await, End::Confirmed);
    let mut staff = shop.staff().await;
    let events = staff.get("events", "/v1/events?from=1&limit=2000&type=Placed&aggregate_type=order").await;
    let mut from = events.expect(200);
    // A page shows what fits of so many events: it goes on until the order is found.
    let mut next = 2_001;
    while from.body.is_empty() {
        let path = format!("/v1/events?from={next}&limit=2000&type=Placed&aggregate_type=order");
        from = staff.get("events", &path).await.expect(200);
        next += 2_000;
    }
    let text = String::from_utf8(from.body).unwrap();
    let placed: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    format!("/v1/orders/{}", placed["aggregate_id"].as_str().unwrap())
}

pub async fn run(options: &Options) {
    let shop = Shop::open(&[("DAYBOOK_PRICING", "samples/pricing.json")]).await;
    shop.stock(PRODUCTS, 1_000_000).await;
    let order = order(&shop).await;
    let length = Duration::from_secs(options.seconds * options.rounds as u64);
    let readers = options.clients.unwrap_or(READERS);
    let before = Used::now(&shop.data);
    let begun = Instant::now();
    let (shop_read, path) = (&shop, &order);
    let reading = join_all((0..readers).map(|nth| async move {
        let mut client = shop_read.client().await;
        client.token = shop_read.staff().await.token;
        let mut at = nth * 7_919;
        while begun.elapsed() < length {
            at += 1;
            match at % 10 {
                0..=6 => client.get("product", &format!("/v1/products/product-{}", at * 31 % PRODUCTS)).await,
                7..=8 => {
                    client.get("search", &format!("/v1/products?q=article+{}", at * 17 % PRODUCTS)).await
                }
                _ => client.get("order", path).await,
            }
            .expect(200);
        }
        client.took
    }));
    let buying = join_all((0..BUYERS).map(|nth| async move {
        let mut client = shop_read.client().await;
        let mut bought = 0;
        while begun.elapsed() < length {
            let buyer = Buyer::new(&mut client, &format!("A{}", (nth + bought) % PRODUCTS)).await;
            assert_eq!(buyer.buy().await, End::Confirmed);
            bought += 1;
        }
        bought
    }));
    let (read, bought) = tokio::join!(reading, buying);
    let seconds = begun.elapsed().as_secs_f64();
    let used = Used::now(&shop.data).since(before);
    let mut kinds: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for (kind, took) in read.into_iter().flatten() {
        kinds.entry(kind).or_default().extend(took);
    }
    let reads: usize = kinds.values().map(Vec::len).sum();
    let per_s = reads as f64 / seconds;
    let mut report =
        Report::new("reads", "none: 23,000 reads a second are what a hundred million visitors a day come to");
    report.note("reads_per_s", whole(per_s));
    report.note("share_of_23000", hundredths(per_s / WANTED_PER_S));
    for (kind, mut took) in kinds {
        report.note(&format!("{kind}_p50_ms"), percentile_ms(&mut took, 0.5));
        report.note(&format!("{kind}_p99_ms"), percentile_ms(&mut took, 0.99));
    }
    report.note("orders_per_s", whole(bought.iter().sum::<usize>() as f64 / seconds));
    report.note("cpu_us_per_read_and_its_share_of_orders", whole(used.shop() * 1e6 / reads as f64));
    report.note(
        "cpu",
        json!({ "process": used.process, "postgres": used.postgres, "nats": used.nats, "load": used.load }),
    );
    report.note("readers", readers);
    report.note("buyers", BUYERS);
    report.print(options.json);
}
