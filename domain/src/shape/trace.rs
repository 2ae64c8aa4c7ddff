//! What is known of a type so far, and the rounds in which the rest is found out.
//!
//! A type is deserialised again and again until everything about it is known. Each time another alternative of every
//! enum is chosen, and, once all fields of a struct are known, one of them is left out to see whether it must be there.

use std::{cell::Cell, fmt};

use serde::de::{self, DeserializeOwned};

use super::{Field, Shape, Variant, tracer::Tracer};

/// A type that serde could not be led through, with what it said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the type cannot be traced: {0}")]
pub struct Untraceable(pub(super) String);

impl de::Error for Untraceable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// What is known so far.
pub(super) enum Node {
    Unknown,
    Leaf(Shape),
    Named(&'static str, Box<Node>),
    Option(Box<Node>),
    List(Box<Node>),
    Map(Box<(Node, Node)>),
    Tuple(Vec<Node>),
    Struct(&'static str, Vec<Slot>),
    Enum(&'static str, Vec<Choice>),
}

pub(super) struct Slot {
    pub name: &'static str,
    pub node: Node,
    /// Whether it may be left out, once that was tried.
    pub optional: Option<bool>,
}

pub(super) struct Choice {
    pub name: &'static str,
    pub node: Node,
    /// Whether a value could be made up for it.
    pub usable: bool,
}

pub(super) fn trace<T: DeserializeOwned>() -> Result<Shape, Untraceable> {
    let (mut node, mut known) = (Node::Unknown, 0);
    loop {
        let trying = Cell::new(false);
        let result = T::deserialize(Tracer { node: &mut node, trying: &trying, depth: 0 });
        if node.is_done() {
            return Ok(node.into_shape());
        }
        let knows = node.knows();
        if knows == known {
            return Err(result.err().unwrap_or_else(|| Untraceable("it never comes to an end".into())));
        }
        known = knows;
    }
}

impl Node {
    pub fn is_done(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Leaf(_) => true,
            Self::Named(_, inner) | Self::Option(inner) | Self::List(inner) => inner.is_done(),
            Self::Map(entry) => entry.0.is_done() && entry.1.is_done(),
            Self::Tuple(parts) => parts.iter().all(Self::is_done),
            Self::Struct(_, slots) => slots.iter().all(|slot| slot.node.is_done() && slot.optional.is_some()),
            Self::Enum(_, choices) => choices.iter().all(|choice| choice.node.is_done()),
        }
    }

    /// Grows with everything that becomes known.
    fn knows(&self) -> usize {
        let inside = match self {
            Self::Unknown => return 0,
            Self::Leaf(_) => 0,
            Self::Named(_, inner) | Self::Option(inner) | Self::List(inner) => inner.knows(),
            Self::Map(entry) => entry.0.knows() + entry.1.knows(),
            Self::Tuple(parts) => parts.iter().map(Self::knows).sum(),
            Self::Struct(_, slots) => {
                slots.iter().map(|slot| slot.node.knows() + usize::from(slot.optional.is_some())).sum()
            }
            Self::Enum(_, choices) => {
                choices.iter().map(|choice| choice.node.knows() + usize::from(choice.usable)).sum()
            }
        };
        1 + inside
    }

    fn into_shape(self) -> Shape {
        match self {
            Self::Unknown => Shape::Open,
            Self::Leaf(shape) => shape,
            Self::Named(name, inner) => Shape::Named(name, Box::new(inner.into_shape())),
            Self::Option(inner) => Shape::Option(Box::new(inner.into_shape())),
            Self::List(inner) => Shape::List(Box::new(inner.into_shape())),
            Self::Map(entry) => Shape::Map(Box::new(entry.0.into_shape()), Box::new(entry.1.into_shape())),
            Self::Tuple(parts) => Shape::Tuple(parts.into_iter().map(Self::into_shape).collect()),
            Self::Struct(name, slots) => {
                let field = |slot: Slot| Field {
                    name: slot.name,
                    shape: slot.node.into_shape(),
                    optional: slot.optional.unwrap_or(false),
                };
                Shape::Struct(name, slots.into_iter().map(field).collect())
            }
            Self::Enum(name, choices) => {
                let variant = |choice: Choice| Variant { name: choice.name, body: choice.node.into_shape() };
                Shape::Enum(name, choices.into_iter().map(variant).collect())
            }
        }
    }

    /// The node, made into what `fresh` says when nothing is known of it.
    pub fn or(&mut self, fresh: impl FnOnce() -> Self) -> &mut Self {
        if matches!(self, Self::Unknown) {
            *self = fresh();
        }
        self
    }
}
