//! What the program stands on: given servers, or local ones that it starts, migrated and ready to be used.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

use sqlx::PgPool;
use stack::{Options, Stack, StackError};
use store::{
    archive::Archive,
    broker::{BrokerError, NatsBroker, NatsOptions},
    engine::{Engine, Parts, StartError},
    executor::Limits,
    log::PostgresLog,
    ports::{Ids as _, Machine},
    schema::{self, Fitness, SchemaError, Standing, Tables},
    secrets::{MasterKey, MasterKeyError},
};

use crate::settings::Settings;

/// Connections of the command path.
const LOG_CONNECTIONS: u32 = 16;
/// Connections of keys.
const KEY_CONNECTIONS: u32 = 4;
/// Connections of projections.
const PROJECTION_CONNECTIONS: u32 = 8;
/// Connections of queries.
const READ_CONNECTIONS: u32 = 16;
/// Bytes of events that JetStream keeps; older ones are read from the log.
const BROKER_BYTES_MAX: i64 = 4 << 30;

/// Why there is nothing to stand on.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// Local servers did not start.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// Tables could not be laid or reached.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The broker's address is not one.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The store did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A file of the data directory could not be used.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The local master key is not one.
    #[error("the master key in the data directory: {0}")]
    MasterKey(#[from] MasterKeyError),
    /// The database has no tables of Daybook's.
    #[error("there is no log in schema {0}: run `daybook migrate` as the owner first")]
    NotMigrated(String),
    /// The database's tables are older than this program.
    #[error("the tables in schema {schema} lack {steps}: run `daybook migrate` as the owner first")]
    Outdated {
        /// Where.
        schema: String,
        /// What is to be done.
        steps: String,
    },
    /// The database's tables were laid by another program.
    #[error("in schema {schema} {steps} was done in another form: these tables belong to another program")]
    Foreign {
        /// Where.
        schema: String,
        /// What differs.
        steps: String,
    },
    /// Only the owner may do it.
    #[error("DAYBOOK_OWNER_DATABASE_URL is not set: only the owner of the tables may archive")]
    NoOwner,
    /// Something must be set.
    #[error(
        "{0} is not set: DATABASE_URL, NATS_URL and DAYBOOK_MASTER_KEY are needed together (`daybook settings` lists all)"
    )]
    Unset(&'static str),
}

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
    master: MasterKey,
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
            Some(url) => Self::given(settings, url),
            // Half an environment is a mistake: local servers beside somebody's own would be filled by the wrong log.
            None if settings.names_servers() => Err(GroundError::Unset("DATABASE_URL")),
            None => Self::local(settings, data, fresh, tell).await,
        }
    }

    fn given(settings: Settings, app_url: String) -> Result<Self, GroundError> {
        let nats_url = settings.nats_url.clone().ok_or(GroundError::Unset("NATS_URL"))?;
        let master = settings.master_key.clone().ok_or(GroundError::Unset("DAYBOOK_MASTER_KEY"))?;
        Ok(Self { stack: None, app_url, nats_url, master, settings })
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
            None => local_master_key(data)?,
        };
        migrate(&owner_url, &settings).await?;
        let archive = settings.archive.clone().or_else(|| Some(data.join("archive")));
        let settings = Settings { owner_database_url: Some(owner_url), archive, ..settings };
        Ok(Self { stack, app_url, nats_url, master, settings })
    }

    /// Starts this process's store.
    ///
    /// # Errors
    /// When the log or the keys cannot be reached.
    pub async fn engine(&self) -> Result<Engine, GroundError> {
        let options = NatsOptions {
            url: self.nats_url.clone(),
            prefix: self.settings.nats_prefix.clone(),
            bytes_max: BROKER_BYTES_MAX,
        };
        let schema = &self.settings.schema;
        let pool = schema::connect(&self.app_url, schema, "", LOG_CONNECTIONS).await?;
        match schema::fitness(&pool).await? {
            Fitness::Fit => {}
            Fitness::NotMigrated => return Err(GroundError::NotMigrated(schema.clone())),
            Fitness::MayChangeEvents => tracing::warn!(
                "the role in DATABASE_URL may change events: give `serve` one that owns nothing, and `migrate` the owner"
            ),
        }
        self.up_to_date(&pool, &schema::log_tables()).await?;
        let keys = schema::connect(&self.app_url, schema, "_keys", KEY_CONNECTIONS).await?;
        self.up_to_date(&keys, &schema::key_tables()).await?;
        let mut limits = Limits::default();
        limits.cache_bytes_max = self.settings.cache_bytes_max.unwrap_or(limits.cache_bytes_max);
        let parts = Parts {
            pool,
            keys,
            archive: self.archive(),
            broker: Arc::new(NatsBroker::connect(&options).await?),
            clock: Arc::new(Machine),
            master: self.master.clone(),
            limits,
        };
        Ok(Engine::start(parts).await?)
    }

    /// The database of the log, to be read.
    ///
    /// # Errors
    /// When it cannot be reached or the log is not there.
    pub async fn log_pool(&self) -> Result<PgPool, GroundError> {
        let pool = schema::connect(&self.app_url, &self.settings.schema, "", 1).await?;
        match schema::fitness(&pool).await? {
            Fitness::NotMigrated => return Err(GroundError::NotMigrated(self.settings.schema.clone())),
            Fitness::Fit | Fitness::MayChangeEvents => {}
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
        let pool = schema::connect(url, &self.settings.schema, "", 2).await?;
        self.up_to_date(&pool, &schema::log_tables()).await?;
        Ok(pool)
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
        let standing = schema::standing(pool, tables).await?;
        if standing.fits() {
            return Ok(());
        }
        let schema = format!("{}{}", self.settings.schema, tables.suffix);
        Err(match standing.changed.is_empty() {
            true => GroundError::Outdated { schema, steps: standing.pending.join(", ") },
            false => GroundError::Foreign { schema, steps: standing.changed.join(", ") },
        })
    }

    /// Where queries read.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn read_pool(&self) -> Result<PgPool, GroundError> {
        let projections = self.settings.projection_database_url.as_ref();
        let url = self.settings.read_database_url.as_ref().or(projections).unwrap_or(&self.app_url);
        Ok(schema::connect(url, &self.settings.schema, "_read", READ_CONNECTIONS).await?)
    }
}

