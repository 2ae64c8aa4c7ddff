//! `daybook what-if`: by the rules that were, everything comes out as it did; by others, what they would have come to.

use std::{collections::BTreeMap, path::PathBuf};

use daybook::{
    import,
    progress::Progress,
    what_if::{Report, Rules, Totals, what_if},
};
use domain::{inventory_item, order as orders, value::ReservationId};
use futures::future::join_all;
use serde_json::json;

use crate::shop::{Buyer, Shop, daybook, order, tables, units};

async fn by(shop: &Shop, rules: &serde_json::Value) -> Report {
    let rules = Rules::parse(&rules.to_string(), Some(&tables())).unwrap();
    what_if(&*shop.engine.log, &rules, &mut |_, _| {}).await.unwrap()
}

/// Rules that say what holds anyway.
fn same() -> [serde_json::Value; 3] {
    let all: serde_json::Value = serde_json::to_value(tables()).unwrap();
    [json!({}), all.clone(), json!({"tax": all["tax"], "payment_window_minutes": 30, "purchase_limits": {}})]
}

async fn nothing_differs(shop: &Shop) -> Report {
    let mut last = None;
    for rules in same() {
        let report = by(shop, &rules).await;
        assert_eq!(report.differences, [], "{rules}");
        assert_eq!(report.was, report.then, "{rules}");
        assert_eq!(report.taken_as_it_was, BTreeMap::new(), "{rules}");
        last = Some(report);
    }
    last.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_same_rules_the_retail_sample_comes_out_as_it_did() {
    let shop = Shop::open().await;
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/retail-sample.csv");
    let rejects = std::env::temp_dir().join(format!("daybook-{}.csv", shop.ground.prefix));
    let options = import::Options { rejects: Some(rejects.clone()) };
    let (executor, prints) = (&shop.engine.executor, &shop.engine.fingerprints);
    import::retail(executor, prints, &file, &options, &Progress::silent()).await.unwrap();
    std::fs::remove_file(rejects).unwrap();
    shop.rest().await;
    let report = nothing_differs(&shop).await;
    assert!(report.again.reservations > 50 && report.again.others > 100, "{:?}", report.again);
    shop.stop().await;
}

/// SplitMix64: a seed names a history for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((z ^ (z >> 31)) % u64::from(sides)).unwrap()
    }
}

/// One thing that happens in a shop; several at once.
async fn happening(shop: &Shop, seed: u64) {
    const SKUS: [&str; 4] = ["A", "B", "C", "D 1"];
    let mut dice = Dice(seed);
    let sku = SKUS[dice.roll(4) as usize];
    let reservation = ReservationId::new(format!("hold-{}", dice.roll(5))).unwrap();
    let now = crate::shop::now();
    let stock = match dice.roll(14) {
        0 => return shop.receive(sku, dice.roll(4) + 1).await,
        1 => return drop(shop.adjust(sku, -1).await),
        2 => inventory_item::Command::Reserve {
            reservation,
            quantity: units(dice.roll(2) + 1),
            expires_at: (dice.roll(2) == 0).then(|| now.plus_millis(1)),
            in_stock: false,
            now,
        },
        3 => inventory_item::Command::Release { reservation },
        4 => inventory_item::Command::Allocate { reservation, now },
        5 => inventory_item::Command::SetPolicy {
            policy: match dice.roll(2) {
                0 => inventory_item::StockPolicy::Deny,
                _ => inventory_item::StockPolicy::Backorder { limit: Some(2), promised_at: None },
            },
        },
        6 => inventory_item::Command::SetReorderPoint { units: Some(dice.roll(3)) },
        7 => inventory_item::Command::Count {
            location: None,
            counted: dice.roll(6),
            expected: None,
            reference: None,
        },
        _ => {
            let (name, customer) = (format!("b{seed}"), format!("c{}", dice.roll(3)));
            let other = SKUS[dice.roll(4) as usize];
            let (one, two) = (dice.roll(2) + 1, dice.roll(2) + 1);
            let mut lines = vec![(sku, one)];
            lines.extend((other != sku).then_some((other, two)));
            let buyer = Buyer {
                name: &name,
                customer: (dice.roll(4) > 0).then_some(&*customer),
                lines: &lines,
                limit: (dice.roll(3) == 0).then_some(3),
                ago: i64::from(dice.roll(4)) * 12,
            };
            if shop.buy(buyer).await {
                match dice.roll(5) {
                    0 => drop(shop.run(order(&name).as_str(), cancel()).await),
                    1 => {}
                    _ => {
                        shop.pay(&name).await;
                        if dice.roll(4) == 0 {
                            let _ = shop.run(order(&name).as_str(), cancel()).await;
                        }
                    }
                }
            }
            return;
        }
    };
    let _refused_or_not = shop.run(sku, stock).await;
}

