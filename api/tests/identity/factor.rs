//! The second factor: enrolled, asked for, used once, recovered from, removed.

use ring::hmac;
use serde_json::json;

use crate::{
    people::{PASSWORD, Tokens, member, shop_with_clock},
    support::{Api, Forward, Reply, get, post, put},
};
use store::ports::Clock as _;

/// The code that an authenticator app would show, worked out apart from the code that is tested.
fn code(secret: &str, clock: &Forward) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String =
        secret.chars().map(|letter| format!("{:05b}", LETTERS.find(letter).unwrap())).collect();
    let bytes = bits.as_bytes().chunks_exact(8);
    let key: Vec<u8> =
        bytes.map(|bits| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap()).collect();
    let step = u64::try_from(clock.now_us() / 30_000_000).unwrap();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

async fn login_with(api: &Api, email: &str, code: &str) -> Reply {
    let body = json!({ "email": email, "password": PASSWORD, "code": code });
    api.send(post("/v1/auth/login", &body).by_nobody()).await
}

async fn login_without(api: &Api, email: &str) -> Reply {
    crate::people::try_login(api, email, PASSWORD).await
}

/// Somebody with a second factor: their tokens, its secret, and the recovery codes.
pub async fn enrolled(api: &Api, clock: &Forward) -> (String, Tokens, String, Vec<String>) {
    let (email, tokens) = member(api).await;
    let enrol = post("/v1/me/second-factor", &json!({ "password": PASSWORD })).by(&tokens.access);
    let enrolled = api.send(enrol).await.expect(201);
    let secret = enrolled.text_of("secret");
    let uri = enrolled.text_of("otpauth_uri");
    assert!(uri.starts_with("otpauth://totp/Daybook:") && uri.contains(&format!("secret={secret}")), "{uri}");
    login_without(api, &email).await.expect(200);
    let confirm = post("/v1/me/second-factor/confirm", &json!({ "code": code(&secret, clock) }));
    let confirmed = api.send(confirm.by(&tokens.access)).await.expect(200).json();
    let codes: Vec<String> = serde_json::from_value(confirmed["recovery_codes"].clone()).unwrap();
    assert_eq!(codes.len(), 10);
    (email, tokens, secret, codes)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_second_factor_a_password_is_not_enough_and_a_code_is_good_once() {
    let (api, clock) = shop_with_clock().await;
    let (email, tokens, secret, _) = enrolled(&api, &clock).await;
    let me = api.send(get("/v1/me").by(&tokens.access)).await.expect(200).json();
    assert_eq!(me["second_factor"], true);
    login_without(&api, &email).await.expect_problem(401, "auth.second_factor_required");
    let confirmed_with = code(&secret, &clock);
    login_with(&api, &email, &confirmed_with).await.expect_problem(401, "auth.second_factor_wrong");
    clock.by_s(30);
    let next = code(&secret, &clock);
    login_with(&api, &email, &next).await.expect(200);
    login_with(&api, &email, &next).await.expect_problem(401, "auth.second_factor_wrong");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_without_the_password_tells_nothing() {
    let (api, clock) = shop_with_clock().await;
    let (email, _, secret, _) = enrolled(&api, &clock).await;
    clock.by_s(30);
    let body = json!({ "email": email, "password": "not the password", "code": code(&secret, &clock) });
    let reply = api.send(post("/v1/auth/login", &body).by_nobody()).await;
    reply.expect_problem(401, "auth.invalid_credentials");
    login_with(&api, &email, &code(&secret, &clock)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_is_good_once_however_it_is_written() {
    let (api, clock) = shop_with_clock().await;
    let (email, _, _, codes) = enrolled(&api, &clock).await;
    login_with(&api, &email, &codes[0].to_lowercase().replace('-', " ")).await.expect(200);
    login_with(&api, &email, &codes[0]).await.expect_problem(401, "auth.second_factor_wrong");
    login_with(&api, &email, &codes[1]).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_removed_with_password_and_code_and_not_put_in_place_of_another() {
    let (api, clock) = shop_with_clock().await;
    let (email, tokens, secret, _) = enrolled(&api, &clock).await;
    let ask = async |path: &str, body| api.send(post(path, &body).by(&tokens.access)).await;
    let again = ask("/v1/me/second-factor", json!({ "password": PASSWORD })).await;
    again.expect_problem(409, "auth.second_factor_exists");
    clock.by_s(30);
    let good = code(&secret, &clock);
    let remove = "/v1/me/second-factor/remove";
    let wrong = ask(remove, json!({ "password": "not the password", "code": good })).await;
    wrong.expect_problem(401, "auth.invalid_credentials");
    let wrong = ask(remove, json!({ "password": PASSWORD, "code": "000000" })).await;
    wrong.expect_problem(401, "auth.invalid_credentials");
    ask(remove, json!({ "password": PASSWORD, "code": good })).await.expect(204);
    login_without(&api, &email).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_not_guessed() {
    let (api, clock) = shop_with_clock().await;
    let (email, ..) = enrolled(&api, &clock).await;
    for _ in 0..5 {
        login_with(&api, &email, "000000").await.expect_problem(401, "auth.second_factor_wrong");
    }
    login_with(&api, &email, "000000").await.expect_problem(429, "auth.throttled");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_does_not_forgive_wrong_codes() {
    let (api, clock) = shop_with_clock().await;
    let (_, tokens, secret, _) = enrolled(&api, &clock).await;
    let ask = async |ask: crate::support::Ask| api.send(ask.by(&tokens.access)).await;
    let remove = async |password: &str, code: &str| {
        let body = json!({ "password": password, "code": code });
        ask(post("/v1/me/second-factor/remove", &body)).await
    };
    let passwords = [PASSWORD, "another horse battery"];
    let change = |from: usize, to: usize| {
        put("/v1/me/password", &json!({ "old": passwords[from % 2], "new": passwords[to % 2] }))
    };
    for time in 0..5 {
        remove(passwords[time % 2], "000000").await.expect_problem(401, "auth.invalid_credentials");
        ask(change(time, time)).await.expect_problem(422, "request.invalid");
        ask(change(time, time + 1)).await.expect(204);
    }
    remove(passwords[1], "000000").await.expect_problem(429, "auth.throttled");
    clock.by_s(60);
    remove(passwords[1], &code(&secret, &clock)).await.expect(204);
}
