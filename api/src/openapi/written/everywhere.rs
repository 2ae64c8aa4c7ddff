//! What is true of every route, or of all of a kind, and so is written once: who may use it, quotas, and what the edge
//! answers before a handler is asked.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{operation::Operation, parts::header, schemas::reference};
use crate::{
    access::{Access, Kind, ROUTES},
    codes::Code,
};

/// What any request may come to.
const ALWAYS: &[&str] = &["rate.exceeded", "edge.overloaded", "edge.timeout", "internal"];
/// What a request with a token may come to beside that.
const WITH_TOKEN: &[&str] = &["auth.required", "auth.malformed", "auth.invalid_token"];
/// Routes that rest on nothing that could be away.
const ALONE: &[&str] =
    &["/healthz", "/metrics", "/.well-known/jwks.json", "/openapi.json", "/asyncapi.json", "/docs"];

/// Who may use a route; nobody where the table says nothing.
pub fn access(operation: &Operation) -> Option<Access> {
    let (_, methods) = ROUTES.iter().find(|(path, _)| *path == operation.path)?;
    methods.iter().find(|(method, _)| *method == operation.method).map(|(_, access)| *access)
}

/// Adds what follows from the table and the kind of route.
pub fn told(operation: &mut Operation) {
    operation.may(ALWAYS);
    if !ALONE.contains(&operation.path) {
        operation.may(&["store.unavailable"]);
    }
    let Some(access) = access(operation) else { return };
    if access != Access::Public {
        operation.may(WITH_TOKEN);
    }
    match access {
        Access::Public | Access::Token => {}
        Access::Account | Access::Needs(_) | Access::Staff | Access::Admin => {
            operation.may(&["auth.forbidden"])
        }
        Access::Owner(kind, _) => {
            operation.may(&["auth.forbidden"]);
            match kind {
                Kind::Cart => operation.may(&["cart.not_found"]),
                Kind::Order => operation.may(&["order.not_found"]),
                Kind::Payment => operation.may(&["payment.not_found"]),
                Kind::Subject => {}
            }
        }
    }
}

/// The token that it takes, and what that has to allow.
pub fn security(operation: &Operation) -> Value {
    match access(operation) {
        None | Some(Access::Public) => json!([]),
        Some(Access::Token) => json!([{ "bearer": [] }]),
        Some(Access::Account) => json!([{ "bearer": ["account"] }]),
        Some(Access::Owner(_, permission)) => {
            json!([{ "bearer": ["owner"] }, { "bearer": [permission.as_str()] }])
        }
        Some(Access::Needs(permission)) => json!([{ "bearer": [permission.as_str()] }]),
        Some(Access::Staff) => json!([{ "bearer": ["staff"] }]),
        Some(Access::Admin) => json!([{ "bearer": ["admin"] }]),
    }
}

/// The same in words.
pub fn who(operation: &Operation) -> String {
    let of_staff = |permission: crate::Permission| format!("the staff with `{}`", permission.as_str());
    match access(operation) {
        None | Some(Access::Public) => "For everybody.".into(),
        Some(Access::Token) => "For whoever has a token, guests too.".into(),
        Some(Access::Account) => "For whoever has an account.".into(),
        Some(Access::Owner(_, permission)) => format!("For whose it is, and {}.", of_staff(permission)),
        Some(Access::Needs(permission)) => format!("For {}.", of_staff(permission)),
        Some(Access::Staff) => "For the staff, with the permission for each command.".into(),
        Some(Access::Admin) => "For admins.".into(),
    }
}

fn headers(names: &[&str]) -> Map<String, Value> {
    names.iter().map(|name| header(name)).collect()
}

/// An answer that tells what is left of the quota.
pub fn with_quota(mut answer: Value) -> Value {
    let mut all = headers(&["RateLimit", "RateLimitPolicy"]);
    if let Some(own) = answer["headers"].as_object() {
        all.extend(own.clone());
    }
    answer["headers"] = all.into();
    answer
}

/// A name for what is answered with a status: the code, or something that tells it from others with several.
pub fn name(status: u16, codes: &[Code]) -> String {
    match codes {
        [only] => only.code.to_owned(),
        several => {
            let names: Vec<&str> = several.iter().map(|known| known.code).collect();
            let hash = Sha256::digest(names.join(" "));
            format!("problem-{status}-{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2])
        }
    }
}

/// What is answered with a status that means that something went wrong.
pub fn problem(status: u16, codes: &[Code]) -> Value {
    let says: Vec<String> = codes.iter().map(|known| format!("`{}`: {}.", known.code, known.title)).collect();
    let names: Vec<&str> = codes.iter().map(|known| known.code).collect();
    let mut told = vec![];
    match status {
        401 => told.push("Authenticate"),
        429 | 503 => told.push("RetryAfter"),
        _ => {}
    }
    let narrowed = json!({ "properties": { "code": { "enum": names }, "status": { "const": status } } });
    with_quota(json!({
        "description": says.join("\n\n"),
        "headers": headers(&told),
        "content": { "application/problem+json": { "schema": { "allOf": [reference("Problem"), narrowed] } } },
    }))
}
