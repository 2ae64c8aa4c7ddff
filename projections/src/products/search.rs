//! Search over products: what may be asked of any engine, and the answer out of Postgres itself.

use async_trait::async_trait;
use domain::value::Text;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use super::{
    NAME, Product,
    fold::folded,
    query::{COLUMNS, product_of},
};
use crate::{
    Cursor, Fresh, Freshness, Page, QueryError,
    page::rows_wanted,
    read_models::{Asker, PgQuery, Statement},
};

/// Ranking takes time for each match, so a word that most of the catalogue holds ranks the newest ones only.
const RANKED_MAX: usize = 5_000;

/// In which order products are given. Where it leaves two alike, the one listed last comes first, except that prices
/// from low to high are followed by the order of listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// What matches the text best, of the 5,000 newest matches; without a text, the newest.
    #[default]
    Relevance,
    /// What was listed last.
    Newest,
    /// The lowest price first.
    PriceAsc,
    /// The highest price first.
    PriceDesc,
}

/// What is searched for; everything that is given has to match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProductQuery {
    /// Words that title, brand, category, variants or description hold, all of them; `"…"` for a phrase, `-` for not.
    pub text: Option<String>,
    /// Where products belong: this category and everything below it.
    pub category: Vec<Text>,
    /// Who makes them.
    pub brand: Option<Text>,
    /// The least that the cheapest variant costs, in minor units.
    pub price_min: Option<i64>,
    /// The most that the cheapest variant costs, in minor units.
    pub price_max: Option<i64>,
    /// In which order.
    pub sort: Sort,
    /// Where the page begins.
    pub cursor: Option<Cursor>,
    /// Products on a page, from 1 to [`crate::LIMIT_MAX`].
    pub limit: u32,
}

/// An engine that finds products.
#[async_trait]
pub trait Search: Send + Sync {
    /// A page of the products that match, in the order asked for.
    async fn search(
        &self,
        query: &ProductQuery,
        freshness: Freshness,
    ) -> Result<Fresh<Page<Product>>, QueryError>;
}

/// Search in the read model itself.
#[derive(Clone)]
pub struct PostgresSearch {
    asker: Asker,
}

/// The place of a product in a list, for the next page's cursor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    Relevance { rank: f32, listed_at: i64 },
    Newest { listed_at: i64 },
    PriceAsc { price: i64, listed_at: i64 },
    PriceDesc { price: i64, listed_at: i64 },
}

impl PostgresSearch {
    pub(crate) const fn new(asker: Asker) -> Self {
        Self { asker }
    }
}

#[async_trait]
impl Search for PostgresSearch {
    async fn search(
        &self,
        query: &ProductQuery,
        freshness: Freshness,
    ) -> Result<Fresh<Page<Product>>, QueryError> {
        let search = Plan::of(query)?;
        let statement = search.statement();
        let rows = self.asker.ask(&statement, freshness, |query| search.bind(query)).await?;
        rows.try_map(|rows| {
            let place = |row| search.place(row);
            let found = rows
                .iter()
                .map(|row| Ok((product_of(row)?, place(row)?)))
                .collect::<Result<Vec<_>, sqlx::Error>>()?;
            let page = Page::of(found, query.limit, |(_, place)| *place)?;
            Ok(Page {
                data: page.data.into_iter().map(|(product, _)| product).collect(),
                next_cursor: page.next_cursor,
                has_more: page.has_more,
            })
        })
    }
}

/// A query made ready: the text folded, the sort settled, the cursor read.
struct Plan<'q> {
    query: &'q ProductQuery,
    text: Option<String>,
    sort: Sort,
    after: Option<Place>,
}

impl<'q> Plan<'q> {
    fn of(query: &'q ProductQuery) -> Result<Self, QueryError> {
        // Postgres cannot hold a NUL, and no text does.
        let text = query.text.as_ref().map(|text| folded(text).replace('\0', " "));
        let text = text.filter(|text| !text.trim().is_empty());
        let sort = match query.sort {
            Sort::Relevance if text.is_none() => Sort::Newest,
            sort => sort,
        };
        let after: Option<Place> = query.cursor.as_ref().map(Cursor::key).transpose()?;
        if after.is_some_and(|after| after.sort() != sort) {
            return Err(QueryError::BadCursor);
        }
        Ok(Self { query, text, sort, after })
    }

