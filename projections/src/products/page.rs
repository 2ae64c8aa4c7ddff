//! A product's page: the catalogue's entry, with what of each variant is available.

use domain::{
    AggregateType,
    value::{ProductId, Time},
};
use store::log::StreamId;

use super::{NAME, Offered, Product};
use crate::{
    Fresh, Freshness, QueryError, ReadModels,
    hot::{Based, Basis},
    stock,
};

impl ReadModels {
    /// A product with what is available of it at `now`, and what that rests on; `None` when it is not in the catalogue.
    ///
    /// # Errors
    /// As [`QueryError`] says. A token has to be met by the stock as well.
    pub async fn product_page(
        &self,
        id: &ProductId,
        now: Time,
        freshness: Freshness,
    ) -> Result<Based<Option<Product<Offered>>>, QueryError> {
        let begun_us = self.asker.elapsed_us();
        let (product, seen) = self.product_seen(id, freshness).await?;
        let Some(product) = product else {
            return Ok(Based { fresh: Fresh::seen(None, &seen), basis: None });
        };
        let skus: Vec<&str> = product.variants.iter().map(|variant| variant.sku.as_str()).collect();
        let freshness = Freshness { wait: self.asker.left(freshness.wait, begun_us), ..freshness };
        let (available, over, stock_seen) = self.available(&skus, now, freshness).await?;
        let items = skus.iter().map(|sku| StreamId::new(AggregateType::InventoryItem, sku)).collect();
        let own = vec![StreamId::new(AggregateType::Product, id.as_str())];
        let basis = Basis::new(NAME, seen, own).and(Basis::new(stock::NAME, stock_seen, items), over);
        let page = product.with_variants(|variant| {
            let available = available.get(variant.sku.as_str()).copied().unwrap_or(0);
            Offered { variant, available }
        });
        let fresh = Fresh::seen(Some(page), &seen).resting_on(&Fresh::seen((), &stock_seen));
        Ok(Based { fresh, basis: Some(basis) })
    }
}
