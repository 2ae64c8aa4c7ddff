//! Compares a database's tables with those that this program knows, without touching them.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgPool;

use super::{SchemaError, Tables};

/// How the tables of a schema stand to this program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Steps that `daybook migrate` would take, in order.
    pub pending: Vec<String>,
    /// Steps that were taken in another form than this program has them: they were edited, or belong to a fork.
    pub changed: Vec<String>,
    /// Steps of a newer program. This one may go on running: a newer one only adds, until no older one runs.
    pub newer: Vec<i64>,
}

impl Standing {
    /// Whether this program can run on them.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.pending.is_empty() && self.changed.is_empty()
    }
}

/// Looks which steps were taken in the schema that the pool sees.
///
/// # Errors
/// The database's.
pub async fn standing(pool: &PgPool, tables: &Tables) -> Result<Standing, SchemaError> {
    let known = || tables.migrations.iter().flat_map(|migrator| migrator.migrations.iter());
    let mut taken = taken(pool).await?;
    let mut standing = Standing::default();
    let mut steps: Vec<_> = known().collect();
    steps.sort_by_key(|step| step.version);
    for step in steps {
        let name = || format!("{} {}", step.version, step.description);
        match taken.remove(&step.version) {
            None => standing.pending.push(name()),
            Some(checksum) if *checksum != *step.checksum => standing.changed.push(name()),
            Some(_) => {}
        }
    }
    standing.newer = taken.into_keys().collect();
    Ok(standing)
}

/// Version and checksum of every step; none where nobody has migrated, or this role was not told.
async fn taken(pool: &PgPool) -> Result<BTreeMap<i64, Vec<u8>>, SchemaError> {
    let told: Option<bool> =
        sqlx::query_scalar("SELECT has_table_privilege(to_regclass('_sqlx_migrations')::oid, 'SELECT')")
            .fetch_one(pool)
            .await?;
    if told != Some(true) {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success")
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().collect())
}
