//! What tax and shipping add to a cart, in whole minor units.
//!
//! Tax is rounded once for everything that has one rate, and then shared out, so that lines and shipping add up to it.

mod quote;
mod tables;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::value::{Money, Text};

pub use quote::{Unquotable, quote};
pub use tables::{
    ANYWHERE, BadTables, PriceBand, RATE_PPM_MAX, ShippingMethod, ShippingRule, ShippingTable, Tables,
    TaxRate, TaxTable, WeightBand,
};

/// What a cart comes to with tax and shipping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Quote {
    /// Whether prices hold the tax already; where not, it comes on top.
    pub prices_include_tax: bool,
    /// The tax of each line, in the order of the cart's lines.
    pub lines: Vec<LineTax>,
    /// What delivery costs, when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Shipping>,
    /// All tax, shipping's too: exactly the sum of its parts.
    pub tax: Money,
    /// Everything that is to be paid.
    pub total: Money,
}

/// The tax of one line, all its units together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LineTax {
    /// In millionths of the price before tax.
    pub rate_ppm: u32,
    /// How much.
    pub tax: Money,
}

/// What delivery costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Shipping {
    /// The method's code.
    pub code: Text,
    /// The method's name as shown.
    pub title: Text,
    /// Its price; holds its tax where the lines' prices do.
    pub price: Money,
    /// In millionths of the price before tax.
    pub rate_ppm: u32,
    /// The tax of its price.
    pub tax: Money,
}

impl Quote {
    /// Whether this adds up for so many lines that cost `goods` together, and nothing in it is below zero.
    #[must_use]
    pub fn fits(&self, goods: Money, lines: usize) -> bool {
        let shipping = self.shipping.iter();
        let mut taxes =
            self.lines.iter().map(|line| line.tax).chain(shipping.clone().map(|shipping| shipping.tax));
        let mut parts = taxes.clone().chain(shipping.clone().map(|shipping| shipping.price));
        let tax = taxes.try_fold(Money::zero(goods.currency), Money::plus);
        let on_top = if self.prices_include_tax { Money::zero(goods.currency) } else { self.tax };
        let total = shipping.map(|shipping| shipping.price).chain([on_top]).try_fold(goods, Money::plus);
        self.lines.len() == lines
            && parts.all(|part| part.amount >= 0)
            && tax == Some(self.tax)
            && total == Some(self.total)
    }
}
