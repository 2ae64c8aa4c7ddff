//! Tax and shipping as a shop sets them: tables, checked when they are read.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::value::{Currency, Money, Text};

/// Stands for every country that is not named.
pub const ANYWHERE: &str = "*";
/// A rate is at most the whole price.
pub const RATE_PPM_MAX: u32 = 1_000_000;

/// Everything that a quote is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Tables {
    tax: TaxTable,
    shipping: ShippingTable,
}

/// Tables as they are read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    tax: TaxTable,
    #[serde(default)]
    shipping: ShippingTable,
}

/// Which tax is on what, and whether prices hold it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxTable {
    /// Whether prices hold the tax already; where not, it comes on top.
    pub prices_include_tax: bool,
    /// What no rate is for is not taxed.
    #[serde(default)]
    pub rates: Vec<TaxRate>,
}

/// A rate of tax for a country and perhaps a category. The most specific one counts: country and category, then the
/// country, then the category anywhere, then anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaxRate {
    /// ISO 3166-1 alpha-2, or [`ANYWHERE`].
    pub country: Text,
    /// What it is for; without it, for everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Text>,
    /// Its name as shown.
    pub name: Text,
    /// In millionths of the price before tax.
    pub rate_ppm: u32,
}

/// How goods are sent, and for how much.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippingTable {
    /// A method may stand several times, for other countries or currencies.
    #[serde(default)]
    pub methods: Vec<ShippingMethod>,
}

/// A way of sending goods to a country. A named country counts before [`ANYWHERE`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShippingMethod {
    /// What it is asked for by.
    pub code: Text,
    /// Its name as shown.
    pub title: Text,
    /// ISO 3166-1 alpha-2, or [`ANYWHERE`].
    pub country: Text,
    /// What the tax table calls its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_category: Option<Text>,
    /// What it costs.
    pub rule: ShippingRule,
    /// It costs nothing when the goods cost so much or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_from: Option<Money>,
}

/// What sending costs. Of bands, the first that is wide enough counts; what exceeds the last is not sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum ShippingRule {
    /// Always the same.
    Flat { price: Money },
    /// By what everything weighs.
    ByWeight { bands: Vec<WeightBand> },
    /// By what the goods cost.
    ByPrice { bands: Vec<PriceBand> },
}

/// What sending up to a weight costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightBand {
    /// This weight included.
    pub up_to_grams: u64,
    /// For how much.
    pub price: Money,
}

/// What sending goods of up to a price costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceBand {
    /// Minor units of the price's currency, this amount included.
    pub up_to: i64,
    /// For how much.
    pub price: Money,
}

/// Tables that contradict themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum BadTables {
    /// More than the whole price.
    #[error("the tax {name} of {country} is {rate_ppm} ppm, more than {RATE_PPM_MAX}")]
    RateTooHigh { name: Text, country: Text, rate_ppm: u32 },
    /// Two rates for the same.
    #[error("the tax of {country} stands twice for one category")]
    RateTwice { country: Text },
    /// Two methods for the same.
    #[error("the shipping method {code} stands twice for {country} in one currency")]
    MethodTwice { code: Text, country: Text },
    /// Bands that do not rise, or none.
    #[error("the bands of the shipping method {code} do not rise from one to the next")]
    BandsNotRising { code: Text },
    /// A price below zero, or prices of several currencies in one method.
    #[error("the prices of the shipping method {code} are below zero or of several currencies")]
    BadPrices { code: Text },
}

impl TryFrom<Unchecked> for Tables {
    type Error = BadTables;

    fn try_from(Unchecked { tax, shipping }: Unchecked) -> Result<Self, BadTables> {
        Self::new(tax, shipping)
    }
}

