//! What a value is expected to be: as much of it as somebody wrote.

use domain::value::{Money, Time};
use serde_json::{Map, Value as Json, json};

use crate::text::{Kind, Pos, REST, Value, money, time};

/// An expected value, with the place where each part of it was written.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Where it was written.
    pub at: Pos,
    /// What it is.
    pub form: Form,
}

/// The forms of an expected value.
#[derive(Clone, Debug)]
pub enum Form {
    /// This, and nothing else.
    Exact(Json),
    /// Any of these: what was written has no known type. Never empty; the likeliest comes first.
    Loose(Vec<Json>),
    /// These fields; whether there may be others.
    Fields(Vec<(String, Pattern)>, bool),
    /// These, in this order.
    List(Vec<Pattern>),
}

impl Pattern {
    /// Exactly this.
    #[must_use]
    pub const fn exact(at: Pos, value: Json) -> Self {
        Self { at, form: Form::Exact(value) }
    }

    /// One field, and no others.
    #[must_use]
    pub fn tagged(at: Pos, name: &str, body: Self) -> Self {
        Self { at, form: Form::Fields(vec![(name.to_owned(), body)], false) }
    }

    /// A value that nobody knows the type of.
    #[must_use]
    pub fn untyped(value: &Value, now: Time) -> Self {
        let form = match &value.kind {
            Kind::Quoted(text) => Form::Exact(json!(text)),
            Kind::Bare(text) => Form::Loose(readings(text, now)),
            Kind::List(values) => Form::List(values.iter().map(|value| Self::untyped(value, now)).collect()),
            Kind::Map(entries, rest) => {
                let fields =
                    entries.iter().map(|entry| (entry.name.clone(), Self::untyped(&entry.value, now)));
                Form::Fields(fields.collect(), *rest)
            }
            Kind::Tagged(tag, body) => Form::Fields(vec![(tag.clone(), Self::untyped(body, now))], false),
        };
        Self { at: value.at, form }
    }

    /// Whether any part of it leaves something open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match &self.form {
            Form::Exact(_) => false,
            Form::Loose(_) => true,
            Form::Fields(fields, rest) => *rest || fields.iter().any(|(_, field)| field.is_open()),
            Form::List(values) => values.iter().any(Self::is_open),
        }
    }

    /// The value that was written, to be printed: a field [`REST`] stands wherever there may be others.
    #[must_use]
    pub fn as_written(&self) -> Json {
        match &self.form {
            Form::Exact(_) | Form::Loose(_) => self.over(&Json::Null),
            Form::Fields(fields, rest) => {
                let fields = fields.iter().map(|(name, field)| (name.clone(), field.as_written()));
                Json::Object(fields.chain(rest.then(|| (REST.to_owned(), Json::Null))).collect())
            }
            Form::List(values) => values.iter().map(Self::as_written).collect(),
        }
    }

    /// The actual value with everything that was written put over it: equal to it exactly when it fits.
    #[must_use]
    pub fn over(&self, actual: &Json) -> Json {
        match &self.form {
            Form::Exact(value) => value.clone(),
            Form::Loose(readings) => {
                let hit = readings.iter().find(|reading| *reading == actual);
                hit.or_else(|| readings.first()).cloned().unwrap_or_default()
            }
            Form::Fields(fields, rest) => {
                let mut over = match actual {
                    Json::Object(actual) if *rest => actual.clone(),
                    _ => Map::new(),
                };
                for (name, field) in fields {
                    over.insert(name.clone(), field.over(actual.get(name).unwrap_or(&Json::Null)));
                }
                Json::Object(over)
            }
            Form::List(values) => {
                let values = values.iter().enumerate();
                values.map(|(index, value)| value.over(actual.get(index).unwrap_or(&Json::Null))).collect()
            }
        }
    }

    /// The part that a path of field names and numbers leads to, or as far as it leads.
    #[must_use]
    pub fn part<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> &Self {
        let mut part = self;
        for step in path {
            let next = match &part.form {
                Form::Fields(fields, _) => {
                    fields.iter().find(|(name, _)| name == step).map(|(_, field)| field)
                }
                Form::List(values) => step.parse().ok().and_then(|index: usize| values.get(index)),
                Form::Exact(_) | Form::Loose(_) => None,
            };
            part = next.unwrap_or(part);
        }
        part
    }
}

/// Everything that a word without quotation marks may stand for.
fn readings(text: &str, now: Time) -> Vec<Json> {
    let mut readings = vec![];
    match text {
        "none" => readings.push(Json::Null),
        "true" | "false" => readings.push(json!(text == "true")),
        _ => {}
    }
    readings.extend(text.parse::<i64>().ok().map(|number| json!(number)));
    if let Ok(Money { amount, currency }) = money(text) {
        readings.push(json!({"amount": amount, "currency": currency.as_str()}));
    }
    readings.extend(time(text, now).ok().map(|time| json!(time.millis())));
    readings.push(json!(text));
    readings
}
