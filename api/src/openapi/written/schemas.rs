//! The schemas of everything that requests and answers are made of, each under one name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// The schemas that were named so far, and the names that several have.
#[derive(Default)]
pub struct Schemas(pub BTreeMap<String, Value>, pub BTreeSet<String>);

/// The names that plain types would have: they are written out where they stand.
const PLAIN: &[&str] = &["String", "Uuid", "Value", "bool", "f64", "i32", "i64", "str", "u16", "u32", "u64"];

impl Schemas {
    /// A reference to the schema of a type, or the schema of a plain one.
    pub fn of<T: ToSchema>(&mut self) -> Value {
        self.named::<T>(&T::name())
    }

    /// The same under another name, for a type that has its name from what it is generic over.
    pub fn named<T: ToSchema>(&mut self, name: &str) -> Value {
        let mut inside = vec![(name.to_owned(), T::schema())];
        T::schemas(&mut inside);
        for (name, schema) in inside {
            self.add(&name, tidied(value(&schema)));
        }
        if PLAIN.contains(&name) { self.0[name].clone() } else { reference(name) }
    }

    /// Keeps a schema under a name.
    pub fn add(&mut self, name: &str, schema: Value) {
        if self.0.get(name).is_some_and(|known| *known != schema) {
            self.1.insert(name.to_owned());
        }
        self.0.insert(name.to_owned(), schema);
    }

    /// The members of an object: name, schema, and whether it has to be there.
    pub fn members<T: ToSchema>(&mut self) -> Vec<(String, Value, bool)> {
        self.of::<T>();
        let object = self.0.remove(&*T::name()).unwrap_or_default();
        self.members_of(object)
    }

    fn members_of(&mut self, object: Value) -> Vec<(String, Value, bool)> {
        let mut found = vec![];
        for part in object["allOf"].as_array().cloned().unwrap_or_default() {
            let name = part["$ref"].as_str().and_then(|path| path.rsplit('/').next()).map(str::to_owned);
            let part = name.map_or(part, |name| self.0.remove(&name).unwrap_or_default());
            found.extend(self.members_of(part));
        }
        let required: Vec<&str> =
            object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, schema) in object["properties"].as_object().into_iter().flatten() {
            found.push((name.clone(), without_null(schema.clone()), required.contains(&name.as_str())));
        }
        found
    }

    /// Puts what is flattened in Rust into one object: each part alone would refuse the members of the others.
    pub fn flattened(&mut self) {
        let composed: Vec<String> = self
            .0
            .iter()
            .filter(|(_, schema)| schema["allOf"].is_array())
            .map(|(name, _)| name.clone())
            .collect();
        for name in composed {
            if let Some(whole) = self.0.get(&name).and_then(|schema| self.merged(schema)) {
                self.0.insert(name, whole);
            }
        }
    }

    fn merged(&self, schema: &Value) -> Option<Value> {
        let Some(parts) = schema["allOf"].as_array() else { return Some(schema.clone()) };
        let mut whole = json!({ "type": "object", "properties": {}, "required": [] });
        for part in parts {
            let named = part["$ref"].as_str().and_then(|path| path.rsplit('/').next());
            let part = self.merged(named.map_or(Some(part), |name| self.0.get(name))?)?;
            whole["properties"].as_object_mut()?.extend(part["properties"].as_object()?.clone());
            whole["required"]
                .as_array_mut()?
                .extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        for word in ["description", "additionalProperties"] {
            if let Some(said) = schema.get(word) {
                whole[word] = said.clone();
            }
        }
        Some(whole)
    }

    /// All of them, plain ones written out.
    pub fn finished(self) -> BTreeMap<String, Value> {
        let plain: BTreeMap<String, Value> = self
            .0
            .iter()
            .filter(|(name, _)| PLAIN.contains(&name.as_str()))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        let named = self.0.into_iter().filter(|(name, _)| !PLAIN.contains(&name.as_str()));
        named.map(|(name, schema)| (name, written_out(schema, &plain))).collect()
    }

    /// The same part of the description with plain types written out.
    pub fn plain(&self, part: Value) -> Value {
        let plain: BTreeMap<String, Value> = self
            .0
            .iter()
            .filter(|(name, _)| PLAIN.contains(&name.as_str()))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        written_out(part, &plain)
    }
}

/// A reference to a named schema.
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn value(schema: &impl serde::Serialize) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

/// What may be left out of a query is left out: nobody can write a null there.
fn without_null(mut schema: Value) -> Value {
    if let Some(kinds) = schema["type"].as_array() {
        let kinds: Vec<Value> = kinds.iter().filter(|kind| **kind != "null").cloned().collect();
        schema["type"] = kinds.into_iter().next().unwrap_or_default();
    }
    let alternatives = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let mut others = alternatives.iter().filter(|one| one["type"] != "null");
    match (others.next(), alternatives.len()) {
        (Some(other), 2) => {
            let mut other = other.clone();
            if let Some(description) = schema.get("description") {
                other["description"] = description.clone();
            }
            other
        }
        _ => schema,
    }
}

fn written_out(part: Value, plain: &BTreeMap<String, Value>) -> Value {
    match part {
        Value::Object(object) => {
            let name = object.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
            if let Some(found) = name.and_then(|name| plain.get(name)) {
                let mut found = found.clone();
                if let (Some(found), Some(description)) = (found.as_object_mut(), object.get("description")) {
                    found.insert("description".into(), description.clone());
                }
                return found;
            }
            let each = object.into_iter().map(|(name, inside)| (name, written_out(inside, plain)));
            Value::Object(each.collect())
        }
        Value::Array(parts) => parts.into_iter().map(|part| written_out(part, plain)).collect(),
        other => other,
    }
}

/// The schema with the bounds that its numbers have in Rust.
fn tidied(schema: Value) -> Value {
    match schema {
        Value::Object(object) => {
            let object: Map<String, Value> =
                object.into_iter().map(|(name, inside)| (name, tidied(inside))).collect();
            bounded(object)
        }
        Value::Array(parts) => parts.into_iter().map(tidied).collect(),
        other => other,
    }
}

fn bounded(mut object: Map<String, Value>) -> Value {
    let unsigned = object.get("minimum").is_some_and(|minimum| minimum.as_i64() == Some(0));
    let bounds = match (object.get("format").and_then(Value::as_str), unsigned) {
        (Some("int32"), true) => Some((json!(0), json!(u32::MAX))),
        (Some("int32"), false) => Some((json!(i32::MIN), json!(i32::MAX))),
        (Some("int64"), true) => Some((json!(0), json!(i64::MAX))),
        (Some("int64"), false) => Some((json!(i64::MIN), json!(i64::MAX))),
        _ => None,
    };
    if let Some((minimum, maximum)) = bounds {
        object.entry("minimum").or_insert(minimum);
        object.entry("maximum").or_insert(maximum);
        if unsigned && object["format"] == "int32" {
            object.insert("format".into(), "int64".into());
        }
    }
    Value::Object(object)
}
