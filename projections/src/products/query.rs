//! Products by their id or by what is searched for, and offers by their SKU.

use domain::{
    product::Variant,
    value::{Money, ProductId, Sku, Text},
};
use sqlx::{Row as _, postgres::PgRow};

use super::{NAME, Offer, Product, ProductQuery};
use crate::{
    Fresh, Freshness, Page, QueryError, ReadModels,
    read_models::Statement,
    rows::{document, named, named_if_any},
};

pub(super) const COLUMNS: &str = "true AS found, id, title, description, brand, to_json(category)::text AS category, \
                                  images::text AS images, variants::text AS variants, version, position";

impl ReadModels {
    /// A product; `None` when it is not in the catalogue.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn product(
        &self,
        id: &ProductId,
        freshness: Freshness,
    ) -> Result<Fresh<Option<Product>>, QueryError> {
        let statement = Statement::new(
            NAME,
            "p.aggregate_type = 'product' AND p.aggregate_id = $1",
            &format!("SELECT {COLUMNS} FROM products WHERE id = $1"),
            "",
        );
        let rows = self.asker.ask(&statement, freshness, |query| query.bind(id.as_str())).await?;
        rows.try_map(|rows| Ok(rows.first().map(product_of).transpose()?))
    }

    /// Products that match.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn products(
        &self,
        query: &ProductQuery,
        freshness: Freshness,
    ) -> Result<Fresh<Page<Product>>, QueryError> {
        self.search.search(query, freshness).await
    }

    /// What a SKU is and costs; `None` when no product has it. Of several products that have it, the first listed counts.
    ///
    /// # Errors
    /// As [`QueryError`] says. A product that was set aside counts unless it is known not to have the SKU.
    pub async fn variant(&self, sku: &Sku, freshness: Freshness) -> Result<Fresh<Option<Offer>>, QueryError> {
        let statement = Statement::new(
            NAME,
            "p.aggregate_type = 'product' AND ( \
                 EXISTS (SELECT FROM variants v WHERE v.product = p.aggregate_id AND v.sku = $1) \
                 OR NOT EXISTS (SELECT FROM products WHERE id = p.aggregate_id))",
            "SELECT true AS found, sku, product, title, price, currency FROM variants WHERE sku = $1 \
             ORDER BY listed_at LIMIT 1",
            "",
        );
        let rows = self.asker.ask(&statement, freshness, |query| query.bind(sku.as_str())).await?;
        rows.try_map(|rows| Ok(rows.first().map(offer_of).transpose()?))
    }
}

pub(super) fn product_of(row: &PgRow) -> Result<Product, sqlx::Error> {
    let variants: Vec<Variant> = document(row, "variants")?;
    let prices = variants.iter().map(|variant| variant.price);
    let price_from = prices
        .min_by_key(|price| price.amount)
        .ok_or_else(|| sqlx::Error::Decode("a product has no variants".into()))?;
    Ok(Product {
        id: named(row, "id")?,
        title: named(row, "title")?,
        description: named_if_any::<Text>(row, "description")?,
        brand: named_if_any::<Text>(row, "brand")?,
        category: document(row, "category")?,
        images: document(row, "images")?,
        variants,
        price_from,
        version: row.try_get("version")?,
        position: row.try_get("position")?,
    })
}

fn offer_of(row: &PgRow) -> Result<Offer, sqlx::Error> {
    Ok(Offer {
        sku: named(row, "sku")?,
        product: named(row, "product")?,
        title: named(row, "title")?,
        price: Money::new(row.try_get("price")?, named(row, "currency")?),
    })
}
