//! What comes of deciding again: differences, totals, and what could not be decided again.

use std::collections::BTreeMap;

use domain::value::{Money, OrderId, Sku, Time};
use serde::Serialize;
use store::log::Position;

/// A decision that comes out differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Where what was decided stands in the log.
    pub position: Position,
    /// When, in business time.
    #[serde(with = "store::rfc3339")]
    pub at: Time,
    /// What was decided: `checkout`, `total`, `payment`, `reservation` or `stock`.
    pub decision: &'static str,
    /// About which order, if it was about one.
    pub order: Option<OrderId>,
    /// About which SKU, if it was about one.
    pub sku: Option<Sku>,
    /// How it came out: `accepted`, or the code of the refusal.
    pub was: String,
    /// How it would have.
    pub then: String,
    /// What the order came to.
    pub total_was: Option<Money>,
    /// What it would have.
    pub total_then: Option<Money>,
}

/// What all decisions come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Checkouts for which everything was reserved.
    pub accepted: u64,
    /// Checkouts that were refused.
    pub refused: u64,
    /// Reservations of a checkout that were refused because there were too few units.
    pub stock_outs: u64,
    /// Checkouts that were paid as far as they had to be, and not undone by the checkout itself.
    pub sold: u64,
    /// What those come to, by currency, in minor units; what was given back later is not taken off.
    pub revenue: BTreeMap<String, i64>,
}

/// How many commands were decided again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Again {
    /// Checkouts of carts.
    pub checkouts: u64,
    /// Reservations, those that were refused to checkouts included.
    pub reservations: u64,
    /// Claims on what one customer may buy.
    pub claims: u64,
    /// Everything else about stock and allowances.
    pub others: u64,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The last position that was looked at.
    pub head: Position,
    /// How many commands were decided again.
    pub again: Again,
    /// What was.
    pub was: Totals,
    /// What would have been.
    pub then: Totals,
    /// Every decision that comes out differently, in the order of the log.
    pub differences: Vec<Difference>,
    /// What could not be decided again, and is taken as it was: how many of what.
    pub taken_as_it_was: BTreeMap<&'static str, u64>,
}

/// What is never decided again, whatever the rules.
pub const NEVER: &[&str] = &[
    "requests that were refused before anything was recorded: the log keeps no bodies of them",
    "carts before their checkout: limits count at the checkout",
    "edits, returns and refunds of orders, and what their units did to stock: they are taken as they were",
    "orders of imports: they were decided elsewhere; what they did to stock is decided again",
];

impl Totals {
    pub(super) fn sells(&mut self, total: Money) {
        self.sold += 1;
        let sum = self.revenue.entry(total.currency.to_string()).or_default();
        *sum = sum.saturating_add(total.amount);
    }

    pub(super) fn takes_back(&mut self, total: Money) {
        self.sold = self.sold.saturating_sub(1);
        let sum = self.revenue.entry(total.currency.to_string()).or_default();
        *sum = sum.saturating_sub(total.amount);
    }
}
