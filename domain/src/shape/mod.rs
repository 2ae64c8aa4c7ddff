//! What serialised types look like: their names, fields and alternatives, found out by asking serde.

mod access;
mod trace;
mod tracer;

use std::fmt;

use serde::de::DeserializeOwned;

pub use trace::Untraceable;

/// The shape of a serialised type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Anything at all: refusals, and types whose fields serde does not tell.
    Open,
    /// No content.
    Nothing,
    /// Yes or no.
    Bool,
    /// A whole number.
    Integer {
        /// Whether it can be below zero.
        signed: bool,
        /// How wide it is.
        bits: u32,
    },
    /// Words, names, codes.
    Text,
    /// A type that wraps one other, such as `Time`.
    Named(&'static str, Box<Shape>),
    /// Something that may be missing.
    Option(Box<Shape>),
    /// Any number of the same.
    List(Box<Shape>),
    /// Any number of entries: keys and values.
    Map(Box<Shape>, Box<Shape>),
    /// So many things in order.
    Tuple(Vec<Shape>),
    /// Named fields.
    Struct(&'static str, Vec<Field>),
    /// One of several.
    Enum(&'static str, Vec<Variant>),
}

/// One field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// As it is serialised.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it may be left out.
    pub optional: bool,
}

/// One alternative of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// As it is serialised.
    pub name: &'static str,
    /// What it holds; [`Shape::Nothing`] when its name says all.
    pub body: Shape,
}

impl Shape {
    /// The shape of a type.
    ///
    /// # Errors
    /// When serde cannot be led through it: a value made up for it does not satisfy it.
    pub fn of<T: DeserializeOwned>() -> Result<Self, Untraceable> {
        trace::trace::<T>()
    }

    /// The alternatives of an enum; nothing for other shapes.
    #[must_use]
    pub fn variants(&self) -> &[Variant] {
        match self {
            Self::Enum(_, variants) => variants,
            _ => &[],
        }
    }

    /// The alternative of that name.
    #[must_use]
    pub fn variant(&self, name: &str) -> Option<&Variant> {
        self.variants().iter().find(|variant| variant.name == name)
    }
}

/// One line that changes when, and only when, the serialised type does.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("anything"),
            Self::Nothing => f.write_str("nothing"),
            Self::Bool => f.write_str("bool"),
            Self::Integer { signed, bits } => write!(f, "{}{bits}", if *signed { 'i' } else { 'u' }),
            Self::Text => f.write_str("text"),
            Self::Named(name, inner) => write!(f, "{name}({inner})"),
            Self::Option(inner) => write!(f, "option({inner})"),
            Self::List(inner) => write!(f, "[{inner}]"),
            Self::Map(key, value) => write!(f, "map({key}: {value})"),
            Self::Tuple(parts) => {
                f.write_str("(")?;
                separated(f, ", ", parts, |f, part| part.fmt(f))?;
                f.write_str(")")
            }
            Self::Struct(_, fields) => {
                f.write_str("{")?;
                separated(f, ", ", fields, |f, field| field.fmt(f))?;
                f.write_str("}")
            }
            Self::Enum(_, variants) => {
                f.write_str("<")?;
                separated(f, " | ", variants, |f, variant| variant.fmt(f))?;
                f.write_str(">")
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.name, if self.optional { "?" } else { "" }, self.shape)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            Shape::Nothing => f.write_str(self.name),
            body => write!(f, "{} {body}", self.name),
        }
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    separator: &str,
    parts: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    parts.iter().enumerate().try_for_each(|(index, part)| {
        if index > 0 {
            f.write_str(separator)?;
        }
        write(f, part)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::{AggregateType, cart, payment};

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Tree {
        height: u8,
        #[serde(default)]
        note: String,
        children: Vec<Tree>,
        left: Option<Box<Tree>>,
        names: BTreeMap<String, i64>,
    }

    #[test]
    fn every_command_and_event_is_traced_completely() {
        for aggregate_type in AggregateType::ALL {
            for shape in [aggregate_type.command_shape(), aggregate_type.event_shape()] {
                let shape = shape.unwrap_or_else(|error| panic!("{aggregate_type}: {error}"));
                assert!(!shape.variants().is_empty(), "{aggregate_type} is {shape}");
            }
            let shape = aggregate_type.event_shape().unwrap();
            let names: Vec<_> = shape.variants().iter().map(|variant| variant.name).collect();
            let stored: Vec<_> = aggregate_type.event_types().iter().map(|(name, _)| *name).collect();
            assert_eq!(names, stored, "{aggregate_type}");
        }
    }

    #[test]
    fn every_state_is_traced_completely() {
        for aggregate_type in AggregateType::ALL {
            let shape = aggregate_type.state_shape();
            let shape = shape.unwrap_or_else(|error| panic!("{aggregate_type}: {error}"));
            assert!(matches!(shape, Shape::Struct(..) | Shape::Enum(..)), "{aggregate_type} is {shape}");
            assert!(!shape.to_string().contains("anything"), "{aggregate_type} is {shape}");
        }
    }

    #[test]
    fn an_event_and_a_command_of_one_aggregate_never_have_the_same_name() {
        for aggregate_type in AggregateType::ALL {
            let commands = aggregate_type.command_shape().unwrap();
            for variant in aggregate_type.event_shape().unwrap().variants() {
                assert_eq!(commands.variant(variant.name), None, "{aggregate_type}");
            }
        }
    }

    #[test]
    fn optional_fields_and_names_of_types_are_told() {
        let shape = Shape::of::<payment::Authorization>().unwrap();
        let text = "<approved {reference: text} | declined {reason: text} | timed_out>";
        assert_eq!(shape.to_string(), text);
        let shape = Shape::of::<cart::Command>().unwrap();
        let open = shape.variant("Open").unwrap().to_string();
        assert!(open.starts_with("Open {customer?: option(text), currency: text"), "{open}");
        let set = shape.variant("SetQuantity").unwrap().to_string();
        assert!(set.starts_with("SetQuantity {sku: text, quantity: Quantity(u32)"), "{set}");
    }

    #[test]
    fn a_type_that_holds_itself_comes_to_an_end() {
        let Shape::Struct("Tree", fields) = Shape::of::<Tree>().unwrap() else { panic!() };
        let optional: Vec<_> = fields.iter().filter(|field| field.optional).map(|field| field.name).collect();
        assert_eq!(optional, ["note", "left"]);
        assert_eq!(fields[4].shape.to_string(), "map(text: i64)");
    }
}
