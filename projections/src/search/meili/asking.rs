//! Questions as Meilisearch understands them, and its answers as everybody else does.

use std::collections::{BTreeMap, HashMap};

use meilisearch_sdk::search::{MatchingStrategies, SearchResults, Selectors};
use serde::Deserialize;

use super::{Meili, documents::exactly};
use crate::search::{
    facets::{availability, bands, stars},
    index::{BANDS, COMPLETIONS_MAX, Hits, IndexError},
    query::{Counted, FacetSet, Facets, Place, ProductQuery, Sort},
    words::{Typed, Word, before_last, tokens},
};

/// Hits whose titles are looked at for completions.
const LOOKED_AT: usize = 50;

/// What is read of a hit.
#[derive(Debug, Deserialize)]
struct Hit {
    id: String,
    title: String,
}

impl Hit {
    /// An id is a letter and the position of the listing.
    fn listed_at(&self) -> Result<i64, IndexError> {
        let number = self.id.trim_start_matches(|letter: char| letter.is_ascii_alphabetic()).parse();
        number.map_err(|_| IndexError::Astray(format!("{:?} is no product", self.id)))
    }
}

/// Finds products. All words have to match; when no product has all of them, those that no product has are left out, and
/// then the most frequent ones.
pub(super) async fn find(meili: &Meili, query: &ProductQuery) -> Result<Hits, IndexError> {
    let typed = query.said().map(Typed::read);
    let filter = filter(query, typed.as_ref());
    let before = query.after()?.map_or(0, |place| usize::try_from(place.key).unwrap_or(0));
    let text = typed.as_ref().map(|typed| said(typed, &typed.words)).unwrap_or_default();
    let found = ask(meili, query, (&text, MatchingStrategies::ALL), &filter, before).await?;
    if let Some(typed) = typed.filter(|typed| typed.words.len() > 1)
        && found.estimated_total_hits == Some(0)
        && let Some(text) = without_unknown(meili, &typed, &filter).await?
    {
        let found = ask(meili, query, (&text, MatchingStrategies::FREQUENCY), &filter, before).await?;
        return told_of(query, before, found);
    }
    told_of(query, before, found)
}

/// What was typed, as Meilisearch takes it: stems, since that is what it holds. A word that may go on stands at the end.
fn said(typed: &Typed, words: &[Word]) -> String {
    let mut said = String::new();
    for phrase in &typed.phrases {
        said.push_str(&format!("\"{}\" ", phrase.join(" ")));
    }
    for unwanted in &typed.without {
        said.push_str(&format!("-{unwanted} "));
    }
    for word in words {
        said.push_str(&word.stem);
        if !word.open {
            said.push(' ');
        }
    }
    said
}

async fn ask(
    meili: &Meili,
    query: &ProductQuery,
    (text, strategy): (&str, MatchingStrategies),
    filter: &str,
    before: usize,
) -> Result<SearchResults<Hit>, IndexError> {
    let names = facet_names(query.facets);
    let index = meili.client.index(&meili.uid);
    let mut asked = index.search();
    asked.with_query(text).with_matching_strategy(strategy).with_filter(filter).with_offset(before);
    asked.with_limit(query.wanted() + 1).with_sort(order(query.order()));
    if query.facets.any() {
        asked.with_facets(Selectors::Some(&names));
    }
    meili.in_time(asked.execute()).await
}

/// What is left of the words when those are left out that find nothing by themselves, if that is half of them at least.
async fn without_unknown(meili: &Meili, typed: &Typed, filter: &str) -> Result<Option<String>, IndexError> {
    let index = meili.client.index(&meili.uid);
    let counts = typed.words.iter().map(|word| {
        let index = &index;
        async move {
            let text = said(&Typed::default(), std::slice::from_ref(word));
            let mut asked = index.search();
            asked.with_query(&text).with_filter(filter).with_limit(0);
            let found: SearchResults<Hit> = meili.in_time(asked.execute()).await?;
            Ok::<_, IndexError>(found.estimated_total_hits.unwrap_or(0) > 0)
        }
    });
    let found = futures::future::try_join_all(counts).await?;
    let words = typed.words.iter().zip(found).filter(|(_, found)| *found).map(|(word, _)| word.clone());
    let words: Vec<Word> = words.collect();
    let (left, all) = (words.len() + typed.phrases.len(), typed.words.len() + typed.phrases.len());
    Ok((left * 2 >= all).then(|| said(typed, &words)))
}

