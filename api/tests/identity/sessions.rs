//! Sessions: refreshed, used twice, ended here and elsewhere.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use store::testing::eventually;

use crate::{
    people::{Tokens, login, member, refresh, shop_with_clock},
    support::{Api, get, patch, post},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_exchanged_for_the_next_one() {
    let api = Api::start().await;
    let (_, first) = member(&api).await;
    let second = Tokens::of(&refresh(&api, &first.refresh).await.expect(200));
    assert_ne!(first.refresh, second.refresh);
    api.send(get("/v1/me").by(&second.access)).await.expect(200);
    let third = Tokens::of(&refresh(&api, &second.refresh).await.expect(200));
    assert_ne!(second.refresh, third.refresh);
    for nonsense in ["", "x", &"A".repeat(43)] {
        refresh(&api, nonsense).await.expect_problem(401, "auth.refresh_invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_refresh_token_ends_its_session_but_not_others() {
    let (api, clock) = shop_with_clock().await;
    let (email, stolen) = member(&api).await;
    let other = login(&api, &email).await;
    let ours = Tokens::of(&refresh(&api, &stolen.refresh).await.expect(200));
    clock.by_s(11);
    refresh(&api, &stolen.refresh).await.expect_problem(401, "auth.refresh_reused");
    refresh(&api, &ours.refresh).await.expect_problem(401, "auth.refresh_invalid");
    api.send(get("/v1/me").by(&ours.access)).await.expect_problem(401, "auth.invalid_token");
    api.send(get("/v1/me").by(&other.access)).await.expect(200);
    refresh(&api, &other.refresh).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_twice_at_once_is_told_the_same() {
    let api = Api::start().await;
    let (_, first) = member(&api).await;
    let replies = join_all((0..6).map(|_| refresh(&api, &first.refresh))).await;
    let next: Vec<_> = replies.into_iter().map(|reply| Tokens::of(&reply.expect(200)).refresh).collect();
    assert!(next.iter().all(|token| *token == next[0]), "{next:?}");
    refresh(&api, &next[0]).await.expect(200);
    // Once the next one was used, the first is a stolen one, however soon it comes.
    refresh(&api, &first.refresh).await.expect_problem(401, "auth.refresh_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_ends_after_its_time_and_a_session_that_nobody_refreshes_too() {
    let (api, clock) = shop_with_clock().await;
    let (_, tokens) = member(&api).await;
    clock.by_s(15 * 60);
    api.send(get("/v1/me").by(&tokens.access)).await.expect(200);
    clock.by_s(31);
    let expired = api.send(get("/v1/me").by(&tokens.access)).await.expect_problem(401, "auth.invalid_token");
    assert!(expired.header("www-authenticate").contains("error=\"invalid_token\""), "{expired:?}");
    let next = Tokens::of(&refresh(&api, &tokens.refresh).await.expect(200));
    clock.by_s(30 * 24 * 3_600 + 1);
    refresh(&api, &next.refresh).await.expect_problem(401, "auth.refresh_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_ends_one_session_or_all() {
    let api = Api::start().await;
    let (email, one) = member(&api).await;
    let (two, three) = (login(&api, &email).await, login(&api, &email).await);
    api.send(post("/v1/auth/logout", &json!({})).by(&one.access)).await.expect(204);
    api.send(get("/v1/me").by(&one.access)).await.expect_problem(401, "auth.invalid_token");
    refresh(&api, &one.refresh).await.expect_problem(401, "auth.refresh_invalid");
    api.send(get("/v1/me").by(&two.access)).await.expect(200);
    api.send(post("/v1/auth/logout-all", &json!({})).by(&two.access)).await.expect(204);
    for tokens in [two, three] {
        api.send(get("/v1/me").by(&tokens.access)).await.expect_problem(401, "auth.invalid_token");
    }
}

async fn count(api: &Api, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(&sql).fetch_one(&api.edge().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_fifty_sessions_and_the_oldest_ends_for_one_more() {
    let api = Api::start().await;
    let (email, first) = member(&api).await;
    let more = "INSERT INTO sessions SELECT gen_random_uuid(), account, created_at + n * interval '1 second', expires_at \
                FROM sessions, generate_series(1, 49) AS n";
    sqlx::query(more).execute(&api.edge().await).await.unwrap();
    assert_eq!(count(&api, "sessions").await, 50);
    let newest = login(&api, &email).await;
    assert_eq!(count(&api, "sessions").await, 50);
    api.send(get("/v1/me").by(&first.access)).await.expect_problem(401, "auth.invalid_token");
    refresh(&api, &first.refresh).await.expect_problem(401, "auth.refresh_invalid");
    api.send(get("/v1/me").by(&newest.access)).await.expect(200);
    refresh(&api, &newest.refresh).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_keeps_so_many_used_tokens_and_what_has_expired_is_swept() {
    let (api, clock) = shop_with_clock().await;
    let (_, first) = member(&api).await;
    let used = "INSERT INTO refresh_tokens SELECT sha256(n::text::bytea), session, issued_at, expires_at, \
                issued_at - n * interval '1 second' FROM refresh_tokens, generate_series(1, 150) AS n";
    sqlx::query(used).execute(&api.edge().await).await.unwrap();
    let next = Tokens::of(&refresh(&api, &first.refresh).await.expect(200));
    assert_eq!(
        count(&api, "refresh_tokens").await,
        101,
        "a hundred that were used, and the one that is good"
    );
    clock.by_s(11);
    refresh(&api, &first.refresh).await.expect_problem(401, "auth.refresh_reused");
    refresh(&api, &next.refresh).await.expect_problem(401, "auth.refresh_invalid");
    let (_, other) = member(&api).await;
    clock.by_s(30 * 24 * 3_600 + 1);
    api.identity.sweep().await.unwrap();
    assert_eq!((count(&api, "sessions").await, count(&api, "refresh_tokens").await), (0, 0));
    refresh(&api, &other.refresh).await.expect_problem(401, "auth.refresh_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_access_token_has_expired_logs_out_with_the_refresh_token_alone() {
    let (api, clock) = shop_with_clock().await;
    let (email, first) = member(&api).await;
    let other = login(&api, &email).await;
    let next = Tokens::of(&refresh(&api, &first.refresh).await.expect(200));
    let logout = |token: &str| post("/v1/auth/logout", &json!({ "refresh_token": token }));
    clock.by_s(16 * 60);
    api.send(post("/v1/auth/logout", &json!({})).by(&next.access))
        .await
        .expect_problem(401, "auth.invalid_token");
    api.send(post("/v1/auth/logout", &json!({})).by_nobody()).await.expect_problem(401, "auth.required");
    api.send(logout(&next.refresh).by(&next.access)).await.expect(204);
    refresh(&api, &next.refresh).await.expect_problem(401, "auth.refresh_invalid");
    let other = Tokens::of(&refresh(&api, &other.refresh).await.expect(200));
    api.send(get("/v1/me").by(&other.access)).await.expect(200);
    for unknown in [next.refresh.as_str(), "x", ""] {
        api.send(logout(unknown).by_nobody()).await.expect(204);
    }
    // An access token that is still good ends with its session.
    api.send(logout(&other.refresh).by_nobody()).await.expect(204);
    api.send(get("/v1/me").by(&other.access)).await.expect_problem(401, "auth.invalid_token");
}

/// Waits until another process refuses a token that it had accepted; how long that took.
pub async fn refused_elsewhere(other: &Api, token: &str) -> Duration {
    let began = Instant::now();
    eventually("the other process refuses the token", || async {
        let reply = other.send(get("/v1/me").by(token)).await;
        (reply.status == 401 && reply.code() == "auth.invalid_token").then_some(())
    })
    .await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_session_reaches_other_processes_within_five_seconds() {
    let api = Api::start().await;
    let other = api.another().await;
    let (email, out) = member(&api).await;
    let (changed, disabled) = (login(&api, &email).await, member(&api).await.1);
    for tokens in [&out, &changed, &disabled] {
        other.send(get("/v1/me").by(&tokens.access)).await.expect(200);
    }
    api.send(post("/v1/auth/logout", &json!({})).by(&out.access)).await.expect(204);
    assert!(refused_elsewhere(&other, &out.access).await < Duration::from_secs(5));
    let here = login(&api, &email).await;
    let body = json!({ "old": crate::people::PASSWORD, "new": "another horse battery" });
    api.send(crate::support::put("/v1/me/password", &body).by(&here.access)).await.expect(204);
    assert!(refused_elsewhere(&other, &changed.access).await < Duration::from_secs(5));
    let id = api.send(get("/v1/me").by(&disabled.access)).await.expect(200).text_of("id");
    api.send(patch(&format!("/v1/accounts/{id}"), &json!({ "disabled": true }))).await.expect(200);
    assert!(refused_elsewhere(&other, &disabled.access).await < Duration::from_secs(5));
    refresh(&other, &disabled.refresh).await.expect_problem(401, "auth.refresh_invalid");
    other.send(get("/v1/me").by(&here.access)).await.expect(200);
    // A process that starts now knows it from the beginning.
    let late = api.another().await;
    late.send(get("/v1/me").by(&out.access)).await.expect_problem(401, "auth.invalid_token");
}
