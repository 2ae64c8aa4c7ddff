//! Tokens that are good, and everything that only looks like one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::value::CustomerId;
use ring::{hmac, signature::Ed25519KeyPair};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Claims, Invalid, LEEWAY_S, public_half, sign, verify};
use crate::principal::{Member, Permission, Principal};

const NOW: i64 = 1_700_000_000;
const LIFETIME: i64 = 900;

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn member() -> Member {
    let account = Uuid::from_u128(1);
    Member { account, session: Uuid::from_u128(2), customer: CustomerId::from(account) }
}

fn claims() -> Claims {
    Claims::of(&Principal::Customer(member()), NOW, LIFETIME).unwrap()
}

fn read(token: &str) -> Result<Claims, Invalid> {
    read_at(token, NOW)
}

fn read_at(token: &str, now: i64) -> Result<Claims, Invalid> {
    verify(token, now, |kid| (kid == "k1").then(|| public_half(&key()).unwrap()))
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// A token with any header and claims, signed as ours are.
fn signed(header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key().sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "k1" })
}

#[test]
fn a_token_says_again_who_it_is_for() {
    let staff = Principal::Staff(member(), [Permission::Orders].into_iter().collect());
    let guest = Principal::Guest(CustomerId::guest(Uuid::from_u128(3)));
    for principal in [guest, Principal::Customer(member()), staff, Principal::Admin(member())] {
        let claims = Claims::of(&principal, NOW, LIFETIME).unwrap();
        let token = sign(&claims, "k1", &key()).unwrap();
        assert_eq!(read(&token).unwrap().principal(), Some(principal));
    }
    assert_eq!(Claims::of(&Principal::Nobody, NOW, LIFETIME), None);
}

#[test]
fn a_token_is_good_from_its_beginning_to_its_end_give_or_take_clocks() {
    let token = sign(&claims(), "k1", &key()).unwrap();
    assert_eq!(read_at(&token, NOW - LEEWAY_S - 1), Err(Invalid::Early));
    assert!(read_at(&token, NOW - LEEWAY_S).is_ok());
    assert!(read_at(&token, NOW + LIFETIME + LEEWAY_S - 1).is_ok());
    assert_eq!(read_at(&token, NOW + LIFETIME + LEEWAY_S), Err(Invalid::Expired));
}

#[test]
fn no_other_algorithm_passes() {
    let claims = serde_json::to_value(claims()).unwrap();
    for alg in ["none", "None", "HS256", "RS256", "ES256", "eddsa", ""] {
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": "k1" });
        assert_eq!(read(&signed(&header, &claims)), Err(Invalid::UnknownKey), "{alg}");
        let unsigned = format!("{}.{}.", part(&header), part(&claims));
        assert_eq!(read(&unsigned), Err(Invalid::UnknownKey), "{alg} without a signature");
    }
    // The known confusion: the public half, which everybody has, as the key of an HMAC.
    let public = public_half(&key()).unwrap();
    for alg in ["HS256", "EdDSA"] {
        let text =
            format!("{}.{}", part(&json!({ "alg": alg, "typ": "at+jwt", "kid": "k1" })), part(&claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), text.as_bytes());
        let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert!(matches!(read(&token), Err(Invalid::UnknownKey | Invalid::Signature)), "{alg}");
    }
}

#[test]
fn what_is_not_quite_a_token_of_ours_is_refused() {
    let good = serde_json::to_value(claims()).unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&header(), &claims)
    };
    assert!(read(&signed(&header(), &good)).is_ok());
    assert_eq!(read(&with("iss", json!("other"))), Err(Invalid::Foreign));
    assert_eq!(read(&with("aud", json!("other"))), Err(Invalid::Foreign));
    assert_eq!(read(&with("aud", json!(["daybook-api"]))), Err(Invalid::Malformed));
    assert_eq!(read(&with("exp", json!("soon"))), Err(Invalid::Malformed));
    assert_eq!(read(&with("role", json!("owner"))), Err(Invalid::Malformed));
    let other_type = json!({ "alg": "EdDSA", "typ": "id+jwt", "kid": "k1" });
    assert_eq!(read(&signed(&other_type, &good)), Err(Invalid::UnknownKey));
    let other_key = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "k2" });
    assert_eq!(read(&signed(&other_key, &good)), Err(Invalid::UnknownKey));
    let own_key = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "k1", "jwk": {} });
    assert_eq!(read(&signed(&own_key, &good)), Err(Invalid::Malformed));
    let critical = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "k1", "crit": ["b64"], "b64": false });
    assert_eq!(read(&signed(&critical, &good)), Err(Invalid::Malformed));
}

#[test]
fn a_changed_token_is_none() {
    let token = sign(&claims(), "k1", &key()).unwrap();
    let mut admin = claims();
    admin.role = super::Role::Admin;
    let parts: Vec<&str> = token.split('.').collect();
    let raised = format!("{}.{}.{}", parts[0], part(&serde_json::to_value(admin).unwrap()), parts[2]);
    assert_eq!(read(&raised), Err(Invalid::Signature));
    for text in
        ["", ".", "..", "a.b.c", &token[..token.len() - 1], &format!("{token}A"), &format!("{token}.{token}")]
    {
        assert!(read(text).is_err(), "{text:?}");
    }
    assert_eq!(read(&"A".repeat(5_000)), Err(Invalid::Malformed));
    for at in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(read(&String::from_utf8(bytes).unwrap()).is_err(), "changed at {at}");
    }
}

#[test]
fn claims_that_contradict_themselves_speak_for_nobody() {
    let guest = CustomerId::guest(Uuid::from_u128(3));
    let member = claims();
    let posing = Claims { customer: guest.clone(), ..member.clone() };
    assert_eq!(posing.principal(), None, "an account with a guest's id");
    let guests = Claims::of(&Principal::Guest(guest), NOW, LIFETIME).unwrap();
    assert_eq!(
        Claims { customer: member.customer.clone(), ..guests }.principal(),
        None,
        "a guest with a customer's id"
    );
    assert_eq!(Claims { sid: None, ..member.clone() }.principal(), None, "an account without a session");
    assert_eq!(Claims { sub: "x".to_owned(), ..member }.principal(), None, "no account");
}
