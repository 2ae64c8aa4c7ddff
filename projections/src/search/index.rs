//! What an index of products has to do, whatever engine it is.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::log::Position;
use uuid::Uuid;

use super::query::{Facets, Place, ProductQuery};
use crate::QueryError;

/// Bounds between the bands that prices are counted in, in minor units.
pub const BANDS: [i64; 7] = [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000];
/// Values that a facet tells at most.
pub const FACET_VALUES_MAX: usize = 100;
/// Completions at most.
pub const COMPLETIONS_MAX: usize = 10;

/// What an index was filled from, and how far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The form that documents are indexed in.
    pub format: u32,
    /// Which tables it was filled from.
    pub life: String,
    /// Which life of the log; `None` before the first event.
    pub incarnation: Option<Uuid>,
    /// How far the read models had come.
    pub position: Position,
    /// Streams that were set aside then: what is made good of them later comes with no new event.
    #[serde(default)]
    pub aside: Vec<String>,
}

impl Marker {
    /// Whether an index with this marker holds nothing that is not true at `present`, so that it may be added to.
    #[must_use]
    pub fn goes_on_to(&self, present: &Self) -> bool {
        let same = self.format == present.format && self.life == present.life;
        same && self.incarnation == present.incarnation && self.position <= present.position
    }
}

/// What changes about a product while its text stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// The price of the cheapest variant, in minor units.
    pub price: i64,
    /// Whether units of any variant are there.
    pub available: bool,
    /// Units sold.
    pub sold: i64,
    /// The sum of all ratings, in stars.
    pub rating_sum: i64,
    /// How many rated it.
    pub rating_count: i64,
}

impl Values {
    /// The mean rating in thousandths of a star; 0 when nobody rated it.
    #[must_use]
    pub fn rating(&self) -> u32 {
        if self.rating_count <= 0 {
            return 0;
        }
        let mean = i128::from(self.rating_sum) * 1_000 / i128::from(self.rating_count);
        u32::try_from(mean.clamp(0, 5_000)).unwrap_or(0)
    }

    /// The place of the price among [`BANDS`].
    #[must_use]
    pub fn band(&self) -> usize {
        BANDS.partition_point(|bound| *bound <= self.price)
    }
}

/// A product as it is indexed. It is known by the position of its listing: no other event listed it, and it never moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The position of its listing.
    pub listed_at: Position,
    /// Its name.
    pub title: String,
    /// What it is.
    pub description: Option<String>,
    /// Who makes it.
    pub brand: Option<String>,
    /// Where it belongs, from the widest category to the narrowest.
    pub category: Vec<String>,
    /// What else it is called: its variants' SKUs and titles.
    pub names: Vec<String>,
    /// What changes.
    pub values: Values,
}

/// New values of a product that is indexed already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub listed_at: Position,
    /// What they are now.
    pub values: Values,
}

/// What an answer may depend on, and whether it moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Products were added, or the index was filled anew.
    pub products: bool,
    /// Prices changed.
    pub price: bool,
    /// Something came into stock or ran out.
    pub available: bool,
    /// Units were sold or taken back.
    pub sold: bool,
    /// Something was rated.
    pub rating: bool,
}

impl Moved {
    /// Everything may have.
    pub const ALL: Self = Self { products: true, price: true, available: true, sold: true, rating: true };

    /// Notes what differs between two values of one product.
    pub fn note(&mut self, old: &Values, new: &Values) {
        self.price |= old.price != new.price;
        self.available |= old.available != new.available;
        self.sold |= old.sold != new.sold;
        let rated = |values: &Values| (values.rating_sum, values.rating_count);
        self.rating |= rated(old) != rated(new);
    }

    /// What moved in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            products: self.products | other.products,
            price: self.price | other.price,
            available: self.available | other.available,
            sold: self.sold | other.sold,
            rating: self.rating | other.rating,
        }
    }
}

/// A page of hits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// The positions of the hits' listings, in the order asked for.
    pub listed_at: Vec<Position>,
    /// Where the next page begins, if there is one.
    pub next: Option<Place>,
    /// What was asked to be counted.
    pub facets: Option<Facets>,
}

