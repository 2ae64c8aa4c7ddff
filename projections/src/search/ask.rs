//! Asks the processes that keep an index to rebuild it or to compare it, and waits for all of them.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use sqlx::{PgPool, Row as _, postgres::PgRow};
use store::ports::{Clock, Ids};
use uuid::Uuid;

use super::{
    asked::{ASKER_SILENT_MAX, Compared, What},
    presence::Process,
};

/// How often answers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Rows of processes that were not seen for so long are cleared away.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A process that is there takes up what was asked.
    pub answer: Duration,
    /// A process says that it is there; one that does not has ended.
    pub silence: Duration,
    /// A process that is at work gets on with it.
    pub progress: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let of = Duration::from_secs;
        Self { answer: of(15), silence: of(10), progress: of(5 * 60) }
    }
}

/// How far a process is with what was asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has not taken it up. Its index may have to be filled first.
    Waiting,
    /// It fills an index, or goes through texts: so many of so many products.
    Filling(i64, i64),
    /// It compares: so many of so many products.
    Comparing(i64, i64),
    /// It is done.
    Done(Compared),
    /// It was not done, and why.
    Failed(String),
    /// The process does not answer, and what was seen of it last.
    Silent(&'static str),
}

impl State {
    const fn is_final(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_) | Self::Silent(_))
    }
}

/// What a process has answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Which.
    #[serde(flatten)]
    pub process: Process,
    /// What it says.
    pub state: State,
}

/// Why nobody answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no index.
    #[error(
        "no process keeps a search index now: it is filled anew by itself when one does. Start `daybook serve`, and ask again"
    )]
    Nobody,
    /// All share one that nobody writes.
    #[error("no process has taken the search index over: see the logs of `daybook serve`")]
    NoWriter,
    /// One thing at a time.
    #[error(
        "somebody else is asking the processes for something about the search index: wait for it, or stop it and wait 10 seconds"
    )]
    Busy,
    /// The database's.
    #[error("the read models' database: {0}")]
    Database(#[from] sqlx::Error),
}

/// What was asked, until it is dropped from the table.
struct Asking<'a> {
    pool: &'a PgPool,
    id: Uuid,
    patience: Patience,
    /// Everybody who has been seen since.
    seen: Vec<Seen>,
}

#[derive(Clone)]
struct Seen {
    answer: Answer,
    shared: bool,
    writes: bool,
}

/// Asks all processes that keep an index, tells how far they are, and returns what each has answered in the end. Of an index
/// that all share one process answers.
///
/// # Errors
/// When there is nobody to ask, somebody else asks, or the database fails.
pub async fn ask(
    pool: &PgPool,
    (clock, ids): (Arc<dyn Clock>, &dyn Ids),
    (what, swap): (What, bool),
    patience: Patience,
    tell: &(dyn Fn(&[Answer]) + Sync),
) -> Result<Vec<Answer>, AskError> {
    let id = ids.next();
    let mut asking = Asking { pool, id, patience, seen: Vec::new() };
    asking.begin(what, swap).await?;
    let answered = asking.wait(&*clock, tell).await;
    // What nobody waits for is not gone on with.
    let ended = sqlx::query("DELETE FROM search_asked WHERE id = $1").bind(id).execute(pool).await;
    let answers = answered?;
    ended?;
    Ok(answers)
}

