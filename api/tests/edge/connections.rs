//! Connections: whole shops on a port, stopped while somebody is being answered.

use std::net::SocketAddr;

use api::ingress::{listener, tls::Tls};
use store::testing::eventually;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::support::Api;

/// A shop on a port.
pub struct Served {
    api: Api,
    pub address: SocketAddr,
    pub stop: watch::Sender<bool>,
    pub ended: JoinHandle<()>,
}

impl Served {
    pub async fn start(tls: Option<Tls>) -> Self {
        let api = Api::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, told) = watch::channel(false);
        let ended = tokio::spawn(listener::serve(listener, api.front.clone(), tls, told));
        Self { api, address, stop, ended }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Everything until the other end closes.
pub async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered_after_the_stop_and_no_other_connection_is_taken() {
    let served = Served::start(None).await;
    let mut under_way = served.connect().await;
    let bearer = served.api.bearer();
    let head = format!(
        "POST /v1/carts HTTP/1.1\r\nhost: shop\r\nauthorization: {bearer}\r\ncontent-type: application/json\r\n\
         content-length: 18\r\n\r\n"
    );
    under_way.write_all(head.as_bytes()).await.unwrap();
    let mut idle = served.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    served.stop.send_replace(true);
    eventually("nobody is taken in", || async { TcpStream::connect(served.address).await.err().map(|_| ()) })
        .await;
    rest(&mut idle).await;
    assert!(!served.ended.is_finished(), "somebody is being answered");
    under_way.write_all(b"{\"currency\":\"GBP\"}").await.unwrap();
    let answer = rest(&mut under_way).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    served.ended.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_end_where_they_say_and_head_says_how_long_they_are() {
    let served = Served::start(None).await;
    let bearer = served.api.bearer();
    let mut stream = served.connect().await;
    let asked = [
        "GET /v1/nothing",
        "GET /v1/products/none",
        "PUT /healthz",
        "HEAD /v1/products/none",
        "GET /healthz",
    ];
    for (nth, line) in asked.iter().enumerate() {
        let ends = if nth + 1 == asked.len() { "connection: close\r\n" } else { "" };
        let head = format!("{line} HTTP/1.1\r\nhost: shop\r\nauthorization: {bearer}\r\n{ends}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    let told = rest(&mut stream).await;
    let mut left = told.as_str();
    for (asked, status) in asked.iter().zip([404, 404, 405, 404, 200]) {
        let (head, after) = left.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{asked}: {told}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let length: usize = length.parse().unwrap();
        assert!(length > 0 || status == 200, "{asked}: {told}");
        let length = if asked.starts_with("HEAD") { 0 } else { length };
        assert!(length == 0 || after[..length].ends_with('}'), "{asked}: {told}");
        left = &after[length..];
    }
    assert_eq!(left, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_is_refused() {
    let served = Served::start(None).await;
    let mut stream = served.connect().await;
    let head =
        format!("GET /healthz HTTP/1.1\r\nhost: shop\r\n{}\r\n", "x-padding: aaaaaaaa\r\n".repeat(101));
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let mut stream = served.connect().await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: shop\r\nx-padding: {}\r\n\r\n", "a".repeat(300_000));
    // The other end may hang up before it was told everything.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 431"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_refused() {
    let served = Served::start(None).await;
    for text in ["\x16\x03\x01\x02\x00 hello", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = served.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{text:?}: {answer}");
    }
}
