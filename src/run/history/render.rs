//! States and changes in words: times, money and names as people write them.

use std::fmt::Write as _;

use domain::{AggregateType, shape::Shape};
use scenarios::text::print;
use serde_json::Value as Json;
use store::history::{Change, Part, SEALED, Then};

/// What the fields of an aggregate's states look like.
pub struct Words {
    shape: Shape,
}

impl Words {
    /// Those of a kind of aggregate.
    pub fn of(aggregate_type: AggregateType) -> Self {
        // A type that cannot be traced is told as it is serialised; a test of the domain says that there is none.
        Self { shape: aggregate_type.state_shape().unwrap_or(Shape::Open) }
    }

    /// A line a field.
    pub fn state(&self, then: &Then) -> String {
        let mut text = String::new();
        let Json::Object(fields) = &then.state else {
            return format!("  {}\n", self.value(&then.state, &[]));
        };
        let width = fields.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, value) in fields {
            let shown = self.value(value, &[Part::Name(name.clone())]);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:width$}  {shown}");
        }
        text
    }

    /// A line a change.
    pub fn changes(&self, changes: &[Change], indent: &str) -> String {
        let mut text = String::new();
        for Change { field, old, new } in changes {
            let (old, new) = (self.value(old, &field.0), self.value(new, &field.0));
            let _ = writeln!(text, "{indent}{field}: {old} → {new}");
        }
        text
    }

    fn value(&self, value: &Json, path: &[Part]) -> String {
        let shape = at(&self.shape, path).unwrap_or(&Shape::Open);
        let shown = if value.is_null() { "none".to_owned() } else { print(value, shape) };
        // It is no value, so it needs no quotation marks.
        shown.replace(&format!("\"{SEALED}\""), SEALED)
    }
}

/// The shape of a field. States have names above their fields, which the path does not tell: whichever has the field.
fn at<'s>(shape: &'s Shape, path: &[Part]) -> Option<&'s Shape> {
    if let Shape::Option(inner) | Shape::Named(_, inner) = shape
        && !path.is_empty()
    {
        return at(inner, path);
    }
    let Some((part, rest)) = path.split_first() else { return Some(shape) };
    match (shape, part) {
        (Shape::Enum(_, variants), Part::Name(name)) => {
            let named = variants.iter().find(|variant| variant.name == name);
            match named {
                Some(variant) => at(&variant.body, rest),
                None => variants.iter().find_map(|variant| at(&variant.body, path)),
            }
        }
        (Shape::Struct(_, fields), Part::Name(name)) => {
            at(&fields.iter().find(|field| field.name == name)?.shape, rest)
        }
        (Shape::Map(_, inner), Part::Name(_)) | (Shape::List(inner), Part::Place(_)) => at(inner, rest),
        (Shape::Tuple(parts), Part::Place(place)) => at(parts.get(*place)?, rest),
        _ => None,
    }
}
