//! The same products in Postgres, as a shop would search them there.

use std::fmt::Write as _;

use projections::search::{ProductQuery, Sort};
use sqlx::{Executor as _, PgPool, Row as _, postgres::PgPoolOptions};
use store::testing::Ground;

use super::{CLIENTS, catalogue::Catalogue};

const TABLE: &str = "
    CREATE TABLE shelf (listed_at bigint PRIMARY KEY, title text NOT NULL, brand text COLLATE \"C\", category text[] NOT NULL,
        price bigint NOT NULL, available boolean NOT NULL, sold bigint NOT NULL, rating int NOT NULL,
        band int NOT NULL, search tsvector NOT NULL)";
const INDEXES: [&str; 8] = [
    "CREATE INDEX ON shelf USING gin (search)",
    "CREATE INDEX ON shelf USING gin (title gin_trgm_ops)",
    "CREATE INDEX ON shelf USING gin (category)",
    "CREATE INDEX ON shelf (brand, rating DESC)",
    "CREATE INDEX ON shelf (price)",
    "CREATE INDEX ON shelf (sold DESC)",
    "CREATE INDEX ON shelf (rating DESC)",
    "VACUUM ANALYZE shelf",
];

/// What it finds.
pub struct Found {
    pub listed_at: Vec<i64>,
    /// All hits, where something was counted.
    pub total: Option<u64>,
}

#[derive(Clone)]
pub struct Rival {
    pool: PgPool,
}

impl Rival {
    pub async fn load(ground: &Ground, catalogue: &Catalogue) -> Self {
        let schema = format!("{}_shelf", ground.prefix);
        let path = format!("SET search_path = {schema}, public");
        let pool = PgPoolOptions::new()
            .max_connections(u32::try_from(CLIENTS).unwrap())
            .after_connect(move |connection, _| {
                let path = path.clone();
                Box::pin(async move { connection.execute(path.as_str()).await.map(|_| ()) })
            })
            .connect(&ground.owner_url)
            .await
            .unwrap();
        pool.execute(format!("CREATE SCHEMA {schema}").as_str()).await.unwrap();
        pool.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public").await.unwrap();
        pool.execute(TABLE).await.unwrap();
        for chunk in catalogue.chunks() {
            let of = |json: &dyn Fn(&projections::search::Document) -> String| {
                chunk.iter().map(json).collect::<Vec<_>>()
            };
            sqlx::query(
                "INSERT INTO shelf SELECT listed_at, title, brand, string_to_array(category, '|'), price, available, sold, \
                        rating, band, setweight(to_tsvector('english', title), 'A') \
                            || setweight(to_tsvector('english', coalesce(brand, '') || ' ' || replace(category, '|', ' ')), 'B') \
                            || setweight(to_tsvector('english', description), 'D') \
                 FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::boolean[], $7::bigint[], \
                             $8::int[], $9::int[], $10::text[]) \
                      AS l (listed_at, title, brand, category, price, available, sold, rating, band, description)",
            )
            .bind(chunk.iter().map(|of| of.listed_at).collect::<Vec<_>>())
            .bind(of(&|of| of.title.clone()))
            .bind(of(&|of| of.brand.clone().unwrap()))
            .bind(of(&|of| of.category.join("|")))
            .bind(chunk.iter().map(|of| of.values.price).collect::<Vec<_>>())
            .bind(chunk.iter().map(|of| of.values.available).collect::<Vec<_>>())
            .bind(chunk.iter().map(|of| of.values.sold).collect::<Vec<_>>())
            .bind(chunk.iter().map(|of| i32::try_from(of.values.rating()).unwrap()).collect::<Vec<_>>())
            .bind(chunk.iter().map(|of| i32::try_from(of.values.band()).unwrap()).collect::<Vec<_>>())
            .bind(of(&|of| of.description.clone().unwrap()))
            .execute(&pool)
            .await
            .unwrap();
        }
        for index in INDEXES {
            pool.execute(index).await.unwrap();
        }
        Self { pool }
    }

    /// One statement for the page and the counts; a second one by trigrams when the words find nothing.
    pub async fn find(&self, query: &ProductQuery) -> Found {
        let found = self.ask(query, false).await;
        if found.listed_at.is_empty() && query.said().is_some() { self.ask(query, true).await } else { found }
    }

