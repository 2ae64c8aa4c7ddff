//! What stands in a cart, what it is compared with, and where it goes.

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::value::{Currency, Money, ProductId, Quantity, Sealed, Sku, Text};

/// So many units of a SKU at a price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CartLine))]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// The catalogue entry that it was taken from.
    pub product: ProductId,
    /// Its name as shown.
    pub title: Text,
    /// How many.
    pub quantity: Quantity,
    /// The price of one, as shown when the line was added or its price accepted last.
    pub unit_price: Money,
    /// What the tax table calls its kind; without it the country's own rate applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_category: Option<Text>,
    /// What one weighs, for shipping.
    #[serde(default, skip_serializing_if = "weightless")]
    pub weight_grams: u32,
    /// How many one customer may buy in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase_limit: Option<Quantity>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn weightless(grams: &u32) -> bool {
    *grams == 0
}

/// Everything about the buyer and the delivery that a checkout carries; personal parts are sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Name, e-mail and phone.
    pub contact: Sealed,
    /// Where to.
    pub address: Sealed,
    /// ISO 3166-1 alpha-2 code of the country, open because tax and shipping depend on it.
    pub country: Text,
}

/// What the catalogue says of a SKU now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of what.
    pub sku: Sku,
    /// The price of one.
    pub unit_price: Money,
    /// How many one customer may buy in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase_limit: Option<Quantity>,
}

/// A line whose price is another one now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceChange {
    /// Which.
    pub sku: Sku,
    /// The price of one that the cart holds.
    pub was: Money,
    /// The price of one that the catalogue holds.
    pub now: Money,
}

/// Units of another cart for which there was no room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Of what.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
}

/// What lines cost together. No price is below zero.
pub(super) fn total(currency: Currency, lines: &[Line]) -> Result<Money, Refusal> {
    let add = |sum: Money, line: &Line| match line.unit_price.amount {
        0.. => sum.plus(line.unit_price.times(line.quantity)?),
        _ => None,
    };
    lines.iter().try_fold(Money::zero(currency), add).ok_or(Refusal::BadTotal)
}

/// The lines with one more added; one of the same SKU grows and takes everything else from the new one.
pub(super) fn with(mut lines: Vec<Line>, added: Line) -> Vec<Line> {
    match lines.iter_mut().find(|line| line.sku == added.sku) {
        None => lines.push(added),
        Some(line) => {
            if let Some(quantity) = line.quantity.plus(added.quantity) {
                *line = Line { quantity, ..added };
            }
        }
    }
    lines
}

pub(super) fn with_quantity(mut lines: Vec<Line>, sku: &Sku, quantity: Quantity) -> Vec<Line> {
    for line in lines.iter_mut().filter(|line| line.sku == *sku) {
        line.quantity = quantity;
    }
    lines
}

/// The lines with some of them as they are given; new ones come last.
pub(super) fn with_these(mut lines: Vec<Line>, these: Vec<Line>) -> Vec<Line> {
    for this in these {
        match lines.iter_mut().find(|line| line.sku == this.sku) {
            None => lines.push(this),
            Some(line) => *line = this,
        }
    }
    lines
}

pub(super) fn with_prices(mut lines: Vec<Line>, changes: &[PriceChange]) -> Vec<Line> {
    for PriceChange { sku, now, .. } in changes {
        for line in lines.iter_mut().filter(|line| line.sku == *sku) {
            line.unit_price = *now;
        }
    }
    lines
}

/// The lines with whichever purchase limit is tighter, their own or the catalogue's of now.
pub(super) fn with_limits(mut lines: Vec<Line>, prices: &[Price]) -> Vec<Line> {
    for Price { sku, purchase_limit, .. } in prices {
        for line in lines.iter_mut().filter(|line| line.sku == *sku) {
            line.purchase_limit = tighter(line.purchase_limit, *purchase_limit);
        }
    }
    lines
}

/// The limit that counts where two know different ones, or one knows none.
pub(super) fn tighter(one: Option<Quantity>, other: Option<Quantity>) -> Option<Quantity> {
    [one, other].into_iter().flatten().min()
}

/// The lines whose price is not the one given; what no price is given for is not compared.
pub(super) fn changes(lines: &[Line], prices: &[Price]) -> Vec<PriceChange> {
    let change = |line: &Line| {
        let now = prices.iter().find(|price| price.sku == line.sku)?.unit_price;
        let was = line.unit_price;
        (was != now).then(|| PriceChange { sku: line.sku.clone(), was, now })
    };
    lines.iter().filter_map(change).collect()
}
