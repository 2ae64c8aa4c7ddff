//! A product's page from memory, over HTTP through the router that serves, beside a bare handler of the same bytes and headers.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]
#![allow(clippy::cast_precision_loss, reason = "counts of a benchmark are small")]

#[path = "../../store/benches/common/bench.rs"]
mod bench;

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use api::{Identity, Settings, Shop, edge, ingress::Front};
use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{HeaderMap, header},
    response::IntoResponse,
    routing::get,
};
use bench::{
    Bench, Caller, drive,
    report::{Series, hundredths, whole},
};
use projections::{Freshness, ReadModels};
use serde_json::json;
use store::{
    engine::Engine,
    testing::{Ground, eventually},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tracing_subscriber::{Layer as _, filter::filter_fn, layer::SubscriberExt as _};

/// Connections that are kept open, each with one request at a time.
const CONNECTIONS: usize = 64;
const PATH: &str = "/v1/products/chair";

/// Whether requests are logged now.
static LOGGED: AtomicBool = AtomicBool::new(false);

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    log();
    bench.ground.lay(&projections::tables()).await;
    bench.ground.lay(&edge::tables()).await;
    let length = bench.options.length();
    let (_engine, shop) = shop(&bench.ground).await;
    let pages = shop.pages.clone();
    let ours = serve(api::front(shop)).await;
    let kept = eventually("the page is kept", || async {
        let reply = Connection::open(ours).await.ask().await;
        (pages.answers().0 > 0).then_some(reply)
    })
    .await;
    let bare = serve(bare(&kept).into()).await;
    let (mut ours, mut bare) = (connections(ours).await, connections(bare).await);
    drive(&mut ours, length / 4).await;
    drive(&mut bare, length / 4).await;
    let (mut mine, mut baseline, mut logged) = (Series::default(), Series::default(), Series::default());
    for _ in 0..bench.options.rounds {
        mine.push(drive(&mut ours, length).await);
        baseline.push(drive(&mut bare, length).await);
        LOGGED.store(true, Ordering::Relaxed);
        logged.push(drive(&mut ours, length).await);
        LOGGED.store(false, Ordering::Relaxed);
    }
    let (given, asked) = pages.answers();
    let mut report =
        bench.report("product_read", "a bare axum handler that answers the same bytes and headers").await;
    report.note("connections", CONNECTIONS);
    report.note("bytes", kept.length);
    report.sides(&mine, &baseline);
    report.note("logged_per_s", whole(logged.per_s()));
    report.note("logged_ratio", hundredths(logged.per_s() / baseline.per_s()));
    report.note("logged_rounds", logged.rounds());
    report.note("from_memory", given);
    report.note("from_read_models", asked);
    bench.print(report);
}

/// Requests are logged as `serve` logs them, to nobody, while that is measured.
fn log() {
    let nobody = Mutex::new(File::options().write(true).open("/dev/null").unwrap());
    let layer = tracing_subscriber::fmt::layer().json().with_writer(nobody);
    let layer = layer.with_filter(filter_fn(|meta| {
        LOGGED.load(Ordering::Relaxed)
            && *meta.level() <= tracing::Level::INFO
            && meta.target().starts_with("api")
    }));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
}

/// A shop with everybody following, and one product of two variants.
async fn shop(ground: &Ground) -> (Engine, Shop) {
    let mut engine = ground.engine().await;
    let read = ground.pool("_read").await;
    projections::start(&mut engine, read.clone());
    engine.relay();
    engine.manage();
    let models = ReadModels::new(read, &engine.progress(), Arc::clone(&engine.clock));
    let variant =
        |sku: &str| json!({ "sku": sku, "title": sku, "price": { "amount": 900, "currency": "GBP" } });
    let listing = serde_json::from_value(json!({
        "title": "White hanging heart t-light holder",
        "description": "A heart of white painted tin for one tea light, to be hung into a window. ".repeat(4),
        "brand": "Ledger Lane", "category": ["Home", "Lights"], "images": ["https://example.com/heart.jpg"],
        "variants": [variant("HEART-WHITE"), variant("HEART-RED")],
    }));
    let command = domain::product::Command::List(listing.unwrap());
    let listed = engine.executor.execute(store::testing::request("chair", command)).await.unwrap();
    let freshness = Freshness { at_least: Some(listed.token), wait: Duration::from_secs(20) };
    models.product(&"chair".parse().unwrap(), freshness).await.unwrap();
    let (clock, ids) = (Arc::clone(&engine.clock), Arc::clone(&engine.ids));
    let identity = Identity::start(ground.pool(edge::SUFFIX).await, engine.vault.clone(), clock, ids);
    let shop = Shop::new(&engine, models, identity.await.unwrap(), Settings::default());
    tokio::spawn(shop.keep_pages());
    (engine, shop)
}

/// The same answer from a handler that does nothing else.
fn bare(reply: &Reply) -> Router {
    let text = std::str::from_utf8(&reply.head).unwrap();
    let mut headers = HeaderMap::new();
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        if name != header::CONTENT_LENGTH.as_str() && name != header::DATE.as_str() {
            headers.insert(name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap());
        }
    }
    let body = reply.body.clone();
    let answer = move |Path(_): Path<String>| {
        let answer = (headers.clone(), body.clone());
        async move { answer.into_response() }
    };
    Router::new().route("/v1/products/{id}", get(answer))
}

async fn serve(front: Front) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (_running, stop) = tokio::sync::watch::channel(false);
        api::ingress::listener::serve(listener, front, None, stop).await;
    });
    address
}

/// An answer with its head.
struct Reply {
    head: Vec<u8>,
    body: Bytes,
    length: usize,
}

/// Asks for the page, and takes the answer without looking at more of it than its end.
struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!("GET {PATH} HTTP/1.1\r\nhost: {address}\r\naccept: application/json\r\n\r\n");
        Self { stream, request: request.into_bytes(), buffer: Vec::with_capacity(16 << 10) }
    }

    async fn ask(&mut self) -> Reply {
        let head = self.exchange().await;
        let body = Bytes::copy_from_slice(&self.buffer[head..]);
        Reply { head: self.buffer[..head].to_vec(), length: self.buffer.len(), body }
    }

    /// How long the head of the answer is that now is in the buffer.
    async fn exchange(&mut self) -> usize {
        self.stream.write_all(&self.request).await.unwrap();
        self.buffer.clear();
        let mut wanted = None;
        while wanted.is_none_or(|(_, end)| self.buffer.len() < end) {
            assert!(self.stream.read_buf(&mut self.buffer).await.unwrap() > 0);
            wanted = wanted.or_else(|| ends(&self.buffer));
        }
        assert!(self.buffer.starts_with(b"HTTP/1.1 200"));
        wanted.unwrap().0
    }
}

impl Caller for Connection {
    async fn call(&mut self) {
        self.exchange().await;
    }
}

/// Where the head ends, and where the body.
fn ends(buffer: &[u8]) -> Option<(usize, usize)> {
    let head = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let name = b"content-length: ";
    let at = buffer[..head].windows(name.len()).position(|some| some == name)? + name.len();
    let length = buffer[at..head].iter().take_while(|byte| byte.is_ascii_digit());
    Some((head, head + length.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))))
}

async fn connections(address: SocketAddr) -> Vec<Connection> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(address).await);
    }
    connections
}
