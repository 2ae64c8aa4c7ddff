//! What serde knows of a type, as JSON Schema: events have no schema of their own to derive.

use domain::shape::{Field, Shape, Variant};
use serde_json::{Map, Value, json};

/// The schema of a shape.
pub fn schema(shape: &Shape) -> Value {
    match shape {
        Shape::Open => json!({}),
        Shape::Nothing => json!({ "type": "null" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer { signed: false, .. } => json!({ "type": "integer", "minimum": 0 }),
        Shape::Integer { .. } => json!({ "type": "integer" }),
        Shape::Text => json!({ "type": "string" }),
        // Times are milliseconds since 1970 in the log; quantities are numbers from 1 on.
        Shape::Named(name, inside) => {
            let mut schema = schema(inside);
            schema["title"] = (*name).into();
            schema
        }
        Shape::Option(inside) => json!({ "oneOf": [schema(inside), { "type": "null" }] }),
        Shape::List(inside) => json!({ "type": "array", "items": schema(inside) }),
        Shape::Map(_, inside) => json!({ "type": "object", "additionalProperties": schema(inside) }),
        Shape::Tuple(parts) => {
            let count = parts.len();
            let parts: Vec<Value> = parts.iter().map(schema).collect();
            json!({ "type": "array", "items": parts, "minItems": count, "maxItems": count })
        }
        Shape::Struct(_, fields) => object(fields),
        Shape::Enum(_, variants) => alternatives(variants),
    }
}

fn object(fields: &[Field]) -> Value {
    let required: Vec<&str> = fields.iter().filter(|field| !field.optional).map(|field| field.name).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), schema(&field.shape))).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn alternatives(variants: &[Variant]) -> Value {
    let names: Vec<&str> =
        variants.iter().filter(|one| one.body == Shape::Nothing).map(|one| one.name).collect();
    let mut all: Vec<Value> = variants.iter().filter(|one| one.body != Shape::Nothing).map(tagged).collect();
    if all.is_empty() {
        return json!({ "type": "string", "enum": names });
    }
    if !names.is_empty() {
        all.push(json!({ "type": "string", "enum": names }));
    }
    json!({ "oneOf": all })
}

/// An alternative with what it holds, under its name.
pub fn tagged(variant: &Variant) -> Value {
    let properties = Map::from_iter([(variant.name.to_owned(), schema(&variant.body))]);
    json!({ "type": "object", "required": [variant.name], "properties": properties })
}
