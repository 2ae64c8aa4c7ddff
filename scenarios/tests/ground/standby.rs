//! Queries on a streaming standby: it lags, dies, comes back and is promoted, and no answer claims what it does not show.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
};

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, Method, Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use stack::Stack;
use store::testing::{Ground, eventually};
use tokio::{net::TcpStream, task::JoinSet};

use crate::{
    keeper,
    process::{Serve, laid},
};

/// A server that follows the one it was copied from.
struct Standby {
    servers: Stack,
    port: u16,
    running: Option<Child>,
}

/// What came back.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn position(&self) -> &str {
        self.header("daybook-position")
    }

    #[track_caller]
    fn with(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    #[track_caller]
    fn is_problem(&self, code: &str) {
        assert_eq!((self.status, &self.body["code"]), (503, &json!(code)), "{self:?}");
        assert_eq!((self.header("retry-after"), self.header("cache-control")), ("1", "no-store"));
    }
}

impl Standby {
    /// A copy that streams from now on.
    fn of(servers: Stack) -> Self {
        let copy = servers.beside_postgres("standby").unwrap();
        let mut backup = servers.postgres_program("pg_basebackup").unwrap();
        backup.arg("-D").arg(&copy).args(["-R", "-c", "fast", "-X", "stream", "-d", servers.owner_url()]);
        let output = backup.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut standby = Self { servers, port, running: None };
        standby.start();
        standby
    }

    fn start(&mut self) {
        let copy = self.servers.postgres_data_dir().unwrap().with_file_name("standby");
        let mut postgres: Command = self.servers.postgres_program("postgres").unwrap();
        postgres.arg("-D").arg(copy).args(["-p", &self.port.to_string()]);
        // A standby needs as much room for connections as the one that it follows.
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=400"] {
            postgres.args(["-c", setting]);
        }
        self.running = Some(postgres.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    /// At once and without tidying up, its backends with it: they would keep the next start from its memory for a while.
    fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        let quit = Command::new("kill").args(["-QUIT", &running.id().to_string()]).status().unwrap();
        assert!(quit.success());
        running.wait().unwrap();
    }

    /// The same role on this server.
    fn url(&self, url: &str) -> String {
        let (before, database) = url.rsplit_once('/').unwrap();
        let (host, _) = before.rsplit_once(':').unwrap();
        format!("{host}:{}/{database}", self.port)
    }

    async fn execute(&self, sql: &str) {
        let url = self.url(self.servers.owner_url());
        let mut owner =
            eventually("the standby answers", || async { PgConnection::connect(&url).await.ok() }).await;
        owner.execute(sql).await.unwrap();
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
    }
}

async fn try_ask(
    serve: &Serve,
    method: Method,
    path: &str,
    token: &str,
    wait_s: u8,
    body: Option<&Value>,
) -> Option<Reply> {
    let stream = TcpStream::connect(serve.address()).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let mut driven = JoinSet::new();
    driven.spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, serve.address().to_string())
        .header(header::AUTHORIZATION, keeper::authorization(serve.address()))
        .header(header::CONTENT_TYPE, "application/json")
        .header("prefer", format!("wait={wait_s}"));
    if !token.is_empty() {
        request = request.header("daybook-min-position", token);
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let response = sender.send_request(request.body(body).unwrap()).await.ok()?;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.ok()?.to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    Some(Reply { status: parts.status.as_u16(), headers: parts.headers, body })
}

async fn get(serve: &Serve, path: &str) -> Reply {
    try_ask(serve, Method::GET, path, "", 1, None).await.unwrap()
}

/// Asks for what a token stands for.
async fn get_after(serve: &Serve, path: &str, token: &str, wait_s: u8) -> Reply {
    try_ask(serve, Method::GET, path, token, wait_s, None).await.unwrap()
}

async fn send(serve: &Serve, method: Method, path: &str, body: Value) -> Reply {
    try_ask(serve, method, path, "", 1, Some(&body)).await.unwrap()
}

