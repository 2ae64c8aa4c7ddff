//! A deserialiser that has nothing to read: it makes values up, and remembers what it was asked for.
//!
//! A type is deserialised again and again until everything about it is known. Each time another alternative of every
//! enum is chosen, and, once all fields of a struct are known, one of them is left out to see whether it must be there.

use std::{cell::Cell, fmt};

use serde::{
    Deserialize,
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
        SeqAccess, VariantAccess, Visitor,
        value::{MapDeserializer, StrDeserializer},
    },
};

use super::{Field, Shape, Variant};

/// A text that is a valid id, SKU, currency and title.
const WORD: &str = "AAA";
/// What is given where anything may be: the only such type of ours is a refusal.
const ANYTHING: [(&str, &str); 1] = [("code", "cart.empty")];
/// A type that holds itself is followed so far.
const DEPTH_MAX: usize = 12;

/// A type that serde could not be led through, with what it said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the type cannot be traced: {0}")]
pub struct Untraceable(String);

impl de::Error for Untraceable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// What is known so far.
enum Node {
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

struct Slot {
    name: &'static str,
    node: Node,
    /// Whether it may be left out, once that was tried.
    optional: Option<bool>,
}

struct Choice {
    name: &'static str,
    node: Node,
    /// Whether a value could be made up for it.
    usable: bool,
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
    fn is_done(&self) -> bool {
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
    fn or(&mut self, fresh: impl FnOnce() -> Self) -> &mut Self {
        if matches!(self, Self::Unknown) {
            *self = fresh();
        }
        self
    }
}

/// Makes one value up.
struct Tracer<'a> {
    node: &'a mut Node,
    /// Whether a field was left out somewhere in this round: a second one would leave open which of them was missed.
    trying: &'a Cell<bool>,
    depth: usize,
}

fn changed() -> Untraceable {
    Untraceable("a type asked for something else than the last time".into())
}

impl Tracer<'_> {
    fn leaf(self, shape: Shape) {
        *self.node = Node::Leaf(shape);
    }

    fn fields<'de, V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        let slot = |name: &&'static str| Slot { name, node: Node::Unknown, optional: None };
        let fresh = || Node::Struct(name, fields.iter().map(slot).collect());
        let (trying, depth) = (self.trying, self.depth + 1);
        let Node::Struct(_, slots) = self.node.or(fresh) else {
            return Err(changed());
        };
        let left_out = match slots.iter().position(|slot| slot.optional.is_none()) {
            Some(index) if !trying.get() && slots.iter().all(|slot| slot.node.is_done()) => Some(index),
            _ => None,
        };
        if left_out.is_some() {
            trying.set(true);
        }
        let fields = slots.iter_mut().enumerate().filter(|(index, _)| Some(*index) != left_out);
        let fields = fields.map(|(_, slot)| (slot.name, &mut slot.node)).collect::<Vec<_>>().into_iter();
        let result = visitor.visit_map(Fields { fields, value: None, trying, depth });
        if let Some(slot) = left_out.and_then(|index| slots.get_mut(index)) {
            slot.optional = Some(result.is_ok());
        }
        result
    }

    fn parts<'de, V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Untraceable> {
        let (trying, depth) = (self.trying, self.depth + 1);
        let Node::Tuple(parts) = self.node.or(|| Node::Tuple((0..len).map(|_| Node::Unknown).collect()))
        else {
            return Err(changed());
        };
        visitor.visit_seq(Parts { nodes: parts.iter_mut(), trying, depth })
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $signed:literal $bits:literal)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
            self.leaf(Shape::Integer { signed: $signed, bits: $bits });
            visitor.$visit(1)
        }
    )+};
}

