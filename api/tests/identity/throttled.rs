//! Guesses are slowed down, in every process alike.

use futures::future::join_all;
use serde_json::json;

use crate::{
    mailed::NEW,
    people::{PASSWORD, fresh_email, mailed_token, member, shop_with_clock, try_login},
    support::{Api, Ask, Reply, post},
};

const HOME: &str = "198.51.100.1";
const AWAY: &str = "198.51.100.2";
const STRANGE: &str = "203.0.113.9";

fn from(address: &str, ask: Ask) -> Ask {
    ask.by_nobody().header("x-forwarded-for", address).from("127.0.0.1:9")
}

async fn login_from(api: &Api, address: &str, email: &str, password: &str) -> Reply {
    let body = json!({ "email": email, "password": password });
    api.send(from(address, post("/v1/auth/login", &body))).await
}

async fn forgotten_from(api: &Api, address: &str, email: &str) -> Reply {
    api.send(from(address, post("/v1/auth/password/forgotten", &json!({ "email": email })))).await
}

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
    let guess = async |address: &str| {
        let ask = post("/v1/auth/email/verify", &json!({ "token": "x" }));
        api.send(from(&format!("203.0.113.7, {address}"), ask)).await
    };
    for _ in 0..50 {
        guess(HOME).await.expect_problem(409, "auth.token_spent");
    }
    guess(HOME).await.expect_problem(429, "auth.throttled");
    guess(AWAY).await.expect_problem(409, "auth.token_spent");
    guess("2001:db8:0:1::1").await.expect_problem(409, "auth.token_spent");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_in_shuts_nobody_out_behind_the_same_address_and_forgives_nobody() {
    let (api, clock) = shop_with_clock().await;
    let (email, _) = member(&api).await;
    let login = async || login_from(&api, HOME, &email, PASSWORD).await;
    let guess = async || api.send(from(HOME, post("/v1/auth/email/verify", &json!({ "token": "x" })))).await;
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
async fn strangers_do_not_keep_an_owner_out_of_where_they_come_from() {
    let api = Api::start().await;
    let (email, _) = member(&api).await;
    login_from(&api, HOME, &email, PASSWORD).await.expect(200);
    for _ in 0..5 {
        let wrong = login_from(&api, STRANGE, &email, "not the password").await;
        wrong.expect_problem(401, "auth.invalid_credentials");
    }
    login_from(&api, STRANGE, &email, PASSWORD).await.expect_problem(429, "auth.throttled");
    login_from(&api, HOME, &email, PASSWORD).await.expect(200);
    // Where nobody knows them they are strangers, until they have shown that they have the mailbox.
    login_from(&api, AWAY, &email, PASSWORD).await.expect_problem(429, "auth.throttled");
    forgotten_from(&api, AWAY, &email).await.expect(202);
    let token = mailed_token(&api, &email, "account.reset_password").await;
    let reset = json!({ "token": token, "password": NEW });
    api.send(from(AWAY, post("/v1/auth/password/reset", &reset))).await.expect(204);
    login_from(&api, AWAY, &email, NEW).await.expect(200);
    // Nor is it guessed from where they come from.
    for address in [AWAY, STRANGE] {
        let replies = join_all((0..6).map(|_| login_from(&api, address, &email, "not the password"))).await;
        assert!(replies.iter().any(|reply| reply.status == 429), "{address}: {replies:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_without_an_account_is_counted_like_one_with() {
    let api = Api::start().await;
    let (known, unknown) = (member(&api).await.0, fresh_email());
    let mut told = vec![];
    for email in [&known, &unknown] {
        let mut statuses = vec![];
        for _ in 0..7 {
            statuses.push(login_from(&api, STRANGE, email, "not the password").await.status);
            statuses.push(forgotten_from(&api, STRANGE, email).await.status);
        }
        told.push(statuses);
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0].contains(&axum::http::StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_use_up_the_mails_of_an_owner() {
    let api = Api::start().await;
    let (email, _) = member(&api).await;
    login_from(&api, HOME, &email, PASSWORD).await.expect(200);
    for _ in 0..5 {
        let body = json!({ "email": email, "password": PASSWORD });
        api.send(from(STRANGE, post("/v1/auth/register", &body))).await;
    }
    forgotten_from(&api, STRANGE, &email).await.expect(202);
    let in_hand = mailed_token(&api, &email, "account.reset_password").await;
    for _ in 0..4 {
        forgotten_from(&api, STRANGE, &email).await.expect(202);
    }
    forgotten_from(&api, STRANGE, &email).await.expect_problem(429, "auth.throttled");
    forgotten_from(&api, HOME, &email).await.expect(202);
    let reset = json!({ "token": in_hand, "password": NEW });
    api.send(from(HOME, post("/v1/auth/password/reset", &reset))).await.expect(204);
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
