//! Read models: rows that follow from the log and from nothing else, and the questions they answer.
//!
//! Each projection folds whole batches in memory and writes them with one statement a table, in the transaction that
//! moves its checkpoint. Every row follows from one stream alone.

pub mod analytics;
mod batch;
pub mod carts;
mod fresh;
pub mod hot;
pub mod orders;
mod page;
pub mod payments;
pub mod products;
mod read_models;
pub mod rebuild;
pub mod reconcile;
pub mod replay;
mod rows;
pub mod sales;
pub mod search;
pub mod stock;
mod waiting;

use std::sync::{Arc, LazyLock};

use sqlx::{PgPool, migrate::Migrator};
use store::{engine::Engine, follow::Projection, schema::Tables};

pub use fresh::{Fresh, Freshness, QueryError};
pub use page::{Cursor, LIMIT_MAX, Page};
pub use read_models::{ReadModels, Source};

static READ: LazyLock<Migrator> = store::migrations! {"../migrations":
    20261122000001 "orders",
    20261122000002 "carts",
    20261122000003 "stock",
    20261122000004 "products",
    20261124000011 "fulfilment",
    20261201000001 "stock_places_and_backorders",
    20261203000001 "carts_end",
    20261203000002 "variants_weigh",
    20261206000001 "search",
    20261210000000 "index_work",
    20261213000001 "disputes",
};

/// The read models, with the checkpoints and parked streams of what fills them beside the rows.
#[must_use]
pub fn tables() -> Tables {
    Tables {
        suffix: "_read",
        migrations: vec![store::schema::follower_migrations(), &*READ],
        grants: &[
            ("SELECT, INSERT, UPDATE, DELETE", "followers"),
            ("SELECT, INSERT, UPDATE, DELETE", "parked_streams"),
            ("SELECT, INSERT, UPDATE, DELETE", "applied_events"),
            ("SELECT, INSERT, DELETE", "differing_blocks"),
            ("SELECT", "waiting_events"),
            ("SELECT, INSERT", "skipped_events"),
            ("SELECT, INSERT, UPDATE, DELETE", "orders"),
            ("SELECT, INSERT, UPDATE, DELETE", "payments"),
            ("SELECT, INSERT, UPDATE, DELETE", "carts"),
            ("SELECT, INSERT, UPDATE, DELETE", "stock"),
            ("SELECT, INSERT, UPDATE, DELETE", "reservations"),
            ("SELECT, INSERT, UPDATE, DELETE", "products"),
            ("SELECT, INSERT, UPDATE, DELETE", "variants"),
            ("SELECT, INSERT, UPDATE, DELETE", "sold"),
            ("SELECT, INSERT, UPDATE, DELETE", "sales"),
            ("SELECT, INSERT, UPDATE, DELETE", "ratings"),
            ("SELECT, INSERT, UPDATE, DELETE", "search_indexes"),
            ("SELECT, INSERT, UPDATE, DELETE", "search_asked"),
            ("SELECT, INSERT, UPDATE, DELETE", "search_answers"),
        ],
        analysts: &[
            "followers",
            "parked_streams",
            "skipped_events",
            "orders",
            "payments",
            "carts",
            "stock",
            "reservations",
            "products",
            "variants",
            "sold",
            "sales",
            "ratings",
        ],
        of_the_log: false,
    }
}

/// The form of the read models' tables: the step that was taken last.
#[must_use]
pub fn form() -> i64 {
    READ.iter().map(|step| step.version).max().unwrap_or(0)
}

/// Every projection there is, one follower each.
#[must_use]
pub fn all() -> Vec<Arc<dyn Projection>> {
    vec![
        Arc::new(orders::Orders),
        Arc::new(carts::Carts),
        Arc::new(stock::Stocks),
        Arc::new(products::Products),
        Arc::new(sales::Sales),
    ]
}

/// Lets all projections follow, with their rows and checkpoints in the schema that `pool` sees, and compares them with the
/// log.
pub fn start(engine: &mut Engine, pool: PgPool) {
    for projection in all() {
        engine.project(projection, pool.clone());
    }
    engine.audit(all(), pool);
}
