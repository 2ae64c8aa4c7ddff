//! Every command and event that there is, by name, with its shape.

use std::{collections::BTreeMap, sync::LazyLock};

use domain::{
    AggregateType,
    shape::{Shape, Variant},
};
use serde_json::{Map, Value as Json, json};

use crate::pattern::{Form, Pattern};

/// The shapes of one aggregate.
#[derive(Debug)]
pub struct Shapes {
    /// Of its commands.
    pub commands: Shape,
    /// Of its events.
    pub events: Shape,
}

/// Which of an aggregate's names are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is asked of it.
    Command,
    /// What happened to it.
    Event,
}

// A type that cannot be traced is open: it takes any value. A test of the domain says that there is none.
static SHAPES: LazyLock<BTreeMap<AggregateType, Shapes>> = LazyLock::new(|| {
    let shapes = |aggregate_type: &AggregateType| Shapes {
        commands: aggregate_type.command_shape().unwrap_or(Shape::Open),
        events: aggregate_type.event_shape().unwrap_or(Shape::Open),
    };
    AggregateType::ALL.iter().map(|aggregate_type| (*aggregate_type, shapes(aggregate_type))).collect()
});

/// The alternatives of an aggregate's commands or events.
#[must_use]
pub fn names(aggregate_type: AggregateType, side: Side) -> &'static [Variant] {
    let shapes = SHAPES.get(&aggregate_type);
    shapes.map_or(&[], |shapes| match side {
        Side::Command => shapes.commands.variants(),
        Side::Event => shapes.events.variants(),
    })
}

/// The command or event of that name.
#[must_use]
pub fn find(aggregate_type: AggregateType, side: Side, name: &str) -> Option<&'static Variant> {
    names(aggregate_type, side).iter().find(|variant| variant.name == name)
}

/// A serialised command or event, as serde tags it.
#[must_use]
pub fn tagged(variant: &Variant, body: Json) -> Json {
    match variant.body {
        Shape::Nothing => json!(variant.name),
        _ => Json::Object(Map::from_iter([(variant.name.to_owned(), body)])),
    }
}

/// The name and the body of a serialised command or event.
#[must_use]
pub fn untagged(value: Json) -> (String, Json) {
    match value {
        Json::String(name) => (name, Json::Null),
        Json::Object(fields) => fields.into_iter().next().unwrap_or_default(),
        _ => (String::new(), Json::Null),
    }
}

/// Some value of a shape, for the parts that nobody wrote.
#[must_use]
pub fn sample(shape: &Shape) -> Json {
    match shape {
        Shape::Open => json!({"code": "cart.empty"}),
        Shape::Nothing | Shape::Option(_) => Json::Null,
        Shape::Bool => json!(true),
        Shape::Integer { .. } => json!(1),
        Shape::Text => json!("AAA"),
        Shape::Named(_, inner) => sample(inner),
        Shape::List(_) => json!([]),
        Shape::Map(..) => json!({}),
        Shape::Tuple(parts) => parts.iter().map(sample).collect(),
        Shape::Struct(_, fields) => {
            let fields = fields.iter().filter(|field| !field.optional);
            Json::Object(fields.map(|field| (field.name.to_owned(), sample(&field.shape))).collect())
        }
        Shape::Enum(_, variants) => {
            variants.first().map(|variant| tagged(variant, sample(&variant.body))).unwrap_or_default()
        }
    }
}

/// Some value of a shape that has every part which a pattern speaks of, so that only what nobody wrote is made up.
#[must_use]
pub fn sample_around(pattern: &Pattern, shape: &Shape) -> Json {
    match (&pattern.form, shape) {
        (_, Shape::Option(inner) | Shape::Named(_, inner)) => sample_around(pattern, inner),
        (Form::Fields(written, _), Shape::Struct(_, fields)) => {
            let mut around = sample(shape);
            for (name, pattern) in written {
                if let Some(field) = fields.iter().find(|field| field.name == name) {
                    around[field.name] = sample_around(pattern, &field.shape);
                }
            }
            around
        }
        (Form::Fields(written, _), Shape::Enum(_, variants)) => {
            let tag = written.first().and_then(|(name, body)| {
                variants.iter().find(|variant| variant.name == name).map(|variant| (variant, body))
            });
            tag.map_or_else(
                || sample(shape),
                |(variant, body)| tagged(variant, sample_around(body, &variant.body)),
            )
        }
        (Form::Fields(written, _), Shape::Map(_, inner)) => {
            let entries = written.iter().map(|(name, pattern)| (name.clone(), sample_around(pattern, inner)));
            Json::Object(entries.collect())
        }
        (Form::List(values), Shape::List(inner)) => {
            values.iter().map(|value| sample_around(value, inner)).collect()
        }
        (Form::List(values), Shape::Tuple(shapes)) => {
            values.iter().zip(shapes).map(|(value, shape)| sample_around(value, shape)).collect()
        }
        _ => sample(shape),
    }
}
