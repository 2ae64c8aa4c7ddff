//! Popular answers, kept as long as nothing that they depend on has moved.

use std::sync::{Mutex, PoisonError};

use hashlink::LinkedHashMap;

use super::{
    index::Hits,
    query::{FacetSet, ProductQuery, Sort},
};

/// Bytes that are kept, about.
const BYTES_MAX: usize = 16 << 20;

/// How often each thing had moved: products, prices, availability, sales, ratings.
pub(super) type Moves = [u64; 5];

/// Answers by their questions.
#[derive(Default)]
pub(super) struct Cache {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    answers: LinkedHashMap<ProductQuery, Answer>,
    bytes: usize,
}

struct Answer {
    hits: Hits,
    moves: Moves,
    bytes: usize,
}

impl Cache {
    /// The answer to a question, if it is the same as it would be now.
    pub fn get(&self, query: &ProductQuery, now: &Moves) -> Option<Hits> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = kept.answers.to_back(query)?;
        if same(query, &answer.moves, now) {
            return Some(answer.hits.clone());
        }
        let bytes = answer.bytes;
        kept.answers.remove(query);
        kept.bytes -= bytes;
        None
    }

    /// Keeps an answer that was found when things had moved so often; the ones asked for longest ago make room.
    pub fn put(&self, query: &ProductQuery, hits: &Hits, moves: Moves) {
        let answer = Answer { hits: hits.clone(), moves, bytes: weight(query, hits) };
        if answer.bytes > BYTES_MAX / 16 {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += answer.bytes;
        if let Some(replaced) = kept.answers.replace(query.clone(), answer) {
            kept.bytes -= replaced.bytes;
        }
        while kept.bytes > BYTES_MAX {
            let Some((_, oldest)) = kept.answers.pop_front() else { break };
            kept.bytes -= oldest.bytes;
        }
    }
}

/// Whether nothing has moved that the answer depends on.
fn same(query: &ProductQuery, then: &Moves, now: &Moves) -> bool {
    let FacetSet { price, available, rating, .. } = query.facets;
    let sort = query.order();
    let prices = price || query.price_min.is_some() || query.price_max.is_some();
    let depends = [
        true,
        prices || matches!(sort, Sort::PriceAsc | Sort::PriceDesc),
        available || query.available.is_some(),
        sort == Sort::Popularity,
        rating || query.rating_min.is_some() || sort == Sort::Rating,
    ];
    depends.iter().zip(then.iter().zip(now)).all(|(depends, (then, now))| !depends || then == now)
}

fn weight(query: &ProductQuery, hits: &Hits) -> usize {
    let named = query.text.as_ref().map_or(0, String::len)
        + query.category.iter().chain(&query.brand).map(|name| name.as_str().len() + 32).sum::<usize>()
        + query.cursor.as_ref().map_or(0, |cursor| cursor.as_str().len());
    let counted = hits.facets.iter().flat_map(|facets| {
        [&facets.brand, &facets.category, &facets.rating, &facets.available].into_iter().flatten().flatten()
    });
    let facets: usize = counted.map(|counted| counted.value.len() + 40).sum();
    512 + named + facets + hits.listed_at.len() * 8
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, Cache};
    use crate::search::{
        index::Hits,
        query::{ProductQuery, Sort},
    };

    fn query(text: &str, sort: Sort) -> ProductQuery {
        ProductQuery { text: Some(text.to_owned()), sort, limit: 20, ..ProductQuery::default() }
    }

    #[test]
    fn an_answer_is_kept_until_what_it_depends_on_moves() {
        let cache = Cache::default();
        let (by_text, by_sales) = (query("lamp", Sort::Relevance), query("lamp", Sort::Popularity));
        for query in [&by_text, &by_sales] {
            cache.put(query, &Hits::default(), [1; 5]);
        }
        let sold = [1, 1, 1, 2, 1];
        assert!(cache.get(&by_text, &sold).is_some());
        assert!(cache.get(&by_sales, &sold).is_none());
        assert!(cache.get(&by_sales, &[1; 5]).is_none(), "it was dropped");
        assert!(cache.get(&by_text, &[2, 1, 1, 2, 1]).is_none());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let cache = Cache::default();
        for nth in 0..100_000 {
            cache.put(&query(&nth.to_string(), Sort::Newest), &Hits::default(), [0; 5]);
        }
        let kept = cache.kept.lock().unwrap();
        assert!(kept.bytes <= BYTES_MAX && kept.answers.len() > 10_000, "{}", kept.answers.len());
        assert_eq!(kept.bytes, kept.answers.values().map(|answer| answer.bytes).sum::<usize>());
    }
}
