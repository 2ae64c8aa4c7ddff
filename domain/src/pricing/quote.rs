//! Makes a quote: a price for shipping, and the tax of everything.

use std::collections::BTreeMap;

use super::{
    LineTax, Quote, Shipping,
    tables::{ShippingMethod, ShippingRule, Tables},
};
use crate::{
    cart::Line,
    value::{Currency, Money, Text},
};

/// Why there is no quote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Unquotable {
    /// No method of that code goes to that country in that currency.
    #[error("no shipping method {code} goes to {country}")]
    NoSuchMethod { code: Text, country: Text },
    /// The goods exceed the last band of the method.
    #[error("the shipping method {code} does not take so much")]
    TooMuch { code: Text },
    /// A price is below zero or of another currency, or the total does not fit.
    #[error("the prices do not add up to a total")]
    BadTotal,
}

impl Unquotable {
    /// The stable dotted code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoSuchMethod { .. } => "checkout.not_shipped_there",
            Self::TooMuch { .. } => "checkout.too_much_to_ship",
            Self::BadTotal => "cart.bad_total",
        }
    }
}

/// What lines come to with tax and shipping to a country.
///
/// # Errors
/// When the shipping method does not go there or does not take so much, or the prices do not add up.
pub fn quote(
    tables: &Tables,
    country: &Text,
    shipping_method: Option<&Text>,
    currency: Currency,
    lines: &[Line],
) -> Result<Quote, Unquotable> {
    let prices = lines.iter().map(|line| price(line, currency)).collect::<Option<Vec<_>>>();
    let prices = prices.ok_or(Unquotable::BadTotal)?;
    let goods = prices.iter().copied().try_fold(Money::zero(currency), Money::plus);
    let goods = goods.ok_or(Unquotable::BadTotal)?;
    let shipping = match shipping_method {
        None => None,
        Some(code) => Some(shipping_to(tables, country, code, goods, lines)?),
    };
    let rates = lines.iter().map(|line| line.tax_category.as_ref());
    let rates = rates.chain(shipping.iter().map(|(method, _)| method.tax_category.as_ref()));
    let taxed: Vec<Taxed> = rates
        .map(|category| tables.rate_ppm(country, category))
        .zip(prices.into_iter().chain(shipping.map(|(_, price)| price)))
        .map(|(rate_ppm, price)| Taxed { rate_ppm, price })
        .collect();
    let included = tables.prices_include_tax();
    let taxes = taxes(&taxed, included, currency).ok_or(Unquotable::BadTotal)?;
    let mut taxes = taxed.iter().zip(taxes).map(|(taxed, tax)| LineTax { rate_ppm: taxed.rate_ppm, tax });
    let line_taxes = taxes.by_ref().take(lines.len()).collect();
    let shipping = shipping.zip(taxes.next()).map(|((method, price), LineTax { rate_ppm, tax })| Shipping {
        code: method.code.clone(),
        title: method.title.clone(),
        price,
        rate_ppm,
        tax,
    });
    added_up(included, goods, line_taxes, shipping).ok_or(Unquotable::BadTotal)
}

/// Something with a price that is taxed.
struct Taxed {
    rate_ppm: u32,
    price: Money,
}

fn price(line: &Line, currency: Currency) -> Option<Money> {
    let price = line.unit_price.times(line.quantity)?;
    (price.currency == currency && price.amount >= 0).then_some(price)
}

fn added_up(
    prices_include_tax: bool,
    goods: Money,
    lines: Vec<LineTax>,
    shipping: Option<Shipping>,
) -> Option<Quote> {
    let taxes = lines.iter().map(|line| line.tax).chain(shipping.iter().map(|shipping| shipping.tax));
    let tax = taxes.into_iter().try_fold(Money::zero(goods.currency), Money::plus)?;
    let total = shipping.iter().map(|shipping| shipping.price).try_fold(goods, Money::plus)?;
    let total = if prices_include_tax { total } else { total.plus(tax)? };
    Some(Quote { prices_include_tax, lines, shipping, tax, total })
}

/// The method of a code that goes to a country, and what it asks for these goods.
fn shipping_to<'t>(
    tables: &'t Tables,
    country: &Text,
    code: &Text,
    goods: Money,
    lines: &[Line],
) -> Result<(&'t ShippingMethod, Money), Unquotable> {
    let Some(method) = tables.method(code, country, goods.currency) else {
        return Err(Unquotable::NoSuchMethod { code: code.clone(), country: country.clone() });
    };
    if method.free_from.is_some_and(|from| goods.amount >= from.amount) {
        return Ok((method, Money::zero(goods.currency)));
    }
    // At most a hundred lines of 64 bits each.
    let grams: u128 =
        lines.iter().map(|line| u128::from(line.weight_grams) * u128::from(line.quantity.get())).sum();
    let price = match &method.rule {
        ShippingRule::Flat { price } => Some(*price),
        ShippingRule::ByWeight { bands } => {
            bands.iter().find(|band| u128::from(band.up_to_grams) >= grams).map(|band| band.price)
        }
        ShippingRule::ByPrice { bands } => {
            bands.iter().find(|band| band.up_to >= goods.amount).map(|band| band.price)
        }
    };
    price.map(|price| (method, price)).ok_or_else(|| Unquotable::TooMuch { code: code.clone() })
}

/// The tax of each price. What has one rate is taxed together and rounded once, half up; that is shared out by the
/// largest remainder of each one's own exact tax, so that every part is less than one minor unit from it.
fn taxes(taxed: &[Taxed], included: bool, currency: Currency) -> Option<Vec<Money>> {
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (place, taxed) in taxed.iter().enumerate() {
        groups.entry(taxed.rate_ppm).or_default().push(place);
    }
    let mut taxes = vec![Money::zero(currency); taxed.len()];
    for (rate_ppm, places) in groups {
        let whole: i128 = if included { 1_000_000 + i128::from(rate_ppm) } else { 1_000_000 };
        // At most 63 bits times 20 bits.
        let exact = |place: &usize| {
            taxed.get(*place).map_or(0, |taxed| i128::from(taxed.price.amount) * i128::from(rate_ppm))
        };
        let together: i128 = places.iter().map(exact).sum();
        let rounded = (2 * together + whole) / (2 * whole);
        let down: i128 = places.iter().map(|place| exact(place) / whole).sum();
        let mut by_remainder = places.clone();
        by_remainder.sort_by_key(|place| std::cmp::Reverse(exact(place) % whole));
        let left = usize::try_from(rounded - down).ok()?;
        for (nth, place) in by_remainder.into_iter().enumerate() {
            let amount = exact(&place) / whole + i128::from(nth < left);
            *taxes.get_mut(place)? = Money::new(i64::try_from(amount).ok()?, currency);
        }
    }
    Some(taxes)
}