fn cancel() -> orders::Command {
    orders::Command::Cancel { reason: orders::CancelReason::CustomerRequest, note: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_same_rules_every_history_comes_out_as_it_did() {
    let (mut accepted, mut refused, mut outs) = (0, 0, 0);
    for seed in [7_u64, 90_210, 20_101_224] {
        let shop = Shop::open().await;
        for sku in ["A", "B", "C", "D 1"] {
            shop.receive(sku, 6).await;
        }
        for round in 0..12_u64 {
            join_all((0..6).map(|nth| happening(&shop, seed * 1_000 + round * 10 + nth))).await;
        }
        shop.rest().await;
        let Report { again, was, .. } = nothing_differs(&shop).await;
        assert!(again.checkouts > 10 && again.claims > 0 && again.others > 30, "{again:?}");
        (accepted, refused, outs) = (accepted + was.accepted, refused + was.refused, outs + was.stock_outs);
        shop.stop().await;
    }
    assert!(accepted > 20 && refused > 5 && outs > 3, "{accepted} accepted, {refused} refused, {outs} short");
}

/// Three buyers after three units. The first pays 20 minutes after the checkout; so there is nothing for the third.
async fn rivals() -> Shop {
    let shop = Shop::open().await;
    shop.receive("A", 3).await;
    let buyer = |name, quantity: &'static [(&'static str, u32)], ago| Buyer {
        name,
        customer: Some(name),
        lines: quantity,
        limit: None,
        ago,
    };
    assert!(shop.buy(buyer("ada", &[("A", 2)], 20)).await && shop.buy(buyer("bob", &[("A", 1)], 1)).await);
    assert!(!shop.buy(buyer("eve", &[("A", 2)], 0)).await);
    assert!(shop.pay("ada").await && shop.pay("bob").await);
    shop.rest().await;
    shop
}

fn outcome(report: &Report, name: &str) -> Vec<(&'static str, String, String)> {
    let of = report.differences.iter().filter(|of| of.order.as_ref() == Some(&order(name)));
    of.map(|of| (of.decision, of.was.clone(), of.then.clone())).collect()
}

