//! From what matches to a page: filters, counts and the best few, in one pass over numbers.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{
    catalog::{Catalog, NONE},
    columns::Marks,
    matching::Room,
};
use crate::search::{
    facets::{availability, bands, stars},
    index::{BANDS, FACET_VALUES_MAX, Hits},
    query::{Counted, FacetSet, Facets, Place, ProductQuery, Sort},
};

/// What has to be true of a hit, in numbers.
pub(super) struct Filter {
    brand: Option<u32>,
    /// By category, whether it is the wanted one or below it.
    below: Option<Vec<bool>>,
    price: Option<(i64, i64)>,
    rating_min: Option<u32>,
    available: Option<bool>,
}

impl Filter {
    /// `None` when nothing can pass: no product is of that brand or category.
    pub fn of(catalog: &Catalog, query: &ProductQuery) -> Option<Self> {
        let brand = match &query.brand {
            None => None,
            Some(name) => Some(catalog.find_brand(name.as_str())?),
        };
        let below = match query.category.as_slice() {
            [] => None,
            path => Some(catalog.below(catalog.find_node(path)?)),
        };
        let price = (query.price_min.is_some() || query.price_max.is_some())
            .then(|| (query.price_min.unwrap_or(i64::MIN), query.price_max.unwrap_or(i64::MAX)));
        Some(Self {
            brand,
            below,
            price,
            rating_min: query.rating_min.filter(|min| *min > 0),
            available: query.available,
        })
    }

    fn passes(&self, catalog: &Catalog, number: u32, marks: Marks) -> bool {
        let columns = &catalog.columns;
        self.available.is_none_or(|wanted| marks.available() == wanted)
            && self.brand.is_none_or(|wanted| columns.brand(number) == wanted)
            && self.below.as_ref().is_none_or(|below| below[columns.leaf(number) as usize])
            && self.price.is_none_or(|(min, max)| (min..=max).contains(&columns.price(number)))
            && self.rating_min.is_none_or(|min| columns.rating_mean(number) >= min)
    }
}

/// Counts by small numbers, used again and again.
#[derive(Default)]
pub(super) struct Counts {
    total: u64,
    brands: Vec<u32>,
    leaves: Vec<u32>,
    bands: [u64; BANDS.len() + 1],
    stars: [u64; 6],
    available: u64,
}

impl Counts {
    fn clear(&mut self, catalog: &Catalog) {
        self.brands.clear();
        self.brands.resize(catalog.brands.len(), 0);
        self.leaves.clear();
        self.leaves.resize(catalog.nodes.len(), 0);
        (self.total, self.bands, self.stars, self.available) = (0, [0; BANDS.len() + 1], [0; 6], 0);
    }

    fn count(&mut self, catalog: &Catalog, number: u32, marks: Marks, set: FacetSet) {
        self.total += 1;
        if set.brand {
            self.brands[catalog.columns.brand(number) as usize] += 1;
        }
        if set.category {
            self.leaves[catalog.columns.leaf(number) as usize] += 1;
        }
        self.bands[marks.band()] += 1;
        self.stars[marks.stars()] += 1;
        self.available += u64::from(marks.available());
    }

    fn told(&mut self, catalog: &Catalog, set: FacetSet) -> Facets {
        // A category is narrower than its parent, which has the smaller number.
        for node in (1..self.leaves.len()).rev() {
            let parent = catalog.nodes[node].parent as usize;
            if parent != NONE as usize {
                self.leaves[parent] += self.leaves[node];
            }
        }
        let brand = |at: usize| catalog.brands[at].name.as_str();
        let category = |at: usize| catalog.nodes[at].path.as_str();
        Facets {
            total: self.total,
            brand: set.brand.then(|| most(&self.brands, brand)),
            category: set.category.then(|| most(&self.leaves, category)),
            price: set.price.then(|| bands(&self.bands)),
            rating: set.rating.then(|| stars(&self.stars)),
            available: set.available.then(|| availability(self.available, self.total)),
        }
    }
}

/// The most frequent values that have a name.
fn most<'c>(counts: &[u32], name: impl Fn(usize) -> &'c str) -> Vec<Counted> {
    let mut found: Vec<usize> = (1..counts.len()).filter(|at| counts[*at] > 0).collect();
    found.sort_unstable_by(|one, other| (counts[*other], name(*one)).cmp(&(counts[*one], name(*other))));
    found.truncate(FACET_VALUES_MAX);
    found.into_iter().map(|at| Counted { value: name(at).to_owned(), count: u64::from(counts[at]) }).collect()
}

