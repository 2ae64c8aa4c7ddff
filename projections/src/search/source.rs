//! What the index is filled from: rows of the read models, with the checkpoints that say how far they have come.

use std::collections::BTreeSet;

use domain::product::Variant;
use futures::TryStreamExt as _;
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use store::log::Position;

use super::{
    asked::{ASKER_SILENT_MAX, Asked},
    index::{Document, Filling, IndexError, Marker, Values},
};
use crate::{fresh::Seen, products, rows::document, sales, stock};

/// The form of what is indexed: another one means that every index is filled anew.
const FORMAT: u32 = 2;
/// Products that are read at once.
const CHUNK: usize = 2_000;

/// The read models that an answer may depend on: the follower of each, and the kind of its streams.
pub(super) const SOURCES: [(&str, &str); 3] =
    [(products::NAME, "product"), (stock::NAME, "inventory_item"), (sales::NAME, "order")];

/// How far the read models have come, and what each has set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Which tables these are: a rebuild puts others in their place, and the one after it the first ones again, emptied
    /// since and so in another file.
    pub life: String,
    /// As [`SOURCES`] has them.
    pub seen: [Seen; 3],
    /// The newest rating.
    pub rated: Position,
    /// `<kind>-<id>` of every stream that is set aside.
    pub aside: BTreeSet<String>,
}

impl Look {
    /// Looks at the checkpoints, and whether somebody asks for something.
    pub async fn at(connection: &mut PgConnection) -> Result<(Self, Option<Asked>), sqlx::Error> {
        // Without parameters it is planned once a connection, and planning is most of what it costs.
        let sources = SOURCES.iter().enumerate();
        let sources = sources.map(|(nth, (name, kind))| format!("({nth}, '{name}', '{kind}')"));
        let statement = format!(
            "SELECT f.incarnation AS seen_incarnation, COALESCE(f.position, 0) AS seen_position, \
                    (SELECT min(p.first_position) FROM parked_streams p \
                     WHERE p.follower = n.name AND p.aggregate_type = n.kind) AS seen_parked_from, \
                    (SELECT c.oid || '.' || c.relfilenode FROM pg_class c WHERE c.oid = to_regclass(n.name)) AS life, \
                    (SELECT COALESCE(max(position), 0) FROM ratings) AS rated, \
                    ARRAY(SELECT p.aggregate_type || '-' || p.aggregate_id FROM parked_streams p \
                          WHERE p.follower = n.name AND p.aggregate_type = n.kind) AS aside, \
                    (SELECT to_json(a)::text FROM search_asked a \
                     WHERE a.seen_at > now() - interval '{} seconds') AS asked \
             FROM (VALUES {}) AS n (nth, name, kind) LEFT JOIN followers f ON f.name = n.name ORDER BY n.nth",
            ASKER_SILENT_MAX.as_secs(),
            sources.collect::<Vec<_>>().join(", "),
        );
        let rows = sqlx::query(&statement).fetch_all(connection).await?;
        let (mut life, mut seen, mut rated, mut aside) = (Vec::new(), Vec::new(), 0, BTreeSet::new());
        let mut asked: Option<String> = None;
        for row in &rows {
            asked = row.try_get("asked")?;
            life.push(row.try_get::<String, _>("life")?);
            seen.push(Seen::read(row)?);
            rated = row.try_get("rated")?;
            aside.extend(row.try_get::<Vec<String>, _>("aside")?);
        }
        let seen = seen.try_into().map_err(|_| sqlx::Error::RowNotFound)?;
        // What a newer program asks for is not for this one.
        let asked = asked.and_then(|asked| serde_json::from_str(&asked).ok());
        Ok((Self { life: life.join(" "), seen, rated, aside }, asked))
    }

    /// What an index that holds all of this is marked with.
    pub fn marker(&self) -> Marker {
        Marker {
            format: FORMAT,
            life: self.life.clone(),
            incarnation: self.seen[0].incarnation,
            position: self.seen.iter().map(|seen| seen.position).min().unwrap_or(0),
            aside: self.aside.iter().cloned().collect(),
        }
    }

    /// What an index that has this marker may be taken to hold: no more than that.
    pub fn of_marker(marker: &Marker) -> Self {
        let seen = Seen { incarnation: marker.incarnation, position: marker.position, parked_from: None };
        Self {
            life: marker.life.clone(),
            seen: [seen; 3],
            rated: 0,
            aside: marker.aside.iter().cloned().collect(),
        }
    }

    /// The same with what is set aside at present. A marker tells of that only which streams it is: what was made good of
    /// since is missing up to the marker's own position.
    pub fn setting_aside(mut self, now: &Self) -> Self {
        for ((seen, now), (_, kind)) in self.seen.iter_mut().zip(&now.seen).zip(SOURCES) {
            let of_kind = |stream: &String| stream.split_once('-').is_some_and(|(other, _)| other == kind);
            let made_good = self.aside.iter().any(of_kind).then_some(seen.position);
            seen.parked_from = now.parked_from.or(made_good);
        }
        self
    }

    /// Whether both are of the same tables, filled from the same life of the log.
    pub fn is_of(&self, other: &Self) -> bool {
        let lives = |look: &Self| look.seen.map(|seen| seen.incarnation);
        self.life == other.life && lives(self) == lives(other)
    }
}

/// The positions between which a read model moved.
pub(super) fn between(done: &Look, now: &Look) -> (Position, Position) {
    let pairs = || done.seen.iter().zip(&now.seen).filter(|(done, now)| now.position > done.position);
    let from = pairs().map(|(done, _)| done.position).min().unwrap_or(0);
    (from, pairs().map(|(_, now)| now.position).max().unwrap_or(from))
}

