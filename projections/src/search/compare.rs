//! Compares what two sides hold of the same products, stretch by stretch.

use std::{
    cmp::Ordering,
    collections::hash_map::DefaultHasher,
    hash::{Hash as _, Hasher as _},
};

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use store::log::Position;

use super::index::Held;
use crate::rebuild::{Change, EXAMPLES, TableDifference};

/// A comparison that is under way.
#[derive(Default)]
pub(super) struct Comparison {
    found: TableDifference,
    examples: [Vec<(Position, Change)>; 3],
    digests: [u64; 2],
    /// Products of the new side, and of both.
    compared: i64,
}

impl Comparison {
    /// Compares a stretch; both sides come in the order of their listings.
    pub fn add(&mut self, old: Vec<Held>, new: Vec<Held>) {
        for (digest, side) in self.digests.iter_mut().zip([&old, &new]) {
            *digest = side.iter().fold(*digest, |sum, held| sum.wrapping_add(digest_of(held)));
        }
        self.found.rows += i64::try_from(new.len()).unwrap_or(i64::MAX);
        let (mut old, mut new) = (old.into_iter().peekable(), new.into_iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.listed_at.cmp(&new.listed_at),
            };
            self.compared += 1;
            let old = if order.is_le() { old.next() } else { None };
            let new = if order.is_ge() { new.next() } else { None };
            self.pair(old, new);
        }
    }

    fn pair(&mut self, old: Option<Held>, new: Option<Held>) {
        if old == new {
            return;
        }
        let kind = match (&old, &new) {
            (Some(_), None) => {
                self.found.only_old += 1;
                0
            }
            (None, _) => {
                self.found.only_new += 1;
                1
            }
            (Some(_), Some(_)) => {
                self.found.changed += 1;
                2
            }
        };
        let listed_at = old.as_ref().or(new.as_ref()).map_or(0, |held| held.listed_at);
        let fields = |held: Option<Held>| held.map(|held| held.fields).unwrap_or_default();
        let change = Change::between(Map::new(), &fields(old), &fields(new));
        if kind == 2 {
            for field in
                change.old.keys().chain(change.new.keys().filter(|key| !change.old.contains_key(*key)))
            {
                *self.found.columns.entry(field.clone()).or_default() += 1;
            }
        }
        if self.examples[kind].len() < usize::try_from(EXAMPLES).unwrap_or(0) {
            self.examples[kind].push((listed_at, change));
        }
    }

    /// Products that were compared so far.
    pub const fn compared(&self) -> i64 {
        self.compared
    }

    /// Products that are not the same so far.
    pub const fn differences(&self) -> i64 {
        self.found.rows_that_differ()
    }

    /// What was found, with the names of products; and the digests of both sides.
    pub async fn told(
        self,
        connection: &mut PgConnection,
    ) -> Result<(TableDifference, [String; 2]), sqlx::Error> {
        let Self { mut found, examples, digests, .. } = self;
        let listed_at: Vec<Position> = examples.iter().flatten().map(|(listed_at, _)| *listed_at).collect();
        let names: Vec<(Position, String)> =
            sqlx::query_as("SELECT listed_at, id FROM products WHERE listed_at = ANY($1)")
                .bind(&listed_at)
                .fetch_all(connection)
                .await?;
        found.table = "documents".into();
        found.examples = examples
            .into_iter()
            .flatten()
            .map(|(listed_at, change)| {
                let name = names.iter().find(|(of, _)| *of == listed_at).map(|(_, id)| id.as_str());
                Change { key: key(listed_at, name), ..change }
            })
            .collect();
        Ok((found, digests.map(|digest| format!("{digest:016x}"))))
    }
}

fn key(listed_at: Position, product: Option<&str>) -> Map<String, Value> {
    let named = product.map(|id| ("product".to_owned(), json!(id)));
    named.into_iter().chain([("listed_at".to_owned(), json!(listed_at))]).collect()
}

/// A digest of everything that is held of a product, which no other program ever sees.
fn digest_of(held: &Held) -> u64 {
    let mut fields: Vec<_> = held.fields.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    let mut hasher = DefaultHasher::new();
    held.listed_at.hash(&mut hasher);
    for (name, value) in fields {
        (name, value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(listed_at: Position, price: i64) -> Held {
        let fields = Map::from_iter([("price".to_owned(), json!(price))]);
        Held { listed_at, fields }
    }

    #[test]
    fn what_is_gone_what_has_come_and_what_changed_are_told_apart() {
        let mut comparison = Comparison::default();
        comparison.add(vec![held(1, 5), held(2, 5)], vec![held(2, 5), held(3, 5)]);
        comparison.add(vec![held(4, 5)], vec![held(4, 6)]);
        let found = &comparison.found;
        assert_eq!((found.rows, found.only_old, found.only_new, found.changed), (3, 1, 1, 1));
        assert_eq!(found.columns.iter().collect::<Vec<_>>(), [(&"price".to_owned(), &1)]);
        assert_eq!((comparison.compared(), comparison.differences()), (4, 3));
        let listed_at = comparison.examples.each_ref().map(|examples| examples[0].0);
        assert_eq!(listed_at, [1, 3, 4]);
        assert_ne!(comparison.digests[0], comparison.digests[1]);
    }

    #[test]
    fn two_sides_that_are_equal_have_one_digest_in_whatever_stretches_they_come() {
        let mut one = Comparison::default();
        one.add(vec![held(1, 5), held(2, 7)], vec![held(1, 5)]);
        one.add(vec![], vec![held(2, 7)]);
        assert_eq!(one.digests[0], one.digests[1]);
    }
}
