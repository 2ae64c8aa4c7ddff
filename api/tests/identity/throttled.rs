//! Guesses are slowed down, in every process alike.

use futures::future::join_all;
use serde_json::json;

use crate::{
    people::{PASSWORD, fresh_email, member, shop_with_clock, try_login},
    support::{Api, Ask, post},
};

#[tokio::test(flavor = "multi_thread")]
async fn after_five_wrong_passwords_one_waits_longer_and_longer_in_every_process() {
    let (api, clock) = shop_with_clock().await;
    let (email, _) = member(&api).await;
    for _ in 0..5 {
        try_login(&api, &email, "not the password").await.expect_problem(401, "auth.invalid_credentials");
    }
    let mut waits = vec![];
    for _ in 0..4 {
        let refused = try_login(&api, &email, PASSWORD).await.expect_problem(429, "auth.throttled");
        let wait: i64 = refused.header("retry-after").parse().unwrap();
        assert_eq!(refused.json()["retry_after_seconds"], wait);
        waits.push(wait);
        clock.by_s(wait);
        try_login(&api, &email, "not the password").await.expect_problem(401, "auth.invalid_credentials");
    }
    assert_eq!(waits, [15, 30, 60, 120]);
    let elsewhere = api.another().await;
    try_login(&elsewhere, &email, PASSWORD).await.expect_problem(429, "auth.throttled");
    // The right one in time, and everything before is forgiven.
    clock.by_s(240);
    try_login(&api, &email, PASSWORD).await.expect(200);
    for _ in 0..4 {
        try_login(&api, &email, "not the password").await.expect_problem(401, "auth.invalid_credentials");
    }
    try_login(&api, &email, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_guesses_at_once_count_as_many() {
    let api = Api::start().await;
    let email = fresh_email();
    let replies = join_all((0..20).map(|_| try_login(&api, &email, "not the password"))).await;
    let tried = replies.iter().filter(|reply| reply.status == 401).count();
    let refused = replies.iter().filter(|reply| reply.status == 429).count();
    assert_eq!((tried, refused), (5, 15));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_tries_many_accounts_is_slowed_down_and_others_are_not() {
    let api = Api::start().await;
    let from = async |address: &str| {
        let ask = post("/v1/auth/email/verify", &json!({ "token": "x" })).by_nobody();
        api.send(ask.header("x-forwarded-for", &format!("203.0.113.7, {address}")).from("127.0.0.1:9")).await
    };
    for _ in 0..50 {
        from("198.51.100.1").await.expect_problem(409, "auth.token_spent");
    }
    from("198.51.100.1").await.expect_problem(429, "auth.throttled");
    from("198.51.100.2").await.expect_problem(409, "auth.token_spent");
    from("2001:db8:0:1::1").await.expect_problem(409, "auth.token_spent");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_in_shuts_nobody_out_behind_the_same_address_and_forgives_nobody() {
    let (api, clock) = shop_with_clock().await;
    let (email, _) = member(&api).await;
    let from_there = |ask: Ask| ask.by_nobody().header("x-forwarded-for", "198.51.100.1").from("127.0.0.1:9");
    let login = async || {
        let body = json!({ "email": email, "password": PASSWORD });
        api.send(from_there(post("/v1/auth/login", &body))).await
    };
    let guess = async || api.send(from_there(post("/v1/auth/email/verify", &json!({ "token": "x" })))).await;
    for _ in 0..49 {
        guess().await.expect_problem(409, "auth.token_spent");
    }
    for _ in 0..3 {
        login().await.expect(200);
    }
    guess().await.expect_problem(409, "auth.token_spent");
    login().await.expect_problem(429, "auth.throttled");
    // The wait that a guess has made stays, and a log-in makes none.
    clock.by_s(15);
    login().await.expect(200);
    guess().await.expect_problem(409, "auth.token_spent");
    let refused = guess().await.expect_problem(429, "auth.throttled");
    assert!(refused.json()["retry_after_seconds"].as_i64() > Some(15), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_flooded_with_messages() {
    let api = Api::start().await;
    for email in [fresh_email(), member(&api).await.0] {
        let ask = || post("/v1/auth/password/forgotten", &json!({ "email": email })).by_nobody();
        let replies = join_all((0..8).map(|_| api.send(ask()))).await;
        let (taken, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 202);
        assert!(taken.len() <= 5 && refused.iter().all(|reply| reply.status == 429), "{replies:?}");
    }
}