/// Lays or updates all tables as the owner.
///
/// # Errors
/// When the owner may not, or a migration fails.
pub async fn migrate(owner_url: &str, settings: &Settings) -> Result<(), GroundError> {
    for (url, tables) in tables(owner_url, settings) {
        schema::migrate(url, &settings.schema, &settings.app_role, &tables).await?;
    }
    Ok(())
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
fn tables<'a>(owner_url: &'a str, settings: &'a Settings) -> [(&'a str, Tables); 3] {
    let projections = settings.projection_database_url.as_deref().unwrap_or(owner_url);
    [
        (owner_url, schema::log_tables()),
        (owner_url, schema::key_tables()),
        (projections, projections::tables()),
    ]
}

/// The key that the local stack's data is sealed under: made once, readable by its owner only.
fn local_master_key(data: &Path) -> Result<MasterKey, GroundError> {
    let path = data.join("master.key");
    let failed = |source| GroundError::File { path: path.clone(), source };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.parse()?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = [0; 32];
            Machine.fill(&mut bytes).map_err(failed)?;
            let key = MasterKey::new(bytes);
            // Written beside and renamed: a half-written key would lose every sealed value.
            let beside = data.join(format!("master.key.{}", std::process::id()));
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)
                .map_err(failed)?;
            file.write_all(key.to_text().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            fs::rename(&beside, &path).map_err(failed)?;
            Ok(key)
        }
        Err(error) => Err(failed(error)),
    }
}
