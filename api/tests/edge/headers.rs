//! What every answer carries, how it is coded, and what pages of other origins may do.

use std::io::Read as _;

use api::{Settings, ingress::IngressSettings};
use axum::http::{HeaderValue, Method};

use crate::support::{Api, Ask, get};

fn with(ingress: IngressSettings) -> Settings {
    Settings { ingress, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_browsers_what_not_to_do() {
    let api = Api::start().await;
    for path in ["/v1/products", "/v1/nothing", "/healthz", "/v1/orders/none"] {
        let reply = api.send(get(path)).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(reply.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
        assert_eq!(reply.header("strict-transport-security"), "", "it may well be clear text");
    }
    let https = Api::start_with(with(IngressSettings { https: true, ..IngressSettings::default() })).await;
    let reply = https.send(get("/v1/products")).await;
    assert!(reply.header("strict-transport-security").starts_with("max-age=63072000"), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_coded_as_the_client_likes_and_mean_the_same() {
    let api = Api::start().await;
    api.list("A", 100).await;
    let plain = api.send(get("/metrics")).await.expect(200);
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(plain.header("vary"), "accept-encoding", "somebody else's is coded");
    let coded = api.send_raw(get("/metrics").header("accept-encoding", "gzip")).await;
    assert_eq!(coded.headers["content-encoding"], "gzip");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*coded.body).read_to_string(&mut text).unwrap();
    assert!(text.contains("daybook_"), "{text}");
    assert!(coded.body.len() < text.len() / 2);
    let coded = api.send_raw(get("/metrics").header("accept-encoding", "br, gzip")).await;
    assert_eq!(coded.headers["content-encoding"], "br");
    assert_eq!(coded.headers["vary"], "accept-encoding");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_origins_that_were_named_may_read_answers_and_no_others() {
    let origins = vec![HeaderValue::from_static("https://shop.example")];
    let api = Api::start_with(with(IngressSettings { origins, ..IngressSettings::default() })).await;
    let preflight = |origin: &str| {
        Ask::new(Method::OPTIONS, "/v1/carts")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,idempotency-key,authorization")
    };
    let reply = api.send(preflight("https://shop.example")).await.expect(200);
    assert_eq!(reply.header("access-control-allow-origin"), "https://shop.example");
    for header in ["idempotency-key", "authorization", "if-match"] {
        assert!(reply.header("access-control-allow-headers").contains(header), "{reply:?}");
    }
    let reply = api.send(preflight("https://evil.example")).await;
    assert_eq!(reply.header("access-control-allow-origin"), "");
    let reply = api.send(get("/v1/products").header("origin", "https://shop.example")).await.expect(200);
    assert!(reply.header("access-control-expose-headers").contains("daybook-position"), "{reply:?}");
    let closed = Api::start().await;
    let reply = closed.send(get("/v1/products").header("origin", "https://shop.example")).await.expect(200);
    assert_eq!(reply.header("access-control-allow-origin"), "");
}
