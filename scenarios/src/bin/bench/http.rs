//! One command and one query a request, beside bare handlers of the same server that return as many bytes.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::Path, routing::get};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    Options, Round,
    load::{Client, Extra},
    report::{Report, Series},
    shop::Shop,
};

const CLIENTS: usize = 64;
const SKUS: usize = 64;

pub async fn run(options: &Options) {
    let shop = Shop::open(&[("DAYBOOK_PRICING", "samples/pricing.json")]).await;
    shop.stock(SKUS, 1_000_000_000).await;
    let order = crate::reads::order(&shop).await;
    let page = shop.staff().await.get("order", &order).await.expect(200).body;
    let bare = Bare::start(page);
    let clients = options.clients.unwrap_or(CLIENTS);
    let length = Duration::from_secs(options.seconds.div_ceil(3));
    let (mut reserve, mut echo, mut shown, mut plain) = Default::default();
    for round in 0..=options.rounds {
        let rounds = [
            (drive(&shop, shop.address, clients, length, Ask::Reserve).await, &mut reserve),
            (drive(&shop, bare.address, clients, length, Ask::Reserve).await, &mut echo),
            (drive(&shop, shop.address, clients, length, Ask::Order(&order)).await, &mut shown),
            (drive(&shop, bare.address, clients, length, Ask::Order(&order)).await, &mut plain),
        ];
        for (measured, series) in rounds {
            let series: &mut Series = series;
            // The first one warms all up.
            if round > 0 {
                series.push(measured);
            }
        }
    }
    let mut report =
        Report::new("http", "bare axum handlers on the same listener: JSON echo, and the same page");
    report.sides(&reserve, &echo);
    report.note("get_order_per_s", shown.per_s().round());
    report.note("get_order_baseline_per_s", plain.per_s().round());
    report.note("get_order_ratio", crate::report::hundredths(shown.per_s() / plain.per_s()));
    report.note("clients", clients);
    report.print(options.json);
}

#[derive(Clone, Copy)]
enum Ask<'a> {
    Reserve,
    Order(&'a str),
}

async fn drive(shop: &Shop, address: SocketAddr, clients: usize, length: Duration, ask: Ask<'_>) -> Round {
    let begun = Instant::now();
    let token = shop.staff().await.token;
    let all = join_all((0..clients).map(|nth| {
        let token = token.clone();
        async move {
            let mut client = Client::connect(address).await;
            client.token = token;
            let (path, body) = match ask {
                Ask::Reserve => (
                    format!("/v1/inventory/A{}/reservations", nth % SKUS),
                    json!({ "quantity": 1, "ttl_seconds": 600 }).to_string(),
                ),
                Ask::Order(path) => (path.to_owned(), String::new()),
            };
            while begun.elapsed() < length {
                let reply = match ask {
                    Ask::Reserve => {
                        let extra = Extra { body: &body, ..Extra::default() };
                        client.send("asked", ("POST", &path), extra).await
                    }
                    Ask::Order(_) => client.get("asked", &path).await,
                };
                assert!(reply.status.is_success(), "{}", String::from_utf8_lossy(&reply.body));
            }
            client.took.remove("asked").unwrap_or_default()
        }
    }))
    .await;
    let took: Vec<Duration> = all.into_iter().flatten().collect();
    Round { per_s: took.len() as f64 / begun.elapsed().as_secs_f64(), took }
}

/// Handlers that know nothing, in a process of their own as the shop has one.
struct Bare {
    address: SocketAddr,
    _stop: watch::Sender<bool>,
}

impl Bare {
    /// On threads of its own, as many as the shop has.
    fn start(page: Vec<u8>) -> Self {
        let (told, address) = std::sync::mpsc::channel();
        let (stop, stopped) = watch::channel(false);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                let json = [(hyper::header::CONTENT_TYPE, "application/json")];
                let routes = Router::new()
                    .route(
                        "/v1/inventory/{sku}/reservations",
                        axum::routing::post(|Path(_): Path<String>, Json(body): Json<Value>| async {
                            Json(body)
                        }),
                    )
                    .route(
                        "/v1/orders/{id}",
                        get(move |Path(_): Path<String>| async move { (json, page.clone()) }),
                    );
                api::ingress::listener::serve(listener, routes.into(), None, stopped).await;
            });
        });
        Self { address: address.recv().unwrap(), _stop: stop }
    }
}