/// The best of what passes, and one more to know whether there are others.
struct Best {
    wanted: usize,
    sort: Sort,
    after: Option<(i64, i64)>,
    heap: BinaryHeap<Reverse<(i64, i64)>>,
    /// What comes first in the key of the worst of them, once there are enough.
    worst: i64,
}

impl Best {
    fn look(&mut self, catalog: &Catalog, room: &Room, (number, place): Candidate, marks: Marks) {
        let first = self.first(catalog, room, (number, place), marks);
        // Most are not among the best, and of those no more is read.
        if first >= self.worst {
            let listed_at = catalog.columns.listed_at(number);
            self.take((first, if self.sort == Sort::PriceAsc { -listed_at } else { listed_at }));
        }
    }

    /// What an order compares first, the greater the earlier.
    fn first(&self, catalog: &Catalog, room: &Room, (number, place): Candidate, marks: Marks) -> i64 {
        let columns = &catalog.columns;
        match self.sort {
            Sort::Relevance => place.map_or(0, |place| room.relevance(place, marks.title_words())),
            Sort::Newest => 0,
            Sort::PriceAsc => -columns.price(number),
            Sort::PriceDesc => columns.price(number),
            Sort::Rating => i64::from(columns.rating(number)),
            Sort::Popularity => columns.sold(number),
        }
    }

    fn take(&mut self, key: (i64, i64)) {
        if self.after.is_some_and(|after| key >= after) {
            return;
        }
        if self.heap.len() <= self.wanted {
            self.heap.push(Reverse(key));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && key > worst.0
        {
            *worst = Reverse(key);
        }
        if let Some(Reverse(worst)) = self.heap.peek().filter(|_| self.heap.len() > self.wanted) {
            self.worst = worst.0;
        }
    }

    fn hits(self) -> Hits {
        let (sort, wanted) = (self.sort, self.wanted);
        // Descending, since the heap's order is turned round.
        let mut keys: Vec<(i64, i64)> = self.heap.into_sorted_vec().into_iter().map(|key| key.0).collect();
        let more = keys.len() > wanted;
        keys.truncate(wanted);
        let listed_at = |key: &(i64, i64)| if sort == Sort::PriceAsc { -key.1 } else { key.1 };
        let next =
            keys.last().filter(|_| more).map(|key| Place { sort, key: key.0, listed_at: listed_at(key) });
        Hits { listed_at: keys.iter().map(listed_at).collect(), next, facets: None }
    }
}

/// Makes a page of what matches; `hits` of `room` when there was a text, otherwise everything.
pub(super) fn collect(
    catalog: &Catalog,
    query: &ProductQuery,
    after: Option<Place>,
    room: &Room,
    counts: &mut Counts,
) -> Hits {
    let set = query.facets;
    counts.clear(catalog);
    let sort = query.order();
    let after = after
        // A cursor comes from outside and may name any number.
        .map(|place| match sort {
            Sort::PriceAsc => (place.key, place.listed_at.saturating_neg()),
            _ => (place.key, place.listed_at),
        });
    let wanted = query.wanted();
    let mut best = Best { wanted, sort, after, heap: BinaryHeap::with_capacity(wanted + 2), worst: i64::MIN };
    if let Some(filter) = Filter::of(catalog, query) {
        let counting = set.any();
        let mut look = |(number, place): Candidate| {
            let marks = catalog.columns.marks(number);
            if filter.passes(catalog, number, marks) {
                if counting {
                    counts.count(catalog, number, marks, set);
                }
                best.look(catalog, room, (number, place), marks);
            }
        };
        each_candidate(catalog, query, &filter, room, &mut look);
    }
    let mut hits = best.hits();
    hits.facets = set.any().then(|| counts.told(catalog, set));
    hits
}

/// A product's number, and the place of its document where a text was looked for.
type Candidate = (u32, Option<u32>);

/// The fewest products that hold all hits.
fn each_candidate(
    catalog: &Catalog,
    query: &ProductQuery,
    filter: &Filter,
    room: &Room,
    look: &mut impl FnMut(Candidate),
) {
    if query.said().is_some() {
        room.hits().iter().for_each(|place| look((catalog.number(*place), Some(*place))));
    } else if let Some(brand) = filter.brand {
        catalog.brands[brand as usize].products.iter().for_each(|number| look((*number, None)));
    } else if let Some(below) = &filter.below {
        let nodes = catalog.nodes.iter().zip(below).filter(|(_, below)| **below);
        nodes.flat_map(|(node, _)| &node.products).for_each(|number| look((*number, None)));
    } else {
        let all = 0..u32::try_from(catalog.columns.len()).unwrap_or(u32::MAX);
        all.for_each(|number| look((number, None)));
    }
}