fn told_of(query: &ProductQuery, before: usize, found: SearchResults<Hit>) -> Result<Hits, IndexError> {
    let wanted = query.wanted();
    let listed_at = found.hits.iter().map(|hit| hit.result.listed_at());
    let mut listed_at = listed_at.collect::<Result<Vec<i64>, _>>()?;
    let more = listed_at.len() > wanted;
    listed_at.truncate(wanted);
    let key = i64::try_from(before + listed_at.len()).unwrap_or(i64::MAX);
    let next = more.then_some(Place { sort: query.order(), key, listed_at: 0 });
    let facets = query.facets.any().then(|| told(query.facets, found.facet_distribution.unwrap_or_default()));
    Ok(Hits { listed_at, next, facets })
}

/// The words of the best hits' titles that begin as the last word does, the most frequent ones first.
pub(super) async fn complete(meili: &Meili, text: &str) -> Result<Vec<String>, IndexError> {
    let typed = Typed::read(text);
    let Some(last) = typed.words.last().filter(|word| word.open) else { return Ok(Vec::new()) };
    let index = meili.client.index(&meili.uid);
    let said = said(&typed, &typed.words);
    let mut asked = index.search();
    asked.with_query(&said).with_matching_strategy(MatchingStrategies::ALL);
    asked.with_filter("listed_at >= 0").with_limit(LOOKED_AT);
    let found: SearchResults<Hit> = meili.in_time(asked.execute()).await?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for token in found.hits.iter().flat_map(|hit| tokens(&hit.result.title)) {
        if token.text.starts_with(&last.text) {
            *counts.entry(token.text).or_default() += 1;
        }
    }
    let mut words: Vec<_> = counts.into_iter().collect();
    words.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
    let before = before_last(text).to_lowercase();
    Ok(words.into_iter().take(COMPLETIONS_MAX).map(|(word, _)| format!("{before}{word}")).collect())
}

/// The marker has no listing, so it is never found. A text that says nothing finds nothing.
fn filter(query: &ProductQuery, typed: Option<&Typed>) -> String {
    let listed = if typed.is_some_and(Typed::is_empty) { "listed_at < 0" } else { "listed_at >= 0" };
    let mut conditions = vec![listed.to_owned()];
    if !query.category.is_empty() {
        let names: Vec<&str> = query.category.iter().map(domain::value::Text::as_str).collect();
        conditions.push(format!("category_is = {}", exactly(&names.join(" > "))));
    }
    conditions.extend(query.brand.as_ref().map(|brand| format!("brand_is = {}", exactly(brand.as_str()))));
    conditions.extend(query.price_min.map(|min| format!("price >= {min}")));
    conditions.extend(query.price_max.map(|max| format!("price <= {max}")));
    conditions.extend(query.rating_min.map(|min| format!("rating >= {min}")));
    conditions.extend(query.available.map(|available| format!("available = {available}")));
    conditions.join(" AND ")
}

fn order(sort: Sort) -> &'static [&'static str] {
    match sort {
        Sort::Relevance => &[],
        Sort::Newest => &["listed_at:desc"],
        Sort::PriceAsc => &["price:asc", "listed_at:asc"],
        Sort::PriceDesc => &["price:desc", "listed_at:desc"],
        Sort::Rating => &["rating:desc", "rated:desc", "listed_at:desc"],
        Sort::Popularity => &["sold:desc", "listed_at:desc"],
    }
}

/// Availability is asked for always: every hit has it, so it tells how many there are.
fn facet_names(set: FacetSet) -> Vec<&'static str> {
    let asked =
        [(set.brand, "brand"), (set.category, "category"), (set.price, "band"), (set.rating, "stars")];
    let names = asked.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name);
    names.chain(["available"]).collect()
}

fn told(set: FacetSet, mut found: HashMap<String, HashMap<String, usize>>) -> Facets {
    let mut of = |name: &str| found.remove(name).unwrap_or_default();
    let available = of("available");
    let (there, total) =
        (available.get("true").copied().unwrap_or(0) as u64, available.values().sum::<usize>() as u64);
    Facets {
        total,
        brand: set.brand.then(|| most(of("brand"))),
        category: set.category.then(|| most(of("category"))),
        price: set.price.then(|| bands(&by_number::<{ BANDS.len() + 1 }>(&of("band")))),
        rating: set.rating.then(|| stars(&by_number::<6>(&of("stars")))),
        available: set.available.then(|| availability(there, total)),
    }
}

fn most(counts: HashMap<String, usize>) -> Vec<Counted> {
    let counted = counts.into_iter().map(|(value, count)| Counted { value, count: count as u64 });
    let mut counted: Vec<Counted> = counted.collect();
    counted.sort_by(|one, other| (other.count, &one.value).cmp(&(one.count, &other.value)));
    counted
}

fn by_number<const N: usize>(counts: &HashMap<String, usize>) -> [u64; N] {
    let count = |number: usize| counts.get(&number.to_string()).copied().unwrap_or(0) as u64;
    std::array::from_fn(count)
}
