//! What somebody needs who only reads: an address of the log that may read it. Neither a broker nor a master key.

use std::path::Path;

use sqlx::PgPool;
use store::{
    archive::Archive,
    log::PostgresLog,
    schema::{self, Fitness},
};

use super::{GroundError, ServersOnly, tables::up_to_date};
use crate::settings::Settings;

/// Connections of somebody who reads: one for the log, one for a second look.
const CONNECTIONS: u32 = 2;

/// The log, to be read.
pub struct Reading {
    /// The log, through its archive where it is known where that is.
    pub log: PostgresLog,
    /// Settings as they were given.
    pub settings: Settings,
    app_url: String,
    /// Local servers, if they are; dropping them stops what this process started.
    _servers: Option<ServersOnly>,
}

impl Reading {
    /// Uses the given database, or the local one in `data`.
    ///
    /// # Errors
    /// When there is none, it does not answer, or holds no log of this program.
    pub async fn open(
        settings: Settings,
        data: &Path,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, GroundError> {
        let (app_url, servers, archive) = match settings.database_url.clone() {
            Some(url) => (url, None, settings.archive.clone()),
            None if settings.names_servers() => return Err(GroundError::Unset("DATABASE_URL")),
            None => {
                let servers = ServersOnly::local(&settings, data, false, tell).await?;
                let archive = settings.archive.clone().or_else(|| Some(data.join("archive")));
                (servers.app_url.clone(), Some(servers), archive)
            }
        };
        let pool = schema::connect(&app_url, &settings.schema, "", CONNECTIONS).await?;
        if schema::fitness(&pool).await? == Fitness::NotMigrated {
            return Err(GroundError::NotMigrated(settings.schema));
        }
        up_to_date(&pool, &settings.schema, &schema::log_tables()).await?;
        let archive = archive.as_ref().map(Archive::at).unwrap_or_default();
        Ok(Self { log: PostgresLog::with_archive(pool, archive), settings, app_url, _servers: servers })
    }

    /// The read models, to be read.
    ///
    /// # Errors
    /// When their database does not answer, or they are not of this program.
    pub async fn read_models(&self) -> Result<PgPool, GroundError> {
        let url = self.settings.projection_database_url.as_ref().unwrap_or(&self.app_url);
        let pool = schema::connect(url, &self.settings.schema, "_read", CONNECTIONS).await?;
        up_to_date(&pool, &self.settings.schema, &projections::tables()).await?;
        Ok(pool)
    }
}
