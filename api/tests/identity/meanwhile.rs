//! Checking a password takes its time: what changes about an account in between counts.

use serde_json::json;
use store::testing::eventually;
use uuid::Uuid;

use crate::{
    accounts::cheap,
    people::{PASSWORD, Tokens, fresh_email, login, member, try_login},
    support::{Api, Ask, Reply, get, post, put},
};

const RESET: &str = "UPDATE accounts SET password = 'set anew' WHERE id = $1";
const DISABLED: &str = "UPDATE accounts SET disabled_at = now() WHERE id = $1";

/// Asks for something, and changes the account when all that is left to do waits for it.
async fn meanwhile(api: &Api, account: Uuid, ask: Ask, change: &str) -> Reply {
    let (pool, elsewhere) = (api.edge().await, api.edge().await);
    let mut held = pool.begin().await.unwrap();
    let holder: i32 = sqlx::query_scalar("SELECT pg_backend_pid() FROM accounts WHERE id = $1 FOR UPDATE")
        .bind(account)
        .fetch_one(&mut *held)
        .await
        .unwrap();
    let changed = async {
        eventually("the request waits for the account", || async {
            let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))";
            let waits: bool = sqlx::query_scalar(waits).bind(holder).fetch_one(&elsewhere).await.unwrap();
            waits.then_some(())
        })
        .await;
        sqlx::query(change).bind(account).execute(&mut *held).await.unwrap();
        held.commit().await.unwrap();
    };
    tokio::join!(api.send(ask), changed).0
}

async fn made(api: &Api, role: &str) -> (String, Uuid) {
    let email = fresh_email();
    let body = json!({ "email": email, "password": PASSWORD, "role": role });
    let id = api.send(post("/v1/accounts", &body)).await.expect(201).text_of("id");
    (email, id.parse().unwrap())
}

async fn registered(api: &Api) -> (String, Tokens, Uuid) {
    let (email, tokens) = member(api).await;
    let id = api.send(get("/v1/me").by(&tokens.access)).await.expect(200).text_of("id");
    (email, tokens, id.parse().unwrap())
}

fn logging_in(email: &str) -> Ask {
    post("/v1/auth/login", &json!({ "email": email, "password": PASSWORD })).by_nobody()
}

async fn password_of(api: &Api, account: Uuid) -> String {
    let asked = sqlx::query_scalar("SELECT password FROM accounts WHERE id = $1").bind(account);
    asked.fetch_one(&api.edge().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_under_way_does_not_outlive_that_the_account_is_disabled() {
    let api = Api::start().await;
    let (email, id) = made(&api, "admin").await;
    let reply = meanwhile(&api, id, logging_in(&email), DISABLED).await;
    reply.expect_problem(401, "auth.invalid_credentials");
    try_login(&api, &email, PASSWORD).await.expect_problem(403, "auth.account_disabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_under_way_may_do_what_the_account_may_now() {
    let api = Api::start().await;
    let (email, id) = made(&api, "admin").await;
    let demoted = "UPDATE accounts SET role = 'staff' WHERE id = $1";
    let tokens = Tokens::of(&meanwhile(&api, id, logging_in(&email), demoted).await.expect(200));
    api.send(get("/v1/accounts").by(&tokens.access)).await.expect_problem(403, "auth.forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_under_way_does_not_outlive_its_password_nor_bring_it_back() {
    let api = Api::start().await;
    let (email, _, id) = registered(&api).await;
    // One that would be hashed anew.
    let older = sqlx::query("UPDATE accounts SET password = $2 WHERE id = $1").bind(id);
    older.bind(cheap(PASSWORD)).execute(&api.edge().await).await.unwrap();
    let reply = meanwhile(&api, id, logging_in(&email), RESET).await;
    reply.expect_problem(401, "auth.invalid_credentials");
    assert_eq!(password_of(&api, id).await, "set anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_password_under_way_does_not_undo_a_reset() {
    let api = Api::start().await;
    let (_, tokens, id) = registered(&api).await;
    let change = json!({ "old": PASSWORD, "new": "another horse battery" });
    let reply = meanwhile(&api, id, put("/v1/me/password", &change).by(&tokens.access), RESET).await;
    reply.expect_problem(401, "auth.invalid_credentials");
    assert_eq!(password_of(&api, id).await, "set anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_under_way_is_not_put_into_an_account_with_another_password() {
    let api = Api::start().await;
    let (email, _, id) = registered(&api).await;
    let tokens = login(&api, &email).await;
    let enrol = post("/v1/me/second-factor", &json!({ "password": PASSWORD })).by(&tokens.access);
    let reply = meanwhile(&api, id, enrol, RESET).await;
    reply.expect_problem(401, "auth.invalid_credentials");
    let factors = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM second_factors");
    assert_eq!(factors.fetch_one(&api.edge().await).await.unwrap(), 0);
}
