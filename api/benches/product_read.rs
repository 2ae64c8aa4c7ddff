//! A product's page from memory, over HTTP through the router that serves, beside a bare handler of the same bytes and headers.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

#[path = "../../store/benches/common/report.rs"]
#[allow(dead_code, reason = "the benchmarks of the store take more from it")]
mod report;

use std::{
    env,
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use api::{Settings, Shop};
use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{HeaderMap, header},
    response::IntoResponse,
    routing::get,
};
use projections::{Freshness, ReadModels};
use report::{Report, Series};
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

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connections that are kept open, each with one request at a time.
const CONNECTIONS: usize = 64;
const PATH: &str = "/v1/products/chair";

/// Whether requests are logged now.
static LOGGED: AtomicBool = AtomicBool::new(false);

/// How often something was done in a while, and how long each took.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// How often in a second.
    pub per_s: f64,
    /// How long each took.
    pub took: Vec<Duration>,
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let number =
        |flag: &str| args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1)?.parse().ok());
    // Cargo says `--bench` when it is to be measured; without it, it is only to be tried.
    let quick = has("--quick") || !has("--bench");
    let rounds: usize = number("--rounds").unwrap_or(if quick { 1 } else { 5 });
    let length = Duration::from_millis(if quick { 200 } else { 3_000 });
    log();
    let ground = Ground::new().await;
    ground.lay(&projections::tables()).await;
    let (_engine, shop) = shop(&ground).await;
    let pages = shop.pages.clone();
    let ours = serve(api::router(shop)).await;
    let kept = eventually("the page is kept", || async {
        let reply = Connection::open(ours).await.ask().await;
        (pages.answers().0 > 0).then_some(reply)
    })
    .await;
    let bare = serve(bare(&kept)).await;
    let (mut ours, mut bare) = (connections(ours).await, connections(bare).await);
    drive(&mut ours, length / 4).await;
    drive(&mut bare, length / 4).await;
    let (mut mine, mut baseline, mut logged) = (Series::default(), Series::default(), Series::default());
    for _ in 0..rounds {
        mine.push(drive(&mut ours, length).await);
        baseline.push(drive(&mut bare, length).await);
        LOGGED.store(true, Ordering::Relaxed);
        logged.push(drive(&mut ours, length).await);
        LOGGED.store(false, Ordering::Relaxed);
    }
    let (given, asked) = pages.answers();
    let mut report =
        Report::new("product_read", "a bare axum handler that answers the same bytes and headers");
    report.note("cpus", std::thread::available_parallelism().map_or(0, usize::from));
    report.note("connections", CONNECTIONS);
    report.note("rounds", rounds);
    report.note("quick", quick);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    report.note("load_average", load.split_whitespace().next().unwrap_or_default());
    report.note("bytes", kept.length);
    report.sides(&mine, &baseline);
    report.note("logged_per_s", report::whole(logged.per_s()));
    report.note("logged_ratio", report::hundredths(logged.per_s() / baseline.per_s()));
    report.note("logged_rounds", logged.rounds());
    report.note("from_memory", given);
    report.note("from_read_models", asked);
    report.print(has("--json"));
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
    let shop = Shop::new(&engine, models, Settings::default());
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

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(api::at_once(listener), router).into_future());
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

/// Lets all of them ask for a while.
async fn drive(connections: &mut Vec<Connection>, length: Duration) -> Round {
    let started = Instant::now();
    let tasks: Vec<_> = connections
        .drain(..)
        .map(|mut connection| {
            tokio::spawn(async move {
                let mut took = Vec::new();
                while started.elapsed() < length {
                    let asked = Instant::now();
                    connection.exchange().await;
                    took.push(asked.elapsed());
                }
                (connection, took)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        let (connection, took) = task.await.unwrap();
        connections.push(connection);
        all.extend(took);
    }
    Round { per_s: all.len() as f64 / started.elapsed().as_secs_f64(), took: all }
}
