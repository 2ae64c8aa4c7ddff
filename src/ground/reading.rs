//! What whoever only looks at the log stands on: a role that may read it, and neither a broker nor a key.

use std::{io, path::Path, sync::Arc, time::Duration};

use sqlx::{Connection as _, PgPool};
use store::{
    archive::Archive,
    log::PostgresLog,
    ports::Machine,
    schema::{self, SchemaError},
    secrets::MasterKeys,
    vault::Vault,
};
use tokio::time::timeout;

use super::{Ground, GroundError, up_to_date};
use crate::{
    run::{EventsError, Failure},
    settings::Settings,
};

/// Connections of one who reads: one for the log, one for a second look.
const CONNECTIONS: u32 = 2;

/// How long a database may take to let somebody in.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Connects once: a pool tries again until its time is over, and does not say why.
async fn answers(url: &str, prefix: &str) -> Result<(), SchemaError> {
    let Ok(session) = timeout(ANSWERED_WITHIN, schema::session(url, prefix)).await else {
        let error = io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 s");
        return Err(sqlx::Error::Io(error).into());
    };
    Ok(session?.close().await?)
}

/// The log, to be read.
pub struct Reading {
    /// The log, with the files of what was put away where it is known where they are.
    pub log: PostgresLog,
    settings: Settings,
    /// Local servers, if they are; dropping them stops what this process started.
    local: Option<Ground>,
    url: String,
}

impl Reading {
    /// Reaches the log with the role in `DATABASE_URL`, or that of local servers in `data`.
    ///
    /// # Errors
    /// When it cannot be reached, is no log of this program, or the role may not read it.
    pub async fn prepare(
        settings: Settings,
        data: &Path,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, GroundError> {
        let (url, local, archive) = match settings.database_url.clone() {
            Some(url) => (url, None, settings.archive.clone()),
            None if settings.names_servers() => return Err(GroundError::Unset("DATABASE_URL")),
            None => {
                let ground = Ground::prepare(settings.clone(), data, false, tell).await?;
                let archive = ground.settings.archive.clone();
                (ground.app_url().to_owned(), Some(ground), archive)
            }
        };
        answers(&url, &settings.schema).await?;
        let pool = schema::connect(&url, &settings.schema, "", CONNECTIONS).await?;
        if !schema::may_read(&pool, "events").await? {
            return Err(GroundError::Unreadable(settings.schema));
        }
        up_to_date(&pool, &settings.schema, &schema::log_tables()).await?;
        let archive = archive.map(Archive::at).unwrap_or_default();
        Ok(Self { log: PostgresLog::with_archive(pool, archive), settings, local, url })
    }

    /// The read models, to be read.
    ///
    /// # Errors
    /// When their database does not answer, or they are not of this program.
    pub async fn read_models(&self) -> Result<PgPool, GroundError> {
        let url = self.settings.projection_database_url.as_ref().unwrap_or(&self.url);
        answers(url, &self.settings.schema).await?;
        let pool = schema::connect(url, &self.settings.schema, "_read", CONNECTIONS).await?;
        up_to_date(&pool, &self.settings.schema, &projections::tables()).await?;
        Ok(pool)
    }

    /// The log's views, to be asked; they lie in its database.
    ///
    /// # Errors
    /// When the database does not answer, or the views are not of this program.
    pub async fn views(&self) -> Result<PgPool, GroundError> {
        let views = schema::analysis_tables();
        let pool = schema::connect(&self.url, &self.settings.schema, views.suffix, CONNECTIONS).await?;
        up_to_date(&pool, &self.settings.schema, &views).await?;
        Ok(pool)
    }

    /// Where the log's database is, as the role that reads.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The schema that the log lies in.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.settings.schema
    }

    /// What opens personal data, for whoever has the master key and may read the keys.
    ///
    /// # Errors
    /// When one of both is missing.
    pub async fn vault(&self) -> Result<Vault, Failure> {
        if let Some(ground) = &self.local {
            return Ok(ground.vault().await?);
        }
        let Some(master) = self.settings.master_key.clone() else {
            return Err(EventsError::MayNotOpen("there is no DAYBOOK_MASTER_KEY").into());
        };
        let url = self.settings.vault_database_url.as_ref().unwrap_or(&self.url);
        let pool = schema::connect(url, &self.settings.schema, "_keys", CONNECTIONS).await;
        let pool = pool.map_err(GroundError::from)?;
        if !schema::may_read(&pool, "subject_keys").await.map_err(GroundError::from)? {
            return Err(EventsError::MayNotOpen("the role that was given may not").into());
        }
        let masters = MasterKeys::new(master, self.settings.previous_master_key.clone());
        Ok(Vault::new(pool, Arc::new(Machine), &masters))
    }
}
