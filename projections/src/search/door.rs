//! Answers questions out of an index: as fresh as asked for, with rows of the read model, and popular ones from memory.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use sqlx::Row as _;
use store::{executor::Token, log::Position};

use super::{
    cache::Cache,
    check::Checked,
    follow::Followed,
    highlight::Marker,
    index::{COMPLETIONS_MAX, Hits},
    query::{Found, ProductQuery, Results, Sort, Suggested, Suggestions},
    source::{Look, SOURCES},
    synonyms::Synonyms,
    words::Typed,
};
use crate::{
    Fresh, Freshness, Page, QueryError,
    page::Cursor,
    products::{self, Product, product_of},
    read_models::{Asker, Statement},
};

/// What is searched with.
#[async_trait]
pub trait Search: Send + Sync {
    /// A page of the products that match, in the order asked for.
    async fn search(&self, query: &ProductQuery, freshness: Freshness) -> Result<Fresh<Results>, QueryError>;

    /// What a text that is still being typed may become.
    async fn suggest(&self, text: &str, freshness: Freshness) -> Result<Fresh<Suggestions>, QueryError>;

    /// What was found when the index was compared with its rows last, all of it or some; `None` before the first time, in a
    /// process that only asks an index that another one writes, and where there is none.
    fn checked(&self) -> Option<Checked>;
}

/// Search in an index that is kept at the end of the read models.
pub(crate) struct IndexSearch {
    followed: Followed,
    synonyms: Synonyms,
    cache: Cache,
    asker: Asker,
}

/// The read models that an answer depends on, beside that of products.
#[derive(Clone, Copy)]
struct Needs {
    stock: bool,
    sales: bool,
}

impl Needs {
    fn of(query: &ProductQuery) -> Self {
        Self {
            stock: query.available.is_some() || query.facets.available,
            sales: query.sort == Sort::Popularity,
        }
    }

    /// Those whose rows have to be fresh.
    fn names(self) -> impl Iterator<Item = &'static str> {
        let [products, stock, sales] = SOURCES.map(|(name, _)| name);
        [Some(products), self.stock.then_some(stock), self.sales.then_some(sales)].into_iter().flatten()
    }

    fn of_look(self, look: &Look) -> impl Iterator<Item = &crate::fresh::Seen> {
        let [products, stock, sales] = &look.seen;
        [Some(products), self.stock.then_some(stock), self.sales.then_some(sales)].into_iter().flatten()
    }
}

impl IndexSearch {
    pub fn new(followed: Followed, synonyms: Synonyms, asker: Asker) -> Self {
        Self { followed, synonyms, cache: Cache::default(), asker }
    }

    /// Waits until the index is as fresh as it has to be, and says what it reflects.
    async fn fresh(&self, needs: Needs, freshness: Freshness) -> Result<Fresh<()>, QueryError> {
        let mut deadline = self.followed.clock.sleep(freshness.wait);
        let mut late = freshness.wait.is_zero();
        let mut looks = self.followed.look.clone();
        loop {
            let look = looks.borrow_and_update().clone();
            let error = match look {
                None => QueryError::Behind { reflects: 0 },
                Some(look) => match self.judge(&look, needs, freshness.at_least) {
                    Ok(fresh) => return Ok(fresh),
                    Err(error) => error,
                },
            };
            // A restore leaves old rows until the followers have begun again: the token may be the newer one.
            if late || !matches!(error, QueryError::Behind { .. } | QueryError::WrongIncarnation) {
                return Err(error);
            }
            needs.names().for_each(|name| self.asker.want(name));
            self.followed.wanted.notify_one();
            tokio::select! {
                Ok(()) = looks.changed() => {}
                () = self.followed.clock.sleep(AGAIN_AFTER) => {}
                () = &mut deadline => late = true,
            }
        }
    }

    fn judge(&self, look: &Look, needs: Needs, at_least: Option<Token>) -> Result<Fresh<()>, QueryError> {
        let mut fresh: Option<Fresh<()>> = None;
        for seen in needs.of_look(look) {
            self.asker.judge(seen, at_least)?;
            let this = Fresh::seen((), seen);
            fresh = Some(fresh.map_or(this, |fresh| fresh.resting_on(&this)));
        }
        fresh.ok_or(QueryError::Behind { reflects: 0 })
    }

    async fn hits(&self, query: &ProductQuery) -> Result<Hits, QueryError> {
        // Read before the index is asked: what moves meanwhile makes the answer one that is not kept for long.
        let moves = self.followed.moves.now();
        if let Some(hits) = self.cache.get(query, &moves) {
            return Ok(hits);
        }
        let hits = self.followed.index.find(query).await?;
        self.cache.put(query, &hits, moves);
        Ok(hits)
    }