/// What changed, by the names of streams.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub products: BTreeSet<String>,
    pub skus: BTreeSet<String>,
    pub orders: BTreeSet<String>,
}

impl Touched {
    /// Notes that something happened to a stream.
    pub fn note(&mut self, kind: &str, id: &str) {
        let of = match kind {
            "product" => &mut self.products,
            "inventory_item" => &mut self.skus,
            "order" => &mut self.orders,
            _ => return,
        };
        of.insert(id.to_owned());
    }

    pub fn is_empty(&self) -> bool {
        self.products.is_empty() && self.skus.is_empty() && self.orders.is_empty()
    }
}

/// Products as they are indexed. A product is there if units of any of its variants are neither held nor promised; holds
/// whose time is over count until that is in the log.
const DOCUMENTS: &str = "SELECT p.listed_at, p.title, p.description, p.brand, to_json(p.category)::text AS category, \
            p.variants::text AS variants, p.price, COALESCE(v.available, false) AS available, \
            COALESCE(v.sold, 0) AS sold, COALESCE(r.rating_sum, 0) AS rating_sum, \
            COALESCE(r.rating_count, 0) AS rating_count \
     FROM products p LEFT JOIN ( \
             SELECT v.listed_at, bool_or(s.on_hand - s.reserved - s.backordered > 0) AS available, \
                    sum(x.units)::bigint AS sold \
             FROM variants v LEFT JOIN stock s ON s.sku = v.sku LEFT JOIN sales x ON x.sku = v.sku \
             WHERE $1 GROUP BY v.listed_at) v ON v.listed_at = p.listed_at \
          LEFT JOIN ratings r ON r.product = p.id";

/// Why products did not come from the tables into an index.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the read models cannot be read: {0}")]
    Database(#[from] sqlx::Error),
}

/// How many products there are.
pub(super) async fn count(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM products").fetch_one(connection).await
}

/// Reads all products in the order of their listing, so many at a time, and tells how many were added.
pub(super) async fn all(
    connection: &mut PgConnection,
    filling: &mut dyn Filling,
    added: &(dyn Fn(usize) + Sync),
) -> Result<(), ReadError> {
    let sql = format!("{} ORDER BY p.listed_at", DOCUMENTS.replace("WHERE $1", ""));
    let mut rows = sqlx::query(&sql).fetch(connection);
    let mut chunk = Vec::with_capacity(CHUNK);
    while let Some(row) = rows.try_next().await? {
        chunk.push(read(&row)?);
        if chunk.len() == CHUNK {
            filling.add(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK))).await?;
            added(CHUNK);
        }
    }
    let rest = chunk.len();
    filling.add(chunk).await?;
    added(rest);
    Ok(())
}

/// The listings of the next products after one.
pub(super) async fn listed(
    connection: &mut PgConnection,
    after: Position,
    count: usize,
) -> Result<Vec<Position>, sqlx::Error> {
    sqlx::query_scalar("SELECT listed_at FROM products WHERE listed_at > $1 ORDER BY listed_at LIMIT $2")
        .bind(after)
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
}

/// The products of these listings, in their order.
pub(super) async fn documents(
    connection: &mut PgConnection,
    listed_at: &[Position],
) -> Result<Vec<Document>, sqlx::Error> {
    let sql = format!(
        "{} WHERE p.listed_at = ANY($1) ORDER BY p.listed_at",
        DOCUMENTS.replace("WHERE $1", "WHERE v.listed_at = ANY($1)")
    );
    let rows = sqlx::query(&sql).bind(listed_at).fetch_all(connection).await?;
    rows.iter().map(read).collect()
}

/// Reads the products that something touched, in the order of their listing; and which of them may be new.
pub(super) async fn touched(
    connection: &mut PgConnection,
    touched: &Touched,
    rated_after: Position,
) -> Result<Vec<Document>, sqlx::Error> {
    let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
    let listed_at: Vec<Position> = sqlx::query_scalar(
        "SELECT listed_at FROM products WHERE id = ANY($1) \
         UNION SELECT listed_at FROM variants WHERE sku = ANY($2) \
         UNION SELECT v.listed_at FROM sold s, UNNEST(s.skus) AS l (sku), variants v \
               WHERE s.order_id = ANY($3) AND v.sku = l.sku \
         UNION SELECT p.listed_at FROM ratings r, products p WHERE r.position > $4 AND p.id = r.product",
    )
    .bind(names(&touched.products))
    .bind(names(&touched.skus))
    .bind(names(&touched.orders))
    .bind(rated_after)
    .fetch_all(&mut *connection)
    .await?;
    documents(connection, &listed_at).await
}

fn read(row: &PgRow) -> Result<Document, sqlx::Error> {
    let variants: Vec<Variant> = document(row, "variants")?;
    let mut names = Vec::with_capacity(variants.len());
    for variant in variants {
        names.push(variant.sku.as_str().to_owned());
        names.extend(variant.title.map(|title| title.as_str().to_owned()));
    }
    Ok(Document {
        listed_at: row.try_get("listed_at")?,
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        brand: row.try_get("brand")?,
        category: document(row, "category")?,
        names,
        values: Values {
            price: row.try_get("price")?,
            available: row.try_get("available")?,
            sold: row.try_get("sold")?,
            rating_sum: row.try_get("rating_sum")?,
            rating_count: row.try_get("rating_count")?,
        },
    })
}
