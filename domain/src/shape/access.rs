//! What a made-up value holds: its fields, entries, elements, or the alternative that was chosen.

use std::cell::Cell;

use serde::{
    Deserialize,
    de::{
        DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::StrDeserializer,
    },
};

use super::{
    trace::{Node, Untraceable},
    tracer::{Tracer, changed},
};

/// The fields of a struct.
pub(super) struct Fields<'a> {
    pub fields: std::vec::IntoIter<(&'static str, &'a mut Node)>,
    pub value: Option<&'a mut Node>,
    pub trying: &'a Cell<bool>,
    pub depth: usize,
}

impl<'de> MapAccess<'de> for Fields<'_> {
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
pub(super) struct Entry<'a> {
    pub entry: Option<&'a mut (Node, Node)>,
    pub value: Option<&'a mut Node>,
    pub trying: &'a Cell<bool>,
    pub depth: usize,
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

/// The elements of a list or a tuple.
pub(super) struct Parts<'a> {
    pub nodes: std::slice::IterMut<'a, Node>,
    pub trying: &'a Cell<bool>,
    pub depth: usize,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Untraceable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Untraceable> {
        match self.nodes.next() {
            Some(node) => seed.deserialize(Tracer { node, trying: self.trying, depth: self.depth }).map(Some),
            None => Ok(None),
        }
    }
}

/// One alternative of an enum.
pub(super) struct Chosen<'a> {
    pub name: &'static str,
    pub tracer: Tracer<'a>,
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
