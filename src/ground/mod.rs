//! What the program stands on: given servers, or local ones that it starts, migrated and ready to be used.

mod error;
mod master_key;
mod reading;
mod tables;

pub use error::GroundError;
pub use reading::Reading;
pub use tables::{migrate, owner_log_pool, standings, up_to_date};

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use api::{Identity, edge};
use projections::search::{Embedded, Index, Meili};
use sqlx::PgPool;
use stack::{Options, Stack};
use store::{
    archive::Archive,
    broker::{NatsBroker, NatsOptions},
    engine::{Engine, Parts},
    executor::Limits,
    log::PostgresLog,
    outage::Reason,
    ports::Machine,
    schema::{self, Fitness, SchemaError, Tables, Writes},
    secrets::MasterKeys,
    vault::Vault,
};

use crate::settings::Settings;

/// Connections of the command path.
const LOG_CONNECTIONS: u32 = 16;
/// Connections of the edge's own tables.
const EDGE_CONNECTIONS: u32 = 8;
/// Connections of keys.
const KEY_CONNECTIONS: u32 = 4;
/// Connections of projections.
const PROJECTION_CONNECTIONS: u32 = 8;
/// Connections of queries.
const READ_CONNECTIONS: u32 = 16;

/// Servers alone, with nothing laid on them yet.
pub struct ServersOnly {
    /// Local servers, if they are; dropping them stops what this process started.
    pub stack: Option<Stack>,
    /// Postgres as the owner.
    pub owner_url: String,
    /// Postgres as the serving role.
    pub app_url: String,
    /// The serving role.
    pub role: String,
    /// NATS.
    pub nats_url: String,
}

/// Servers to use.
pub struct Ground {
    /// Local servers, if they are; dropping them stops what this process started.
    pub stack: Option<Stack>,
    /// Settings with every address filled in.
    pub settings: Settings,
    app_url: String,
    nats_url: String,
    masters: MasterKeys,
    /// Where the search index lies unless a directory is named.
    index: PathBuf,
}