async fn receive(serve: &Serve, sku: &str) -> Reply {
    send(serve, Method::POST, &format!("/v1/inventory/{sku}/receive"), json!({"quantity": 1})).await.with(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_answered_by_a_standby_which_may_lag_die_and_be_promoted() {
    // The log is on one server, the read models on another, and queries go to the other's standby.
    let log = laid(Ground::new().await).await;
    let servers = tokio::task::block_in_place(stack::testing::private);
    let written = Ground { prefix: log.prefix.clone(), ..Ground::alone(&servers).await };
    let written = laid(written).await;
    let mut standby = tokio::task::block_in_place(|| Standby::of(servers));
    let (projection, read) = (written.app_url.clone(), standby.url(&written.app_url));
    standby.execute("SELECT 1").await;
    let settings = [
        ("DAYBOOK_PROJECTION_DATABASE_URL", projection.as_str()),
        ("DAYBOOK_READ_DATABASE_URL", read.as_str()),
    ];
    let serve = Serve::up_with(&log, "standby", &settings).await;
    let mug = json!({"id": "mug", "title": "A mug",
                     "variants": [{"sku": "MUG", "price": {"amount": 900, "currency": "GBP"}}]});
    let listed = send(&serve, Method::POST, "/v1/products", mug).await.with(201);
    get_after(&serve, "/v1/products/mug", listed.position(), 20).await.with(200);
    let ready = eventually("it is ready", || async {
        let reply = get(&serve, "/readyz").await;
        (reply.status == 200).then_some(reply)
    })
    .await;
    assert_eq!(ready.body["read_database"], json!({"standby": true, "silent": false}));
    lags(&standby, &serve).await;
    dies(&mut standby, &serve, &log, &settings).await;
    is_promoted(&standby, &serve).await;
}

/// Replay stands still for a while.
async fn lags(standby: &Standby, serve: &Serve) {
    let seen = receive(serve, "MUG").await;
    get_after(serve, "/v1/inventory/MUG", seen.position(), 20).await.with(200);
    get_after(serve, "/v1/products/mug", seen.position(), 20).await.with(200);
    standby.execute("SELECT pg_wal_replay_pause()").await;
    let price = json!({"price": {"amount": 1_000, "currency": "GBP"}});
    send(serve, Method::PUT, "/v1/products/mug/prices/MUG", price).await.with(200);
    let unseen = receive(serve, "MUG").await;
    for path in ["/v1/inventory/MUG", "/v1/products/mug"] {
        get_after(serve, path, unseen.position(), 1).await.is_problem("read_model.behind");
        let old = get(serve, path).await.with(200);
        let units = &old.body.pointer("/variants/0/available").unwrap_or(&old.body["available"]).clone();
        assert_eq!(units, 1, "{old:?}");
        let claims = |reply: &Reply| reply.position().split_once(':').unwrap().1.parse::<i64>().unwrap();
        assert!(claims(&old) < claims(&unseen), "{old:?} is not {unseen:?}");
    }
    // Commands ask where the read models are written.
    let opened = send(serve, Method::POST, "/v1/carts", json!({"currency": "GBP"})).await.with(201);
    let items = format!("/v1/carts/{}/items", opened.body["id"].as_str().unwrap());
    let add = json!({"sku": "MUG", "quantity": 1});
    let added =
        try_ask(serve, Method::POST, &items, unseen.position(), 20, Some(&add)).await.unwrap().with(200);
    let events = format!("/v1/events?from={}", added.body["position"]);
    let event = get(serve, &events).await.with(200).body;
    assert_eq!(event.pointer("/payload/LineAdded/line/unit_price/amount"), Some(&json!(1_000)), "{event}");
    let waiting = get_after(serve, "/v1/products/mug", unseen.position(), 20);
    let (shown, ()) = tokio::join!(waiting, standby.execute("SELECT pg_wal_replay_resume()"));
    let shown = shown.with(200);
    assert_eq!(shown.body["variants"][0]["available"], 2, "{shown:?}");
}

/// The standby is killed, and started again.
async fn dies(standby: &mut Standby, serve: &Serve, log: &Ground, settings: &[(&str, &str)]) {
    get(serve, "/v1/products/mug").await.with(200);
    standby.kill();
    let away = get(serve, "/v1/inventory/MUG").await;
    away.is_problem("store.unavailable");
    assert_eq!(away.body["reason"], "unreachable");
    let not_ready = get(serve, "/readyz").await;
    not_ready.is_problem("store.unavailable");
    assert_eq!(not_ready.body["database"], "read_models");
    // What is kept stays true, and commands need no standby; nor does a process that starts meanwhile.
    get(serve, "/v1/products/mug").await.with(200);
    let another = Serve::up_with(log, "another", settings).await;
    assert!(another.told().contains("DAYBOOK_READ_DATABASE_URL does not answer"), "{}", another.told());
    let unseen = receive(&another, "MUG").await;
    standby.start();
    for serve in [serve, &another] {
        eventually("the standby answers what is asked for", || async {
            let reply = get_after(serve, "/v1/inventory/MUG", unseen.position(), 1).await;
            (reply.status == 200 && reply.body["available"] == 3).then_some(())
        })
        .await;
    }
}

/// The standby goes its own way, where nobody writes to it.
async fn is_promoted(standby: &Standby, serve: &Serve) {
    standby.execute("SELECT pg_promote()").await;
    eventually("queries are refused", || async {
        let reply = get(serve, "/v1/inventory/MUG").await;
        (reply.status == 503 && reply.body["reason"] == "cut_off").then_some(())
    })
    .await;
    // The last renewal of each lease is up to a second apart.
    eventually("the process is not ready", || async {
        let reply = get(serve, "/readyz").await;
        (reply.status == 503 && reply.body["reason"] == "cut_off").then_some(())
    })
    .await;
    // A page that the log vouches for is as good as before.
    get(serve, "/healthz").await.with(200);
    receive(serve, "MUG").await;
}
