//! Asks the read models: rows and checkpoint in one snapshot, and again when a token has to be waited for.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgPool, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use store::{
    executor::Token,
    follow::{Checkpoint, Progress},
    log::Position,
    ports::Clock,
};
use uuid::Uuid;

use crate::{
    Fresh, Freshness, QueryError, carts,
    fresh::Seen,
    orders, products, sales,
    search::{self, Followed, NoSearch, Search, Synonyms},
    stock,
    waiting::Wait,
};

/// How long the database may take for one statement: one that is frozen answers no sooner later.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often a statement is sent again that a standby broke off for the sake of what it replays.
const TRIES_MAX: u32 = 3;

/// Whether nobody renews the follower's lease, as far as this server knows: in its own right, or because nothing comes from
/// the one that it follows.
const ALONE: &str = "COALESCE(f.lease_expires_at < now() - interval '10 seconds', true)";

/// The door to all read models; cheap to clone.
#[derive(Clone)]
pub struct ReadModels {
    pub(crate) asker: Asker,
    pub(crate) search: Arc<dyn Search>,
}

impl ReadModels {
    /// Read models in the schema that `pool` sees, which may be a standby. `progress`, by follower, only wakes up who
    /// waits: answers are judged by the checkpoint beside the rows.
    #[must_use]
    pub fn new(pool: PgPool, progress: &HashMap<&'static str, Progress>, clock: Arc<dyn Clock>) -> Self {
        let names = [orders::NAME, carts::NAME, stock::NAME, products::NAME, sales::NAME];
        let waits = names.map(|name| (name, Wait::new(progress.get(name).cloned())));
        let asker = Asker {
            pool,
            clock,
            incarnation: None,
            was_standby: Arc::default(),
            waits: Arc::new(HashMap::from(waits)),
        };
        Self { search: Arc::new(NoSearch), asker }
    }

    /// The same on a log that is in this life: rows of an earlier one fulfil no token, until their followers have found out.
    #[must_use]
    pub fn of_log(self, incarnation: Uuid) -> Self {
        Self { asker: Asker { incarnation: Some(incarnation), ..self.asker }, ..self }
    }

    /// How far each follower has come, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn checkpoints(&self) -> Result<Vec<(String, Checkpoint)>, QueryError> {
        Ok(self.asker.in_time(Checkpoint::all(&self.asker.pool)).await?)
    }

    /// What database answers.
    ///
    /// # Errors
    /// The database's, and when it has been cut off.
    pub async fn source(&self) -> Result<Source, QueryError> {
        let sql = format!(
            "SELECT pg_is_in_recovery() AS standby, COALESCE(bool_and({ALONE}), true) AS alone FROM followers f"
        );
        let asked = sqlx::query_as::<_, Source>(&sql).fetch_one(&self.asker.pool);
        let source = self.asker.in_time(asked).await?;
        self.asker.follows(source.standby, source.alone)?;
        Ok(source)
    }

    /// How these followers stand, as far as they have ever followed.
    pub(crate) async fn standings(&self, names: &[&str]) -> Result<Vec<Standing>, QueryError> {
        let rows = sqlx::query_as(
            "SELECT f.name, f.incarnation, f.position, f.fence, \
                    (SELECT concat_ws('/', count(*), sum(p.first_position), max(p.parked_at)) \
                     FROM parked_streams p WHERE p.follower = f.name) AS aside, \
                    NOT EXISTS (SELECT FROM parked_streams p WHERE p.follower = f.name) \
                    AND NOT EXISTS (SELECT FROM skipped_events s WHERE s.follower = f.name) AS whole \
             FROM followers f WHERE f.name = ANY($1)",
        );
        Ok(self.asker.in_time(rows.bind(names).fetch_all(&self.asker.pool)).await?)
    }

    /// The same with an index to search products in; what matched by one of the synonyms is marked as well.
    #[must_use]
    pub fn with_index(self, followed: Followed, synonyms: Synonyms) -> Self {
        Self { search: search::door(followed, synonyms, self.asker.clone()), ..self }
    }

    /// Connections to the rows.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.asker.pool
    }

    /// What was found when this process compared its index with the read models last.
    #[must_use]
    pub fn index_checked(&self) -> Option<search::Checked> {
        self.search.checked()
    }
}

/// Which kind of database answers queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Whether it is a standby.
    pub standby: bool,
    /// Whether it has not heard of anybody who follows for ten seconds.
    pub alone: bool,
}

store::from_row!(Source { standby, alone });

/// How a follower stands, beside its rows.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub name: String,
    pub incarnation: Option<Uuid>,
    pub position: Position,
    /// Grows whenever the follower changes hands, and whenever its rows are emptied.
    pub fence: i64,
    /// Another text for every change of what it has set aside.
    pub aside: String,
    /// Whether it has set nothing aside, and goes on without nothing.
    pub whole: bool,
}

store::from_row!(Standing { name, incarnation, position, fence, aside, whole });

pub(crate) type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// A question whose answer carries what it reflects.
pub(crate) struct Statement {
    follower: &'static str,
    text: String,
}

