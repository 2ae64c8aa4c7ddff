//! An HTTP client that speaks to one server over one connection.

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{self, SendRequest},
    header::{AUTHORIZATION, HOST},
};
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio::{net::TcpStream, task::JoinSet};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the shop cannot be reached: {0}")]
    Unreachable(#[from] std::io::Error),
    #[error("the shop did not answer: {0}")]
    Silent(#[from] hyper::Error),
    #[error("{0} is not a request: {1}")]
    NoRequest(String, hyper::http::Error),
    #[error("the shop's answer {0} is not JSON: {1}")]
    NotJson(StatusCode, String),
}

/// A connection to a server.
pub(super) struct Client {
    address: SocketAddr,
    /// The header that says who asks.
    authorization: String,
    sender: SendRequest<Body>,
    connection: JoinSet<()>,
}

impl Client {
    /// Connects; `token` says who asks.
    pub(super) async fn connect(address: SocketAddr, token: &str) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut driven = JoinSet::new();
        driven.spawn(async {
            // Whoever waits for an answer hears of it as well.
            let _ = connection.await;
        });
        Ok(Self { address, authorization: format!("Bearer {token}"), sender, connection: driven })
    }

    /// Sends a request and reads the JSON that answers it.
    pub(super) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<(StatusCode, Json), ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(AUTHORIZATION, &self.authorization);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request =
            request.body(Body::from(body)).map_err(|error| ClientError::NoRequest(path.to_owned(), error))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let bytes: Bytes = response.into_body().collect().await?.to_bytes();
        let json = serde_json::from_slice(&bytes);
        let json = json.map_err(|_| ClientError::NotJson(status, String::from_utf8_lossy(&bytes).into()))?;
        Ok((status, json))
    }

    /// Hangs up.
    pub(super) async fn close(mut self) {
        self.connection.shutdown().await;
    }
}