impl Tables {
    /// Checks and takes tables.
    ///
    /// # Errors
    /// When they contradict themselves.
    pub fn new(tax: TaxTable, shipping: ShippingTable) -> Result<Self, BadTables> {
        check_rates(&tax.rates)?;
        shipping.methods.iter().try_for_each(check_method)?;
        let mut seen = BTreeSet::new();
        for method in &shipping.methods {
            let currency = method.prices().next().map(|price| price.currency);
            if !seen.insert((&method.code, &method.country, currency)) {
                let (code, country) = (method.code.clone(), method.country.clone());
                return Err(BadTables::MethodTwice { code, country });
            }
        }
        Ok(Self { tax, shipping })
    }

    /// Whether prices hold the tax already.
    #[must_use]
    pub const fn prices_include_tax(&self) -> bool {
        self.tax.prices_include_tax
    }

    /// The rate of a category in a country, in millionths; zero where no rate is for it.
    #[must_use]
    pub fn rate_ppm(&self, country: &Text, category: Option<&Text>) -> u32 {
        let fits = |rate: &&TaxRate| {
            let here = rate.country == *country || rate.country.as_str() == ANYWHERE;
            here && (rate.category.is_none() || rate.category.as_ref() == category)
        };
        let specific = |rate: &&TaxRate| (rate.country == *country, rate.category.is_some());
        self.tax.rates.iter().filter(fits).max_by_key(specific).map_or(0, |rate| rate.rate_ppm)
    }

    /// The way of that code to a country, in a currency.
    pub(super) fn method(&self, code: &Text, country: &Text, currency: Currency) -> Option<&ShippingMethod> {
        let fits = |method: &&ShippingMethod| {
            let here = method.country == *country || method.country.as_str() == ANYWHERE;
            here && method.code == *code && method.prices().all(|price| price.currency == currency)
        };
        self.shipping.methods.iter().filter(fits).max_by_key(|method| method.country == *country)
    }
}

impl ShippingMethod {
    /// Every price in it.
    fn prices(&self) -> impl Iterator<Item = Money> {
        let (flat, weights, prices) = match &self.rule {
            ShippingRule::Flat { price } => (Some(*price), &[][..], &[][..]),
            ShippingRule::ByWeight { bands } => (None, &bands[..], &[][..]),
            ShippingRule::ByPrice { bands } => (None, &[][..], &bands[..]),
        };
        let weights = weights.iter().map(|band| band.price);
        flat.into_iter().chain(weights).chain(prices.iter().map(|band| band.price)).chain(self.free_from)
    }
}

fn check_rates(rates: &[TaxRate]) -> Result<(), BadTables> {
    let mut seen = BTreeSet::new();
    for TaxRate { country, category, name, rate_ppm } in rates {
        if *rate_ppm > RATE_PPM_MAX {
            let (name, country, rate_ppm) = (name.clone(), country.clone(), *rate_ppm);
            return Err(BadTables::RateTooHigh { name, country, rate_ppm });
        }
        if !seen.insert((country, category)) {
            return Err(BadTables::RateTwice { country: country.clone() });
        }
    }
    Ok(())
}

fn check_method(method: &ShippingMethod) -> Result<(), BadTables> {
    let code = || method.code.clone();
    let rising = match &method.rule {
        ShippingRule::Flat { .. } => true,
        ShippingRule::ByWeight { bands } => rises(bands.iter().map(|band| i128::from(band.up_to_grams))),
        ShippingRule::ByPrice { bands } => rises(bands.iter().map(|band| i128::from(band.up_to))),
    };
    if !rising {
        return Err(BadTables::BandsNotRising { code: code() });
    }
    let first = method.prices().next();
    let sound =
        |price: Money| price.amount >= 0 && first.is_some_and(|first| first.currency == price.currency);
    if method.prices().all(sound) { Ok(()) } else { Err(BadTables::BadPrices { code: code() }) }
}

/// Whether there are bounds, and each is above the one before.
fn rises(bounds: impl Iterator<Item = i128>) -> bool {
    let mut last = None;
    for bound in bounds {
        if last.is_some_and(|last| bound <= last) {
            return false;
        }
        last = Some(bound);
    }
    last.is_some()
}
