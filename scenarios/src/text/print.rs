//! Values written in the notation that they are read in.

use domain::{
    shape::Shape,
    value::{Money, Time},
};
use serde_json::{Map, Value as Json};

use super::{quoted, time_text};

/// A value of a shape, as somebody would write it.
#[must_use]
pub fn print(value: &Json, shape: &Shape) -> String {
    match (shape, value) {
        (Shape::Option(_), Json::Null) => "none".to_owned(),
        (Shape::Option(inner), value) => print(value, inner),
        (Shape::Named("Time", _), Json::Number(millis)) => {
            millis.as_i64().map_or_else(|| millis.to_string(), |millis| time_text(Time::from_millis(millis)))
        }
        (Shape::Named(_, inner), value) => print(value, inner),
        (Shape::Struct("Money", _), value) => money(value).unwrap_or_else(|| open(value)),
        (Shape::Struct("Sealed", _), Json::Object(fields))
            if fields.get("subject").and_then(Json::as_str) == Some("scenario") =>
        {
            fields.get("sealed").map(open).unwrap_or_default()
        }
        (Shape::Struct(_, known), Json::Object(fields)) => {
            let known = known.iter().filter_map(|field| Some((field, fields.get(field.name)?)));
            // What is not there and what is null say the same.
            let told = known.filter(|(field, value)| !(field.optional && value.is_null()));
            let told = told.map(|(field, value)| format!("{}: {}", field.name, print(value, &field.shape)));
            braces(told.chain(rest(fields)))
        }
        (Shape::Enum(_, variants), Json::Object(fields)) if fields.len() == 1 => {
            let only = fields.iter().next();
            let known = only.and_then(|(name, body)| Some((variants.iter().find(|v| v.name == name)?, body)));
            match known {
                Some((variant, body @ Json::Object(_))) => {
                    format!("{} {}", variant.name, print(body, &variant.body))
                }
                Some((variant, body)) => {
                    braces([format!("{}: {}", variant.name, print(body, &variant.body))])
                }
                None => open(value),
            }
        }
        (Shape::List(inner) | Shape::Map(_, inner), value) => match value {
            Json::Array(values) => brackets(values.iter().map(|value| print(value, inner))),
            Json::Object(fields) => {
                let told =
                    named(fields).map(|(name, value)| format!("{}: {}", word(name), print(value, inner)));
                braces(told.chain(rest(fields)))
            }
            other => open(other),
        },
        (Shape::Tuple(shapes), Json::Array(values)) => {
            brackets(values.iter().zip(shapes).map(|(value, shape)| print(value, shape)))
        }
        (_, value) => open(value),
    }
}

/// What stands behind a name: nothing when there is nothing to say.
#[must_use]
pub fn print_body(body: &Json, shape: &Shape) -> String {
    match print(body, shape).as_str() {
        "{}" | "none" => String::new(),
        text => format!(" {text}"),
    }
}

/// A value of no known shape.
fn open(value: &Json) -> String {
    match value {
        Json::Null => "none".to_owned(),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::String(text) => word(text),
        Json::Array(values) => brackets(values.iter().map(open)),
        Json::Object(fields) => money(value).unwrap_or_else(|| {
            let told = named(fields).map(|(name, value)| format!("{}: {}", word(name), open(value)));
            braces(told.chain(rest(fields)))
        }),
    }
}

fn money(value: &Json) -> Option<String> {
    let money: Money = serde_json::from_value(value.clone()).ok()?;
    Some(format!("{} {}", money.decimal(), money.currency))
}

/// A field of this name says that there may be others.
pub const REST: &str = "..";

fn named(fields: &Map<String, Json>) -> impl Iterator<Item = (&String, &Json)> {
    fields.iter().filter(|(name, _)| *name != REST)
}

fn rest(fields: &Map<String, Json>) -> Option<String> {
    fields.contains_key(REST).then(|| REST.to_owned())
}

fn braces(parts: impl IntoIterator<Item = String>) -> String {
    format!("{{{}}}", parts.into_iter().collect::<Vec<_>>().join(", "))
}

fn brackets(parts: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", parts.into_iter().collect::<Vec<_>>().join(", "))
}

/// A text, in quotation marks where it would be read as something else.
fn word(text: &str) -> String {
    let special = text.is_empty()
        || text == "none"
        || text == ".."
        || text.trim() != text
        || text.contains([',', '{', '}', '[', ']', '"', '\n', '\t'])
        || text.starts_with("..");
    if special { quoted(text) } else { text.to_owned() }
}
