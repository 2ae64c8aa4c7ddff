//! The catalogue: products with the prices of now, and what a cart needs to know of a SKU.

mod fold;
mod page;
mod query;
mod write;

use async_trait::async_trait;
use domain::{
    AggregateType, AnyEvent,
    product::Variant,
    value::{Money, ProductId, Quantity, Sku, Text},
};
use serde::Serialize;
use sqlx::PgConnection;
use store::{
    follow::{ApplyError, Projection, ReadTable},
    log::{Position, Recorded, Sequence},
};

use crate::{batch::steps, hot::Weighed};

pub(crate) use query::{COLUMNS, product_of};

/// The follower's name.
pub const NAME: &str = "products";

/// An entry of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Product<V = Variant> {
    /// Its id.
    pub id: ProductId,
    /// Its name.
    pub title: Text,
    /// What it is.
    pub description: Option<Text>,
    /// Who makes it.
    pub brand: Option<Text>,
    /// Where it belongs, from the widest category to the narrowest.
    pub category: Vec<Text>,
    /// Addresses of pictures.
    pub images: Vec<Text>,
    /// What can be bought, at the prices of now.
    pub variants: Vec<V>,
    /// The price of the cheapest variant, by which products are filtered and sorted.
    pub price_from: Money,
    /// The stream's version.
    pub version: Sequence,
    /// The last event that changed it.
    pub position: Position,
}

impl<V> Product<V> {
    /// The same with something else told of each variant.
    pub(crate) fn with_variants<W>(self, told: impl Fn(V) -> W) -> Product<W> {
        Product {
            id: self.id,
            title: self.title,
            description: self.description,
            brand: self.brand,
            category: self.category,
            images: self.images,
            variants: self.variants.into_iter().map(told).collect(),
            price_from: self.price_from,
            version: self.version,
            position: self.position,
        }
    }
}

/// A variant as the product's page shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offered {
    /// What it is and costs.
    #[serde(flatten)]
    pub variant: Variant,
    /// Units that can be reserved now.
    pub available: i64,
}

/// What a cart needs to know of a SKU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offer {
    /// Which.
    pub sku: Sku,
    /// The product that it is a variant of.
    pub product: ProductId,
    /// The product's name, with the variant's where it has one.
    pub title: Text,
    /// The price of one now.
    pub price: Money,
    /// What the tax table calls its kind.
    pub tax_category: Option<Text>,
    /// What one weighs.
    pub weight_grams: u32,
    /// How many one customer may buy in all.
    pub purchase_limit: Option<Quantity>,
}

impl Weighed for Offer {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.sku.as_str().len() + self.product.as_str().len() + self.title.as_str().len()
    }
}

/// Follows the catalogue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Products;

#[async_trait]
impl Projection for Products {
    fn name(&self) -> &'static str {
        NAME
    }

    fn follows(&self) -> &'static [AggregateType] {
        &[AggregateType::Product]
    }

    fn tables(&self) -> &'static [ReadTable] {
        &[
            ReadTable { name: "products", key: &["id"] },
            ReadTable { name: "variants", key: &["sku", "product"] },
        ]
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        let steps = steps(events, AggregateType::Product, |event| match event {
            AnyEvent::Product(event) => Some(event),
            _ => None,
        });
        write::write(connection, &steps).await
    }
}
