//! An e-mail that somebody else has registered is its owner's, with nothing of whoever that was.

use serde_json::{Value, json};

use crate::{
    factor::enrolled,
    mailed::{NEW, forgotten, reset, verify},
    people::{mailed_token, refresh, shop_with_clock, try_login},
    support::{Api, get, patch, post},
};

async fn reset_by_mail(api: &Api, email: &str) {
    forgotten(api, email).await.expect(202);
    reset(api, &mailed_token(api, email, "account.reset_password").await).await.expect(204);
}

async fn add_address(api: &Api, token: &str) {
    let address = json!({ "address": { "lines": ["12 Ledger Lane"], "city": "London", "country": "GB" } });
    api.send(post("/v1/me/addresses", &address).by(token)).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_takes_everything_from_whoever_registered_an_address_that_is_not_theirs() {
    let (api, clock) = shop_with_clock().await;
    let (email, stranger, ..) = enrolled(&api, &clock).await;
    add_address(&api, &stranger.access).await;
    reset_by_mail(&api, &email).await;
    let mine = try_login(&api, &email, NEW).await.expect(200).text_of("access_token");
    let me = api.send(get("/v1/me").by(&mine)).await.expect(200).json();
    let told = [&me["name"], &me["phone"], &me["second_factor"], &me["email_verified"]];
    assert_eq!(told, [&Value::Null, &Value::Null, &json!(false), &json!(true)]);
    let addresses = api.send(get("/v1/me/addresses").by(&mine)).await.expect(200).json();
    assert_eq!(addresses["data"], json!([]));
    api.send(get("/v1/me").by(&stranger.access)).await.expect_problem(401, "auth.invalid_token");
    refresh(&api, &stranger.refresh).await.expect_problem(401, "auth.refresh_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_has_set_up_who_has_shown_that_mail_arrives_stays() {
    let (api, clock) = shop_with_clock().await;
    let (email, tokens, ..) = enrolled(&api, &clock).await;
    add_address(&api, &tokens.access).await;
    verify(&api, &mailed_token(&api, &email, "account.verify_email").await).await.expect(204);
    reset_by_mail(&api, &email).await;
    try_login(&api, &email, NEW).await.expect_problem(401, "auth.second_factor_required");
    let left: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM addresses), (SELECT count(*) FROM accounts WHERE name IS NOT NULL)",
    )
    .fetch_one(&api.edge().await)
    .await
    .unwrap();
    assert_eq!(left, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_works_here_keeps_the_second_factor_through_a_reset() {
    let (api, clock) = shop_with_clock().await;
    let (email, tokens, ..) = enrolled(&api, &clock).await;
    let id = api.send(get("/v1/me").by(&tokens.access)).await.expect(200).text_of("id");
    let promoted = patch(&format!("/v1/accounts/{id}"), &json!({ "role": "staff" }));
    api.send(promoted).await.expect(200);
    reset_by_mail(&api, &email).await;
    try_login(&api, &email, NEW).await.expect_problem(401, "auth.second_factor_required");
}
