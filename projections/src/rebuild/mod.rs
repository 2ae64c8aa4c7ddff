//! Builds a read model anew beside the one that serves, shows where they differ, and puts the new one in its place.

mod difference;
mod swap;

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use store::{
    follow::{FillError, Filling, Projection},
    log::{Log, Position},
    ports::{Clock, Ids},
    schema::{self, SchemaError, Standing, Tables},
};

pub(crate) use difference::EXAMPLES;
pub use difference::{Change, Difference, TableDifference};

/// What the schema's name ends with in which read models are built.
pub const BESIDE: &str = "_read_next";
/// How near the new rows have to be before the old ones' follower is held up for the rest.
const NEAR: Position = 2_000;
/// How often the old rows' follower is looked at while it has to come further.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a rebuild stands on.
pub struct Ground {
    /// The read models' database as the owner of its tables.
    pub owner_url: String,
    /// What the names of its schemas start with.
    pub prefix: String,
    /// The role that serves.
    pub role: String,
    /// The read models' tables.
    pub tables: Tables,
    /// The log.
    pub log: Arc<dyn Log>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn Ids>,
}

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// So much of the log is applied, of so much.
    Filling(Position, Position),
    /// The rows are compared.
    Comparing,
    /// The new ones are put in place.
    Swapping,
}

/// What a rebuild has come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rebuilt {
    /// Which projection.
    pub projection: &'static str,
    /// Up to where old and new rows were compared.
    pub position: Position,
    /// Where they differ.
    pub difference: Difference,
    /// Whether the new rows serve now.
    pub swapped: bool,
}

