//! Reads an embedded index from one end to the other: columns as they are, texts by digests of what stands in the postings.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash as _, Hasher as _},
    sync::Arc,
};

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use store::log::Position;
use tantivy::{DocSet as _, TERMINATED, postings::Postings as _, schema::IndexRecordOption};

use super::{
    blocking,
    catalog::{Catalog, NONE, Segment},
    columns::RATED_MAX,
    shelf::Shelf,
    text::{self, PIECES},
};
use crate::search::{
    index::{Document, Held, IndexError, Reading, Values},
    words::terms,
};

/// The names of the fields with texts, as [`text::pieces`] has them.
const TEXTS: [&str; PIECES] = ["title", "names", "description", "words", "names_only", "description_only"];

/// An index that is being read. It may be written meanwhile: products come, values change, texts do not.
pub(super) struct Pages {
    /// Taken out while a thread is at work with it.
    open: Option<Open>,
    texts: bool,
}

struct Open {
    shelf: Arc<Shelf>,
    /// Every product by its listing.
    order: Vec<(Position, u32)>,
    /// Digests of each product's texts, unless they are left out.
    digests: Option<Vec<[u64; PIECES]>>,
}

impl Pages {
    pub fn open(shelf: Arc<Shelf>, texts: bool) -> Result<Self, IndexError> {
        let mut open = Open { shelf, order: Vec::new(), digests: texts.then(Vec::new) };
        open.go_on()?;
        Ok(Self { open: Some(open), texts })
    }
}

#[async_trait]
impl Reading for Pages {
    async fn between(&mut self, after: Position, until: Position) -> Result<Vec<Held>, IndexError> {
        let cut_off = || IndexError::Failed("a reading that was cut off cannot go on".to_owned());
        let mut open = self.open.take().ok_or_else(cut_off)?;
        let (open, held) = blocking(move || {
            open.go_on()?;
            let held = open.between(after, until);
            Ok((open, held))
        })
        .await?;
        self.open = Some(open);
        Ok(held)
    }

    fn of(&self, document: &Document) -> Held {
        let mut fields = columns(&document.values, terms(&document.title).len());
        fields.insert("brand".to_owned(), json!(document.brand));
        fields.insert("category".to_owned(), path(&document.category.join(" > ")));
        fields.insert("listed".to_owned(), json!(true));
        if self.texts {
            for (name, terms) in TEXTS.into_iter().zip(text::pieces(document)) {
                let digest = terms
                    .iter()
                    .fold(0_u64, |sum, (place, term)| sum.wrapping_add(digest(term.as_bytes(), *place)));
                fields.insert(name.to_owned(), digest_as_told(digest));
            }
        }
        Held { listed_at: document.listed_at, fields }
    }
}

impl Open {
    /// Takes in what has come since it was looked at last.
    fn go_on(&mut self) -> Result<(), IndexError> {
        let held = self.shelf.read();
        let (known, all) = (self.order.len(), held.catalog.columns.len());
        if known == all {
            return Ok(());
        }
        for number in known..all {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            self.order.push((held.catalog.columns.listed_at(number), number));
        }
        self.order.sort_unstable();
        if let Some(digests) = &mut self.digests {
            digests.resize(all, [0; PIECES]);
            for segment in &held.catalog.segments {
                if segment.numbers.iter().any(|number| *number as usize >= known) {
                    read_texts(&held.catalog, segment, known, digests)?;
                }
            }
        }
        Ok(())
    }

    fn between(&self, after: Position, until: Position) -> Vec<Held> {
        let held = self.shelf.read();
        let first = self.order.partition_point(|(listed_at, _)| *listed_at <= after);
        let these = self.order[first..].iter().take_while(|(listed_at, _)| *listed_at <= until);
        these.map(|(listed_at, number)| self.one(&held.catalog, *listed_at, *number)).collect()
    }

