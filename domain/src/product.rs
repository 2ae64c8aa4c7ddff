//! One entry of the catalogue: what it is, and the price of each variant.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    value::{Money, Quantity, Sku, Text},
};

/// A product has at most this many variants.
pub const VARIANTS_MAX: usize = 200;
/// A product shows at most this many images.
pub const IMAGES_MAX: usize = 50;
/// Levels of the category path, from the widest to the narrowest.
pub const CATEGORY_LEVELS_MAX: usize = 8;
/// Characters of an image's address.
pub const IMAGE_ADDRESS_CHARS_MAX: usize = 2_048;
/// Characters of a title, a brand, a category's name.
pub const TITLE_CHARS_MAX: usize = 200;
/// Characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 10_000;

/// Something that can be put into a cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its stock keeping unit.
    pub sku: Sku,
    /// What tells it from its siblings, such as "red, XL".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// Its price, above or equal to zero.
    pub price: Money,
    /// What the tax table calls its kind; without it the country's own rate applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_category: Option<Text>,
    /// What one weighs, for shipping.
    #[serde(default)]
    pub weight_grams: u32,
    /// How many one customer may buy in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase_limit: Option<Quantity>,
}

/// What a product is listed with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Its name.
    pub title: Text,
    /// What it is, in a few sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Who makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<Text>,
    /// Where it belongs, from the widest category to the narrowest.
    #[serde(default)]
    pub category: Vec<Text>,
    /// Addresses of pictures, http or https; media stay outside.
    #[serde(default)]
    pub images: Vec<Text>,
    /// What can be bought, at least one.
    pub variants: Vec<Variant>,
}

/// What may be asked of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// Put it into the catalogue.
    List(Listing),
    /// Change one variant's price.
    ChangePrice { sku: Sku, price: Money },
}

/// What happened to a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// It is in the catalogue.
    Listed(Listing),
    /// A variant costs something else now.
    PriceChanged { sku: Sku, old: Money, new: Money },
}

/// Why a product may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Refusal {
    /// It stands in the catalogue already, with another listing.
    #[error("the product is already listed")]
    #[serde(rename = "product.already_listed")]
    AlreadyListed,
    /// It is not in the catalogue.
    #[error("the product is not listed")]
    #[serde(rename = "product.not_listed")]
    NotListed,
    /// None of its variants has that SKU.
    #[error("the product has no variant {sku}")]
    #[serde(rename = "product.unknown_variant")]
    UnknownVariant { sku: Sku },
    /// Two variants have one SKU.
    #[error("the SKU {sku} stands twice")]
    #[serde(rename = "product.duplicate_sku")]
    DuplicateSku { sku: Sku },
    /// Nothing to buy.
    #[error("a product needs at least one variant")]
    #[serde(rename = "product.no_variants")]
    NoVariants,
    /// A price below zero.
    #[error("the price of {sku} is below zero")]
    #[serde(rename = "product.negative_price")]
    NegativePrice { sku: Sku },
    /// A part of the listing is larger than it may be.
    #[error("{field} may have at most {max}")]
    #[serde(rename = "product.too_large")]
    TooLarge { field: Box<str>, max: usize },
    /// An image's address is not one of the web.
    #[error("the image address {address} does not start with http:// or https://")]
    #[serde(rename = "product.bad_image_address")]
    BadImageAddress { address: Text },
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[("Listed", "2"), ("PriceChanged", "1")];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Listed(_) => "Listed",
            Self::PriceChanged { .. } => "PriceChanged",
        }
    }
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[
        "product.already_listed",
        "product.not_listed",
        "product.unknown_variant",
        "product.duplicate_sku",
        "product.no_variants",
        "product.negative_price",
        "product.too_large",
        "product.bad_image_address",
    ];

    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyListed => "product.already_listed",
            Self::NotListed => "product.not_listed",
            Self::UnknownVariant { .. } => "product.unknown_variant",
            Self::DuplicateSku { .. } => "product.duplicate_sku",
            Self::NoVariants => "product.no_variants",
            Self::NegativePrice { .. } => "product.negative_price",
            Self::TooLarge { .. } => "product.too_large",
            Self::BadImageAddress { .. } => "product.bad_image_address",
        }
    }
}

/// The state of a product.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Product {
    /// Not in the catalogue.
    #[default]
    Unlisted,
    /// In the catalogue: what it was listed with, and the prices of now.
    Listed {
        /// As it was listed.
        listing: Listing,
        /// The price of each variant now.
        prices: BTreeMap<Sku, Money>,
    },
}