impl ServersOnly {
    /// Uses the given servers, or brings local ones up in `data`, with the serving role.
    ///
    /// # Errors
    /// When servers are missing or do not start, or a setting is.
    pub async fn prepare(
        settings: Settings,
        data: &Path,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, GroundError> {
        match settings.database_url.clone() {
            Some(app_url) => {
                let nats_url = settings.nats_url.clone().ok_or(GroundError::Unset("NATS_URL"))?;
                let owner_url = settings.owner_database_url.unwrap_or_else(|| app_url.clone());
                let role = schema::role_of(&app_url).await?;
                Ok(Self { stack: None, owner_url, app_url, role, nats_url })
            }
            None if settings.names_servers() => Err(GroundError::Unset("DATABASE_URL")),
            None => Self::local(&settings, data, false, tell).await,
        }
    }

    /// Where the owner reaches Postgres, and nothing else; beside it the local servers, where no others are given.
    ///
    /// # Errors
    /// When local servers do not start.
    pub async fn owner(
        settings: &Settings,
        data: &Path,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<(String, Option<Self>), GroundError> {
        if let Some(owner) = settings.owner_database_url.as_ref().or(settings.database_url.as_ref()) {
            return Ok((owner.clone(), None));
        }
        let servers = Self::prepare(settings.clone(), data, tell).await?;
        Ok((servers.owner_url.clone(), Some(servers)))
    }

    async fn local(
        settings: &Settings,
        data: &Path,
        fresh: bool,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, GroundError> {
        let options = Options {
            fresh,
            servers: settings.servers.clone(),
            nats_url: settings.nats_url.clone(),
            log: tell,
            ..Options::new(data)
        };
        let stack = Stack::start_or_attach(options)?;
        schema::ensure_role(stack.owner_url(), &settings.app_role, stack.app_password()).await?;
        Ok(Self {
            owner_url: stack.owner_url().to_owned(),
            app_url: stack.url_for(&settings.app_role, stack.app_password()),
            role: settings.app_role.clone(),
            nats_url: stack.nats_url().to_owned(),
            stack: Some(stack),
        })
    }
}

impl Ground {
    /// Uses the given servers, or brings local ones up in `data`, migrated.
    ///
    /// # Errors
    /// When servers are missing or do not start, or a setting is.
    pub async fn prepare(
        settings: Settings,
        data: &Path,
        fresh: bool,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, GroundError> {
        match settings.database_url.clone() {
            Some(url) => Self::given(settings, url, data),
            // Half an environment is a mistake: local servers beside somebody's own would be filled by the wrong log.
            None if settings.names_servers() => Err(GroundError::Unset("DATABASE_URL")),
            None => Self::local(settings, data, fresh, tell).await,
        }
    }

    fn given(settings: Settings, app_url: String, data: &Path) -> Result<Self, GroundError> {
        let nats_url = settings.nats_url.clone().ok_or(GroundError::Unset("NATS_URL"))?;
        let master = settings.master_key.clone().ok_or(GroundError::Unset("DAYBOOK_MASTER_KEY"))?;
        let masters = MasterKeys::new(master, settings.previous_master_key.clone());
        Ok(Self { stack: None, app_url, nats_url, masters, settings, index: data.join("index") })
    }

    async fn local(
        settings: Settings,
        data: &Path,
        fresh: bool,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, GroundError> {
        let ServersOnly { stack, owner_url, app_url, nats_url, .. } =
            ServersOnly::local(&settings, data, fresh, tell).await?;
        let master = match settings.master_key.clone() {
            Some(key) => key,
            None => master_key::local_master_key(data)?,
        };
        migrate(&owner_url, &settings).await?;
        let masters = MasterKeys::new(master, settings.previous_master_key.clone());
        let archive = settings.archive.clone().or_else(|| Some(data.join("archive")));
        let settings = Settings { owner_database_url: Some(owner_url), archive, ..settings };
        Ok(Self { stack, app_url, nats_url, masters, settings, index: data.join("index") })
    }

    /// Starts this process's store.
    ///
    /// # Errors
    /// When the log or the keys cannot be reached.
    pub async fn engine(&self) -> Result<Engine, GroundError> {
        let options = NatsOptions {
            url: self.nats_url.clone(),
            prefix: self.settings.nats_prefix.clone(),
            bytes_max: self.settings.nats_bytes_max,
        };
        let schema = &self.settings.schema;
        let pool = schema::connect(&self.app_url, schema, "", LOG_CONNECTIONS).await?;
        match schema::fitness(&pool).await? {
            Fitness::Fit => {}
            Fitness::NotMigrated => return Err(GroundError::NotMigrated(schema.clone())),
            Fitness::HeadAstray { head, end } => {
                return Err(GroundError::HeadAstray { schema: schema.clone(), head, end });
            }
            Fitness::MayChangeEvents => tracing::warn!(
                "the role in DATABASE_URL may change events: give `serve` one that owns nothing, and `migrate` the owner"
            ),
        }
        tell_of_writes(schema::writes(&pool).await?);
        self.up_to_date(&pool, &schema::log_tables()).await?;
        let mut limits = Limits::default();
        limits.cache_bytes_max = self.settings.cache_bytes_max.unwrap_or(limits.cache_bytes_max);
        let parts = Parts {
            pool,
            keys: self.key_pool().await?,
            archive: self.archive(),
            broker: Arc::new(NatsBroker::connect(&options).await?),
            clock: Arc::new(Machine),
            master: self.masters.clone(),
            limits,
        };
        Ok(Engine::start(parts).await?)
    }

    async fn key_pool(&self) -> Result<PgPool, GroundError> {
        let keys = schema::connect(&self.app_url, &self.settings.schema, "_keys", KEY_CONNECTIONS).await?;
        self.up_to_date(&keys, &schema::key_tables()).await?;
        Ok(keys)
    }

    /// The edge's own tables, which lie beside the log.
    ///
    /// # Errors
    /// When the database cannot be reached or the tables are not there.
    pub async fn edge_pool(&self) -> Result<PgPool, GroundError> {
        let schema = &self.settings.schema;
        let pool = schema::connect(&self.app_url, schema, edge::SUFFIX, EDGE_CONNECTIONS).await?;
        self.up_to_date(&pool, &edge::tables()).await?;
        Ok(pool)
    }

    /// Accounts and tokens, beside a running store.
    ///
    /// # Errors
    /// When the edge's tables or the keys cannot be read.
    pub async fn identity(&self, engine: &Engine) -> Result<Identity, GroundError> {
        let (clock, ids) = (Arc::clone(&engine.clock), Arc::clone(&engine.ids));
        Ok(Identity::start(self.edge_pool().await?, engine.vault.clone(), clock, ids).await?)
    }

    /// The same with no store running.
    ///
    /// # Errors
    /// When the edge's tables or the keys cannot be read.
    pub async fn identity_alone(&self) -> Result<Identity, GroundError> {
        let vault = self.vault().await?;
        Ok(Identity::start(self.edge_pool().await?, vault, Arc::new(Machine), Arc::new(Machine)).await?)
    }

    /// The keys of personal data, and what opens them.
    ///
    /// # Errors
    /// When the database cannot be reached or the tables are not there.
    pub async fn vault(&self) -> Result<Vault, GroundError> {
        Ok(Vault::new(self.key_pool().await?, Arc::new(Machine), &self.masters))
    }

    /// Postgres as the serving role.
    #[must_use]
    pub fn app_url(&self) -> &str {
        &self.app_url
    }

    /// NATS.
    #[must_use]
    pub fn nats_url(&self) -> &str {
        &self.nats_url
    }

    /// The master keys.
    #[must_use]
    pub const fn masters(&self) -> &MasterKeys {
        &self.masters
    }

    /// The database of the log, to be read.
    ///
    /// # Errors
    /// When it cannot be reached or the log is not there.
    pub async fn log_pool(&self) -> Result<PgPool, GroundError> {
        let pool = schema::connect(&self.app_url, &self.settings.schema, "", 1).await?;
        match schema::fitness(&pool).await? {
            Fitness::NotMigrated => return Err(GroundError::NotMigrated(self.settings.schema.clone())),
            Fitness::Fit | Fitness::MayChangeEvents | Fitness::HeadAstray { .. } => {}
        }
        self.up_to_date(&pool, &schema::log_tables()).await?;
        Ok(pool)
    }

    /// The log alone, to be read.
    ///
    /// # Errors
    /// When it cannot be reached or is not there.
    pub async fn log(&self) -> Result<PostgresLog, GroundError> {
        Ok(PostgresLog::with_archive(self.log_pool().await?, self.archive()))
    }

    /// The files of what was put away, if it is known where they are.
    #[must_use]
    pub fn archive(&self) -> Archive {
        self.settings.archive.as_ref().map(Archive::at).unwrap_or_default()
    }

    /// The database of the log as its owner, who may change it.
    ///
    /// # Errors
    /// When nobody is named, or the database cannot be reached or is not up to date.
    pub async fn owner_pool(&self) -> Result<PgPool, GroundError> {
        let owner = self.settings.owner_database_url.as_ref();
        let url = owner.ok_or(GroundError::NoOwner)?;
        owner_log_pool(url, &self.settings.schema).await
    }

    /// Where the owner of the read models' tables reaches their database.
    ///
    /// # Errors
    /// When nobody is named.
    pub fn projection_owner_url(&self) -> Result<String, GroundError> {
        let url = self.settings.projection_owner().or(self.settings.owner_database_url.as_deref());
        url.map(str::to_owned).ok_or(GroundError::NoOwner)
    }

    /// The role that writes read models.
    ///
    /// # Errors
    /// When their database cannot be reached.
    pub async fn projection_role(&self) -> Result<String, GroundError> {
        let url = self.settings.projection_database_url.as_ref().unwrap_or(&self.app_url);
        Ok(schema::role_of(url).await?)
    }

    /// Where read models are written.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn projection_pool(&self) -> Result<PgPool, GroundError> {
        let url = self.settings.projection_database_url.as_ref().unwrap_or(&self.app_url);
        let pool = schema::connect(url, &self.settings.schema, "_read", PROJECTION_CONNECTIONS).await?;
        self.up_to_date(&pool, &projections::tables()).await?;
        Ok(pool)
    }

    async fn up_to_date(&self, pool: &PgPool, tables: &Tables) -> Result<(), GroundError> {
        tables::up_to_date(pool, &self.settings.schema, tables).await
    }

    /// The index that products are searched in.
    ///
    /// # Errors
    /// When its directory cannot be used, or another process has the one that was named.
    pub fn index(&self) -> Result<Arc<dyn Index>, GroundError> {
        let synonyms = self.settings.synonyms.clone();
        if let Some((url, key)) = &self.settings.meili {
            let uid = format!("{}_products", self.settings.schema);
            return Ok(Arc::new(Meili::new(url, key.as_deref(), &uid, synonyms, Arc::new(Machine))?));
        }
        Ok(Arc::new(match &self.settings.index {
            Some(named) => Embedded::at(named, synonyms)?,
            None => Embedded::near(&self.index, synonyms)?,
        }))
    }

    /// Where commands read what they have to know, and queries too unless [`Ground::standby_pool`] is there.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn read_pool(&self) -> Result<PgPool, GroundError> {
        let url = self.settings.projection_database_url.as_ref().unwrap_or(&self.app_url);
        Ok(schema::connect(url, &self.settings.schema, "_read", READ_CONNECTIONS).await?)
    }

    /// Where queries read, if elsewhere; the shop opens without it, since commands do not need it.
    ///
    /// # Errors
    /// When the address is wrong, or the database answers that it is not one of Daybook's.
    pub async fn standby_pool(&self) -> Result<Option<PgPool>, GroundError> {
        let Some(url) = &self.settings.read_database_url else { return Ok(None) };
        let pool = schema::connect_when_needed(url, &self.settings.schema, "_read", READ_CONNECTIONS)?;
        match self.up_to_date(&pool, &projections::tables()).await {
            Ok(()) => {}
            Err(GroundError::Schema(SchemaError::Database(error)))
                if Reason::of(&error) == Reason::Unreachable =>
            {
                tracing::error!(%error, "the database in DAYBOOK_READ_DATABASE_URL does not answer: until it does, \
                                         queries are answered with 503, commands are taken");
            }
            // What was laid at the other one comes here a little later.
            Err(error @ GroundError::Outdated { .. }) => tracing::warn!(%error, "DAYBOOK_READ_DATABASE_URL"),
            Err(error) => return Err(error),
        }
        Ok(Some(pool))
    }
}

/// Says why commands are going to be answered with 503. Queries are answered all the same.
fn tell_of_writes(writes: Writes) {
    match writes {
        Writes::Taken => {}
        Writes::Standby => tracing::error!(
            "the database in DATABASE_URL is a standby: commands are refused, queries are answered; when it \
             is promoted this process ends and is to be started again"
        ),
        Writes::ReadOnly => tracing::error!(
            "the database in DATABASE_URL is read-only (default_transaction_read_only): commands are refused until it \
             takes writes, queries are answered"
        ),
    }
}
