//! People with accounts, what they are sent, and a clock that can be put forward.

use std::sync::Arc;

use api::{Member, Permission, Principal, Settings};
use domain::value::{CustomerId, Sealed};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Api, Forward, Reply, fresh_key, post};

pub const PASSWORD: &str = "correct horse battery";

/// A shop whose clock can be put forward.
pub async fn shop_with_clock() -> (Api, Arc<Forward>) {
    Api::start_with_clock(Settings::default()).await
}

/// The tokens of a log-in.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    pub fn of(reply: &Reply) -> Self {
        Self { access: reply.text_of("access_token"), refresh: reply.text_of("refresh_token") }
    }
}

/// An address that nobody else has.
pub fn fresh_email() -> String {
    format!("{}@example.com", fresh_key())
}

/// Registers somebody; the answer.
pub async fn register(api: &Api, email: &str) -> Reply {
    let body =
        json!({ "email": email, "password": PASSWORD, "name": "Ada King", "phone": "+44 20 7946 0000" });
    api.send(post("/v1/auth/register", &body).by_nobody()).await
}

pub async fn try_login(api: &Api, email: &str, password: &str) -> Reply {
    api.send(post("/v1/auth/login", &json!({ "email": email, "password": password })).by_nobody()).await
}

pub async fn login(api: &Api, email: &str) -> Tokens {
    Tokens::of(&try_login(api, email, PASSWORD).await.expect(200))
}

/// Somebody who is registered and logged in.
pub async fn member(api: &Api) -> (String, Tokens) {
    let email = fresh_email();
    register(api, &email).await.expect(201);
    let tokens = login(api, &email).await;
    (email, tokens)
}

pub async fn refresh(api: &Api, token: &str) -> Reply {
    api.send(post("/v1/auth/refresh", &json!({ "refresh_token": token })).by_nobody()).await
}

/// A guest's token.
pub async fn guest(api: &Api) -> String {
    api.send(post("/v1/auth/guest", &json!({})).by_nobody()).await.expect(201).text_of("access_token")
}

/// A token for a member of the staff with these permissions, whose account nobody has made.
pub fn staff(api: &Api, permissions: &[Permission]) -> String {
    let account = Uuid::now_v7();
    let member = Member { account, session: Uuid::now_v7(), customer: CustomerId::from(account) };
    let principal = Principal::Staff(member, permissions.iter().copied().collect());
    api.identity.token_for(&principal, 3_600).unwrap().unwrap()
}

/// A token for a customer whose account nobody has made.
pub fn customer(api: &Api) -> (CustomerId, String) {
    let account = Uuid::now_v7();
    let id = CustomerId::from(account);
    let member = Member { account, session: Uuid::now_v7(), customer: id.clone() };
    (id, api.identity.token_for(&Principal::Customer(member), 3_600).unwrap().unwrap())
}

/// What somebody was sent, oldest first: kinds and values.
pub async fn mails(api: &Api, email: &str) -> Vec<(String, Value)> {
    let rows: Vec<(String, String, String, String)> =
        sqlx::query_as("SELECT kind, subject, recipient, payload FROM outgoing_mail ORDER BY created_at, id")
            .fetch_all(&api.edge().await)
            .await
            .unwrap();
    let mut mails = vec![];
    for (kind, subject, recipient, payload) in rows {
        let open = async |sealed: String| {
            let sealed = Sealed { subject: subject.as_str().into(), sealed: sealed.into() };
            api.engine.vault.open(&sealed).await.unwrap().unwrap()
        };
        if open(recipient).await == email.as_bytes() {
            mails.push((kind, serde_json::from_slice(&open(payload).await).unwrap()));
        }
    }
    mails
}

/// The token of the last message of a kind.
pub async fn mailed_token(api: &Api, email: &str, kind: &str) -> String {
    let mails = mails(api, email).await;
    let (_, values) = mails.iter().rev().find(|(of, _)| of == kind).unwrap();
    values["token"].as_str().unwrap().to_owned()
}
