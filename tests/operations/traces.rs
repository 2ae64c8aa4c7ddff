//! One order's trace, from its request through the log and the broker to the read models; and nothing where nobody collects.

use std::{collections::BTreeSet, time::Duration};

use store::testing::{Ground, eventually};
use tokio::{net::TcpListener, time::timeout};

use crate::{
    collector::{Collected, Collector},
    shop::{Shop, stocked},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT: &str = "b7ad6b7169203331";

fn traceparent() -> String {
    format!("00-{TRACE}-{CLIENT}-01")
}

/// Events whose metadata name a trace.
async fn traced(ground: &Ground) -> i64 {
    let sql = "SELECT count(*) FROM events WHERE metadata ->> 'traceparent' IS NOT NULL";
    sqlx::query_scalar(sql).fetch_one(&ground.pool("").await).await.unwrap()
}

/// Everything that one order goes through.
const PARTS: [&str; 10] = [
    "POST /v1/checkouts",
    "execute cart",
    "publish",
    "react checkout",
    "execute checkout",
    "execute order",
    "execute inventory_item",
    "apply orders",
    "apply carts",
    "apply stock",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_from_its_request_to_the_read_models() {
    let ground = stocked().await;
    let (collector, url) = Collector::listen().await;
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20c2hvcA=="),
        ("OTEL_SERVICE_NAME", "the-shop"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let shop = Shop::open(&ground, &settings).await;
    let guest = shop.guest().await;
    let cart = shop.cart(&guest).await;
    shop.check_out(&guest, &cart, &traceparent()).await.expect(201);

    let spans = eventually("all parts of the order were collected", || async {
        let spans: Vec<_> = collector.spans().into_iter().filter(|span| span.trace_id == TRACE).collect();
        let names: BTreeSet<_> = spans.iter().map(|span| span.name.as_str()).collect();
        PARTS.iter().all(|part| names.contains(part)).then(|| spans.clone())
    })
    .await;
    let ids: BTreeSet<_> = spans.iter().map(|span| span.span_id.as_str()).chain([CLIENT]).collect();
    for span in &spans {
        assert!(ids.contains(span.parent.as_str()), "{span:?} goes on from nothing");
        assert!(!span.failed && span.service.contains("the-shop"), "{span:?}");
    }
    let named = |name: &str| -> &Collected { spans.iter().find(|span| span.name == name).unwrap() };
    let request = named("POST /v1/checkouts");
    assert_eq!(request.parent, CLIENT);
    assert!(request.attribute("http.response.status_code").unwrap().contains("201"), "{request:?}");
    let command = named("execute cart");
    assert_eq!(command.parent, request.span_id);
    assert!(command.attribute("daybook.stream").unwrap().contains(&cart), "{command:?}");
    // What the manager has done because of the cart's event goes on from that event's command.
    assert_eq!(named("react checkout").parent, command.span_id);
    assert_eq!(collector.authorization().as_deref(), Some("Basic c2hvcA=="));

    // Whoever names no trace gets one, of 16 bytes that are not all the same.
    let other = collector.spans().into_iter().find(|span| span.name == "POST /v1/carts").unwrap();
    assert!(other.trace_id != TRACE && other.parent.is_empty(), "{other:?}");
    assert!(traced(&ground).await > 0);
    // A process that ends sends what is left.
    let before = collector.spans().len();
    shop.get("/v1/products/stoneware-mug").await.expect(200);
    shop.end();
    assert!(collector.spans().len() > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_collected_unless_it_is_wanted() {
    let ground = stocked().await;
    let (collector, url) = Collector::listen().await;
    let off: [&[(&str, &str)]; 2] =
        [&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_TRACES_SAMPLER", "always_off")]];
    for settings in off {
        let shop = Shop::open(&ground, settings).await;
        let guest = shop.guest().await;
        let cart = shop.cart(&guest).await;
        shop.check_out(&guest, &cart, &traceparent()).await.expect(201);
        shop.end();
    }
    assert!(collector.spans().is_empty(), "{:?}", collector.spans());
    assert_eq!(traced(&ground).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_or_hangs_keeps_nobody_waiting() {
    let ground = stocked().await;
    // Connections are taken, and nothing is ever answered.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = format!("http://{}", silent.local_addr().unwrap());
    let held = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    for url in ["http://127.0.0.1:1", &hanging] {
        let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", url), ("OTEL_BSP_SCHEDULE_DELAY", "10")];
        let shop = Shop::open(&ground, &settings).await;
        let bought = async {
            let guest = shop.guest().await;
            for _ in 0..5 {
                let cart = shop.cart(&guest).await;
                shop.check_out(&guest, &cart, &traceparent()).await.expect(201);
            }
        };
        timeout(Duration::from_secs(20), bought).await.expect("requests wait for the collector");
        let ended = tokio::task::spawn_blocking(move || shop.end());
        let ended = timeout(Duration::from_secs(15), ended).await;
        let log = ended.expect("the process waits for the collector").unwrap();
        assert!(log.contains("BatchSpanProcessor.Export") || url == hanging, "nobody is told: {log}");
        assert!(!log.contains("AfterShutdown"), "the exporter has died: {log}");
    }
    held.abort();
}
