//! An HTTP connection that keeps whatever of an answer came before it was cut off.

use std::{net::SocketAddr, time::Duration};

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::{
    Method, Request,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet, time::Instant};

use crate::keeper;

/// Longer than the store tries to reach a lost database.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);

/// What came back.
#[derive(Debug, Default)]
pub struct Reply {
    /// 0 when not even that came.
    pub status: u16,
    /// Whether the server said that this is a first answer again.
    pub replayed: bool,
    /// As far as it came.
    pub body: Vec<u8>,
    /// Whether it came to its end.
    pub whole: bool,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    /// The `Idempotency-Key`, where the request as a whole has one.
    pub key: Option<String>,
    pub body: String,
}

/// A connection to the shop.
pub struct Connection {
    address: SocketAddr,
    /// Seconds that the shop may wait for what follows from a command.
    wait_s: u8,
    sender: SendRequest<Body>,
    _driven: JoinSet<()>,
}

impl Connection {
    /// Connects; `None` while nobody listens.
    pub async fn open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let mut driven = JoinSet::new();
        driven.spawn(async {
            // Whoever waits for an answer hears of it as well.
            let _ = connection.await;
        });
        Some(Self { address, wait_s: 1, sender, _driven: driven })
    }

    /// Whoever speaks here does not wait for what follows from a command.
    pub fn hurried(self) -> Self {
        Self { wait_s: 0, ..self }
    }

    /// Sends a request and takes what comes back within the time that an answer may take.
    pub async fn send(&mut self, ask: &Ask) -> Reply {
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, keeper::authorization(self.address))
            .header("prefer", format!("wait={}", self.wait_s));
        let kind = if ask.key.is_some() { "application/json" } else { "application/x-ndjson" };
        request = request.header(CONTENT_TYPE, kind);
        if let Some(key) = &ask.key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Body::from(ask.body.clone())).unwrap();
        let mut reply = Reply::default();
        let response = tokio::time::timeout_at(deadline, async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        });
        let Ok(Ok(response)) = response.await else { return reply };
        reply.status = response.status().as_u16();
        reply.replayed = response.headers().contains_key("idempotency-replayed");
        let mut body = response.into_body();
        loop {
            match tokio::time::timeout_at(deadline, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        reply.body.extend_from_slice(&bytes);
                    }
                }
                Ok(None) => {
                    reply.whole = true;
                    return reply;
                }
                Ok(Some(Err(_))) | Err(_) => return reply,
            }
        }
    }
}
