//! Tokens that come by mail: one of them is good once, for its time, for what it was sent for.

use serde_json::json;

use crate::{
    people::{PASSWORD, login, mailed_token, mails, member, refresh, shop_with_clock, try_login},
    support::{Api, Reply, get, post, put},
};

pub const NEW: &str = "another horse battery";

pub async fn forgotten(api: &Api, email: &str) -> Reply {
    api.send(post("/v1/auth/password/forgotten", &json!({ "email": email })).by_nobody()).await
}

pub async fn reset(api: &Api, token: &str) -> Reply {
    let body = json!({ "token": token, "password": NEW });
    api.send(post("/v1/auth/password/reset", &body).by_nobody()).await
}

pub async fn verify(api: &Api, token: &str) -> Reply {
    api.send(post("/v1/auth/email/verify", &json!({ "token": token })).by_nobody()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_set_anew_once_and_every_session_ends() {
    let api = Api::start().await;
    let (email, tokens) = member(&api).await;
    forgotten(&api, &email).await.expect(202);
    let token = mailed_token(&api, &email, "account.reset_password").await;
    verify(&api, &token).await.expect_problem(409, "auth.token_spent");
    reset(&api, &token).await.expect(204);
    reset(&api, &token).await.expect_problem(409, "auth.token_spent");
    api.send(get("/v1/me").by(&tokens.access)).await.expect_problem(401, "auth.invalid_token");
    refresh(&api, &tokens.refresh).await.expect_problem(401, "auth.refresh_invalid");
    try_login(&api, &email, PASSWORD).await.expect_problem(401, "auth.invalid_credentials");
    let access = try_login(&api, &email, NEW).await.expect(200).text_of("access_token");
    let me = api.send(get("/v1/me").by(&access)).await.expect(200).json();
    assert_eq!(me["email_verified"], true, "the token came by mail");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_an_unknown_address_gets_the_same_answer_and_sends_nothing() {
    let api = Api::start().await;
    let (email, _) = member(&api).await;
    let (known, unknown) = (forgotten(&api, &email).await, forgotten(&api, "nobody@example.com").await);
    assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
    assert!(mails(&api, "nobody@example.com").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_good_for_their_time_until_one_is_used() {
    let (api, clock) = shop_with_clock().await;
    let (email, tokens) = member(&api).await;
    let asked = async || {
        forgotten(&api, &email).await.expect(202);
        clock.by_s(1);
        mailed_token(&api, &email, "account.reset_password").await
    };
    // Whoever has another one sent does not take away the one in the owner's hand.
    let (first, second, third) = (asked().await, asked().await, asked().await);
    reset(&api, &second).await.expect(204);
    for spent in [&first, &second, &third] {
        reset(&api, spent).await.expect_problem(409, "auth.token_spent");
    }
    let (late, later) = (asked().await, asked().await);
    clock.by_s(3_600);
    for over in [&late, &later] {
        reset(&api, over).await.expect_problem(409, "auth.token_spent");
    }
    refresh(&api, &tokens.refresh).await.expect_problem(401, "auth.refresh_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_verifies_is_good_for_a_day_and_sent_again() {
    let (api, clock) = shop_with_clock().await;
    let (email, tokens) = member(&api).await;
    let token = mailed_token(&api, &email, "account.verify_email").await;
    clock.by_s(24 * 3_600);
    verify(&api, &token).await.expect_problem(409, "auth.token_spent");
    let access = crate::people::Tokens::of(&refresh(&api, &tokens.refresh).await.expect(200)).access;
    api.send(post("/v1/me/email/verification", &json!({})).by(&access)).await.expect(202);
    verify(&api, &mailed_token(&api, &email, "account.verify_email").await).await.expect(204);
    let me = api.send(get("/v1/me").by(&login(&api, &email).await.access)).await.expect(200).json();
    assert_eq!(me["email_verified"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_every_token_that_was_sent_before() {
    let (api, clock) = shop_with_clock().await;
    let (email, tokens) = member(&api).await;
    let mut sent = vec![];
    for _ in 0..2 {
        forgotten(&api, &email).await.expect(202);
        clock.by_s(1);
        sent.push(mailed_token(&api, &email, "account.reset_password").await);
    }
    let change = json!({ "old": PASSWORD, "new": NEW });
    api.send(put("/v1/me/password", &change).by(&tokens.access)).await.expect(204);
    for token in &sent {
        reset(&api, token).await.expect_problem(409, "auth.token_spent");
    }
}
