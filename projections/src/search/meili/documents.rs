//! Products as Meilisearch keeps them, and the settings that it needs for what is asked.

use std::collections::{BTreeMap, HashMap};

use meilisearch_sdk::settings::{
    FacetSortValue, FacetingSettings, MinWordSizeForTypos, PaginationSetting, Settings, TypoToleranceSettings,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::search::{
    index::{Change, Document, FACET_VALUES_MAX, IndexError, Marker, Values},
    synonyms::Synonyms,
    words::{terms, tokens},
};

/// The id of the document that says how far the index is filled; it has no listing, which every question asks for.
pub(super) const MARKER: &str = "marker";
/// Hits that can be paged through.
const HITS_MAX: usize = 10_000_000;

/// The marker's document.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    marker: String,
}

impl Stored {
    /// The marker, if it can be read.
    pub fn marker(&self) -> Option<Marker> {
        serde_json::from_str(&self.marker).ok()
    }
}

/// The marker as a document.
pub(super) fn marked(marker: &Marker) -> Result<Value, IndexError> {
    let marker = serde_json::to_string(marker).map_err(|error| IndexError::Failed(error.to_string()))?;
    Ok(json!({ "id": MARKER, "marker": marker }))
}

/// A product as a document.
pub(super) fn document(document: &Document) -> Value {
    let mut path = String::new();
    let levels = document.category.iter().map(|name| {
        path.push_str(if path.is_empty() { "" } else { " > " });
        path.push_str(name);
        path.clone()
    });
    let category: Vec<String> = levels.collect();
    let names = document.brand.iter().chain(&document.category).chain(&document.names);
    let names: Vec<String> = names.map(|name| found_by(name)).collect();
    let mut whole = json!({
        "id": id(document.listed_at),
        "listed_at": document.listed_at,
        "title": document.title,
        "title_words": found_by(&document.title),
        "length": tokens(&document.title).len(),
        "names": names,
        "description": document.description.as_deref().map(found_by),
        "brand": document.brand,
        "brand_is": document.brand.as_deref().map(exactly),
        "category": category,
        "category_is": category.iter().map(|path| exactly(path)).collect::<Vec<_>>(),
    });
    add(&mut whole, &document.values);
    whole
}

/// What a text is found by: the stem of each word, and behind them what hyphens join. Meilisearch knows no plurals, and
/// this way both engines mean the same by a word.
fn found_by(text: &str) -> String {
    let (mut stems, mut joined) = (Vec::new(), Vec::new());
    let mut last = None;
    for (place, term) in terms(text) {
        // A place's second term is what the hyphen behind it joins.
        if last == Some(place) {
            joined.push(term)
        } else {
            stems.push(term)
        }
        last = Some(place);
    }
    if !joined.is_empty() {
        // Words on both sides of a full stop are far from each other.
        stems.push(".".to_owned());
        stems.extend(joined);
    }
    stems.join(" ")
}

/// A name as filters compare it. Meilisearch takes capital and small letters for the same there, and leaves out what is
/// long; so it is given 128 bits of FNV-1a (Fowler, Noll and Vo) instead.
pub(super) fn exactly(name: &str) -> String {
    let begin = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
    let prime = 0x0000_0000_0100_0000_0000_0000_0000_013b_u128;
    let digest = name.bytes().fold(begin, |digest, byte| (digest ^ u128::from(byte)).wrapping_mul(prime));
    format!("{digest:032x}")
}

/// New values of a product, which leave its text as it is.
pub(super) fn changed(change: &Change) -> Value {
    let mut part = json!({ "id": id(change.listed_at) });
    add(&mut part, &change.values);
    part
}

fn id(listed_at: i64) -> String {
    format!("p{listed_at}")
}

fn add(to: &mut Value, values: &Values) {
    let rating = values.rating();
    to["price"] = json!(values.price);
    to["band"] = json!(values.band());
    to["available"] = json!(values.available);
    to["sold"] = json!(values.sold);
    to["rating"] = json!(rating);
    to["rated"] = json!(values.rating_count);
    to["stars"] = json!(rating / 1_000);
}

/// Everything that questions name has to be declared. A sort comes before relevance, since it is to be strict; what is
/// left alike comes shortest title first, then newest. Where in a title a word stands does not count.
pub(super) fn settings(synonyms: &Synonyms) -> Settings {
    let rules =
        ["sort", "words", "typo", "proximity", "attributeRank", "exactness", "length:asc", "listed_at:desc"];
    let filters = [
        "listed_at",
        "brand",
        "brand_is",
        "category",
        "category_is",
        "price",
        "band",
        "available",
        "rating",
        "stars",
    ];
    let typos = MinWordSizeForTypos { one_typo: Some(4), two_typos: Some(8) };
    let most_first = BTreeMap::from([("*".to_owned(), FacetSortValue::Count)]);
    let synonyms: HashMap<String, Vec<String>> = synonyms.rules().collect();
    Settings::new()
        .with_ranking_rules(rules)
        .with_searchable_attributes(["title_words", "names", "description"])
        .with_displayed_attributes(["id", "title", "marker"])
        .with_filterable_attributes(filters)
        .with_sortable_attributes(["listed_at", "price", "rating", "rated", "sold"])
        .with_synonyms(synonyms)
        .with_pagination(PaginationSetting { max_total_hits: HITS_MAX })
        .with_faceting(FacetingSettings {
            max_values_per_facet: FACET_VALUES_MAX,
            sort_facet_values_by: Some(most_first),
        })
        .with_typo_tolerance(TypoToleranceSettings {
            enabled: Some(true),
            min_word_size_for_typos: Some(typos),
            ..TypoToleranceSettings::default()
        })
}
