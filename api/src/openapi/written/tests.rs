//! Whether the documents are kept as they would be written, and say everything that there is to say.

use std::{collections::BTreeSet, env, fs, path::Path};

use serde_json::Value;

use super::{
    asyncapi::{asyncapi, envelope, sample},
    document::openapi,
};
use crate::{access::ROUTES, codes::CODES, openapi::served};

/// Set, the documents are written instead of compared.
const WRITE: &str = "DAYBOOK_WRITE_DOCUMENTS";

fn kept_as(name: &str, kept: &str, document: &Value) {
    let text = format!("{document:#}\n");
    if env::var_os(WRITE).is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), text).unwrap();
        return;
    }
    let differs = kept.lines().zip(text.lines()).position(|(kept, now)| kept != now);
    assert!(
        kept == text,
        "api/{name} is not what the code says, from line {differs:?} on: run `just documents`"
    );
}

#[test]
fn the_documents_are_kept_as_the_code_says() {
    kept_as("openapi.json", served::OPENAPI, &openapi());
    kept_as("asyncapi.json", served::ASYNCAPI, &asyncapi());
}

/// Method and path of everything that is described.
fn described() -> BTreeSet<(String, String)> {
    let document = openapi();
    let paths = document["paths"].as_object().unwrap();
    let methods = |(path, methods): (&String, &Value)| {
        let methods: Vec<_> =
            methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())).collect();
        methods
    };
    paths.iter().flat_map(methods).collect()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let routes: BTreeSet<(String, String)> = ROUTES
        .iter()
        .flat_map(|(path, methods)| {
            methods.iter().map(|(method, _)| ((*method).to_owned(), (*path).to_owned()))
        })
        .collect();
    let described = described();
    let missing: Vec<_> = routes.difference(&described).collect();
    let unknown: Vec<_> = described.difference(&routes).collect();
    assert!(missing.is_empty(), "openapi/written/routes/ says nothing of {missing:?}");
    assert!(unknown.is_empty(), "access.rs knows nothing of {unknown:?}");
}

#[test]
fn every_code_is_told_of() {
    let document = openapi();
    let told: BTreeSet<&str> = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(told, CODES.iter().map(|known| known.code).collect());
    let text = document["components"]["responses"].to_string();
    let nowhere: Vec<_> =
        CODES.iter().map(|known| known.code).filter(|code| !text.contains(&format!("\"{code}\""))).collect();
    assert_eq!(nowhere, NOWHERE, "codes that no route is said to answer with");
}

/// Codes that no answer of their own carries: of commands that the shop tells itself, or that only come in lines of
/// `/v1/commands`, and of paths and methods that there are not.
const NOWHERE: &[&str] = &[
    "allowance.exceeded",
    "allowance.already_claimed",
    "cart.no_such_line",
    "order.already_placed",
    "order.held_for_review",
    "order.edit_not_committed",
    "order.return_not_received",
    "order.return_refunded",
    "order.already_invoiced",
    "payment.already_opened",
    "invoice.book_full",
    "command.not_for_clients",
    "route.method_not_allowed",
];

#[test]
fn names_of_operations_are_told_apart() {
    let document = openapi();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let names: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn an_envelope_has_the_members_that_are_described() {
    let told: Value = serde_json::from_slice(&sample().to_json().unwrap()).unwrap();
    let described = envelope();
    let names = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&told), names(&described["properties"]));
    let address = asyncapi()["channels"]["events"]["address"].clone();
    assert_eq!(address, "daybook.events.{aggregate_type}.{aggregate_id}.{event_type}");
}
