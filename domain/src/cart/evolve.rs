//! What each event makes of a cart.

use std::collections::BTreeSet;

use super::{
    Basket, Cart, Event, Line,
    line::{with, with_prices, with_quantity, with_these},
};
use crate::value::{CartId, Currency, CustomerId, Time};

impl Cart {
    pub(super) fn evolve_event(self, event: Event) -> Self {
        match (self, event) {
            (Self::Unopened, Event::Opened { customer, currency, expires_at }) => {
                Self::Open(Basket { expires_at, ..Basket::new(customer, currency) })
            }
            (Self::Open(basket), Event::LineAdded { line, expires_at }) => {
                Self::Open(basket.until(expires_at).changed(|lines| with(lines, line)))
            }
            (Self::Open(basket), Event::QuantitySet { sku, quantity, expires_at }) => {
                Self::Open(basket.until(expires_at).changed(|lines| with_quantity(lines, &sku, quantity)))
            }
            (Self::Open(basket), Event::LineRemoved { sku }) => Self::Open(basket.changed(|mut lines| {
                lines.retain(|line| line.sku != sku);
                lines
            })),
            (Self::Open(basket), Event::PricesAccepted { changes }) => {
                Self::Open(basket.changed(|lines| with_prices(lines, &changes)))
            }
            (Self::Open(basket), Event::CheckedOut { order, .. }) => {
                Self::CheckedOut { order, taken: basket.taken }
            }
            (Self::Open(basket), Event::Expired {}) => basket.expired(),
            (Self::Open(basket), Event::MergedInto { into, customer, .. }) => {
                Self::Merged { into, customer, basket }
            }
            (Self::Open(basket), Event::LinesTaken { from, lines, expires_at, .. }) => {
                let basket = basket.until(expires_at).changed(|there| with_these(there, lines));
                Self::Open(basket.having_taken(from))
            }
            (Self::Merged { basket, .. }, Event::MergeUndone { .. }) => Self::Open(basket),
            (
                state,
                Event::Opened { .. }
                | Event::LineAdded { .. }
                | Event::QuantitySet { .. }
                | Event::LineRemoved { .. }
                | Event::PricesAccepted { .. }
                | Event::CheckedOut { .. }
                | Event::Expired {}
                | Event::MergedInto { .. }
                | Event::LinesTaken { .. }
                | Event::LinesDeclined { .. }
                | Event::MergeUndone { .. },
            ) => state,
        }
    }
}

impl Basket {
    pub(super) const fn new(customer: Option<CustomerId>, currency: Currency) -> Self {
        let taken = BTreeSet::new();
        Self { customer, currency, lines: vec![], expires_at: None, taken }
    }

    fn until(self, expires_at: Option<Time>) -> Self {
        // No time is earlier than any.
        Self { expires_at: self.expires_at.max(expires_at), ..self }
    }

    fn changed(self, change: impl FnOnce(Vec<Line>) -> Vec<Line>) -> Self {
        Self { lines: change(self.lines), ..self }
    }

    fn having_taken(mut self, from: CartId) -> Self {
        self.taken.insert(from);
        self
    }

    fn expired(self) -> Cart {
        match self.expires_at {
            Some(at) => Cart::Expired { at, taken: self.taken },
            None => Cart::Open(self),
        }
    }
}
