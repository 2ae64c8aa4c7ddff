//! One line of a confirmed order: how many of its units went where, and what they are worth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Count, SkuUnits, Units};
use crate::value::{Quantity, Sku, part};

/// An amount, and the tax in it or on top of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Share {
    pub value: i64,
    pub tax: i64,
}

impl Share {
    pub const fn plus(self, other: Self) -> Self {
        Self { value: self.value.saturating_add(other.value), tax: self.tax.saturating_add(other.tax) }
    }
}

/// One line's units and worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// All its units.
    pub ordered: u32,
    /// What they are worth, and their tax.
    pub whole: Share,
    /// What became of them.
    pub count: Count,
    /// What the shipped ones are worth.
    pub shipped: Share,
    /// What the returned ones were worth.
    pub returned: Share,
}

impl Entry {
    pub const fn new(ordered: u32, whole: Share) -> Self {
        let (count, nothing) =
            (Count { cancelled: 0, shipped: 0, delivered: 0, returned: 0 }, Share { value: 0, tax: 0 });
        Self { ordered, whole, count, shipped: nothing, returned: nothing }
    }

    /// Units that were shipped and have not come back.
    pub const fn out(&self) -> u32 {
        self.count.shipped.saturating_sub(self.count.returned)
    }

    pub fn cancel(&mut self, units: u32) {
        self.count.cancelled = self.count.cancelled.saturating_add(units.min(self.left()));
    }

    pub fn ship(&mut self, units: u32) {
        let units = units.min(self.left());
        self.shipped = self.shipped.plus(self.next(units));
        self.count.shipped = self.count.shipped.saturating_add(units);
    }

    pub fn deliver(&mut self, units: u32) {
        self.count.delivered = self.count.delivered.saturating_add(units).min(self.count.shipped);
    }

    pub fn take_back(&mut self, units: u32) {
        let units = units.min(self.out());
        self.returned = self.returned.plus(self.next_back(units));
        self.count.returned = self.count.returned.saturating_add(units);
    }

    /// Units that were cancelled or shipped. They leave one after the other, and so do their shares.
    pub const fn settled(&self) -> u32 {
        self.count.cancelled.saturating_add(self.count.shipped)
    }

    pub const fn left(&self) -> u32 {
        self.ordered.saturating_sub(self.settled())
    }

    /// The share of the next units that leave.
    pub fn next(&self, units: u32) -> Share {
        let until = self.settled().saturating_add(units);
        let share = |whole: i64| part(whole, self.ordered, self.settled(), until);
        Share { value: share(self.whole.value), tax: share(self.whole.tax) }
    }

    /// The share of the next units that come back: of what was shipped and has not come back yet.
    pub fn next_back(&self, units: u32) -> Share {
        let share =
            |shipped: i64, returned: i64| part(shipped.saturating_sub(returned), self.out(), 0, units);
        Share {
            value: share(self.shipped.value, self.returned.value),
            tax: share(self.shipped.tax, self.returned.tax),
        }
    }
}

/// Units of one line with what they are worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub units: Units,
    pub share: Share,
}

/// What the parts are worth together.
pub(super) fn sum(parts: &[Part]) -> i64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.share.value))
}

/// Units by line, however often a line is named.
pub(super) fn merged(lines: &[Units]) -> BTreeMap<u32, u64> {
    let mut merged = BTreeMap::<u32, u64>::new();
    for Units { line, quantity } in lines {
        let units = merged.entry(*line).or_default();
        *units = units.saturating_add(u64::from(quantity.get()));
    }
    merged
}

/// Units by SKU. One that has more than fit a quantity stands there several times.
pub(super) fn tally<'a>(units: impl Iterator<Item = (&'a Sku, u64)>) -> Vec<SkuUnits> {
    let mut skus = BTreeMap::<&Sku, u64>::new();
    for (sku, units) in units {
        let sum = skus.entry(sku).or_default();
        *sum = sum.saturating_add(units);
    }
    skus.into_iter().flat_map(|(sku, units)| split(sku, units)).collect()
}

fn split(sku: &Sku, mut units: u64) -> Vec<SkuUnits> {
    let mut split = vec![];
    while let Ok(quantity) = Quantity::new(u32::try_from(units).unwrap_or(u32::MAX)) {
        units = units.saturating_sub(u64::from(quantity.get()));
        split.push(SkuUnits { sku: sku.clone(), quantity });
    }
    split
}
