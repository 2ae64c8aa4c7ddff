//! A deserialiser that has nothing to read: it makes values up, and remembers what it was asked for.

use std::cell::Cell;

use serde::de::{Deserializer, Visitor, value::MapDeserializer};

use super::{
    Shape,
    access::{Chosen, Entry, Fields, Parts},
    trace::{Choice, Node, Slot, Untraceable},
};

/// A text that is a valid id, SKU, currency and title.
const WORD: &str = "AAA";
/// What is given where anything may be: the only such type of ours is a refusal.
const ANYTHING: [(&str, &str); 1] = [("code", "cart.empty")];
/// A type that holds itself is followed so far.
const DEPTH_MAX: usize = 12;

/// Makes one value up.
pub(super) struct Tracer<'a> {
    pub node: &'a mut Node,
    /// Whether a field was left out somewhere in this round: a second one would leave open which of them was missed.
    pub trying: &'a Cell<bool>,
    pub depth: usize,
}

pub(super) fn changed() -> Untraceable {
    Untraceable("a type asked for something else than the last time".into())
}

impl<'a> Tracer<'a> {
    fn leaf(self, shape: Shape) {
        *self.node = Node::Leaf(shape);
    }

    pub fn fields<'de, V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Untraceable> {
        let (fields, left_out) = self.given(name, fields)?;
        let result = visitor.visit_map(fields);
        if let Some(optional) = left_out {
            *optional = Some(result.is_ok());
        }
        result
    }

    /// The fields that are given in this round, and where to note whether the one that is left out may be.
    ///
    /// Apart from the visitors, as [`Tracer::chosen`] is: every type of the domain has some, and each would be compiled
    /// with a copy of this.
    fn given(
        self,
        name: &'static str,
        fields: &'static [&'static str],
    ) -> Result<(Fields<'a>, Option<&'a mut Option<bool>>), Untraceable> {
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
        let (mut given, mut noted) = (Vec::with_capacity(slots.len()), None);
        for (index, slot) in slots.iter_mut().enumerate() {
            if Some(index) == left_out {
                trying.set(true);
                noted = Some(&mut slot.optional);
            } else {
                given.push((slot.name, &mut slot.node));
            }
        }
        Ok((Fields { fields: given.into_iter(), value: None, trying, depth }, noted))
    }

    /// The alternative that is made up in this round, and where to note that it can be.
    fn chosen(
        self,
        name: &'static str,
        variants: &'static [&'static str],
    ) -> Result<(Chosen<'a>, &'a mut bool), Untraceable> {
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
        Ok((Chosen { name: choice.name, tracer }, &mut choice.usable))
    }

    pub fn parts<'de, V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Untraceable> {
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
        let tried = trying.get();
        let result = visitor.visit_map(Entry { entry: Some(entry), value: None, trying, depth });
        // A field that was left out further in, to see whether it must be there, says nothing about this.
        let tries_inside = trying.get() && !tried;
        if result.is_err() && !tries_inside {
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
        let (chosen, usable) = self.chosen(name, variants)?;
        let result = visitor.visit_enum(chosen);
        *usable |= result.is_ok();
        result
    }
}
