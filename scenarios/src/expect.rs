//! A command or event that is expected, held against one that came.

use domain::{
    AggregateType,
    shape::{Shape, Variant},
};
use serde_json::Value as Json;
use store::json::{self, Misfit, ToJson as _};

use crate::{
    pattern::Pattern,
    steps::Stream,
    text::{Flaw, print, print_body},
    vocabulary::{Side, find, sample_around, tagged, untagged},
};

/// What is expected of a stream.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Whose it is.
    pub stream: Stream,
    /// A command or an event.
    pub side: Side,
    /// Its name and shape.
    pub variant: &'static Variant,
    /// Its fields; without them only the name counts.
    pub fields: Option<Pattern>,
}

impl Expected {
    /// How it differs from what came; nothing is said when that has another name.
    #[must_use]
    pub fn differences(&self, name: &str, actual: &Json) -> Option<Vec<String>> {
        if name != self.variant.name {
            return None;
        }
        let Some(fields) = &self.fields else {
            return Some(vec![]);
        };
        let wanted = fields.over(actual);
        let wanted =
            canonical(self.stream.aggregate_type, self.side, self.variant, &wanted).unwrap_or(wanted);
        let mut differences = vec![];
        compare("", &wanted, actual, &self.variant.body, &mut differences);
        Some(differences)
    }

    /// Whether its fields can be those of any command or event at all.
    ///
    /// # Errors
    /// With the part that cannot.
    pub fn check(&self) -> Result<(), Flaw> {
        let Some(fields) = &self.fields else { return Ok(()) };
        if fields.is_open() && matches!(self.variant.body, Shape::Open) {
            return Ok(());
        }
        let body = fields.over(&sample_around(fields, &self.variant.body));
        let read = |body: &Json| canonical(self.stream.aggregate_type, self.side, self.variant, body);
        read(&body).map(drop).map_err(|unreadable| flaw(fields, unreadable))
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.stream, self.variant.name)?;
        let Some(fields) = &self.fields else { return Ok(()) };
        f.write_str(&print_body(&fields.as_written(), &self.variant.body))
    }
}

/// What is wrong with a part of what was written.
pub(crate) fn flaw(fields: &Pattern, Misfit { path, reason }: Misfit) -> Flaw {
    let named = path.iter().rev().find(|step| step.parse::<usize>().is_err());
    // A path of one step is the command's or the event's own name.
    let message = match named.filter(|_| path.len() > 1) {
        Some(field) => format!("{field}: {reason}"),
        None => reason,
    };
    Flaw::new(fields.part(path.iter().map(String::as_str)).at, message)
}

/// A body as the type itself would write it, with every default in its place.
fn canonical(
    aggregate_type: AggregateType,
    side: Side,
    variant: &Variant,
    body: &Json,
) -> Result<Json, Misfit> {
    let value = tagged(variant, body.clone());
    let written = match side {
        Side::Event => json::written_event(aggregate_type, &value).map(|event| event.to_json_value()),
        Side::Command => json::written_command(aggregate_type, &value)
            .map(|command| command.to_json_value().map(|command| untagged(command).1)),
    };
    let written = written?.map_err(|error| Misfit { path: vec![], reason: error.to_string() })?;
    Ok(untagged(written).1)
}

/// The command or event of a name, written with its fields.
#[must_use]
pub fn written(stream: &Stream, side: Side, name: &str, body: &Json) -> String {
    let shape = find(stream.aggregate_type, side, name).map_or(&Shape::Open, |variant| &variant.body);
    format!("{stream}: {name}{}", print_body(body, shape))
}

/// Says where two values of a shape differ.
pub fn compare(path: &str, wanted: &Json, got: &Json, shape: &Shape, differences: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (shape, wanted, got) {
        _ if wanted == got => {}
        (Shape::Option(inner) | Shape::Named(_, inner), ..)
            if !wanted.is_null() && !got.is_null() && !matches!(shape, Shape::Named("Time", _)) =>
        {
            compare(path, wanted, got, inner, differences);
        }
        (Shape::Struct("Money" | "Sealed", _), ..) => tell(path, wanted, got, shape, differences),
        (Shape::Struct(_, fields), Json::Object(wanted), Json::Object(got)) => {
            for field in fields {
                let (wanted, got) = (wanted.get(field.name), got.get(field.name));
                let null = &Json::Null;
                let (wanted, got) = (wanted.unwrap_or(null), got.unwrap_or(null));
                compare(&below(field.name), wanted, got, &field.shape, differences);
            }
        }
        (Shape::List(inner), Json::Array(wanted), Json::Array(got)) => {
            for index in 0..wanted.len().max(got.len()) {
                let path = format!("{path}[{index}]");
                match (wanted.get(index), got.get(index)) {
                    (Some(wanted), Some(got)) => compare(&path, wanted, got, inner, differences),
                    (wanted, got) => {
                        let text = |value: Option<&Json>| {
                            value.map_or_else(|| "nothing".to_owned(), |value| print(value, inner))
                        };
                        differences.push(format!("{path}: expected {}, got {}", text(wanted), text(got)));
                    }
                }
            }
        }
        (Shape::Enum(_, variants), Json::Object(w), Json::Object(g)) if w.keys().eq(g.keys()) => {
            for (name, wanted) in w {
                let shape = variants.iter().find(|variant| variant.name == name);
                let shape = shape.map_or(&Shape::Open, |variant| &variant.body);
                compare(&below(name), wanted, g.get(name).unwrap_or(&Json::Null), shape, differences);
            }
        }
        (Shape::Open, Json::Object(w), Json::Object(g)) => {
            let names: std::collections::BTreeSet<_> = w.keys().chain(g.keys()).collect();
            for name in names {
                let null = &Json::Null;
                let (wanted, got) = (w.get(name).unwrap_or(null), g.get(name).unwrap_or(null));
                compare(&below(name), wanted, got, &Shape::Open, differences);
            }
        }
        _ => tell(path, wanted, got, shape, differences),
    }
}

fn tell(path: &str, wanted: &Json, got: &Json, shape: &Shape, differences: &mut Vec<String>) {
    let path = if path.is_empty() { "it" } else { path };
    let text = |value: &Json| if value.is_null() { "none".to_owned() } else { print(value, shape) };
    differences.push(format!("{path}: expected {}, got {}", text(wanted), text(got)));
}