impl Aggregate for Product {
    const TYPE: &'static str = "product";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::List(listing) => self.list(listing),
            Command::ChangePrice { sku, price } => self.change_price(sku, price),
        }
    }

    fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (Self::Unlisted, Event::Listed(listing)) => {
                let prices = listing.variants.iter().map(|variant| (variant.sku.clone(), variant.price));
                Self::Listed { prices: prices.collect(), listing }
            }
            (Self::Listed { listing, mut prices }, Event::PriceChanged { sku, new, .. }) => {
                if let Some(price) = prices.get_mut(&sku) {
                    *price = new;
                }
                Self::Listed { listing, prices }
            }
            (state, Event::Listed(_) | Event::PriceChanged { .. }) => state,
        }
    }

    /// Never: there is always another use of it.
    fn is_closed(&self) -> bool {
        false
    }
}

impl Product {
    /// As it was listed; its variants' prices may have changed since.
    #[must_use]
    pub const fn listing(&self) -> Option<&Listing> {
        match self {
            Self::Unlisted => None,
            Self::Listed { listing, .. } => Some(listing),
        }
    }

    /// What a variant costs now.
    #[must_use]
    pub fn price(&self, sku: &Sku) -> Option<Money> {
        match self {
            Self::Unlisted => None,
            Self::Listed { prices, .. } => prices.get(sku).copied(),
        }
    }

    fn list(&self, listing: Listing) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Listed { listing: listed, .. } if *listed == listing => Ok(vec![]),
            Self::Listed { .. } => Err(Refusal::AlreadyListed),
            Self::Unlisted => {
                check_sizes(&listing)?;
                check_variants(&listing.variants)?;
                check_images(&listing.images)?;
                Ok(vec![Event::Listed(listing)])
            }
        }
    }

    fn change_price(&self, sku: Sku, price: Money) -> Result<Vec<Event>, Refusal> {
        let Self::Listed { prices, .. } = self else {
            return Err(Refusal::NotListed);
        };
        match prices.get(&sku) {
            None => Err(Refusal::UnknownVariant { sku }),
            Some(_) if price.amount < 0 => Err(Refusal::NegativePrice { sku }),
            Some(old) if *old == price => Ok(vec![]),
            Some(old) => Ok(vec![Event::PriceChanged { sku, old: *old, new: price }]),
        }
    }
}

fn check_sizes(listing: &Listing) -> Result<(), Refusal> {
    let chars = |text: &Text| text.as_str().chars().count();
    let longest = |texts: &mut dyn Iterator<Item = &Text>| texts.map(chars).max().unwrap_or_default();
    let sizes = [
        ("title", chars(&listing.title), TITLE_CHARS_MAX),
        ("description", longest(&mut listing.description.iter()), DESCRIPTION_CHARS_MAX),
        ("brand", longest(&mut listing.brand.iter()), TITLE_CHARS_MAX),
        ("category", listing.category.len(), CATEGORY_LEVELS_MAX),
        ("category name", longest(&mut listing.category.iter()), TITLE_CHARS_MAX),
        ("images", listing.images.len(), IMAGES_MAX),
        ("image address", longest(&mut listing.images.iter()), IMAGE_ADDRESS_CHARS_MAX),
        ("variants", listing.variants.len(), VARIANTS_MAX),
        (
            "variant title",
            longest(&mut listing.variants.iter().filter_map(|variant| variant.title.as_ref())),
            TITLE_CHARS_MAX,
        ),
        (
            "tax category",
            longest(&mut listing.variants.iter().filter_map(|variant| variant.tax_category.as_ref())),
            TITLE_CHARS_MAX,
        ),
    ];
    match sizes.into_iter().find(|(_, size, max)| size > max) {
        Some((field, _, max)) => Err(Refusal::TooLarge { field: field.into(), max }),
        None => Ok(()),
    }
}

fn check_variants(variants: &[Variant]) -> Result<(), Refusal> {
    if variants.is_empty() {
        return Err(Refusal::NoVariants);
    }
    let mut seen = BTreeSet::new();
    for variant in variants {
        if !seen.insert(&variant.sku) {
            return Err(Refusal::DuplicateSku { sku: variant.sku.clone() });
        }
        if variant.price.amount < 0 {
            return Err(Refusal::NegativePrice { sku: variant.sku.clone() });
        }
    }
    Ok(())
}

fn check_images(images: &[Text]) -> Result<(), Refusal> {
    let of_the_web =
        |address: &Text| ["http://", "https://"].iter().any(|scheme| address.as_str().starts_with(scheme));
    match images.iter().find(|address| !of_the_web(address)) {
        Some(address) => Err(Refusal::BadImageAddress { address: address.clone() }),
        None => Ok(()),
    }
}
