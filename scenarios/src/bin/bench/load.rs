//! Clients that keep their connection, and what their requests took.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::{
    Request, StatusCode,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// What came back.
pub struct Reply {
    pub status: StatusCode,
    pub body: Vec<u8>,
    /// Where the log stood.
    pub position: Option<String>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A member of the body as text.
    pub fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// What is sent beside the method and the path.
#[derive(Clone, Copy, Default)]
pub struct Extra<'a> {
    pub body: &'a str,
    pub key: Option<&'a str>,
    pub after: Option<&'a str>,
}

/// One client.
pub struct Client {
    host: String,
    sender: SendRequest<Body>,
    /// What it says that it is.
    pub token: Option<String>,
    /// What each kind of request took.
    pub took: BTreeMap<&'static str, Vec<Duration>>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { host: address.to_string(), sender, token: None, took: BTreeMap::new() }
    }

    /// A request of some kind, and how long its answer took to come whole.
    pub async fn send(&mut self, kind: &'static str, line: (&str, &str), extra: Extra<'_>) -> Reply {
        let mut request = Request::builder().method(line.0).uri(line.1).header(HOST, &self.host);
        if !extra.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = extra.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(position) = extra.after {
            request = request.header("daybook-min-position", position);
        }
        let request = request.body(Body::from(extra.body.to_owned())).unwrap();
        let asked = Instant::now();
        self.sender.ready().await.unwrap();
        let response = self.sender.send_request(request).await.unwrap();
        let status = response.status();
        let position = response.headers().get("daybook-position").and_then(|value| value.to_str().ok());
        let position = position.map(str::to_owned);
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        self.took.entry(kind).or_default().push(asked.elapsed());
        Reply { status, body, position }
    }

    pub async fn get(&mut self, kind: &'static str, path: &str) -> Reply {
        self.send(kind, ("GET", path), Extra::default()).await
    }

    pub async fn post(&mut self, kind: &'static str, path: &str, body: &Value) -> Reply {
        self.send(kind, ("POST", path), Extra { body: &body.to_string(), ..Extra::default() }).await
    }
}

/// What a share of calls did not exceed, in milliseconds.
pub fn percentile_ms(took: &mut [Duration], share: f64) -> f64 {
    took.sort_unstable();
    let at = ((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1));
    took.get(at).map_or(0.0, |took| super::report::hundredths(took.as_secs_f64() * 1_000.0))
}
