//! Everything that a query reads: columns, brands, categories, and the text's segments.

use std::{collections::HashMap, sync::Arc};

use tantivy::{SegmentReader, index::SegmentId};

use super::{columns::Columns, text::Fields};
use crate::search::{
    index::{Document, IndexError},
    words::terms,
};

/// A brand or category that nobody named.
pub(super) const NONE: u32 = 0;

/// A category at some level.
pub(super) struct Node {
    /// From the widest to this one, as a filter names it.
    pub path: String,
    /// The next wider one; [`NONE`] at the top.
    pub parent: u32,
    /// Products that belong here and not to anything narrower.
    pub products: Vec<u32>,
}

/// Brands by small numbers.
#[derive(Default)]
pub(super) struct Brand {
    pub name: String,
    pub products: Vec<u32>,
}

/// A piece of the text index.
pub(super) struct Segment {
    pub reader: SegmentReader,
    /// The place of its first document among those of all segments.
    pub begin: u32,
    /// Each document's product.
    pub numbers: Arc<[u32]>,
}

pub(super) struct Catalog {
    pub columns: Columns,
    pub brands: Vec<Brand>,
    brand_of: HashMap<String, u32>,
    pub nodes: Vec<Node>,
    node_of: HashMap<(u32, String), u32>,
    pub segments: Vec<Segment>,
    pub fields: Fields,
}

impl Catalog {
    pub fn new(fields: Fields) -> Self {
        Self {
            columns: Columns::default(),
            brands: vec![Brand::default()],
            brand_of: HashMap::new(),
            nodes: vec![Node { path: String::new(), parent: NONE, products: Vec::new() }],
            node_of: HashMap::new(),
            segments: Vec::new(),
            fields,
        }
    }

    /// Adds a product beside its text; one that is there already stays.
    pub fn add(&mut self, document: &Document) -> Result<(), IndexError> {
        if self.columns.number(document.listed_at).is_some() {
            return Ok(());
        }
        let brand = document.brand.as_deref().map_or(NONE, |name| self.brand(name));
        let leaf = document.category.iter().fold(NONE, |parent, name| self.node(parent, name));
        let number =
            self.columns.push(document, brand, leaf, terms(&document.title).len()).ok_or_else(too_many)?;
        self.brands[brand as usize].products.push(number);
        self.nodes[leaf as usize].products.push(number);
        Ok(())
    }

    /// The same products with other numbers: those of a category stand side by side, since what a query finds is mostly of few
    /// categories, and what stands side by side is read several times as fast.
    pub fn by_category(mut self) -> Result<Self, IndexError> {
        let numbered = std::mem::take(&mut self.columns);
        self.brands.iter_mut().for_each(|brand| brand.products.clear());
        let mut nodes: Vec<usize> = (0..self.nodes.len()).collect();
        nodes.sort_by(|one, other| self.nodes[*one].path.cmp(&self.nodes[*other].path));
        for node in nodes {
            for number in &mut self.nodes[node].products {
                *number = self.columns.adopt(&numbered, *number).ok_or_else(too_many)?;
                self.brands[self.columns.brand(*number) as usize].products.push(*number);
            }
        }
        Ok(self)
    }

    pub fn find_brand(&self, name: &str) -> Option<u32> {
        self.brand_of.get(name).copied()
    }

    pub fn find_node(&self, path: &[domain::value::Text]) -> Option<u32> {
        path.iter()
            .try_fold(NONE, |parent, name| self.node_of.get(&(parent, name.as_str().to_owned())).copied())
    }

    /// Which categories are `node` or below it: wider ones have smaller numbers.
    pub fn below(&self, node: u32) -> Vec<bool> {
        let mut below = vec![false; self.nodes.len()];
        for (number, category) in self.nodes.iter().enumerate() {
            below[number] = number == node as usize || (number > 0 && below[category.parent as usize]);
        }
        below
    }

    fn brand(&mut self, name: &str) -> u32 {
        if let Some(known) = self.brand_of.get(name) {
            return *known;
        }
        let new = u32::try_from(self.brands.len()).unwrap_or(NONE);
        self.brands.push(Brand { name: name.to_owned(), products: Vec::new() });
        self.brand_of.insert(name.to_owned(), new);
        new
    }

    fn node(&mut self, parent: u32, name: &str) -> u32 {
        if let Some(known) = self.node_of.get(&(parent, name.to_owned())) {
            return *known;
        }
        let new = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        let above = &self.nodes[parent as usize].path;
        let path = if above.is_empty() { name.to_owned() } else { format!("{above} > {name}") };
        self.nodes.push(Node { path, parent, products: Vec::new() });
        self.node_of.insert((parent, name.to_owned()), new);
        new
    }

    /// Takes the text as it is committed now. Every document has to be a product that is known, and none may be there
    /// twice.
    pub fn reload(&mut self, readers: &[SegmentReader]) -> Result<(), IndexError> {
        let known: HashMap<SegmentId, Arc<[u32]>> = self
            .segments
            .iter()
            .map(|segment| (segment.reader.segment_id(), Arc::clone(&segment.numbers)))
            .collect();
        let (mut segments, mut begin): (Vec<Segment>, u32) = (Vec::with_capacity(readers.len()), 0);
        for reader in readers {
            let numbers = match known.get(&reader.segment_id()) {
                Some(numbers) => Arc::clone(numbers),
                None => self.numbers(reader)?,
            };
            segments.push(Segment { reader: reader.clone(), begin, numbers });
            begin += reader.max_doc();
        }
        if begin as usize != self.columns.len() {
            let products = self.columns.len();
            return Err(IndexError::Astray(format!("{begin} texts of {products} products")));
        }
        self.segments = segments;
        Ok(())
    }

    /// The product of the document at a place.
    pub fn number(&self, place: u32) -> u32 {
        let segment = self.segments.iter().rfind(|segment| segment.begin <= place);
        segment.map_or(0, |segment| segment.numbers[(place - segment.begin) as usize])
    }

    fn numbers(&self, reader: &SegmentReader) -> Result<Arc<[u32]>, IndexError> {
        let listed_at = reader.fast_fields().i64(super::text::LISTED_AT)?;
        let of = |document| {
            let number = listed_at.first(document).and_then(|listed_at| self.columns.number(listed_at));
            number.ok_or_else(|| IndexError::Astray("a text of no product".to_owned()))
        };
        (0..reader.max_doc()).map(of).collect()
    }
}

fn too_many() -> IndexError {
    IndexError::Failed("it takes four billion products and no more".to_owned())
}
