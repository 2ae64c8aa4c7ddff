//! A whole order or credit note, as the event that began it tells it.

use serde::{Deserialize, Serialize};

use super::{Charge, Credit, Line, Placement, Source, Terms};
use crate::{
    cart::Delivery,
    value::{CustomerId, Money, OrderId, Text, Time},
};

/// What an order was placed with, and what that adds up to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    /// Who buys, unless a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Where it came from.
    pub source: Source,
    /// Goods.
    pub lines: Vec<Line>,
    /// Everything else on the bill.
    pub charges: Vec<Charge>,
    /// Whether taxes are part of the prices, or come on top.
    pub prices_include_tax: bool,
    /// Who pays it, if anybody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Terms>,
    /// Who gets it and where; orders of other systems may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Country name or code as the source gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text>,
    /// When it was placed, in business time.
    pub placed_at: Time,
    /// The sum of its lines and charges, taxes included.
    pub total: Money,
}

impl Placed {
    pub(super) fn new(placement: Placement, total: Money) -> Self {
        let Placement {
            customer,
            source,
            lines,
            charges,
            prices_include_tax,
            payment,
            delivery,
            country,
            placed_at,
        } = placement;
        Self {
            customer,
            source,
            lines,
            charges,
            prices_include_tax,
            payment,
            delivery,
            country,
            placed_at,
            total,
        }
    }

    pub(super) fn into_placement(self) -> Placement {
        let Self {
            customer,
            source,
            lines,
            charges,
            prices_include_tax,
            payment,
            delivery,
            country,
            placed_at,
            total: _,
        } = self;
        Placement {
            customer,
            source,
            lines,
            charges,
            prices_include_tax,
            payment,
            delivery,
            country,
            placed_at,
        }
    }
}

/// What a credit note was issued with, and what that adds up to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditNoteIssued {
    /// Who gets it, unless a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Where it came from.
    pub source: Source,
    /// The order that it credits, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Goods that came back.
    pub lines: Vec<Line>,
    /// Everything else credited.
    pub charges: Vec<Charge>,
    /// Whether taxes are part of the prices, or come on top.
    pub prices_include_tax: bool,
    /// Country name or code as the source gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text>,
    /// When it was issued, in business time.
    pub issued_at: Time,
    /// What the buyer gets.
    pub total: Money,
}

impl CreditNoteIssued {
    pub(super) fn new(credit: Credit, total: Money) -> Self {
        let Credit { customer, source, order, lines, charges, prices_include_tax, country, issued_at } =
            credit;
        Self { customer, source, order, lines, charges, prices_include_tax, country, issued_at, total }
    }

    pub(super) fn into_credit(self) -> Credit {
        let Self {
            customer,
            source,
            order,
            lines,
            charges,
            prices_include_tax,
            country,
            issued_at,
            total: _,
        } = self;
        Credit { customer, source, order, lines, charges, prices_include_tax, country, issued_at }
    }
}