macro_rules! leaves {
    ($($method:ident $shape:ident $visit:ident($($value:expr)?))+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
            self.leaf(Shape::$shape);
            visitor.$visit($($value)?)
        }
    )+};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Untraceable;

    integers! {
        deserialize_i8 visit_i8 true 8
        deserialize_i16 visit_i16 true 16
        deserialize_i32 visit_i32 true 32
        deserialize_i64 visit_i64 true 64
        deserialize_i128 visit_i128 true 128
        deserialize_u8 visit_u8 false 8
        deserialize_u16 visit_u16 false 16
        deserialize_u32 visit_u32 false 32
        deserialize_u64 visit_u64 false 64
        deserialize_u128 visit_u128 false 128
    }

    leaves! {
        deserialize_bool Bool visit_bool(true)
        deserialize_char Text visit_char('A')
        deserialize_str Text visit_str(WORD)
        deserialize_string Text visit_str(WORD)
        deserialize_identifier Text visit_str(WORD)
        deserialize_unit Nothing visit_unit()
        deserialize_bytes Open visit_bytes(WORD.as_bytes())
        deserialize_byte_buf Open visit_bytes(WORD.as_bytes())
        deserialize_ignored_any Open visit_unit()
        deserialize_any Open visit_map(MapDeserializer::new(ANYTHING.into_iter()))
    }

    // There are no fractions in the domain.
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        self.deserialize_any(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        let (trying, depth) = (self.trying, self.depth + 1);
        match self.node.or(|| Node::Option(Box::new(Node::Unknown))) {
            Node::Option(inner) if depth > DEPTH_MAX => {
                **inner = Node::Leaf(Shape::Open);
                visitor.visit_none()
            }
            Node::Option(node) => visitor.visit_some(Tracer { node, trying, depth }),
            _ => Err(changed()),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        let (trying, depth) = (self.trying, self.depth + 1);
        match self.node.or(|| Node::Named(name, Box::new(Node::Unknown))) {
            Node::Named(_, node) => visitor.visit_newtype_struct(Tracer { node, trying, depth }),
            _ => Err(changed()),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        let (trying, depth) = (self.trying, self.depth + 1);
        let Node::List(inner) = self.node.or(|| Node::List(Box::new(Node::Unknown))) else {
            return Err(changed());
        };
        if depth > DEPTH_MAX {
            **inner = Node::Leaf(Shape::Open);
            return visitor.visit_seq(Parts { nodes: [].iter_mut(), trying, depth });
        }
        visitor.visit_seq(Parts { nodes: std::slice::from_mut(&mut **inner).iter_mut(), trying, depth })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Untraceable> {
        self.parts(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.parts(len, visitor)
    }

    /// A struct with flattened fields asks for a map too, and then misses its fields: nothing is known of it.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Untraceable> {
        let (trying, depth) = (self.trying, self.depth + 1);
        if matches!(self.node, Node::Leaf(Shape::Open)) {
            return Err(Untraceable("its fields are not told".into()));
        }
        let Node::Map(entry) = self.node.or(|| Node::Map(Box::new((Node::Unknown, Node::Unknown)))) else {
            return Err(changed());
        };
        let result = visitor.visit_map(Entry { entry: Some(entry), value: None, trying, depth });
        if result.is_err() {
            *self.node = Node::Leaf(Shape::Open);
        }
        result
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.fields(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        let choice = |name: &&'static str| Choice { name, node: Node::Unknown, usable: false };
        let fresh = || Node::Enum(name, variants.iter().map(choice).collect());
        let (trying, depth) = (self.trying, self.depth + 1);
        let Node::Enum(_, choices) = self.node.or(fresh) else {
            return Err(changed());
        };
        let new = choices.iter().position(|choice| !choice.node.is_done());
        let index = new.or_else(|| choices.iter().position(|choice| choice.usable));
        let Some(choice) = index.and_then(|index| choices.get_mut(index)) else {
            return Err(Untraceable(format!("no value of {name} could be made up")));
        };
        let tracer = Tracer { node: &mut choice.node, trying, depth };
        let result = visitor.visit_enum(Chosen { name: choice.name, tracer });
        choice.usable |= result.is_ok();
        result
    }
}

struct Fields<'a, I> {
    fields: I,
    value: Option<&'a mut Node>,
    trying: &'a Cell<bool>,
    depth: usize,
}

impl<'a, 'de, I: Iterator<Item = (&'static str, &'a mut Node)>> MapAccess<'de> for Fields<'a, I> {
    type Error = Untraceable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Untraceable> {
        let Some((name, node)) = self.fields.next() else {
            return Ok(None);
        };
        self.value = Some(node);
        let name: StrDeserializer<'_, Untraceable> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Untraceable> {
        let node = self.value.take().ok_or_else(changed)?;
        seed.deserialize(Tracer { node, trying: self.trying, depth: self.depth })
    }
}

/// The one entry of a map.
struct Entry<'a> {
    entry: Option<&'a mut (Node, Node)>,
    value: Option<&'a mut Node>,
    trying: &'a Cell<bool>,
    depth: usize,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Untraceable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Untraceable> {
        let Some((node, value)) = self.entry.take() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(Tracer { node, trying: self.trying, depth: self.depth }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Untraceable> {
        let node = self.value.take().ok_or_else(changed)?;
        seed.deserialize(Tracer { node, trying: self.trying, depth: self.depth })
    }
}

struct Parts<'a, I> {
    nodes: I,
    trying: &'a Cell<bool>,
    depth: usize,
}

impl<'a, 'de, I: Iterator<Item = &'a mut Node>> SeqAccess<'de> for Parts<'a, I> {
    type Error = Untraceable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Untraceable> {
        let tracer = |node| Tracer { node, trying: self.trying, depth: self.depth };
        self.nodes.next().map(|node| seed.deserialize(tracer(node))).transpose()
    }
}

struct Chosen<'a> {
    name: &'static str,
    tracer: Tracer<'a>,
}

impl<'a, 'de> EnumAccess<'de> for Chosen<'a> {
    type Error = Untraceable;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Untraceable> {
        let name: StrDeserializer<'_, Untraceable> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_> {
    type Error = Untraceable;

    fn unit_variant(self) -> Result<(), Untraceable> {
        <()>::deserialize(self.tracer)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Untraceable> {
        seed.deserialize(self.tracer)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Untraceable> {
        self.tracer.parts(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        self.tracer.fields(self.name, fields, visitor)
    }
}