    /// Only what is asked for stands in the statement, so that the planner sees which index serves it. Every parameter
    /// is bound always, in one order.
    fn statement(&self) -> Statement {
        let (rank, matches) = match self.text {
            Some(_) => ("ts_rank(search, wanted)", "search @@ wanted"),
            None => ("0::real", "true"),
        };
        let mut conditions = vec![matches];
        if !self.query.category.is_empty() {
            conditions.push("category @> $2 AND category[1:cardinality($2)] = $2");
        }
        if self.query.brand.is_some() {
            conditions.push("brand = $3");
        }
        if self.query.price_min.is_some() {
            conditions.push("price >= $4");
        }
        if self.query.price_max.is_some() {
            conditions.push("price <= $5");
        }
        let conditions = conditions.join(" AND ");
        let (order, beginning) = match self.sort {
            Sort::Relevance => ("rank DESC, listed_at DESC", "(rank, listed_at) < ($6, $8)"),
            Sort::Newest => ("listed_at DESC", "listed_at < $8"),
            Sort::PriceAsc => ("price, listed_at", "(price, listed_at) > ($7, $8)"),
            Sort::PriceDesc => ("price DESC, listed_at DESC", "(price, listed_at) < ($7, $8)"),
        };
        let ranked_max = match self.sort {
            Sort::Relevance => format!("ORDER BY listed_at DESC LIMIT {RANKED_MAX}"),
            Sort::Newest | Sort::PriceAsc | Sort::PriceDesc => String::new(),
        };
        let beginning = if self.after.is_some() { beginning } else { "true" };
        let rows = format!(
            "SELECT {COLUMNS}, listed_at, price, rank \
             FROM (SELECT *, {rank} AS rank FROM ( \
                       SELECT products.*, wanted \
                       FROM products, (SELECT websearch_to_tsquery('simple', $1) AS wanted, $2::text[], $3::text, \
                                              $4::bigint, $5::bigint, $6::real, $7::bigint, $8::bigint) AS asked \
                       WHERE {conditions} {ranked_max}) AS matching) AS ranked \
             WHERE {beginning} ORDER BY {order} LIMIT $9"
        );
        Statement::new(NAME, "p.aggregate_type = 'product'", &rows, &format!("ORDER BY {order}"))
    }

    fn bind<'s>(&self, statement: PgQuery<'s>) -> PgQuery<'s> {
        let (rank, price, listed_at) = match self.after {
            None => (0.0, 0, 0),
            Some(Place::Relevance { rank, listed_at }) => (rank, 0, listed_at),
            Some(Place::Newest { listed_at }) => (0.0, 0, listed_at),
            Some(Place::PriceAsc { price, listed_at } | Place::PriceDesc { price, listed_at }) => {
                (0.0, price, listed_at)
            }
        };
        let category = self.query.category.iter();
        statement
            .bind(self.text.clone().unwrap_or_default())
            .bind(category.map(|name| name.as_str().to_owned()).collect::<Vec<_>>())
            .bind(self.query.brand.as_ref().map(|brand| brand.as_str().to_owned()))
            .bind(self.query.price_min)
            .bind(self.query.price_max)
            .bind(rank)
            .bind(price)
            .bind(listed_at)
            .bind(rows_wanted(self.query.limit))
    }

    fn place(&self, row: &sqlx::postgres::PgRow) -> Result<Place, sqlx::Error> {
        let listed_at = row.try_get("listed_at")?;
        Ok(match self.sort {
            Sort::Relevance => Place::Relevance { rank: row.try_get("rank")?, listed_at },
            Sort::Newest => Place::Newest { listed_at },
            Sort::PriceAsc => Place::PriceAsc { price: row.try_get("price")?, listed_at },
            Sort::PriceDesc => Place::PriceDesc { price: row.try_get("price")?, listed_at },
        })
    }
}

impl Place {
    const fn sort(self) -> Sort {
        match self {
            Self::Relevance { .. } => Sort::Relevance,
            Self::Newest { .. } => Sort::Newest,
            Self::PriceAsc { .. } => Sort::PriceAsc,
            Self::PriceDesc { .. } => Sort::PriceDesc,
        }
    }
}