impl Statement {
    /// `rows` is a query whose rows have a true column `found`; `order` is its order, again. `parked` tells which of the
    /// follower's set-aside streams, `p`, the answer depends on.
    ///
    /// All of it is one statement, so the checkpoint and the rows come from the same snapshot.
    pub(crate) fn new(follower: &'static str, parked: &str, rows: &str, order: &str) -> Self {
        let text = format!(
            "SELECT pg_is_in_recovery() AS seen_standby, {ALONE} AS seen_alone, \
                    f.incarnation AS seen_incarnation, COALESCE(f.position, 0) AS seen_position, \
                    (SELECT min(p.first_position) FROM parked_streams p \
                     WHERE p.follower = '{follower}' AND ({parked})) AS seen_parked_from, \
                    r.* \
             FROM (SELECT) AS once LEFT JOIN followers f ON f.name = '{follower}' \
                  LEFT JOIN LATERAL ({rows}) r ON true {order}"
        );
        Self { follower, text }
    }
}

/// Asks, and waits for tokens.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) pool: PgPool,
    pub(crate) clock: Arc<dyn Clock>,
    /// The log's present life, where it is known.
    incarnation: Option<Uuid>,
    /// Whether a standby has answered before.
    was_standby: Arc<AtomicBool>,
    pub(crate) waits: Arc<HashMap<&'static str, Wait>>,
}

impl Asker {
    /// The rows of a statement, as fresh as they have to be.
    pub(crate) async fn ask<'q>(
        &self,
        statement: &'q Statement,
        freshness: Freshness,
        bind: impl Fn(PgQuery<'q>) -> PgQuery<'q> + Send + Sync,
    ) -> Result<Fresh<Vec<PgRow>>, QueryError> {
        let (value, seen) = self.ask_seen(statement, freshness, bind).await?;
        Ok(Fresh::seen(value, &seen))
    }

    /// The same with what was seen beside the rows.
    pub(crate) async fn ask_seen<'q>(
        &self,
        statement: &'q Statement,
        freshness: Freshness,
        bind: impl Fn(PgQuery<'q>) -> PgQuery<'q> + Send + Sync,
    ) -> Result<(Vec<PgRow>, Seen), QueryError> {
        let mut deadline = self.clock.sleep(freshness.wait);
        let mut late = freshness.wait.is_zero();
        if let Some(token) = freshness.at_least.filter(|_| !late) {
            tokio::select! {
                () = self.own_follower(statement.follower, token) => {}
                () = &mut deadline => late = true,
            }
        }
        loop {
            let rows = self.fetch(|| bind(sqlx::query(&statement.text))).await?;
            let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
            self.follows(first.try_get("seen_standby")?, first.try_get("seen_alone")?)?;
            let seen = Seen::read(first)?;
            let token = match (self.judge(&seen, freshness.at_least), freshness.at_least) {
                (Ok(()), _) => return Ok((found(rows)?, seen)),
                // A restore leaves the old rows until the follower has begun again: the token may be the newer one.
                (Err(QueryError::Behind { .. } | QueryError::WrongIncarnation), Some(token)) if !late => {
                    token
                }
                (Err(error), _) => return Err(error),
            };
            tokio::select! {
                () = self.look_until(statement.follower, token) => {}
                () = &mut deadline => late = true,
            }
        }
    }

    /// Fails when the database has been a standby and is left to itself: its rows stay as they are for ever.
    fn follows(&self, standby: bool, alone: bool) -> Result<(), QueryError> {
        if standby {
            self.was_standby.store(true, Ordering::Relaxed);
        }
        if !standby && alone && self.was_standby.load(Ordering::Relaxed) {
            return Err(QueryError::CutOff);
        }
        Ok(())
    }

    /// The rows, within the time that the database has for them.
    async fn fetch<'q>(&self, query: impl Fn() -> PgQuery<'q>) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut tries = 1;
        loop {
            match self.in_time(query().fetch_all(&self.pool)).await {
                Err(error) if tries < TRIES_MAX && is_broken_off(&error) => tries += 1,
                rows => return rows,
            }
        }
    }

    pub(crate) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        tokio::select! {
            answer = answer => answer,
            () = self.clock.sleep(ANSWER_WITHIN) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// The time left of a wait that began then, as the clock tells pacing.
    pub(crate) fn left(&self, wait: Duration, begun_us: i64) -> Duration {
        let waited = u64::try_from(self.clock.elapsed_us() - begun_us).unwrap_or(0);
        wait.saturating_sub(Duration::from_micros(waited))
    }

    /// The present on the clock that tells pacing.
    pub(crate) fn elapsed_us(&self) -> i64 {
        self.clock.elapsed_us()
    }

    /// Whether the rows are new enough, and of the log as it is now.
    pub(crate) fn judge(&self, seen: &Seen, at_least: Option<Token>) -> Result<(), QueryError> {
        seen.meets(at_least)?;
        let named = at_least.filter(|token| token.position > 0).map(|token| token.incarnation);
        match (named, self.incarnation) {
            (Some(named), Some(present)) if named != present => Err(QueryError::WrongIncarnation),
            _ => Ok(()),
        }
    }
}

fn found(rows: Vec<PgRow>) -> Result<Vec<PgRow>, sqlx::Error> {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        if row.try_get::<Option<bool>, _>("found")?.is_some() {
            found.push(row);
        }
    }
    Ok(found)
}

/// Whether a standby broke the statement off: what it replays has taken the rows away.
fn is_broken_off(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("40001"))
}