/// Why a read model was not rebuilt. What serves is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Nobody has filled the one that serves.
    #[error("{0} has not followed this log yet: start `daybook serve` first")]
    NotFollowed(&'static str),
    /// The tables beside could not be laid.
    #[error("the tables beside those that serve: {0}")]
    Schema(#[from] SchemaError),
    /// They could not be filled.
    #[error("the new rows: {0}")]
    Fill(#[from] FillError),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] store::log::LogError),
    /// The database's.
    #[error("the read models' database: {0}")]
    Database(#[from] sqlx::Error),
    /// Somebody told the follower to go on without an event.
    #[error("{0} was told meanwhile to go on without an event: rebuild it again")]
    Skipped(&'static str),
    /// The tables that serve have another form than this program knows.
    #[error("{0}: {1}", schema, other(pending, newer))]
    OtherProgram {
        /// Where they lie.
        schema: String,
        /// Steps that were not taken there.
        pending: Vec<String>,
        /// Steps of a newer program.
        newer: Vec<i64>,
    },
    /// They were given another form meanwhile.
    #[error("the tables of {0} were migrated meanwhile: rebuild it with the newest program")]
    Migrated(&'static str),
    /// Long statements keep the tables busy.
    #[error("the tables of {0} were never free for an instant: end what reads them for long, and try again")]
    Busy(&'static str),
}

fn other(pending: &[String], newer: &[i64]) -> String {
    match (pending, newer) {
        ([], newer) => {
            format!("a newer program has taken the steps {newer:?} there, so rebuild with that one")
        }
        (pending, _) => {
            format!("run `daybook migrate` first, which takes these steps: {}", pending.join(", "))
        }
    }
}

/// That the tables in the schema that the pool sees are those of this program: others must not be mixed with them.
async fn of_this_program(pool: &PgPool, schema: &str, tables: &Tables) -> Result<(), RebuildError> {
    let Standing { mut pending, changed, newer } = schema::standing(pool, tables).await?;
    pending.extend(changed);
    if pending.is_empty() && newer.is_empty() {
        return Ok(());
    }
    Err(RebuildError::OtherProgram { schema: schema.to_owned(), pending, newer })
}

/// Both sets of rows, and what fills the new ones.
struct Sides {
    projection: Arc<dyn Projection>,
    /// Names of the schemas.
    old: String,
    new: String,
    /// The old rows' schema, as the owner.
    pool: PgPool,
    filling: Filling,
}

/// Builds a projection's rows anew, compares them with those that serve, and lets the new ones serve when they are equal or
/// `swap` says so. The old ones serve and follow until then.
///
/// # Errors
/// When a database fails, nobody has followed yet, or another rebuild is under way; what serves is as it was.
pub async fn rebuild(
    ground: &Ground,
    projection: Arc<dyn Projection>,
    swap: bool,
    tell: &(dyn Fn(Stage) + Sync),
) -> Result<Rebuilt, RebuildError> {
    let name = projection.name();
    let beside = Tables { suffix: BESIDE, ..ground.tables.clone() };
    let serving = ground.tables.suffix;
    let (old, new) = (format!("{}{serving}", ground.prefix), format!("{}{BESIDE}", ground.prefix));
    let pool = schema::connect(&ground.owner_url, &ground.prefix, serving, 2).await?;
    of_this_program(&pool, &old, &ground.tables).await?;
    schema::migrate(&ground.owner_url, &ground.prefix, &ground.role, &beside).await?;
    let next = schema::connect(&ground.owner_url, &ground.prefix, BESIDE, 2).await?;
    of_this_program(&next, &new, &beside).await?;
    let filling = Filling::begin(
        Arc::clone(&projection),
        (next.clone(), &old),
        Arc::clone(&ground.log),
        (Arc::clone(&ground.clock), &*ground.ids),
    )
    .await?;
    let mut sides = Sides { projection, old, new, pool, filling };
    sides.fill(ground, tell).await?;
    for table in sides.projection.tables() {
        sqlx::query(&format!("ANALYZE {}.{}", sides.new, table.name)).execute(&sides.pool).await?;
    }
    let difference = sides.compare(tell).await?;
    let position = sides.filling.position();
    let swapped = swap || difference.is_none();
    if swapped {
        sides.fill(ground, tell).await?;
        tell(Stage::Swapping);
        sides.swap(&*ground.clock).await?;
    }
    // What serves is settled by now, and the next rebuild empties them as well.
    if let Err(error) = sides.clean().await {
        tracing::warn!(projection = name, %error, "the tables beside those that serve are not emptied");
    }
    sides.filling.end().await;
    Ok(Rebuilt { projection: name, position, difference, swapped })
}

impl Sides {
    /// Fills the new rows to where the old ones are, nearly.
    async fn fill(&mut self, ground: &Ground, tell: &(dyn Fn(Stage) + Sync)) -> Result<(), RebuildError> {
        loop {
            let old = self.old_position(&mut *self.pool.acquire().await?, "").await?;
            let life = ground.log.head().await?.incarnation;
            if old.1.is_some_and(|incarnation| incarnation != life) {
                return Err(RebuildError::NotFollowed(self.projection.name()));
            }
            let until = old.0;
            tell(Stage::Filling(self.filling.position(), until));
            if until - self.filling.position() <= NEAR {
                return Ok(());
            }
            self.filling.up_to(until, &|position| tell(Stage::Filling(position, until))).await?;
            ground.clock.sleep(LOOK_EVERY).await;
        }
    }

    /// How far the old rows are, and in which life of the log.
    async fn old_position(
        &self,
        connection: &mut PgConnection,
        lock: &str,
    ) -> Result<(Position, Option<uuid::Uuid>), RebuildError> {
        sqlx::query_as(&format!("SELECT position, incarnation FROM followers WHERE name = $1 {lock}"))
            .bind(self.projection.name())
            .fetch_optional(connection)
            .await?
            .ok_or(RebuildError::NotFollowed(self.projection.name()))
    }

    /// Holds up the follower of the old rows until the transaction ends, and whoever else would fill the new ones, with both
    /// at the very same position of one life of the log.
    async fn level(&mut self, transaction: &mut PgConnection) -> Result<(), RebuildError> {
        let (position, _) = self.old_position(transaction, "FOR UPDATE").await?;
        self.filling.up_to(position, &|_| {}).await?;
        // With nothing left to fill it has not shown that they are still its own.
        self.filling.hold_in(transaction, &self.new).await?;
        let sql = format!(
            "SELECT o.position = n.position AND (o.position = 0 OR o.incarnation IS NOT DISTINCT FROM n.incarnation) \
             FROM {}.followers o JOIN {}.followers n USING (name) WHERE name = $1",
            self.old, self.new
        );
        match sqlx::query_scalar(&sql).bind(self.projection.name()).fetch_one(transaction).await? {
            true => Ok(()),
            false => Err(FillError::OtherLog.into()),
        }
    }

    /// Where they differ, at one position of both.
    async fn compare(&mut self, tell: &(dyn Fn(Stage) + Sync)) -> Result<Difference, RebuildError> {
        let pool = self.pool.clone();
        let mut holding = store::transaction::begin(&pool).await?;
        self.level(&mut holding).await?;
        tell(Stage::Filling(self.filling.position(), self.filling.position()));
        tell(Stage::Comparing);
        let mut snapshot = store::transaction::snapshot(&pool).await?;
        // A snapshot is taken with the first statement that reads.
        sqlx::query("SELECT FROM followers LIMIT 1").execute(&mut *snapshot).await?;
        holding.rollback().await?;
        let difference = difference::between(&mut snapshot, (&self.old, &self.new), self.projection.tables());
        let difference = difference.await?;
        snapshot.rollback().await?;
        Ok(difference)
    }

    /// Leaves nothing behind in the tables beside, unless somebody else fills them by now.
    async fn clean(&self) -> Result<(), RebuildError> {
        let mut transaction = store::transaction::begin(&self.pool).await?;
        self.filling.hold_in(&mut transaction, &self.new).await?;
        for table in self.projection.tables() {
            sqlx::query(&format!("TRUNCATE {}.{}", self.new, table.name)).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }
}
