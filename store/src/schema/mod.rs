//! Lays and grants the tables: migrations are embedded, forward only, and run by the owner.

mod analysis;
mod analysts;
mod apart;
mod compare;
mod fitness;
mod server;

pub use analysis::analysis_tables;
pub use analysts::{let_read, may_read, same_readers};
pub use apart::{TEMPORARY, lay_apart, session};
pub use compare::{Standing, standing};
pub use fitness::{Fitness, fitness};
pub use server::{VERSION_MIN, Writes, writes};

use std::{
    str::FromStr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Connection, Executor, PgConnection, PgPool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};

static LOG: LazyLock<Migrator> = crate::migrations! {"../../migrations/log":
    20261121000001 "log",
    20261121000010 "timers_hold_any_command",
    20261121000012 "timers_wait_after_a_failure",
    20261121000014 "snapshots",
    20261121000030 "archive",
    20261121000040 "lives",
};
static FOLLOWERS: LazyLock<Migrator> = crate::migrations! {"../../migrations/followers":
    20261121000002 "followers",
    20261121000011 "waiting_events",
    20261121000041 "link_position",
    20261121000043 "skipped_events",
    20261121000050 "applied_events",
    20261121000060 "audited",
};
static KEYS: LazyLock<Migrator> = crate::migrations! {"../../migrations/keys":
    20261121000003 "keys",
    20261121000013 "forgotten",
    20261121000042 "rotation",
};

/// A set of tables that live in one Postgres schema, and what the serving role may do with them.
#[derive(Clone, Debug)]
pub struct Tables {
    /// What the schema's name ends with, after the configured prefix.
    pub suffix: &'static str,
    /// What creates the tables, in order.
    pub migrations: Vec<&'static Migrator>,
    /// `(privileges, table)` for the serving role.
    pub grants: &'static [(&'static str, &'static str)],
    /// Tables that analysts may read, and nothing else of them; without any, they do not even see the schema.
    pub analysts: &'static [&'static str],
    /// Views of the log's tables, which are seen while they are laid: in the log's database, after it.
    pub of_the_log: bool,
}

/// The log, the answers to commands, the timers, and the checkpoints of process managers.
///
/// The serving role can add to `events` and read it, and nothing else.
#[must_use]
pub fn log_tables() -> Tables {
    Tables {
        suffix: "",
        migrations: vec![&*LOG, &*FOLLOWERS],
        grants: &[
            ("SELECT, INSERT", "events"),
            ("SELECT, INSERT", "log_links"),
            ("SELECT", "archive_files"),
            ("SELECT", "archived_events"),
            ("SELECT, INSERT, DELETE", "commands"),
            // Another incarnation only tells everybody to begin anew; who may move the head can do worse.
            ("SELECT, UPDATE (position, link, incarnation)", "log_head"),
            ("SELECT, INSERT", "log_lives"),
            ("SELECT, INSERT, UPDATE, DELETE", "followers"),
            ("SELECT, INSERT, UPDATE, DELETE", "parked_streams"),
            ("SELECT, INSERT, UPDATE, DELETE", "applied_events"),
            ("SELECT, INSERT, DELETE", "differing_blocks"),
            ("SELECT, INSERT, UPDATE, DELETE", "timers"),
            ("SELECT, INSERT, UPDATE, DELETE", "waiting_events"),
            // What was left out stays written.
            ("SELECT, INSERT", "skipped_events"),
            ("SELECT, INSERT, DELETE", "asked_lanes"),
            ("SELECT, INSERT, UPDATE", "snapshots"),
        ],
        analysts: &[
            "events",
            "log_links",
            "log_head",
            "log_lives",
            "archive_files",
            "archived_events",
            "followers",
            "parked_streams",
            "skipped_events",
        ],
        of_the_log: false,
    }
}

/// The keys of personal data: a schema of their own, so that they can be kept and backed up apart.
#[must_use]
pub fn key_tables() -> Tables {
    Tables {
        suffix: "_keys",
        migrations: vec![&*KEYS],
        grants: &[
            ("SELECT, INSERT, UPDATE (wrapped, wrapped_by, forgotten_at)", "subject_keys"),
            ("SELECT, INSERT, UPDATE (wrapped, wrapped_by)", "shop_keys"),
        ],
        analysts: &[],
        of_the_log: false,
    }
}

/// The tables that any follower's database needs: checkpoints and parked streams.
#[must_use]
pub fn follower_migrations() -> &'static Migrator {
    &FOLLOWERS
}

