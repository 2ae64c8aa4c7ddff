//! Products by their id or by what is searched for, and offers by their SKU.

use domain::{
    AggregateType,
    product::Variant,
    value::{Money, ProductId, Quantity, Sku, Text},
};
use sqlx::{Row as _, postgres::PgRow};
use store::log::StreamId;

use super::{NAME, Offer, Product};
use crate::{
    Fresh, Freshness, QueryError, ReadModels,
    fresh::Seen,
    hot::{Based, Basis},
    read_models::Statement,
    rows::{document, named, named_if_any},
    search::{ProductQuery, Results, Suggestions},
};

pub(crate) const COLUMNS: &str = "true AS found, id, title, description, brand, to_json(category)::text AS category, \
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
        let (value, seen) = self.product_seen(id, freshness).await?;
        Ok(Fresh::seen(value, &seen))
    }

    pub(super) async fn product_seen(
        &self,
        id: &ProductId,
        freshness: Freshness,
    ) -> Result<(Option<Product>, Seen), QueryError> {
        let statement = Statement::new(
            NAME,
            "p.aggregate_type = 'product' AND p.aggregate_id = $1",
            &format!("SELECT {COLUMNS} FROM products WHERE id = $1"),
            "",
        );
        let (rows, seen) =
            self.asker.ask_seen(&statement, freshness, |query| query.bind(id.as_str())).await?;
        Ok((rows.first().map(product_of).transpose()?, seen))
    }

    /// Products that match.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn products(
        &self,
        query: &ProductQuery,
        freshness: Freshness,
    ) -> Result<Fresh<Results>, QueryError> {
        self.search.search(query, freshness).await
    }

    /// What a text that is still being typed may become.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn suggestions(
        &self,
        text: &str,
        freshness: Freshness,
    ) -> Result<Fresh<Suggestions>, QueryError> {
        self.search.suggest(text, freshness).await
    }

    /// What a SKU is and costs; `None` when no product has it. Of several products that have it, the first listed counts.
    ///
    /// # Errors
    /// As [`QueryError`] says. A product that was set aside counts unless it is known not to have the SKU.
    pub async fn variant(&self, sku: &Sku, freshness: Freshness) -> Result<Fresh<Option<Offer>>, QueryError> {
        let offers = self.variants(std::slice::from_ref(sku), freshness).await?;
        Ok(offers.map(|offers| offers.into_iter().next()))
    }

    /// The same for several SKUs at once, by SKU; those that no product has are not among them.
    ///
    /// # Errors
    /// As [`ReadModels::variant`].
    pub async fn variants(
        &self,
        skus: &[Sku],
        freshness: Freshness,
    ) -> Result<Fresh<Vec<Offer>>, QueryError> {
        let (offers, seen) = self.offers_seen(skus, freshness).await?;
        Ok(Fresh::seen(offers, &seen))
    }

    /// What a SKU is and costs, and what that rests on: the product that was listed first stays the first.
    ///
    /// # Errors
    /// As [`ReadModels::variant`].
    pub async fn offer(&self, sku: &Sku, freshness: Freshness) -> Result<Based<Option<Offer>>, QueryError> {
        let (offers, seen) = self.offers_seen(std::slice::from_ref(sku), freshness).await?;
        let offer = offers.into_iter().next();
        let stream = |offer: &Offer| StreamId::new(AggregateType::Product, offer.product.as_str());
        let basis = offer.as_ref().map(|offer| Basis::new(NAME, seen, vec![stream(offer)]));
        Ok(Based { fresh: Fresh::seen(offer, &seen), basis })
    }

    async fn offers_seen(
        &self,
        skus: &[Sku],
        freshness: Freshness,
    ) -> Result<(Vec<Offer>, Seen), QueryError> {
        let statement = Statement::new(
            NAME,
            "p.aggregate_type = 'product' AND ( \
                 EXISTS (SELECT FROM variants v WHERE v.product = p.aggregate_id AND v.sku = ANY($1)) \
                 OR NOT EXISTS (SELECT FROM products WHERE id = p.aggregate_id))",
            "SELECT DISTINCT ON (sku) true AS found, sku, product, title, price, currency, tax_category, \
                    weight_grams, purchase_limit \
             FROM variants WHERE sku = ANY($1) ORDER BY sku, listed_at",
            "",
        );
        let skus: Vec<&str> = skus.iter().map(Sku::as_str).collect();
        let (rows, seen) =
            self.asker.ask_seen(&statement, freshness, |query| query.bind(skus.clone())).await?;
        Ok((rows.iter().map(offer_of).collect::<Result<_, _>>()?, seen))
    }
}

pub(crate) fn product_of(row: &PgRow) -> Result<Product, sqlx::Error> {
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
        tax_category: named_if_any(row, "tax_category")?,
        weight_grams: counted(row.try_get("weight_grams")?)?,
        purchase_limit: match row.try_get::<Option<i64>, _>("purchase_limit")? {
            None => None,
            Some(limit) => {
                Some(Quantity::new(counted(limit)?).map_err(|error| sqlx::Error::Decode(error.into()))?)
            }
        },
    })
}

fn counted(stored: i64) -> Result<u32, sqlx::Error> {
    u32::try_from(stored).map_err(|error| sqlx::Error::Decode(error.into()))
}