    /// The products of these listings, in that order; one that the read model does not have is left out.
    /// The index may be ahead of the database that answers, so the rows have to be as fresh as the index had to be.
    async fn products(
        &self,
        listed_at: &[Position],
        (freshness, begun_us): (Freshness, i64),
    ) -> Result<Fresh<Vec<Product>>, QueryError> {
        let freshness = Freshness { wait: self.asker.left(freshness.wait, begun_us), ..freshness };
        let rows = format!("SELECT {}, listed_at FROM products WHERE listed_at = ANY($1)", products::COLUMNS);
        let statement = Statement::new(products::NAME, "p.aggregate_type = 'product'", &rows, "");
        let rows = self.asker.ask(&statement, freshness, |query| query.bind(listed_at)).await?;
        rows.try_map(|rows| {
            let read = |row| Ok((row_listed_at(row)?, product_of(row)?));
            let mut found: HashMap<Position, Product> =
                rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?;
            Ok(listed_at.iter().filter_map(|listed_at| found.remove(listed_at)).collect())
        })
    }
}

/// How often who waits asks for another look.
const AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(10);

fn row_listed_at(row: &sqlx::postgres::PgRow) -> Result<Position, sqlx::Error> {
    row.try_get("listed_at")
}

#[async_trait]
impl Search for IndexSearch {
    async fn search(&self, query: &ProductQuery, freshness: Freshness) -> Result<Fresh<Results>, QueryError> {
        query.after()?;
        let begun_us = self.asker.elapsed_us();
        let fresh = self.fresh(Needs::of(query), freshness).await?;
        let hits = self.hits(query).await?;
        let products = self.products(&hits.listed_at, (freshness, begun_us)).await?;
        let fresh = fresh.resting_on(&products);
        let typed = query.said().map(Typed::read);
        let marker = typed.as_ref().map(|typed| Marker::new(typed, &self.synonyms));
        let found = products
            .value
            .into_iter()
            .map(|product| Found { highlight: marker.as_ref().map(|marker| marker.mark(&product)), product });
        let next_cursor = hits.next.map(|place| Cursor::after(&place)).transpose()?;
        let page = Page { data: found.collect(), has_more: next_cursor.is_some(), next_cursor };
        Ok(fresh.map(|()| Results { page, facets: hits.facets }))
    }

    async fn suggest(&self, text: &str, freshness: Freshness) -> Result<Fresh<Suggestions>, QueryError> {
        let limit = u32::try_from(COMPLETIONS_MAX).unwrap_or(10);
        let query = ProductQuery { text: Some(text.to_owned()), limit, ..ProductQuery::default() };
        let begun_us = self.asker.elapsed_us();
        let fresh = self.fresh(Needs::of(&query), freshness).await?;
        let Some(text) = query.said() else {
            return Ok(fresh.map(|()| Suggestions::default()));
        };
        let (queries, hits) = tokio::join!(self.followed.index.complete(text), self.hits(&query));
        let products = self.products(&hits?.listed_at, (freshness, begun_us)).await?;
        let fresh = fresh.resting_on(&products);
        let typed = Typed::read(text);
        let marker = Marker::new(&typed, &self.synonyms);
        let titles = products.value.into_iter().map(|product| Suggested {
            highlight: marker.marked(product.title.as_str()).0,
            title: product.title.as_str().to_owned(),
            id: product.id,
        });
        let suggestions = Suggestions { queries: queries?, titles: titles.collect() };
        Ok(fresh.map(|()| suggestions))
    }

    fn checked(&self) -> Option<Checked> {
        self.followed.checked()
    }
}

/// Search where there is no index.
pub(crate) struct NoSearch;

#[async_trait]
impl Search for NoSearch {
    async fn search(&self, _: &ProductQuery, _: Freshness) -> Result<Fresh<Results>, QueryError> {
        Err(QueryError::Index("this process keeps no search index".to_owned()))
    }

    async fn suggest(&self, _: &str, _: Freshness) -> Result<Fresh<Suggestions>, QueryError> {
        Err(QueryError::Index("this process keeps no search index".to_owned()))
    }

    fn checked(&self) -> Option<Checked> {
        None
    }
}

/// A door for whoever shares it.
pub(crate) fn door(followed: Followed, synonyms: Synonyms, asker: Asker) -> Arc<dyn Search> {
    Arc::new(IndexSearch::new(followed, synonyms, asker))
}
