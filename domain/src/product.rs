//! One entry of the catalogue: what it is, and the price of each variant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    value::{Money, Sku, Text},
};

/// A product has at most this many variants.
pub const VARIANTS_MAX: usize = 200;
/// A product shows at most this many images.
pub const IMAGES_MAX: usize = 50;
/// Levels of the category path, from the widest to the narrowest.
pub const CATEGORY_LEVELS_MAX: usize = 8;
/// Characters of a title.
pub const TITLE_CHARS_MAX: usize = 200;
/// Characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 10_000;

/// Something that can be put into a cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its stock keeping unit.
    pub sku: Sku,
    /// What tells it from its siblings, such as "red, XL".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// Its price, above or equal to zero.
    pub price: Money,
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
pub enum Command {
    /// Put it into the catalogue.
    List(Listing),
    /// Change one variant's price.
    ChangePrice { sku: Sku, price: Money },
}

/// What happened to a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It is in the catalogue.
    Listed(Listing),
    /// A variant costs something else now.
    PriceChanged { sku: Sku, old: Money, new: Money },
}

/// Why a product may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
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