fn own(of: &[(&'static str, &str, &str)]) -> Vec<(&'static str, String, String)> {
    of.iter().map(|(what, was, then)| (*what, (*was).to_owned(), (*then).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_less_time_to_pay_units_go_to_who_comes_later() {
    let shop = rivals().await;
    nothing_differs(&shop).await;
    let report = by(&shop, &json!({"payment_window_minutes": 15})).await;
    assert_eq!(outcome(&report, "ada"), own(&[("payment", "accepted", "payment_timed_out")]));
    assert_eq!(outcome(&report, "eve"), own(&[("checkout", "inventory.insufficient", "accepted")]));
    assert_eq!(outcome(&report, "bob"), []);
    let Report { was, then, .. } = report;
    assert_eq!((was.accepted, was.refused, was.stock_outs, was.sold), (2, 1, 1, 2));
    assert_eq!((then.accepted, then.refused, then.stock_outs, then.sold), (3, 0, 0, 2));
    // Two and one at 10.00 with post at 3.95; then one, and two for somebody else.
    assert_eq!((was.revenue["GBP"], then.revenue["GBP"]), (3_790, 3_790));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_limit_who_wants_more_is_refused_and_their_units_go_to_others() {
    let shop = rivals().await;
    let report = by(&shop, &json!({"purchase_limits": {"*": 1}})).await;
    assert_eq!(outcome(&report, "ada"), own(&[("checkout", "accepted", "cart.purchase_limit")]));
    assert_eq!(outcome(&report, "bob"), []);
    // Refused either way.
    assert_eq!(outcome(&report, "eve"), []);
    let Report { was, then, .. } = report;
    assert_eq!((was.sold, then.sold, then.refused, then.stock_outs), (2, 1, 2, 0));
    let report = by(&shop, &json!({"purchase_limits": {"A": 2}})).await;
    assert_eq!(report.differences, []);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_counts_over_all_orders_of_a_customer() {
    let shop = Shop::open().await;
    shop.receive("A", 9).await;
    for name in ["one", "two", "three"] {
        let buyer = Buyer { name, customer: Some("ada"), lines: &[("A", 1)], limit: Some(2), ago: 0 };
        assert_eq!(shop.buy(buyer).await, name != "three");
    }
    shop.rest().await;
    nothing_differs(&shop).await;
    let report = by(&shop, &json!({"purchase_limits": {"A": 1}})).await;
    assert_eq!(outcome(&report, "two"), own(&[("checkout", "accepted", "allowance.exceeded")]));
    assert_eq!(report.differences.len(), 1, "{report:?}");
    let report = by(&shop, &json!({"purchase_limits": {"*": null}})).await;
    assert_eq!(outcome(&report, "three"), own(&[("checkout", "allowance.exceeded", "accepted")]));
    assert_eq!(report.differences.len(), 1, "{report:?}");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dearer_post_is_told_order_by_order_and_what_is_sent_nowhere_is_refused() {
    let shop = rivals().await;
    let post = |country: &str, price: i64| {
        json!({"shipping": {"methods": [{
            "code": "standard", "title": "Post", "country": country,
            "rule": {"flat": {"price": {"amount": price, "currency": "GBP"}}},
        }]}})
    };
    let report = by(&shop, &post("*", 1_000)).await;
    assert_eq!(outcome(&report, "ada"), own(&[("total", "accepted", "accepted")]));
    let Totals { revenue, sold, .. } = &report.then;
    assert_eq!((revenue["GBP"] - report.was.revenue["GBP"], *sold), (2 * (1_000 - 395), 2));
    let report = by(&shop, &post("DE", 1)).await;
    assert_eq!(outcome(&report, "ada"), own(&[("checkout", "accepted", "checkout.not_shipped_there")]));
    assert_eq!((report.then.accepted, report.then.sold), (0, 0));
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_tells_differences_and_totals_and_what_is_wrong_with_the_rules() {
    let shop = rivals().await;
    let file = std::env::temp_dir().join(format!("daybook-rules-{}.json", shop.ground.prefix));
    let run = |rules: &str, json: bool| {
        std::fs::write(&file, rules).unwrap();
        let mut args = vec!["what-if", "--rules", file.to_str().unwrap()];
        args.extend(json.then_some("--json"));
        let output = daybook(&shop.ground.app_url, &shop.ground.prefix, &args).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), out, err)
    };
    let (status, out, _) = run("{}", false);
    assert_eq!(status, Some(0), "{out}");
    assert!(out.contains("3 checkouts, 3 reservations") && out.contains("never decided again"), "{out}");
    let (status, out, _) = run(r#"{"payment_window_minutes": 15}"#, false);
    assert_eq!(status, Some(1), "{out}");
    for wanted in [
        "payment of order order-ada: accepted at 23.95 GBP, would have been payment_timed_out",
        "checkout of order order-eve: inventory.insufficient, would have been accepted at 23.95 GBP",
        "revenue in GBP",
    ] {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
    let (status, out, _) = run(r#"{"payment_window_minutes": 15}"#, true);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((status, &told["ok"]), (Some(1), &json!(false)));
    assert_eq!(told["differences"].as_array().unwrap().len(), 2, "{told}");
    for (rules, word) in [
        (r#"{"payment_window_minuets": 15}"#, "did you mean \"payment_window_minutes\"?"),
        (r#"{"tax": {"prices_include_tax": true}}"#, "DAYBOOK_PRICING"),
        ("{", "EOF"),
    ] {
        let (status, _, err) = run(rules, false);
        assert_eq!(status, Some(2), "{err}");
        assert!(err.contains(word), "{err}");
    }
    std::fs::remove_file(&file).unwrap();
    let args = ["what-if", "--rules", "/nowhere/rules.json"];
    let output = daybook(&shop.ground.app_url, &shop.ground.prefix, &args).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    shop.stop().await;
}
