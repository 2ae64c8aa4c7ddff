//! Puts the description together.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    everywhere,
    operation::Operation,
    parts,
    routes::{self, Group},
    schemas::Schemas,
};
use crate::codes::CODES;

const ABOUT: &str = "\
Orders and stock, kept as events.

**Commands** answer with `Daybook-Position`; a query that names it in `Daybook-Min-Position` sees at least that. A command \
under an `Idempotency-Key` takes effect once however often it is sent. **Errors** are `application/problem+json` (RFC 9457) \
with a stable `code`; a path that is not here answers 404 `route.unknown`, another method 405 `route.method_not_allowed`. \
**Money** is whole minor units and an ISO 4217 code, **time** RFC 3339 in UTC. **Lists** are `data`, `next_cursor`, `has_more`.

What happens is told as well: see [/asyncapi.json](/asyncapi.json).";

/// The whole description.
pub fn openapi() -> Value {
    let mut schemas = Schemas::default();
    let (mut paths, mut tags) = (BTreeMap::<&str, Map<String, Value>>::new(), vec![]);
    let mut problems = Map::new();
    for Group { name, about, operations } in routes::all() {
        tags.push(json!({ "name": name, "description": about }));
        for mut operation in operations {
            everywhere::told(&mut operation);
            let Schemas(named, clashes) = std::mem::take(&mut operation.schemas);
            named.into_iter().for_each(|(name, schema)| schemas.add(&name, schema));
            schemas.1.extend(clashes);
            let methods = paths.entry(operation.path).or_default();
            let written = written(&operation, name, &mut problems);
            let before = methods.insert(operation.method.to_lowercase(), written);
            assert!(before.is_none(), "{} {} stands twice", operation.method, operation.path);
        }
    }
    schemas.add("Problem", problem());
    refined(&mut schemas);
    schemas.flattened();
    assert!(schemas.1.is_empty(), "several schemas are called {:?}", schemas.1);
    let paths = schemas.plain(serde_json::to_value(paths).unwrap_or_default());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Daybook",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "An event-sourced order and inventory engine.",
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.finished(),
            "responses": problems,
            "parameters": parts::parameters(),
            "headers": parts::headers(),
            "securitySchemes": { "bearer": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "From `POST /v1/auth/login`, or `POST /v1/auth/guest` without an account. What is named beside it is who may: `owner` is whose it is, `account` whoever has one, and the rest are roles and permissions of the staff; an admin may do everything.",
            } },
        },
    })
}

fn written(operation: &Operation, tag: &str, problems: &mut Map<String, Value>) -> Value {
    let mut answers: BTreeMap<String, Value> = BTreeMap::new();
    for (status, answer) in &operation.answers {
        answers.insert(status.to_string(), everywhere::with_quota(answer.clone()));
    }
    for (status, codes) in operation.problems() {
        let name = everywhere::name(status, &codes);
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        answers.insert(status.to_string(), reference);
        problems.entry(name).or_insert_with(|| everywhere::problem(status, &codes));
    }
    let mut written = json!({
        "operationId": operation.id,
        "tags": [tag],
        "summary": operation.summary,
        "security": everywhere::security(operation),
        "responses": answers,
    });
    let description = [operation.description, &everywhere::who(operation)].join("\n\n");
    written["description"] = description.trim().into();
    if !operation.parameters.is_empty() {
        written["parameters"] = operation.parameters.clone().into();
    }
    if let Some(body) = &operation.body {
        written["requestBody"] = body.clone();
    }
    written
}

/// The body of everything that went wrong.
fn problem() -> Value {
    let codes: Vec<&str> = CODES.iter().map(|known| known.code).collect();
    json!({
        "type": "object",
        "description": "What went wrong, as RFC 9457 has it. Further members are the values that explain it.",
        "required": ["type", "title", "status", "detail", "instance", "code", "trace_id"],
        "properties": {
            "type": { "type": "string", "format": "uri", "description": "`urn:daybook:error:` and the code." },
            "title": { "type": "string", "description": "The same for every occurrence." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "Prose for people." },
            "instance": { "type": "string", "description": "The path of the request." },
            "code": { "type": "string", "enum": codes, "description": "Part of the API: it never changes its meaning." },
            "trace_id": { "type": "string", "description": "What to look for in the log." },
        },
    })
}

/// What serde knows of a type and a derive cannot see.
fn refined(schemas: &mut Schemas) {
    for name in ["EditChange", "StockPolicy"] {
        let alternatives = schemas.0.get_mut(name).and_then(|schema| schema["oneOf"].as_array_mut());
        alternatives.into_iter().flatten().for_each(close);
    }
    if let Some(adjust) = schemas.0.get_mut("AdjustStock") {
        adjust["properties"]["delta"]["not"] = json!({ "const": 0 });
    }
}

/// Takes no other members, here and inside.
fn close(schema: &mut Value) {
    if schema["type"] != "object" {
        return;
    }
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.values_mut().for_each(close);
    }
    schema["additionalProperties"] = false.into();
}