    async fn ask(&self, query: &ProductQuery, trigrams: bool) -> Found {
        let text = query.said();
        let mut conditions = vec!["true".to_owned()];
        let mut rank = "0::real".to_owned();
        if text.is_some() && trigrams {
            conditions.push("$1 <% title".to_owned());
            rank = "word_similarity($1, title)".to_owned();
        } else if text.is_some() {
            conditions.push("search @@ to_tsquery('english', $1)".to_owned());
            rank = "ts_rank(search, to_tsquery('english', $1))".to_owned();
        }
        if !query.category.is_empty() {
            conditions.push("category @> $2 AND category[1:cardinality($2)] = $2".to_owned());
        }
        if query.brand.is_some() {
            conditions.push("brand = $3".to_owned());
        }
        let mut also = |condition: Option<String>| conditions.extend(condition);
        also(query.price_min.map(|min| format!("price >= {min}")));
        also(query.price_max.map(|max| format!("price <= {max}")));
        also(query.rating_min.map(|min| format!("rating >= {min}")));
        also(query.available.map(|available| format!("available = {available}")));
        let order = match query.order() {
            Sort::Relevance => "rank DESC, listed_at DESC",
            Sort::Newest => "listed_at DESC",
            Sort::PriceAsc => "price, listed_at",
            Sort::PriceDesc => "price DESC, listed_at DESC",
            Sort::Rating => "rating DESC, listed_at DESC",
            Sort::Popularity => "sold DESC, listed_at DESC",
        };
        let mut sql = format!(
            "WITH hits AS {} (SELECT listed_at, price, rating, sold, brand, category, band, available, {rank} AS rank \
             FROM shelf WHERE {}), page AS (SELECT listed_at FROM hits ORDER BY {order} LIMIT {}) ",
            if query.facets.any() { "MATERIALIZED" } else { "NOT MATERIALIZED" },
            conditions.join(" AND "),
            query.limit
        );
        if query.facets.any() {
            let mut sets = vec!["()", "(brand)", "(category)", "(band)"];
            let mut also = "NULL::int AS stars, NULL::boolean AS available";
            if query.facets.rating {
                sets.extend(["(rating / 1000)", "(available)"]);
                also = "rating / 1000 AS stars, available";
            }
            let _ = write!(
                sql,
                "SELECT (SELECT array_agg(listed_at) FROM page) AS listed_at, json_agg(f)::text AS counted, \
                        max(f.count) AS total \
                 FROM (SELECT brand, category, band, {also}, count(*) FROM hits \
                       GROUP BY GROUPING SETS ({})) AS f",
                sets.join(", ")
            );
        } else {
            sql.push_str(
                "SELECT array_agg(listed_at) AS listed_at, NULL AS counted, NULL::bigint AS total FROM page",
            );
        }
        let typed = match text {
            Some(text) if trigrams => text.trim().to_owned(),
            Some(text) => tsquery(text),
            None => String::new(),
        };
        // Every parameter is bound always; those that are not used still need a type.
        let sql = format!("{sql} WHERE $1::text IS NOT NULL OR $2::text[] IS NULL OR $3::text IS NULL");
        let category: Vec<String> = query.category.iter().map(|name| name.as_str().to_owned()).collect();
        let row = sqlx::query(&sql)
            .bind(typed)
            .bind(category)
            .bind(query.brand.as_ref().map(|brand| brand.as_str().to_owned()))
            .fetch_one(&self.pool)
            .await
            .unwrap();
        let listed_at: Option<Vec<i64>> = row.try_get("listed_at").unwrap();
        let total: Option<i64> = row.try_get("total").unwrap();
        Found {
            listed_at: listed_at.unwrap_or_default(),
            total: query.facets.any().then(|| total.and_then(|total| u64::try_from(total).ok()).unwrap_or(0)),
        }
    }

    pub async fn megabytes(&self) -> i64 {
        sqlx::query_scalar("SELECT pg_total_relation_size('shelf') / 1000000")
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }
}

/// All words, the last one as a beginning unless a space ends it.
fn tsquery(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut query = words.join(" & ");
    if !text.ends_with(' ') {
        query.push_str(":*");
    }
    query
}