/// Why tables could not be laid or reached.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The address of the database is not one.
    #[error("not a Postgres address: {0}")]
    Address(#[source] sqlx::Error),
    /// The server is older than what the tables and statements are made for.
    #[error(
        "the database is PostgreSQL {found}, and {needed} or newer is needed: upgrade it, or use another one"
    )]
    TooOld {
        /// Its major version.
        found: u32,
        /// The oldest that will do.
        needed: u32,
    },
    /// A statement failed.
    #[error("the database refused: {0}")]
    Database(#[from] sqlx::Error),
    /// A migration failed or has been changed since it ran.
    #[error("migrating failed: {0}")]
    Migrate(#[from] MigrateError),
    /// The serving role does not exist.
    #[error("there is no role {0}: create it with CREATE ROLE {0} LOGIN PASSWORD '…', then migrate again")]
    NoRole(String),
    /// The address is not that of the tables' owner.
    #[error(
        "the role may not lay tables in {schema}: name their owner in DAYBOOK_OWNER_DATABASE_URL, or in \
         DAYBOOK_PROJECTION_OWNER_DATABASE_URL where read models lie in another database ({source})"
    )]
    NotOwner {
        /// Which schema.
        schema: String,
        /// What the database said.
        source: Box<Self>,
    },
    /// The analysts' role can do more than to read.
    #[error(
        "the role {0} is not one for analysts: it owns tables, serves, may create roles or databases, or is a member of a \
         role that does; create another one with CREATE ROLE … LOGIN PASSWORD '…', and name it in DAYBOOK_ANALYST_ROLE"
    )]
    NoAnalyst(String),
    /// A schema or role name that would have to be quoted.
    #[error("{0:?} is not a plain name: use a-z, 0-9 and _, starting with a letter, at most 48 characters")]
    Name(String),
}

impl SchemaError {
    /// Whether the role lacks a right.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        let error = match self {
            Self::Database(error)
            | Self::Migrate(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => error,
            _ => return false,
        };
        // Postgres's word for a privilege that is missing.
        error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "42501")
    }
}

/// Creates `<prefix><suffix>` where absent, migrates it, and grants the serving role its rights.
///
/// # Errors
/// When the owner cannot reach or change the database.
pub async fn migrate(owner_url: &str, prefix: &str, role: &str, tables: &Tables) -> Result<(), SchemaError> {
    plain(prefix)?;
    plain(role)?;
    let schema = format!("{prefix}{}", tables.suffix);
    lay(owner_url, (prefix, &schema), role, tables).await.map_err(|error| match error.is_denied() {
        true => SchemaError::NotOwner { schema, source: Box::new(error) },
        false => error,
    })
}

async fn lay(
    owner_url: &str,
    (log, schema): (&str, &str),
    role: &str,
    tables: &Tables,
) -> Result<(), SchemaError> {
    let seen = if tables.of_the_log { format!("{schema},{log}") } else { schema.to_owned() };
    let options = options(owner_url, &seen)?;
    let mut connection = PgConnection::connect_with(&options).await?;
    server::check(&connection)?;
    alone(&mut connection, schema).await?;
    connection.execute(format!("CREATE SCHEMA IF NOT EXISTS {schema}").as_str()).await?;
    steps(&mut connection, tables, true).await?;
    has_role(&mut connection, role).await?;
    let mut grant = format!("GRANT USAGE ON SCHEMA {schema} TO {role}");
    // Which steps were taken is for every program to see that runs on them.
    for (privileges, table) in tables.grants.iter().chain(&[("SELECT", "_sqlx_migrations")]) {
        grant.push_str(&format!("; GRANT {privileges} ON {schema}.{table} TO {role}"));
    }
    // One message is one transaction.
    connection.execute(grant.as_str()).await?;
    connection.close().await?;
    Ok(())
}

/// The first half of the lock's key under which tables are laid; the second one is of the schema's name.
const LAYING: i32 = 7_165_439;

/// Waits until nobody else lays or grants the tables of a schema, and keeps others waiting as long as the connection lasts: of
/// two who grant the same table at once, Postgres lets one fail.
async fn alone(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let alone = sqlx::query("SELECT pg_advisory_lock($1, hashtext($2))");
    alone.bind(LAYING).bind(schema).execute(connection).await?;
    Ok(())
}

/// Takes the steps that were not taken yet, in the first schema that the connection sees.
async fn steps(connection: &mut PgConnection, tables: &Tables, locking: bool) -> Result<(), MigrateError> {
    for migrator in &tables.migrations {
        let migrator = Migrator {
            migrations: migrator.migrations.clone(),
            ignore_missing: true,
            locking: migrator.locking && locking,
            no_tx: migrator.no_tx,
        };
        migrator.run(&mut *connection).await?;
    }
    Ok(())
}