/// Why an index did not do it.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The query itself cannot be answered.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// What it holds does not agree with the read model: it has to be filled anew.
    #[error("the search index is not what was written to it: {0}")]
    Astray(String),
    /// The engine failed, or cannot be reached.
    #[error("the search index cannot be used: {0}")]
    Failed(String),
    /// Another process has the directory.
    #[error(
        "the search index in {0} is in use by another process: give each process a DAYBOOK_INDEX_DIR of its own"
    )]
    Locked(std::path::PathBuf),
}

impl From<IndexError> for QueryError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Query(error) => error,
            other => Self::Index(other.to_string()),
        }
    }
}

/// An index of products.
#[async_trait]
pub trait Index: Send + Sync + 'static {
    /// What it is, in a word.
    fn engine(&self) -> &'static str;

    /// Whether all processes share it, so that one of them has to write it and the others only ask.
    fn is_shared(&self) -> bool {
        false
    }

    /// How long to wait after a write before the next one, so that of several values only the last is written.
    fn pause(&self) -> Duration {
        Duration::ZERO
    }

    /// How far it is filled; `None` when there is nothing in it that may be added to.
    async fn marker(&self) -> Result<Option<Marker>, IndexError>;

    /// Begins to fill it anew, beside what it holds now, with the read model as it is at `present`.
    async fn fill(&self, present: &Marker) -> Result<Box<dyn Filling>, IndexError>;

    /// Fails when it is no longer the one that was found or filled here last: others may have removed it.
    async fn still_there(&self) -> Result<(), IndexError> {
        Ok(())
    }

    /// Removes what a fill that was cut off has left behind, and takes what there is as it is.
    async fn sweep(&self) -> Result<(), IndexError> {
        Ok(())
    }

    /// Begins to read what it holds, to compare it. Without `texts` an engine that has to go through all of them for their
    /// digests leaves them out.
    async fn read(&self, texts: bool) -> Result<Box<dyn Reading>, IndexError>;

    /// Adds products and changes values, then moves the marker. Those that it holds already are not added again.
    async fn write(
        &self,
        new: Vec<Document>,
        changed: Vec<Change>,
        marker: &Marker,
    ) -> Result<Moved, IndexError>;

    /// Finds products.
    async fn find(&self, query: &ProductQuery) -> Result<Hits, IndexError>;

    /// What a text that is still being typed may become, at most [`COMPLETIONS_MAX`].
    async fn complete(&self, text: &str) -> Result<Vec<String>, IndexError>;
}

/// An index that is being filled beside the one that answers.
#[async_trait]
pub trait Filling: Send {
    /// Adds products. All of them come, in the order of their listing.
    async fn add(&mut self, documents: Vec<Document>) -> Result<(), IndexError>;

    /// Ends the fill: it can be read and written from now on, and does not answer yet.
    async fn build(self: Box<Self>, marker: Marker) -> Result<Box<dyn Beside>, IndexError>;

    /// Lets it answer from now on, in place of the old one.
    async fn finish(self: Box<Self>, marker: Marker) -> Result<(), IndexError>;
}

/// An index that is filled and stands beside the one that answers.
#[async_trait]
pub trait Beside: Send + Sync {
    /// The index itself, to be read and written.
    fn index(&self) -> &dyn Index;

    /// Lets it answer from now on, in place of the old one.
    async fn swap(self: Box<Self>) -> Result<(), IndexError>;

    /// Removes it.
    async fn give_up(self: Box<Self>) -> Result<(), IndexError>;
}

/// What an index holds of one product.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The position of its listing.
    pub listed_at: Position,
    /// Everything that is held of it by name; a digest of a text that is not kept as it was.
    pub fields: Map<String, Value>,
}

/// An index that is read from one end to the other, to be compared. It may be written meanwhile: each answer is of its moment.
#[async_trait]
pub trait Reading: Send + Sync {
    /// What it holds of the products that were listed after one position and up to another, in that order.
    async fn between(&mut self, after: Position, until: Position) -> Result<Vec<Held>, IndexError>;

    /// What it should hold of a product.
    fn of(&self, document: &Document) -> Held;
}
