//! The log, commands in bulk, and what machines ask.

use serde_json::{Value, json};

use super::orders::told;
use crate::{
    answer::Receipt,
    commands, events, health,
    identity::login,
    metrics,
    openapi::{
        served,
        written::operation::{Operation, get, post},
    },
};

fn lines(schema: Value) -> Value {
    json!({ "application/x-ndjson": { "schema": schema } })
}

pub fn operations() -> Vec<Operation> {
    let mut list = get("/v1/events", events::list, "Read the log");
    // Lines are texts to OpenAPI; what they hold is described beside them.
    list.schemas.of::<events::Event>();
    let mut bulk = post("/v1/commands", commands::bulk, "Send commands in bulk");
    bulk.schemas.of::<commands::Line>();
    bulk.schemas.of::<Receipt>();
    let example = json!({
        "key": "receive-1042-1", "aggregate_type": "inventory_item", "aggregate_id": "MUG-SEA",
        "command": { "Receive": { "quantity": 40 } },
    });
    let text = |says: &str| json!({ "type": "string", "description": says });
    let lines_of = json!({ "type": "string", "pattern": r"\S", "description": "One `BulkLine` a line." });
    vec![
        list.more(
            "Page by page, or without an end: `follow=true` goes on with further lines, and `Accept: text/event-stream` \
             with Server-Sent Events. Every line is a `LoggedEvent`, with payload and metadata as they are stored.",
        )
        .with_headers(&["LastEventId", "AcceptEvents"])
        .answers_in(
            200,
            "Events, one a line.",
            &["PositionOfPage", "NextOfPage", "CacheControl"],
            json!({
                "application/x-ndjson": { "schema": text("One `LoggedEvent` a line.") },
                "text/event-stream": { "schema": told("<EventType>", "One `LoggedEvent`.") },
            }),
        )
        .refuses(&["position.malformed", "position.other_log"]),
        bulk.more(
            "Up to 10,000 lines, each a `BulkLine` with a key of its own. One answer a line comes back, in that order: \
             `line`, `status`, and a `Receipt` or the members of a `Problem`.",
        )
        .body("application/x-ndjson", lines_of, json!(example.to_string()))
        .answers_in(207, "One answer a line.", &[], lines(text("One answer a line.")))
        .refuses(&["request.malformed", "request.too_large"]),
    ]
}

pub fn machinery() -> Vec<Operation> {
    let up =
        json!({ "type": "object", "required": ["status"], "properties": { "status": { "const": "up" } } });
    let key = json!({
        "type": "object",
        "required": ["kty", "crv", "use", "alg", "kid", "x"],
        "properties": {
            "kty": { "const": "OKP" }, "crv": { "const": "Ed25519" }, "use": { "const": "sig" },
            "alg": { "const": "EdDSA" }, "kid": { "type": "string" }, "x": { "type": "string" },
        },
    });
    let keys = json!({
        "type": "object", "required": ["keys"], "properties": { "keys": { "type": "array", "items": key } },
    });
    let text = |kind: &str| json!({ kind: { "schema": { "type": "string" } } });
    let document = || json!({ "type": "object" });
    vec![
        get("/healthz", health::up, "Whether the process answers").answers_with(200, "It does.", up),
        get("/readyz", health::ready, "Whether the process should be sent requests")
            .answers::<health::Readiness>(200, "It should.")
            .refuses(&["edge.draining", "read_model.behind"]),
        get("/metrics", metrics::show, "Figures for Prometheus").answers_in(
            200,
            "Figures, as Prometheus reads them.",
            &[],
            text("text/plain"),
        ),
        get("/.well-known/jwks.json", login::keys, "The keys that tokens are verified with").answers_with(
            200,
            "The public keys.",
            keys,
        ),
        get("/openapi.json", served::openapi, "This description").file(
            "This description, as OpenAPI 3.1.",
            json!({ "application/json": { "schema": document() } }),
        ),
        get("/asyncapi.json", served::asyncapi, "What is told: the stream of events, and webhooks").file(
            "The description, as AsyncAPI 3.0.",
            json!({ "application/json": { "schema": document() } }),
        ),
        get("/docs", served::docs, "This description, to be read")
            .file("A page for a browser.", text("text/html")),
    ]
}