async fn has_role(connection: &mut PgConnection, role: &str) -> Result<(), SchemaError> {
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(connection)
        .await?;
    known.then_some(()).ok_or_else(|| SchemaError::NoRole(role.to_owned()))
}

/// Makes sure that the serving role exists and can log in with `password`.
///
/// # Errors
/// When the owner may not create roles.
pub async fn ensure_role(owner_url: &str, role: &str, password: &str) -> Result<(), SchemaError> {
    plain(role)?;
    let options = PgConnectOptions::from_str(owner_url).map_err(SchemaError::Address)?;
    let mut connection = PgConnection::connect_with(&options).await?;
    server::check(&connection)?;
    let mut transaction = connection.begin().await?;
    // Roles belong to the whole server: two starts at once must not both create one.
    transaction.execute("SELECT pg_advisory_xact_lock(7165437)").await?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(role)
        .fetch_one(&mut *transaction)
        .await?;
    if !exists {
        transaction.execute(format!("CREATE ROLE {role} LOGIN").as_str()).await?;
    }
    let quoted: String =
        sqlx::query_scalar("SELECT quote_literal($1)").bind(password).fetch_one(&mut *transaction).await?;
    transaction.execute(format!("ALTER ROLE {role} PASSWORD {quoted}").as_str()).await?;
    transaction.commit().await?;
    connection.close().await?;
    Ok(())
}

/// The role that an address logs in as.
///
/// # Errors
/// When the address is wrong or nobody answers there.
pub async fn role_of(url: &str) -> Result<String, SchemaError> {
    let options = PgConnectOptions::from_str(url).map_err(SchemaError::Address)?;
    let mut connection = PgConnection::connect_with(&options).await?;
    let role = sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(role)
}

/// A pool whose connections see `<prefix><suffix>` and nothing else.
///
/// # Errors
/// When the address is wrong or the first connection fails.
pub async fn connect(
    url: &str,
    prefix: &str,
    suffix: &str,
    connections_max: u32,
) -> Result<PgPool, SchemaError> {
    let (pool, options) = pool_of(url, prefix, suffix, connections_max)?;
    let pool = pool.connect_with(options).await?;
    server::check(&*pool.acquire().await?)?;
    Ok(pool)
}

/// The same for a database that others can do without: it is not reached before it is needed, and not waited for as long.
///
/// # Errors
/// When the address is wrong.
pub fn connect_when_needed(
    url: &str,
    prefix: &str,
    suffix: &str,
    connections_max: u32,
) -> Result<PgPool, SchemaError> {
    let (pool, options) = pool_of(url, prefix, suffix, connections_max)?;
    Ok(pool.acquire_timeout(Duration::from_secs(2)).connect_lazy_with(options))
}

fn pool_of(
    url: &str,
    prefix: &str,
    suffix: &str,
    connections_max: u32,
) -> Result<(PgPoolOptions, PgConnectOptions), SchemaError> {
    plain(prefix)?;
    // A process that is frozen while it holds the head's lock must not stop all others.
    let options = options(url, &format!("{prefix}{suffix}"))?
        .options([("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "10s")]);
    // A session keeps the setting that it began with, so one that began while the database was read-only must not outlive
    // that. Until there was one, nothing is asked.
    let was_read_only = Arc::new(AtomicBool::new(false));
    let begun = Arc::clone(&was_read_only);
    let pool = PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(Duration::from_secs(10))
        .after_connect(move |connection, _| {
            let begun = Arc::clone(&begun);
            Box::pin(async move {
                // What is too old is told below, and asked nothing.
                if server::check(connection).is_ok() && server::began_read_only(connection).await? {
                    begun.store(true, Ordering::Relaxed);
                }
                Ok(())
            })
        })
        .before_acquire(move |connection, session| {
            let fresh = !was_read_only.load(Ordering::Relaxed) || session.age < server::READ_ONLY_KEPT;
            Box::pin(async move { Ok(fresh || !server::began_read_only(connection).await?) })
        });
    Ok((pool, options))
}

fn options(url: &str, schema: &str) -> Result<PgConnectOptions, SchemaError> {
    let options = PgConnectOptions::from_str(url).map_err(SchemaError::Address)?;
    // Unless it is named, a session's own temporary tables come first, and one called `events` would hide the log.
    let path = format!("{schema},pg_temp");
    Ok(options.options([("search_path", path)]).application_name("daybook"))
}

pub(crate) fn plain(name: &str) -> Result<(), SchemaError> {
    let plain = name.len() <= 48
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    plain.then_some(()).ok_or_else(|| SchemaError::Name(name.to_owned()))
}
