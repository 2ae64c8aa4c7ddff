//! The tables that a replay fills: in a schema of their own, or temporary ones of one session.

use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, postgres::PgDatabaseError};
use store::{
    feed::Entry,
    follow::{ParkedStream, Projection, Replaying},
    log::Position,
    rfc3339,
    schema::{self, SchemaError, TEMPORARY},
};
use uuid::Uuid;

use super::{Asked, ReplayError, Standing};
use crate::analytics::differs;

/// What makes a schema known as a replay's.
const MARK: &str = "a replay of Daybook's log";
/// Postgres's word for a table that cannot be dropped because of something else.
const DEPENDED_ON: &str = "2BP01";
/// The first half of the lock's key; the second one is of the schema's name.
pub(super) const LOCK: i32 = 7_165_438;
/// What is laid beside the projection's own tables. What an operator wants has a row of its own, so that nobody waits for a
/// batch that is under way.
const LAID: &str = "\
    CREATE TABLE replay ( \
        one           boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one), \
        projection    text    NOT NULL, \
        asked         json    NOT NULL, \
        incarnation   uuid    NOT NULL, \
        upto          bigint  NOT NULL, \
        position      bigint  NOT NULL DEFAULT 0, \
        events        bigint  NOT NULL DEFAULT 0, \
        business_time timestamptz \
    ); \
    CREATE TABLE replay_wishes ( \
        one    boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one), \
        wishes json    NOT NULL \
    )";
/// Their names, and that of the streams that could not be taken.
const BESIDE: [&str; 3] = ["replay", "replay_wishes", "parked_streams"];

/// Where a replay's rows are.
pub(super) struct Place {
    pub connection: PgConnection,
    pub schema: String,
}

