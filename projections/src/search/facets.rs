//! Counts as they are told, whatever engine counted.

use super::{
    index::BANDS,
    query::{Band, Counted},
};

/// Every band, those without a hit too.
pub(super) fn bands(counts: &[u64]) -> Vec<Band> {
    let band = |(at, count): (usize, &u64)| Band {
        from: at.checked_sub(1).map_or(0, |before| BANDS[before]),
        to: BANDS.get(at).map(|bound| bound - 1),
        count: *count,
    };
    counts.iter().enumerate().map(band).collect()
}

/// So many stars or more.
pub(super) fn stars(counts: &[u64; 6]) -> Vec<Counted> {
    let or_more = |stars: usize| counts[stars..].iter().sum();
    (1..=5).rev().map(|stars| Counted { value: stars.to_string(), count: or_more(stars) }).collect()
}

/// How many are there, and how many are not.
pub(super) fn availability(there: u64, total: u64) -> Vec<Counted> {
    let counted = |value: &str, count| Counted { value: value.to_owned(), count };
    vec![counted("true", there), counted("false", total - there)]
}
