//! Reads and writes products' rows, a batch at a time.

use std::collections::BTreeMap;

use domain::{
    product::{Event, Variant},
    value::Text,
};
use sqlx::{PgConnection, Row as _};
use store::follow::ApplyError;

use super::fold::{Listed, Row, apply, offer_title};
use crate::{
    batch::{Step, column, fold, loaded},
    rows::{document, text},
};

/// Applies a batch to the tables.
pub(super) async fn write(
    connection: &mut PgConnection,
    steps: &[Step<'_, Event>],
) -> Result<(), ApplyError> {
    if steps.is_empty() {
        return Ok(());
    }
    let mut rows = load(connection, &loaded(steps)).await?;
    fold(&mut rows, steps, apply)?;
    let (mut new, mut changed) = (Vec::new(), Vec::new());
    for (id, row) in &rows {
        match &row.listed {
            Some(listed) => new.push((id.as_str(), &**listed, row)),
            None => changed.push((id.as_str(), row)),
        }
    }
    if !new.is_empty() {
        insert(connection, &new).await?;
        insert_variants(connection, &new).await?;
    }
    if !changed.is_empty() {
        update(connection, &changed).await?;
        update_variants(connection, &changed).await?;
    }
    Ok(())
}

async fn load(connection: &mut PgConnection, ids: &[&str]) -> Result<BTreeMap<String, Row>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(
        "SELECT id, variants::text AS variants, version, position FROM products WHERE id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let one = |row: &sqlx::postgres::PgRow| {
        let found = Row {
            listed: None,
            variants: document(row, "variants")?,
            version: row.try_get("version")?,
            position: row.try_get("position")?,
        };
        Ok((row.try_get("id")?, found))
    };
    rows.iter().map(one).collect()
}

async fn insert(connection: &mut PgConnection, new: &[(&str, &Listed, &Row)]) -> Result<(), ApplyError> {
    let variants = variants(new.iter().map(|(_, _, row)| *row))?;
    sqlx::query(
        "INSERT INTO products (id, title, description, brand, category, images, search, listed_at, variants, price, \
                               version, position) \
         SELECT id, title, description, brand, ARRAY(SELECT json_array_elements_text(category::json)), images::json, \
                setweight(to_tsvector('simple', words), 'A') || setweight(to_tsvector('simple', kind_words), 'B') \
                    || setweight(to_tsvector('simple', description_words), 'D'), \
                listed_at, variants::json, price, version, position \
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
                     $9::text[], $10::bigint[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[]) \
              AS new (id, title, description, brand, category, images, words, kind_words, description_words, \
                      listed_at, variants, price, version, position)",
    )
    .bind(column(new, |(id, _, _)| *id))
    .bind(column(new, |(_, listed, _)| listed.title.as_str()))
    .bind(column(new, |(_, listed, _)| listed.description.as_ref().map(|text| text.as_str())))
    .bind(column(new, |(_, listed, _)| listed.brand.as_ref().map(|text| text.as_str())))
    .bind(column(new, |(_, listed, _)| listed.category.as_str()))
    .bind(column(new, |(_, listed, _)| listed.images.as_str()))
    .bind(column(new, |(_, listed, _)| listed.words.title.as_str()))
    .bind(column(new, |(_, listed, _)| listed.words.kind.as_str()))
    .bind(column(new, |(_, listed, _)| listed.words.description.as_str()))
    .bind(column(new, |(_, listed, _)| listed.at))
    .bind(variants)
    .bind(column(new, |(_, _, row)| price(row)))
    .bind(column(new, |(_, _, row)| row.version))
    .bind(column(new, |(_, _, row)| row.position))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_variants(
    connection: &mut PgConnection,
    new: &[(&str, &Listed, &Row)],
) -> Result<(), ApplyError> {
    let offers: Vec<(&str, &Listed, &Variant)> = new
        .iter()
        .flat_map(|(id, listed, row)| row.variants.iter().map(move |variant| (*id, *listed, variant)))
        .collect();
    sqlx::query(
        "INSERT INTO variants (sku, product, title, price, currency, listed_at, tax_category, weight_grams, \
                               purchase_limit) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], \
                              $7::text[], $8::bigint[], $9::bigint[])",
    )
    .bind(column(&offers, |(_, _, variant)| variant.sku.as_str()))
    .bind(column(&offers, |(id, _, _)| *id))
    .bind(column(&offers, |(_, listed, variant)| offer_title(listed.title.as_str(), variant)))
    .bind(column(&offers, |(_, _, variant)| variant.price.amount))
    .bind(column(&offers, |(_, _, variant)| variant.price.currency.as_str()))
    .bind(column(&offers, |(_, listed, _)| listed.at))
    .bind(column(&offers, |(_, _, variant)| variant.tax_category.as_ref().map(Text::as_str)))
    .bind(column(&offers, |(_, _, variant)| i64::from(variant.weight_grams)))
    .bind(column(&offers, |(_, _, variant)| variant.purchase_limit.map(|limit| i64::from(limit.get()))))
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(connection: &mut PgConnection, changed: &[(&str, &Row)]) -> Result<(), ApplyError> {
    let variants = variants(changed.iter().map(|(_, row)| *row))?;
    sqlx::query(
        "UPDATE products SET variants = new.variants::json, price = new.price, version = new.version, \
                             position = new.position \
         FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) \
              AS new (id, variants, price, version, position) \
         WHERE products.id = new.id",
    )
    .bind(column(changed, |(id, _)| *id))
    .bind(variants)
    .bind(column(changed, |(_, row)| price(row)))
    .bind(column(changed, |(_, row)| row.version))
    .bind(column(changed, |(_, row)| row.position))
    .execute(connection)
    .await?;
    Ok(())
}

async fn update_variants(connection: &mut PgConnection, changed: &[(&str, &Row)]) -> Result<(), ApplyError> {
    let prices: Vec<(&str, &Variant)> =
        changed.iter().flat_map(|(id, row)| row.variants.iter().map(move |variant| (*id, variant))).collect();
    sqlx::query(
        "UPDATE variants SET price = new.price, currency = new.currency \
         FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[]) AS new (sku, product, price, currency) \
         WHERE variants.sku = new.sku AND variants.product = new.product \
           AND (variants.price, variants.currency) IS DISTINCT FROM (new.price, new.currency)",
    )
    .bind(column(&prices, |(_, variant)| variant.sku.as_str()))
    .bind(column(&prices, |(id, _)| *id))
    .bind(column(&prices, |(_, variant)| variant.price.amount))
    .bind(column(&prices, |(_, variant)| variant.price.currency.as_str()))
    .execute(connection)
    .await?;
    Ok(())
}

fn variants<'r>(rows: impl Iterator<Item = &'r Row>) -> Result<Vec<String>, ApplyError> {
    rows.map(|row| text(&row.variants)).collect()
}

fn price(row: &Row) -> i64 {
    let prices = row.variants.iter().map(|variant| variant.price.amount);
    prices.min().unwrap_or(0)
}
