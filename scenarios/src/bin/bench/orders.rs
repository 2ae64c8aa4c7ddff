//! Whole checkouts in a closed loop: orders a second, what each request takes, and what an order costs.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::join_all;

use crate::{
    Options, Round,
    cpu::Used,
    flow::{Buyer, End},
    load::percentile_ms,
    report::{Report, Series, hundredths},
    shop::Shop,
};

const PRODUCTS: usize = 100;
const UNITS: u32 = 1_000_000;
/// Before it is measured, so that plans are made and pages are in memory.
const WARM_UP: Duration = Duration::from_secs(3);

pub async fn run(options: &Options) {
    let shop = Shop::open(&[("DAYBOOK_PRICING", "samples/pricing.json")]).await;
    shop.stock(PRODUCTS, UNITS).await;
    let mut report = Report::new("checkout", "none: what must be reached stands in docs/BENCHMARKS.md");
    let counts = options.clients.map_or(vec![8, 32], |clients| vec![clients]);
    buy(&shop, 8, WARM_UP).await;
    for clients in counts {
        let (mut series, mut kinds, mut flows) = (Series::default(), BTreeMap::new(), Vec::new());
        let (mut cpu_ms, mut shares, mut load) = (Vec::new(), [0.0; 3], Vec::new());
        for _ in 0..options.rounds {
            let before = Used::now(&shop.data);
            let begun = Instant::now();
            let bought = buy(&shop, clients, Duration::from_secs(options.seconds)).await;
            let used = Used::now(&shop.data).since(before);
            let orders = bought.flows.len() as f64;
            series.push(Round { per_s: orders / begun.elapsed().as_secs_f64(), took: bought.flows.clone() });
            cpu_ms.push(used.shop() * 1_000.0 / orders);
            load.push(used.load * 1_000.0 / orders);
            let parts = [used.process, used.postgres, used.nats].map(|seconds| seconds * 1_000.0 / orders);
            shares = std::array::from_fn(|at| shares[at] + parts[at] / options.rounds as f64);
            flows.extend(bought.flows);
            for (kind, took) in bought.kinds {
                kinds.entry(kind).or_insert_with(Vec::new).extend(took);
            }
        }
        let name = |what: &str| format!("{what}_at_{clients}");
        report.note(&name("orders_per_s"), series.per_s().round());
        report.note(&name("orders_per_s_rounds"), series.rounds());
        report.note(&name("flow_p50_ms"), percentile_ms(&mut flows, 0.5));
        report.note(&name("flow_p99_ms"), percentile_ms(&mut flows, 0.99));
        for (kind, mut took) in kinds {
            report.note(&name(&format!("{kind}_p50_ms")), percentile_ms(&mut took, 0.5));
            report.note(&name(&format!("{kind}_p99_ms")), percentile_ms(&mut took, 0.99));
        }
        report.note(&name("cpu_ms_per_order"), hundredths(crate::report::median(cpu_ms.into_iter())));
        for (part, ms) in ["process", "postgres", "nats"].into_iter().zip(shares) {
            report.note(&name(&format!("cpu_ms_{part}")), hundredths(ms));
        }
        report.note(&name("cpu_ms_load"), hundredths(crate::report::median(load.into_iter())));
    }
    report.note("cpus", std::thread::available_parallelism().map_or(0, std::num::NonZero::get));
    report.print(options.json);
}

struct Bought {
    flows: Vec<Duration>,
    kinds: BTreeMap<&'static str, Vec<Duration>>,
}

/// Every client buys one thing after another, each time as a new guest.
async fn buy(shop: &Shop, clients: usize, length: Duration) -> Bought {
    let begun = Instant::now();
    let all = join_all((0..clients).map(|nth| async move {
        let mut client = shop.client().await;
        let (mut flows, mut bought) = (Vec::new(), nth);
        while begun.elapsed() < length {
            let sku = format!("A{}", bought % PRODUCTS);
            bought += clients;
            let begun = Instant::now();
            let mut buyer = Buyer::new(&mut client, &sku).await;
            buyer.quote().await;
            assert_eq!(buyer.buy().await, End::Confirmed);
            flows.push(begun.elapsed());
        }
        (flows, client.took)
    }))
    .await;
    let mut bought = Bought { flows: Vec::new(), kinds: BTreeMap::new() };
    for (flows, kinds) in all {
        bought.flows.extend(flows);
        for (kind, took) in kinds {
            bought.kinds.entry(kind).or_default().extend(took);
        }
    }
    bought
}