impl Asking<'_> {
    async fn begin(&self, what: What, swap: bool) -> Result<(), AskError> {
        for (table, age) in [("search_asked", ASKER_SILENT_MAX), ("search_indexes", FORGOTTEN_AFTER)] {
            let sql = format!("DELETE FROM {table} WHERE seen_at <= now() - $1 * interval '1 second'");
            sqlx::query(&sql).bind(age.as_secs_f64()).execute(self.pool).await?;
        }
        let there: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM search_indexes WHERE seen_at > now() - $1 * interval '1 second')",
        )
        .bind(self.patience.silence.as_secs_f64())
        .fetch_one(self.pool)
        .await?;
        if !there {
            return Err(AskError::Nobody);
        }
        let taken = sqlx::query(
            "INSERT INTO search_asked (id, what, swap) VALUES ($1, $2, $3) ON CONFLICT (one) DO NOTHING",
        )
        .bind(self.id)
        .bind(what.name())
        .bind(swap)
        .execute(self.pool)
        .await?;
        if taken.rows_affected() == 0 { Err(AskError::Busy) } else { Ok(()) }
    }

    async fn wait(
        &mut self,
        clock: &dyn Clock,
        tell: &(dyn Fn(&[Answer]) + Sync),
    ) -> Result<Vec<Answer>, AskError> {
        let mut answered_us = clock.elapsed_us();
        loop {
            let still = sqlx::query("UPDATE search_asked SET seen_at = now() WHERE id = $1")
                .bind(self.id)
                .execute(self.pool)
                .await?;
            if still.rows_affected() == 0 {
                return Err(AskError::Busy);
            }
            self.look().await?;
            let answers = self.answers();
            tell(&answers);
            if !answers.is_empty() && answers.iter().all(|answer| answer.state.is_final()) {
                return Ok(answers);
            }
            if !answers.is_empty() {
                answered_us = clock.elapsed_us();
            }
            let waited = Duration::from_micros(u64::try_from(clock.elapsed_us() - answered_us).unwrap_or(0));
            if waited > self.patience.answer {
                return Err(if self.seen.is_empty() { AskError::Nobody } else { AskError::NoWriter });
            }
            clock.sleep(LOOK_EVERY).await;
        }
    }

    /// Looks at everybody who keeps an index or has kept one since it was asked.
    async fn look(&mut self) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(
            "SELECT i.instance, i.host, i.pid, i.engine, i.shared, i.writes, i.position IS NOT NULL AS filled, \
                    extract(epoch FROM now() - i.seen_at)::float8 AS silent_s, \
                    a.stage, a.done, a.total, a.outcome, \
                    extract(epoch FROM now() - a.moved_at)::float8 AS still_s, \
                    extract(epoch FROM now() - greatest(q.asked_at, i.begun_at))::float8 AS asked_s \
             FROM search_indexes i \
                  JOIN search_asked q ON q.id = $1 \
                  LEFT JOIN search_answers a ON a.instance = i.instance AND a.asked = q.id \
             WHERE i.seen_at > q.asked_at - $2 * interval '1 second' ORDER BY i.host, i.pid, i.instance",
        )
        .bind(self.id)
        .bind(self.patience.silence.as_secs_f64())
        .fetch_all(self.pool)
        .await?;
        let found = rows.iter().map(|row| self.seen(row)).collect::<Result<Vec<_>, _>>()?;
        // One that has left in order is waited for no longer, and what it has said counts all the same.
        self.seen.retain(|old| {
            old.answer.state.is_final()
                && !found.iter().any(|new| new.answer.process.instance == old.answer.process.instance)
        });
        self.seen.extend(found);
        Ok(())
    }

    fn seen(&self, row: &PgRow) -> Result<Seen, sqlx::Error> {
        let process = Process {
            instance: row.try_get("instance")?,
            host: row.try_get("host")?,
            pid: row.try_get("pid")?,
            engine: row.try_get("engine")?,
        };
        let (shared, writes) = (row.try_get("shared")?, row.try_get("writes")?);
        Ok(Seen { answer: Answer { process, state: self.state(row)? }, shared, writes })
    }

    fn state(&self, row: &PgRow) -> Result<State, sqlx::Error> {
        let Patience { answer, silence, progress } = self.patience;
        let longer = |column: &str, than: Duration| -> Result<bool, sqlx::Error> {
            let seconds: Option<f64> = row.try_get(column)?;
            Ok(seconds.is_some_and(|seconds| seconds > than.as_secs_f64()))
        };
        let stage: Option<String> = row.try_get("stage")?;
        let outcome: Option<String> = row.try_get("outcome")?;
        match (stage.as_deref(), outcome) {
            (Some("done"), Some(outcome)) => {
                let compared = serde_json::from_str(&outcome);
                return Ok(compared.map_or_else(|error| State::Failed(error.to_string()), State::Done));
            }
            (Some("failed"), outcome) => return Ok(State::Failed(outcome.unwrap_or_default())),
            _ => {}
        }
        if longer("silent_s", silence)? {
            return Ok(State::Silent("it has ended, or cannot reach the database"));
        }
        let Some(stage) = stage else {
            // One that is filling its index for the first time says that it is there and no more.
            let allowed = if row.try_get("filled")? { answer } else { progress };
            return Ok(match longer("asked_s", allowed)? {
                true => State::Silent("it has not taken up what was asked"),
                false => State::Waiting,
            });
        };
        if longer("still_s", progress)? {
            return Ok(State::Silent("it does not get on"));
        }
        let (done, total) = (row.try_get("done")?, row.try_get("total")?);
        Ok(if stage == "filling" { State::Filling(done, total) } else { State::Comparing(done, total) })
    }

    /// Who counts. Of those that share an index it is the one that writes; whoever it was before does not, unless it has
    /// answered and nobody else has to.
    fn answers(&self) -> Vec<Answer> {
        let done = |seen: &Seen| matches!(seen.answer.state, State::Done(_));
        let shared_done = self.seen.iter().any(|seen| seen.shared && done(seen));
        let others_may =
            self.seen.iter().any(|seen| seen.shared && !matches!(seen.answer.state, State::Silent(_)));
        let counts = |seen: &&Seen| match seen.shared {
            false => true,
            true if shared_done => done(seen),
            true => seen.writes && !(matches!(seen.answer.state, State::Silent(_)) && others_may),
        };
        self.seen.iter().filter(counts).map(|seen| seen.answer.clone()).collect()
    }
}
