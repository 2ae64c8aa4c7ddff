//! What whoever only looks at the log stands on: a role that may read it, and neither a broker nor a key.

use std::{path::Path, sync::Arc};

use sqlx::PgPool;
use store::{log::PostgresLog, ports::Machine, schema, secrets::MasterKeys, vault::Vault};

use super::{Ground, GroundError, up_to_date};
use crate::{run::EventsError, settings::Settings};

/// Connections of one who reads.
const CONNECTIONS: u32 = 2;

/// The log, to be read.
pub struct Reading {
    /// The log, with the files of what was put away.
    pub log: PostgresLog,
    settings: Settings,
    /// Local servers, if they are.
    local: Option<Ground>,
    url: String,
}

impl Reading {
    /// Reaches the log with the role in DATABASE_URL, or that of local servers.
    ///
    /// # Errors
    /// When it cannot be reached, or the role may not read it.
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
        let pool = schema::connect(&url, &settings.schema, "", CONNECTIONS).await?;
        readable(&pool, "events", &settings.schema).await?;
        up_to_date(&pool, &settings.schema, &schema::log_tables()).await?;
        let archive = archive.map(store::archive::Archive::at).unwrap_or_default();
        Ok(Self { log: PostgresLog::with_archive(pool, archive), settings, local, url })
    }

    /// What opens personal data, for whoever has the master key and may read the keys.
    ///
    /// # Errors
    /// When one of both is missing.
    pub async fn vault(&self) -> Result<Vault, crate::run::Failure> {
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

async fn readable(pool: &PgPool, table: &str, schema: &str) -> Result<(), GroundError> {
    match store::schema::may_read(pool, table).await? {
        true => Ok(()),
        false => Err(GroundError::Unreadable(schema.to_owned())),
    }
}
