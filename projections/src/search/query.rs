//! What may be asked of any engine, and what it answers.

use domain::value::Text;
use serde::{Deserialize, Serialize};

use crate::{Cursor, Page, QueryError, products::Product};

/// In which order products are given. Where it leaves two alike, the one listed last comes first, except that prices
/// from low to high are followed by the order of listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ProductSort))]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// What matches the text best; without a text, the newest.
    #[default]
    Relevance,
    /// What was listed last.
    Newest,
    /// The lowest price first.
    PriceAsc,
    /// The highest price first.
    PriceDesc,
    /// The best rated first; of equally good ones, the one that more people rated.
    Rating,
    /// What was sold most.
    Popularity,
}

/// What is counted beside the hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FacetSet {
    /// By brand.
    pub brand: bool,
    /// By category, at every level.
    pub category: bool,
    /// By bands of prices.
    pub price: bool,
    /// By stars.
    pub rating: bool,
    /// By whether units are there.
    pub available: bool,
}

impl FacetSet {
    /// All of them.
    pub const ALL: Self = Self { brand: true, category: true, price: true, rating: true, available: true };

    /// Whether anything is counted.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// What is searched for; everything that is given has to match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProductQuery {
    /// Words that title, brand, category, variants or description hold; `"…"` for a phrase, `-` for not.
    pub text: Option<String>,
    /// Where products belong: this category and everything below it.
    pub category: Vec<Text>,
    /// Who makes them.
    pub brand: Option<Text>,
    /// The least that the cheapest variant costs, in minor units.
    pub price_min: Option<i64>,
    /// The most that the cheapest variant costs, in minor units.
    pub price_max: Option<i64>,
    /// The least that they are rated, in thousandths of a star.
    pub rating_min: Option<u32>,
    /// Whether units of any variant are there.
    pub available: Option<bool>,
    /// In which order.
    pub sort: Sort,
    /// What to count.
    pub facets: FacetSet,
    /// Where the page begins.
    pub cursor: Option<Cursor>,
    /// Products on a page, from 1 to [`crate::LIMIT_MAX`].
    pub limit: u32,
}

impl ProductQuery {
    /// The text, unless it is blank.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        self.text.as_deref().filter(|text| !text.trim().is_empty())
    }

    /// The order that the answer is in.
    #[must_use]
    pub fn order(&self) -> Sort {
        match self.sort {
            Sort::Relevance if self.said().is_none() => Sort::Newest,
            sort => sort,
        }
    }

    /// Where the page begins, if the cursor is one of this list.
    ///
    /// # Errors
    /// When it is not.
    pub fn after(&self) -> Result<Option<Place>, QueryError> {
        let after: Option<Place> = self.cursor.as_ref().map(Cursor::key).transpose()?;
        match after {
            Some(place) if place.sort != self.order() => Err(QueryError::BadCursor),
            after => Ok(after),
        }
    }

    /// Hits on the page.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.limit.clamp(1, crate::LIMIT_MAX) as usize
    }
}

/// The place of a product in a list, for the next page's cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which order it is a place in.
    pub sort: Sort,
    /// What that order compares, the greater the earlier; an engine that only counts says how many come before.
    pub key: i64,
    /// When the product was listed, to tell it from those that are alike.
    pub listed_at: i64,
}

/// A text with what matched between `<em>` and `</em>`, everything else escaped for HTML.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Highlight {
    /// The title.
    pub title: String,
    /// The part of the description around the first match; `None` when nothing in it matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A product that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = FoundProduct))]
pub struct Found {
    /// Which.
    #[serde(flatten)]
    pub product: Product,
    /// What of it matched; only where there was a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highlight: Option<Highlight>,
}

/// How many hits have a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counted {
    /// The value, as the filter takes it.
    pub value: String,
    /// How many.
    pub count: u64,
}

/// How many hits cost so much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PriceBand))]
pub struct Band {
    /// The least, in minor units.
    pub from: i64,
    /// The most; `None` for the dearest.
    pub to: Option<i64>,
    /// How many.
    pub count: u64,
}

/// What was counted over all hits, whatever page is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Facets {
    /// All hits.
    pub total: u64,
    /// By brand, the most frequent ones first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brand: Option<Vec<Counted>>,
    /// By category path, the most frequent ones first; a hit counts at each level that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Vec<Counted>>,
    /// By bands of prices, from low to high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Vec<Band>>,
    /// Rated so many stars or more, from five down to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<Vec<Counted>>,
    /// `true` and `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<Vec<Counted>>,
}

/// A page of what was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ProductPage))]
pub struct Results {
    /// The page.
    #[serde(flatten)]
    pub page: Page<Found>,
    /// What was asked to be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facets: Option<Facets>,
}

/// What somebody who types may mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Suggestions {
    /// The text with its last word completed, what finds most first.
    pub queries: Vec<String>,
    /// Titles of the products that match best.
    pub titles: Vec<Suggested>,
}

/// A product whose title matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Suggested {
    /// Its id.
    pub id: domain::value::ProductId,
    /// Its title.
    pub title: String,
    /// The title with what matched marked.
    pub highlight: String,
}