    fn one(&self, catalog: &Catalog, listed_at: Position, number: u32) -> Held {
        let of = &catalog.columns;
        let mut fields = columns(&of.values(number), of.marks(number).title_words() as usize);
        // As filters and facets have them, which are kept beside the values.
        let marks = of.marks(number);
        fields.insert("band".to_owned(), json!(marks.band()));
        fields.insert("stars".to_owned(), json!(marks.stars()));
        fields.insert("rating".to_owned(), json!(of.rating_mean(number)));
        let (brand, leaf) = (of.brand(number), of.leaf(number));
        let named = catalog.brands.get(brand as usize).filter(|_| brand != NONE);
        fields.insert("brand".to_owned(), json!(named.map(|brand| &brand.name)));
        let node = catalog.nodes.get(leaf as usize);
        fields.insert("category".to_owned(), path(node.map_or("", |node| &node.path)));
        // They are in the order of their numbers.
        let brands = catalog.brands.get(brand as usize);
        let listed = brands.is_some_and(|brand| brand.products.binary_search(&number).is_ok())
            && node.is_some_and(|node| node.products.binary_search(&number).is_ok());
        fields.insert("listed".to_owned(), json!(listed));
        if let Some(digests) = &self.digests {
            for (name, digest) in TEXTS.into_iter().zip(digests[number as usize]) {
                fields.insert(name.to_owned(), digest_as_told(digest));
            }
        }
        Held { listed_at, fields }
    }
}

fn path(path: &str) -> Value {
    if path.is_empty() { Value::Null } else { json!(path) }
}

