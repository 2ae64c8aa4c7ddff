//! Every set of tables: laid, compared with this program, and reached as their owner.

use api::edge;
use sqlx::PgPool;
use store::schema::{self, Fitness, Standing, Tables};

use super::GroundError;
use crate::settings::Settings;

/// Lays or updates all tables as the owner.
///
/// # Errors
/// When the owner may not, or a migration fails.
pub async fn migrate(owner_url: &str, settings: &Settings) -> Result<(), GroundError> {
    for (url, tables) in tables(owner_url, settings) {
        schema::migrate(url, &settings.schema, &settings.app_role, &tables).await?;
        if let Some(analyst) = &settings.analyst_role {
            schema::let_read(url, &settings.schema, (analyst, &settings.app_role), &tables).await?;
        }
    }
    Ok(())
}

/// The log's database as its owner.
///
/// # Errors
/// When it cannot be reached, or the tables are not those of this program.
pub async fn owner_log_pool(owner_url: &str, prefix: &str) -> Result<PgPool, GroundError> {
    let pool = schema::connect(owner_url, prefix, "", 2).await?;
    if schema::fitness(&pool).await? == Fitness::NotMigrated {
        return Err(GroundError::NotMigrated(prefix.to_owned()));
    }
    up_to_date(&pool, prefix, &schema::log_tables()).await?;
    Ok(pool)
}

/// Looks whether the tables that a pool sees are those of this program.
///
/// # Errors
/// When they are not, or the database cannot be reached.
pub async fn up_to_date(pool: &PgPool, prefix: &str, tables: &Tables) -> Result<(), GroundError> {
    let standing = schema::standing(pool, tables).await?;
    if standing.fits() {
        return Ok(());
    }
    let schema = format!("{prefix}{}", tables.suffix);
    Err(match standing.changed.is_empty() {
        true => GroundError::Outdated { schema, steps: standing.pending.join(", ") },
        false => GroundError::Foreign { schema, steps: standing.changed.join(", ") },
    })
}

/// How the tables of each schema stand to this program.
///
/// # Errors
/// When the databases cannot be reached.
pub async fn standings(owner_url: &str, settings: &Settings) -> Result<Vec<(String, Standing)>, GroundError> {
    let mut standings = vec![];
    for (url, tables) in tables(owner_url, settings) {
        let pool = schema::connect(url, &settings.schema, tables.suffix, 1).await?;
        let standing = schema::standing(&pool, &tables).await?;
        standings.push((format!("{}{}", settings.schema, tables.suffix), standing));
    }
    Ok(standings)
}

/// Every set of tables, with the database that it lies in.
fn tables<'a>(owner_url: &'a str, settings: &'a Settings) -> [(&'a str, Tables); 5] {
    let projections = settings.projection_owner().unwrap_or(owner_url);
    [
        (owner_url, schema::log_tables()),
        (owner_url, schema::analysis_tables()),
        (owner_url, schema::key_tables()),
        (projections, projections::tables()),
        (owner_url, edge::tables()),
    ]
}
