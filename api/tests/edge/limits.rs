//! What is too much, too slow or too often is turned away, and told so.

use std::time::Duration;

use api::{
    Settings,
    ingress::{IngressSettings, Rate},
};
use axum::http::Method;
use serde_json::json;

use crate::support::{Api, Ask, get, post};

fn with(ingress: IngressSettings) -> Settings {
    Settings { ingress, ..Settings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_at_work_are_turned_away_but_not_who_watches() {
    let api = Api::start_with(with(IngressSettings { at_work_max: 0, ..IngressSettings::default() })).await;
    let reply = api.send(get("/v1/products")).await.expect_problem(503, "edge.overloaded");
    assert!(!reply.header("retry-after").is_empty());
    for path in ["/healthz", "/readyz", "/metrics"] {
        api.send(get(path)).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_too_long_is_given_up() {
    let ingress = IngressSettings { answer_within: Duration::ZERO, ..IngressSettings::default() };
    let api = Api::start_with(with(ingress)).await;
    api.send(post("/v1/carts", &json!({ "currency": "GBP" }))).await.expect_problem(503, "edge.timeout");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let per_address = Some(Rate::per_second(1).unwrap());
    let api = Api::start_with(with(IngressSettings { per_address, ..IngressSettings::default() })).await;
    let from = |address: &str| get("/v1/products").header("x-forwarded-for", address).from("127.0.0.1:9");
    for left in (0..10).rev() {
        let reply = api.send(from("198.51.100.7")).await.expect(200);
        assert_eq!(reply.header("ratelimit-policy"), "\"address\";q=10;w=10");
        assert!(reply.header("ratelimit").starts_with(&format!("\"address\";r={left};t=")), "{reply:?}");
    }
    let reply = api.send(from("198.51.100.7")).await.expect_problem(429, "rate.exceeded");
    assert!(matches!(reply.header("retry-after"), "1" | "2"), "{reply:?}");
    assert!(reply.header("ratelimit").starts_with("\"address\";r=0;"), "{reply:?}");
    api.send(from("198.51.100.8")).await.expect(200);
    api.send(get("/v1/products").from("127.0.0.1:9")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_trusted_proxy_cannot_hide_behind_others() {
    let per_address = Some(Rate::per_second(1).unwrap());
    let api = Api::start_with(with(IngressSettings { per_address, ..IngressSettings::default() })).await;
    let from = |nth: u8| {
        get("/v1/products").header("x-forwarded-for", &format!("198.51.100.{nth}")).from("203.0.113.5:9")
    };
    for nth in 0..10 {
        api.send(from(nth)).await.expect(200);
    }
    api.send(from(11)).await.expect_problem(429, "rate.exceeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_about_to_end_says_so_and_answers_all_the_same() {
    let api = Api::start().await;
    api.send(get("/readyz")).await.expect(200);
    api.ingress.drain();
    api.send(get("/readyz")).await.expect_problem(503, "edge.draining");
    api.send(post("/v1/carts", &json!({ "currency": "GBP" }))).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_large_and_coded_bodies_are_refused() {
    let api = Api::start().await;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let body = format!("{{\"currency\":{deep}}}");
    let ask = |body: Vec<u8>| Ask::new(Method::POST, "/v1/carts").raw("application/json", body);
    let reply = api.send(ask(body.into_bytes())).await;
    assert!(matches!(reply.status.as_u16(), 400 | 422), "{reply:?}");
    api.send(ask(vec![b' '; (1 << 20) + 1])).await.expect_problem(413, "request.too_large");
    let coded = ask(b"{}".to_vec()).header("content-encoding", "gzip");
    api.send(coded).await.expect_problem(415, "request.unsupported_media_type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_has_a_quota_and_who_works_here_has_none() {
    let per_principal = Some(Rate::per_second(1).unwrap());
    let api = Api::start_with(with(IngressSettings { per_principal, ..IngressSettings::default() })).await;
    let token = async || {
        let guest = api.send(post("/v1/auth/guest", &json!({})).by_nobody()).await;
        guest.text_of("access_token")
    };
    let (one, other) = (token().await, token().await);
    for _ in 0..10 {
        let reply = api.send(get("/v1/orders").by(&one)).await.expect(200);
        assert_eq!(reply.header("ratelimit-policy"), "\"principal\";q=10;w=10");
    }
    api.send(get("/v1/orders").by(&one)).await.expect_problem(429, "rate.exceeded");
    api.send(get("/v1/orders").by(&other)).await.expect(200);
    for _ in 0..20 {
        api.send(get("/v1/inventory")).await.expect(200);
    }
}