/// What follows from a product's values, and the length of its title, as columns can hold them.
fn columns(values: &Values, title_words: usize) -> Map<String, Value> {
    let rating = values.rating();
    let told = json!({
        "price": values.price,
        "band": values.band(),
        "available": values.available,
        "sold": values.sold,
        "rating_sum": values.rating_sum,
        "rating_count": values.rating_count.clamp(0, i64::from(RATED_MAX)),
        "rating": rating,
        "stars": rating / 1_000,
        "title_words": title_words.clamp(1, 255),
    });
    match told {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn digest_as_told(digest: u64) -> Value {
    json!(format!("{digest:016x}"))
}

/// A term at its place. Two processes never compare digests, so the hash may be another in the next version.
fn digest(term: &[u8], place: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    (term, place).hash(&mut hasher);
    hasher.finish()
}

/// Adds what the postings of a segment hold of the products from a number on: every term of every field, with its places.
fn read_texts(
    catalog: &Catalog,
    segment: &Segment,
    from: usize,
    digests: &mut [[u64; PIECES]],
) -> Result<(), IndexError> {
    let mut places = Vec::new();
    for (nth, (field, placed)) in catalog.fields.all().into_iter().enumerate() {
        let inverted = segment.reader.inverted_index(field)?;
        let mut stream = inverted.terms().stream()?;
        while let Some((term, info)) = stream.next() {
            let mut postings =
                inverted.read_postings_from_terminfo(info, IndexRecordOption::WithFreqsAndPositions)?;
            let mut document = postings.doc();
            while document != TERMINATED {
                let number = segment.numbers[document as usize] as usize;
                if number >= from {
                    places.clear();
                    if placed {
                        postings.positions(&mut places);
                    } else {
                        places.push(0);
                    }
                    for place in &places {
                        let sum = &mut digests[number][nth];
                        *sum = sum.wrapping_add(digest(term, *place as usize));
                    }
                }
                document = postings.advance();
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{
        Synonyms,
        embedded::Embedded,
        index::{Index as _, Marker},
    };

    fn product(listed_at: Position, title: &str) -> Document {
        Document {
            listed_at,
            title: title.to_owned(),
            description: Some("Shines, and shines again".to_owned()),
            brand: Some("Lumen".to_owned()),
            category: vec!["Home".to_owned(), "Light".to_owned()],
            names: vec![format!("SKU-{listed_at}")],
            values: Values { price: 900, rating_sum: 9, rating_count: 2, ..Values::default() },
        }
    }

    async fn filled(documents: &[Document]) -> Embedded {
        let index = Embedded::in_memory(Synonyms::default());
        let marker =
            Marker { format: 1, life: String::new(), incarnation: None, position: 9, aside: Vec::new() };
        let mut filling = index.fill(&marker).await.unwrap();
        filling.add(documents[..2].to_vec()).await.unwrap();
        filling.finish(marker.clone()).await.unwrap();
        index.write(documents[2..].to_vec(), Vec::new(), &marker).await.unwrap();
        index
    }

    /// The fields that are not what they should be, by product.
    async fn wrong(index: &Embedded, documents: &[Document]) -> Vec<(Position, Vec<String>)> {
        let mut reading = index.read(true).await.unwrap();
        let held = reading.between(Position::MIN, Position::MAX).await.unwrap();
        assert_eq!(held.len(), documents.len());
        let pairs = held.into_iter().zip(documents.iter().map(|document| reading.of(document)));
        let differs = pairs.map(|(held, should)| {
            let fields = held.fields.iter().filter(|(name, value)| should.fields.get(*name) != Some(value));
            (should.listed_at, fields.map(|(name, _)| name.clone()).collect::<Vec<_>>())
        });
        differs.filter(|(_, fields)| !fields.is_empty()).collect()
    }

    fn shelf() -> Vec<Document> {
        vec![product(1, "Red lamp, red shade"), product(2, "Lantern"), product(5, "Lamp"), product(7, "Élan")]
    }

    #[tokio::test]
    async fn what_was_written_is_read_whether_it_was_filled_or_added() {
        assert_eq!(wrong(&filled(&shelf()).await, &shelf()).await, []);
    }

    #[tokio::test]
    async fn every_word_counts_where_it_stands() {
        let index = filled(&shelf()).await;
        let mut other = shelf();
        other[0].title = "Red shade, red lamp".to_owned();
        other[1].description = Some("Shines, and shines".to_owned());
        other[2].names.push("XL".to_owned());
        other[3].title = "Élan vital".to_owned();
        let wrong = wrong(&index, &other).await;
        let of = |listed_at, fields: &[&str]| {
            (listed_at, fields.iter().map(|field| (*field).to_owned()).collect())
        };
        assert_eq!(
            wrong,
            [
                of(1, &["title"]),
                of(2, &["description", "description_only"]),
                of(5, &["names", "names_only"]),
                of(7, &["title", "title_words", "words"])
            ]
        );
    }

    #[tokio::test]
    async fn lists_and_columns_that_lost_something_are_seen() {
        let index = filled(&shelf()).await;
        let shelf_of_index = index.inner.shelf();
        shelf_of_index.change().catalog.brands[1].products.retain(|number| *number != 1);
        shelf_of_index.change().catalog.nodes.last_mut().unwrap().products.retain(|number| *number != 2);
        shelf_of_index.read().catalog.columns.set(3, &Values { price: 100, ..Values::default() });
        let wrong = wrong(&index, &shelf()).await;
        let named: Vec<_> = wrong.iter().map(|(listed_at, fields)| (*listed_at, fields.len())).collect();
        assert_eq!(named, [(2, 1), (5, 1), (7, 6)], "{wrong:?}");
        assert_eq!(wrong[0].1, ["listed"]);
    }

    #[tokio::test]
    async fn what_comes_while_it_is_read_is_read_too() {
        let documents = shelf();
        let index = filled(&documents[..3]).await;
        let mut reading = index.read(true).await.unwrap();
        assert_eq!(reading.between(0, 2).await.unwrap().len(), 2);
        let marker = index.marker().await.unwrap().unwrap();
        index.write(vec![documents[3].clone()], Vec::new(), &marker).await.unwrap();
        let rest = reading.between(2, Position::MAX).await.unwrap();
        assert_eq!(rest, [reading.of(&documents[2]), reading.of(&documents[3])]);
    }
}