impl Place {
    /// A schema of that name, which must not be one of the log's; nobody else replays into it as long as this is there.
    pub async fn schema(url: &str, schema: &str, prefix: &str) -> Result<Self, ReplayError> {
        let after = schema.strip_prefix(prefix).filter(|after| !after.starts_with("_replay"));
        if after.is_some_and(|after| after.is_empty() || after.starts_with('_')) {
            return Err(ReplayError::OfTheLog(schema.to_owned()));
        }
        let mut connection = schema::session(url, schema).await?;
        let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, hashtext($2))")
            .bind(LOCK)
            .bind(schema)
            .fetch_one(&mut connection)
            .await?;
        // What a crash of the database loses of the rows it loses of the checkpoint as well.
        connection.execute("SET synchronous_commit = off").await?;
        let place = Self { connection, schema: schema.to_owned() };
        free.then_some(place).ok_or_else(|| ReplayError::Busy(format!("schema {schema}")))
    }

    /// Tables that are gone with this session.
    pub async fn temporary(url: &str) -> Result<Self, ReplayError> {
        let connection = schema::session(url, TEMPORARY).await?;
        Ok(Self { connection, schema: TEMPORARY.to_owned() })
    }

    /// Lays the tables, or finds those of the same replay, and says how far it is.
    pub async fn begin(
        &mut self,
        asked: &Asked,
        (incarnation, upto): (Uuid, Position),
    ) -> Result<Standing, ReplayError> {
        let found = self.found().await?;
        if found.is_some() && !asked.restart {
            self.is_same(&asked.asked, incarnation).await?;
        } else {
            let laid = self.lay(asked, (incarnation, upto), found.as_ref()).await;
            laid.map_err(|source| match self.schema == TEMPORARY {
                true => ReplayError::NoScratch(source),
                false => not_laid(&self.schema, source),
            })?;
        }
        sqlx::query("UPDATE replay SET upto = greatest($1, position)")
            .bind(upto)
            .execute(&mut self.connection)
            .await?;
        standing(&mut self.connection).await
    }

    /// How far the replay is that is there; nothing where there is nothing at all.
    async fn found(&mut self) -> Result<Option<Standing>, ReplayError> {
        if is_replay(&mut self.connection).await? {
            return Ok(Some(standing(&mut self.connection).await?));
        }
        let occupied: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace($1)) \
                 OR EXISTS (SELECT FROM pg_type WHERE typnamespace = to_regnamespace($1)) \
                 OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = to_regnamespace($1))",
        )
        .bind(&self.schema)
        .fetch_one(&mut self.connection)
        .await?;
        if occupied { Err(ReplayError::Occupied(self.schema.clone())) } else { Ok(None) }
    }

    async fn is_same(&mut self, asked: &Value, incarnation: Uuid) -> Result<(), ReplayError> {
        let row = sqlx::query("SELECT asked::text, incarnation FROM replay")
            .fetch_one(&mut self.connection)
            .await?;
        let then: Value =
            serde_json::from_str(row.try_get(0)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let difference = match differs(&then, asked) {
            Some(name) => format!("{name} was {}", then.get(&name).unwrap_or(&Value::Null)),
            None if row.try_get::<Uuid, _>(1)? != incarnation => {
                "the log was restored since, or it is another one".to_owned()
            }
            None => return Ok(()),
        };
        Err(ReplayError::Other { place: format!("schema {}", self.schema), difference })
    }

    /// Lays all of it or nothing, in the place of what another replay has laid; what somebody put beside that stays.
    async fn lay(
        &mut self,
        asked: &Asked,
        (incarnation, upto): (Uuid, Position),
        other: Option<&Standing>,
    ) -> Result<(), SchemaError> {
        let mut transaction = self.connection.begin().await?;
        if let Some(other) = other {
            let of = crate::all().into_iter().filter(|known| known.name() == other.projection);
            let tables = of.flat_map(|known| known.tables().iter().map(|table| table.name));
            let tables: Vec<_> = tables.chain(BESIDE).collect();
            transaction.execute(format!("DROP TABLE IF EXISTS {}", tables.join(", ")).as_str()).await?;
        }
        if self.schema != TEMPORARY {
            let there: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
                .bind(&self.schema)
                .fetch_one(&mut *transaction)
                .await?;
            if !there {
                transaction.execute(format!("CREATE SCHEMA {}", self.schema).as_str()).await?;
            }
        }
        let keep: Vec<_> = asked.projection.tables().iter().map(|table| table.name).chain(BESIDE).collect();
        schema::lay_apart(&mut transaction, &crate::tables(), &keep).await?;
        transaction.execute(LAID).await?;
        let mark = MARK.replace('\'', "''");
        transaction.execute(format!("COMMENT ON TABLE replay IS '{mark}'").as_str()).await?;
        sqlx::query(
            "INSERT INTO replay (projection, asked, incarnation, upto) VALUES ($1, $2::text::json, $3, $4)",
        )
        .bind(asked.projection.name())
        .bind(asked.asked.to_string())
        .bind(incarnation)
        .bind(upto)
        .execute(&mut *transaction)
        .await?;
        sqlx::query("INSERT INTO replay_wishes (wishes) VALUES ($1::text::json)")
            .bind(json!(super::Wishes::default()).to_string())
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Applies entries and moves on to `end`, all or nothing; how many events were applied.
    pub async fn take(
        &mut self,
        replaying: &mut Replaying,
        entries: &[Arc<Entry>],
        end: Position,
    ) -> Result<usize, ReplayError> {
        let mut transaction = self.connection.begin().await?;
        let applied = replaying.take(&mut transaction, entries).await?;
        let latest = entries.iter().filter_map(super::occurred_at).max();
        sqlx::query(
            "UPDATE replay SET position = $1, events = events + $2, business_time = greatest(business_time, $3)",
        )
        .bind(end)
        .bind(i64::try_from(applied).unwrap_or(0))
        .bind(latest.map(rfc3339::moment))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(applied)
    }

    /// Tells the database's planner of what is there now, and counts it: tables and rows.
    pub async fn end(
        &mut self,
        projection: &dyn Projection,
    ) -> Result<(Vec<(&'static str, i64)>, Vec<ParkedStream>), ReplayError> {
        let mut tables = vec![];
        for table in projection.tables() {
            self.connection.execute(format!("ANALYZE {}", table.name).as_str()).await?;
            let counts = format!("SELECT count(*) FROM {}", table.name);
            tables.push((table.name, sqlx::query_scalar(&counts).fetch_one(&mut self.connection).await?));
        }
        Ok((tables, ParkedStream::list(&mut self.connection).await?))
    }
}

/// Why the tables are not laid, and what helps.
fn not_laid(schema: &str, source: SchemaError) -> ReplayError {
    if let SchemaError::Database(sqlx::Error::Database(error)) = &source
        && let Some(error) = error.try_downcast_ref::<PgDatabaseError>()
        && error.code() == DEPENDED_ON
    {
        let what = error.detail().unwrap_or(error.message()).replace('\n', ", ");
        return ReplayError::StoodOn { schema: schema.to_owned(), what };
    }
    match source.is_denied() {
        true => ReplayError::NotLaid { schema: schema.to_owned(), source },
        false => ReplayError::Schema(source),
    }
}

/// Whether a replay's tables are in the schema that the connection sees.
pub(super) async fn is_replay(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(obj_description(to_regclass('replay'), 'pg_class') = $1, false)")
        .bind(MARK)
        .fetch_one(connection)
        .await
}

/// How far the replay is whose tables the connection sees.
pub(super) async fn standing(connection: &mut PgConnection) -> Result<Standing, ReplayError> {
    let row = sqlx::query(
        "SELECT projection, upto, position, events, business_time, (SELECT count(*) FROM parked_streams) FROM replay",
    )
    .fetch_one(connection)
    .await?;
    Ok(Standing {
        projection: row.try_get(0)?,
        upto: row.try_get(1)?,
        position: row.try_get(2)?,
        events: row.try_get(3)?,
        business_time: row.try_get::<Option<time::OffsetDateTime>, _>(4)?.map(rfc3339::of_moment),
        parked: row.try_get(5)?,
    })
}
