//! Which life of the log this is, and when another one begins: the database tells that it is not the one that it was.
//!
//! A dump that was restored has another system identifier, or at least another table; a base backup that was recovered and
//! a standby that was promoted have another timeline. What Postgres cannot tell, such as a copy of its files put back, somebody must say.

use std::{sync::Arc, time::Duration};

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    log::{LogError, Position},
    ports::{Clock, Ids},
};

/// How often a running process looks whether its log is still the one that it began with.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What Postgres says of itself: the server's system identifier and timeline, the database and the table. The control file's timeline lags behind a promotion until the next checkpoint; the
/// name of the file that is written to does not. A standby writes none.
const DATABASE: &str = "CASE WHEN NOT pg_is_in_recovery() THEN \
     (SELECT system_identifier FROM pg_control_system())::text || '/' \
     || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) || '/' \
     || (SELECT oid FROM pg_database WHERE datname = current_database()) || '/' || to_regclass('log_head')::oid END";

/// Where the log stands between two lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLife {
    /// The incarnation that was.
    pub was: Uuid,
    /// The incarnation that is.
    pub is: Uuid,
    /// The last position, of both.
    pub position: Position,
}

/// What is recorded of the present life, and what the database says now.
struct Standing {
    incarnation: Uuid,
    recorded: Option<String>,
    database: Option<String>,
}

impl Standing {
    /// Whether both are known and differ.
    fn is_another(&self) -> bool {
        matches!((&self.recorded, &self.database), (Some(recorded), Some(database)) if recorded != database)
    }
}

async fn standing(connection: &mut PgConnection) -> Result<Standing, sqlx::Error> {
    let database = database(connection).await?;
    let (incarnation, recorded) = recorded(connection).await?;
    Ok(Standing { incarnation, recorded, database })
}

/// The present life, and the database that it began on, as far as that is known.
async fn recorded(connection: &mut PgConnection) -> Result<(Uuid, Option<String>), sqlx::Error> {
    sqlx::query_as(
        "SELECT h.incarnation, l.database FROM log_head h LEFT JOIN log_lives l ON l.incarnation = h.incarnation",
    )
    .fetch_one(connection)
    .await
}

/// What the database says of itself; `None` on a standby, and where a provider does not let it say. Asked outside of a
/// transaction, which a refusal would end.
async fn database(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    let said = sqlx::query_scalar(&format!("SELECT {DATABASE}")).fetch_one(connection).await;
    match said {
        // Insufficient privilege, no such function, not supported.
        Err(sqlx::Error::Database(error))
            if error.code().is_some_and(|code| ["42501", "42883", "0A000"].contains(&&*code)) =>
        {
            tracing::debug!(%error, "the database does not say who it is");
            Ok(None)
        }
        said => said,
    }
}

/// Fails when the database is another one than the log's present life began on: nothing may be appended to that life.
///
/// # Errors
/// [`LogError::OtherLog`], and the database's.
pub async fn check(connection: &mut PgConnection) -> Result<(), LogError> {
    if standing(connection).await?.is_another() { Err(LogError::OtherLog) } else { Ok(()) }
}

async fn is_standby(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(connection).await
}

/// Begins a new life when the database is another one than the present life began on. Of several processes that start
/// at once, one does it. On a standby nothing can begin: when it is promoted, [`until_another`] returns.
///
/// # Errors
/// The database's.
pub async fn begin(pool: &PgPool, ids: &dyn Ids) -> Result<Option<NewLife>, LogError> {
    let mut connection = pool.acquire().await?;
    if is_standby(&mut connection).await? {
        return Ok(None);
    }
    let mut now = standing(&mut connection).await?;
    drop(connection);
    match &now.database {
        None => tracing::warn!(
            "the database does not say who it is: after a restore or a failover run `daybook restored`"
        ),
        Some(_) if now.recorded == now.database => return Ok(None),
        Some(_) => {}
    }
    let mut transaction = crate::transaction::begin(pool).await?;
    // Whoever comes second waits here, and finds that it is done.
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *transaction).await?;
    (now.incarnation, now.recorded) = recorded(&mut transaction).await?;
    let life = match goes_on(&mut transaction, &now).await? {
        true => None,
        false => Some(new_life(&mut transaction, ids.next(), now.database.as_deref()).await?),
    };
    transaction.commit().await?;
    if let Some(NewLife { was, is, position }) = life {
        tracing::warn!(
            %was, %is, position,
            "the database was restored or failed over: the log begins a new life where it stands"
        );
    }
    Ok(life)
}

/// Whether the present life goes on here, and is recorded: on tables that keep no lives yet, the first start does that.
/// One that was recorded while the database did not say who it is may have been restored before it did.
async fn goes_on(connection: &mut PgConnection, now: &Standing) -> Result<bool, sqlx::Error> {
    if now.is_another() {
        return Ok(false);
    }
    let recorded = sqlx::query(
        "INSERT INTO log_lives (incarnation, position, link, database) \
         SELECT incarnation, position, link, $1 FROM log_head ON CONFLICT (incarnation) DO NOTHING",
    )
    .bind(&now.database)
    .execute(connection)
    .await?;
    Ok(recorded.rows_affected() > 0 || now.recorded.is_some() || now.database.is_none())
}

/// Begins a new life because somebody says so, wherever the log lies.
///
/// # Errors
/// [`LogError::Standby`], and the database's.
pub async fn restored(pool: &PgPool, ids: &dyn Ids) -> Result<NewLife, LogError> {
    let mut connection = pool.acquire().await?;
    if is_standby(&mut connection).await? {
        return Err(LogError::Standby);
    }
    let database = database(&mut connection).await?;
    drop(connection);
    let mut transaction = crate::transaction::begin(pool).await?;
    sqlx::query("SELECT FROM log_head FOR UPDATE").execute(&mut *transaction).await?;
    let life = new_life(&mut transaction, ids.next(), database.as_deref()).await?;
    transaction.commit().await?;
    Ok(life)
}

/// The head must be locked.
async fn new_life(
    connection: &mut PgConnection,
    is: Uuid,
    database: Option<&str>,
) -> Result<NewLife, sqlx::Error> {
    let (was, position): (Uuid, Position) =
        sqlx::query_as("SELECT incarnation, position FROM log_head").fetch_one(&mut *connection).await?;
    sqlx::query(
        "WITH head AS (UPDATE log_head SET incarnation = $1 RETURNING incarnation, position, link) \
         INSERT INTO log_lives (incarnation, position, link, database) \
         SELECT incarnation, position, link, $2 FROM head",
    )
    .bind(is)
    .bind(database)
    .execute(connection)
    .await?;
    Ok(NewLife { was, is, position })
}

/// Returns when the log is no longer in the life that it was in, or its database is another one.
pub(crate) async fn until_another(pool: PgPool, clock: Arc<dyn Clock>, incarnation: Uuid) {
    loop {
        clock.sleep(LOOK_EVERY).await;
        let looked = async { standing(&mut *pool.acquire().await?).await }.await;
        // A database that is away tells nothing; whoever needs it says so.
        if looked.is_ok_and(|now| now.incarnation != incarnation || now.is_another()) {
            return;
        }
    }
}
