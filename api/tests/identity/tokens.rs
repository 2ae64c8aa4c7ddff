//! Tokens at the edge: what the header may hold, keys that are published and replaced.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::{
    people::{Tokens, guest, login, member, refresh, shop_with_clock},
    sessions::refused_elsewhere,
    support::{Api, get, post},
};

async fn published(api: &Api) -> Vec<Value> {
    let reply = api.send(get("/.well-known/jwks.json").by_nobody()).await.expect(200);
    assert_eq!(reply.header("cache-control"), "public, max-age=300");
    reply.json()["keys"].as_array().unwrap().clone()
}

fn part(token: &str, nth: usize) -> Value {
    let part = token.split('.').nth(nth).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Verifies a token as somebody would who knows nothing but the published keys.
fn verifies(token: &str, keys: &[Value]) -> bool {
    let kid = &part(token, 0)["kid"];
    let Some(key) = keys.iter().find(|key| key["kid"] == *kid) else { return false };
    assert_eq!((&key["kty"], &key["crv"]), (&json!("OKP"), &json!("Ed25519")));
    let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn others_can_verify_a_token_with_the_published_keys() {
    let api = Api::start().await;
    let (_, Tokens { access, .. }) = member(&api).await;
    let me = api.send(get("/v1/me").by(&access)).await.expect(200).json();
    assert!(verifies(&access, &published(&api).await));
    assert_eq!((&part(&access, 0)["alg"], &part(&access, 0)["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
    let claims = part(&access, 1);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("daybook"), &json!("daybook-api")));
    assert_eq!(
        (&claims["sub"], &claims["customer"], &claims["role"]),
        (&me["id"], &me["id"], &json!("customer"))
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    assert!(claims["sid"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_header_holds_instead_of_a_token_is_told() {
    let api = Api::start().await;
    let me = |value: &str| get("/v1/me").header("authorization", value);
    for malformed in ["Basic YTpi", "Bearer", "Bearer ", "token", ""] {
        let reply = api.send(me(malformed)).await.expect_problem(400, "auth.malformed");
        assert!(reply.header("www-authenticate").contains("invalid_request"), "{reply:?}");
    }
    for invalid in ["Bearer x", "Bearer a.b.c", "bearer e30.e30.e30"] {
        let reply = api.send(me(invalid)).await.expect_problem(401, "auth.invalid_token");
        assert!(reply.header("www-authenticate").contains("error=\"invalid_token\""), "{reply:?}");
    }
    let (_, Tokens { access, .. }) = member(&api).await;
    let twice = get("/v1/me").by(&access).header("authorization", "Bearer x");
    api.send(twice).await.expect_problem(400, "auth.malformed");
    let none = api.send(get("/v1/me").by_nobody()).await.expect_problem(401, "auth.required");
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"daybook\"");
    let may_not = api.send(get("/v1/events").by(&access)).await.expect_problem(403, "auth.forbidden");
    assert_eq!(may_not.json()["needed"], "analytics");
    assert!(may_not.header("www-authenticate").contains("scope=\"analytics\""), "{may_not:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_published_before_it_signs_and_the_old_one_verifies_until_its_tokens_have_expired() {
    let (api, clock) = shop_with_clock().await;
    let (email, before) = member(&api).await;
    let guests = guest(&api).await;
    let old = part(&before.access, 0)["kid"].clone();
    let (new, _) = api.identity.rotate_keys().await.unwrap();
    let kids: Vec<Value> = published(&api).await.into_iter().map(|key| key["kid"].clone()).collect();
    assert!(kids.contains(&json!(new)) && kids.contains(&old), "{kids:?}");
    clock.by_s(9 * 60);
    assert_eq!(part(&login(&api, &email).await.access, 0)["kid"], old, "it is not known everywhere yet");
    clock.by_s(2 * 60);
    let after = login(&api, &email).await;
    assert_eq!(part(&after.access, 0)["kid"], new.as_str());
    api.send(get("/v1/me").by(&after.access)).await.expect(200);
    api.send(get("/v1/me").by(&before.access)).await.expect(200);
    let open = json!({ "currency": "GBP" });
    clock.by_s(29 * 24 * 3_600);
    api.send(post("/v1/carts", &open).by(&guests)).await.expect(201);
    clock.by_s(24 * 3_600);
    api.send(post("/v1/carts", &open).by(&guests)).await.expect_problem(401, "auth.invalid_token");
    let late = api.another().await;
    assert_eq!(published(&late).await.len(), 2, "kept a little longer than needed, by the machine's clock");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_leak_no_process_takes_a_token_of_the_keys_before() {
    let api = Api::start().await;
    let other = api.another().await;
    let (_, before) = member(&api).await;
    let guests = guest(&api).await;
    for process in [&api, &other] {
        process.send(get("/v1/me").by(&before.access)).await.expect(200);
    }
    let kid = api.identity.replace_keys().await.unwrap();
    api.send(get("/v1/me").by(&before.access)).await.expect_problem(401, "auth.invalid_token");
    assert!(refused_elsewhere(&other, &before.access).await < Duration::from_secs(5));
    let open = post("/v1/carts", &json!({ "currency": "GBP" })).by(&guests);
    other.send(open).await.expect_problem(401, "auth.invalid_token");
    let kids: Vec<Value> = published(&other).await.into_iter().map(|key| key["kid"].clone()).collect();
    assert_eq!(kids, [json!(kid)]);
    // Who is logged in stays so.
    let after = Tokens::of(&refresh(&other, &before.refresh).await.expect(200));
    assert_eq!(part(&after.access, 0)["kid"], kid.as_str());
    api.send(get("/v1/me").by(&after.access)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_signs_with_the_same_keys() {
    let api = Api::start().await;
    let (one, two) = tokio::join!(api.another(), api.another());
    assert_eq!(published(&one).await, published(&two).await);
    let token = guest(&one).await;
    two.send(post("/v1/carts", &json!({ "currency": "GBP" })).by(&token)).await.expect(201);
}
