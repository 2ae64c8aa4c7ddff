//! Compares what a projection has applied with the log.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{ApplyError, BLOCK, Projection, Sum, applied::Applied};
use crate::log::{Log, LogError, Portion, Position, StoredEvent};

/// Positions that are read at once.
const PAGE: i64 = 10_000;
/// Differences that are told one by one.
const TOLD_MAX: usize = 20;

/// What an audit has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// Whether everything that should be was applied, once.
    pub ok: bool,
    /// Which projection.
    pub projection: &'static str,
    /// Events behind this position were compared,
    pub after: Position,
    /// up to this one, the projection's checkpoint.
    pub up_to: Position,
    /// Events that it should have applied.
    pub events: i64,
    /// Events of streams that it has set aside: they wait.
    pub waiting: i64,
    /// Blocks in which something else was applied, in order; the first of them.
    pub differences: Vec<BlockDifference>,
    /// How many there are in all.
    pub differences_total: usize,
}

/// A block of the log of which something else was applied than it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockDifference {
    /// Of which kind of aggregate.
    pub aggregate_type: Box<str>,
    /// The block's first position.
    pub first: Position,
    /// Its last position.
    pub last: Position,
    /// Events that should have been applied.
    pub should: i64,
    /// Events that were.
    pub were: i64,
    /// The event, when it is a single one.
    pub event: Option<EventFound>,
}

/// A single event that was left out, or applied twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventFound {
    /// Where it stands.
    pub position: Position,
    /// Its id.
    pub event_id: Uuid,
    /// Its stream.
    pub stream: String,
    /// Its stored name.
    pub event_type: Box<str>,
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Nothing was counted yet.
    #[error("{0} has applied nothing yet that was counted: start `daybook serve`, or rebuild it")]
    NotBegun(&'static str),
    /// What it has applied is of another life of the log.
    #[error(
        "the log was restored since {0} followed it: start `daybook serve` and let it go on or begin anew"
    )]
    OtherLife(&'static str),
    /// The log or the database failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl From<sqlx::Error> for AuditError {
    fn from(error: sqlx::Error) -> Self {
        Self::Apply(error.into())
    }
}

impl From<LogError> for AuditError {
    fn from(error: LogError) -> Self {
        Self::Apply(error.into())
    }
}

/// What a projection has applied, all of one moment.
pub(super) struct Books {
    /// Events behind this position are counted,
    after: Position,
    /// up to this one.
    pub up_to: Position,
    applied: Applied,
    /// Streams that it has set aside, and their first event that waits.
    parked: HashMap<(String, String), Position>,
}

impl Books {
    /// The books of everything, or of one block.
    async fn open(
        connection: &mut PgConnection,
        name: &'static str,
        life: Uuid,
        block: Option<i64>,
    ) -> Result<Self, AuditError> {
        let (after, applied) =
            Applied::read(&mut *connection, name, block).await?.ok_or(AuditError::NotBegun(name))?;
        let (up_to, incarnation): (Position, Option<Uuid>) =
            sqlx::query_as("SELECT position, incarnation FROM followers WHERE name = $1")
                .bind(name)
                .fetch_one(&mut *connection)
                .await?;
        if incarnation.is_some_and(|incarnation| incarnation != life) {
            return Err(AuditError::OtherLife(name));
        }
        let parked: Vec<(String, String, Position)> = sqlx::query_as(
            "SELECT aggregate_type, aggregate_id, first_position FROM parked_streams WHERE follower = $1",
        )
        .bind(name)
        .fetch_all(connection)
        .await?;
        let parked = parked.into_iter().map(|(kind, id, first)| ((kind, id), first)).collect();
        Ok(Self { after, up_to, applied, parked })
    }

    fn waits(&self, event: &StoredEvent) -> bool {
        !self.parked.is_empty() && {
            let key = (event.aggregate_type.to_string(), event.aggregate_id.to_string());
            self.parked.get(&key).is_some_and(|first| event.position >= *first)
        }
    }
}

/// What a projection has applied, beside what it should have.
pub(super) struct Counting<'p> {
    pub projection: &'p dyn Projection,
    pub books: Books,
    pub should: Applied,
    /// Events that it should have applied.
    events: i64,
    /// Events that wait.
    waiting: i64,
}

impl<'p> Counting<'p> {
    /// Opens the books of several projections at one moment: of those that can be compared, when there are more than one.
    pub async fn open(
        pool: &PgPool,
        log: &dyn Log,
        projections: &[&'p dyn Projection],
        block: Option<i64>,
    ) -> Result<Vec<Self>, AuditError> {
        let mut transaction = crate::transaction::begin(pool).await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *transaction)
            .await?;
        let life = log.head().await?.incarnation;
        let mut opened = Vec::new();
        for projection in projections {
            match Books::open(&mut transaction, projection.name(), life, block).await {
                Ok(books) => opened.push(Self {
                    projection: *projection,
                    books,
                    should: Applied::default(),
                    events: 0,
                    waiting: 0,
                }),
                Err(AuditError::NotBegun(_) | AuditError::OtherLife(_)) if projections.len() > 1 => {}
                Err(error) => return Err(error),
            }
        }
        transaction.rollback().await?;
        Ok(opened)
    }

    /// Counts what should have been applied of the events after a position, up to another.
    pub async fn count(
        all: &mut [Self],
        log: &dyn Log,
        (after, up_to): (Position, Position),
        tell: &(dyn Fn(Position) + Sync),
    ) -> Result<(), AuditError> {
        let mut at = after;
        while at < up_to {
            let (before, limit) = (at, PAGE.min(up_to - at));
            let mut add = |event: StoredEvent| all.iter_mut().for_each(|counting| counting.add(&event));
            at = log.read_each(at, limit, Portion::Names, &mut add).await?;
            tell(at);
            if at == before {
                return Err(LogError::Gap { after: at, found: up_to }.into());
            }
        }
        Ok(())
    }

    fn add(&mut self, event: &StoredEvent) {
        let mut follows = self.projection.follows().iter();
        if event.position <= self.books.after || !follows.any(|kind| *kind.as_str() == *event.aggregate_type)
        {
            return;
        }
        if self.books.waits(event) {
            self.waiting += 1;
        } else {
            self.events += 1;
            self.should.add(&event.aggregate_type, event.event_id, event.position);
        }
    }
}

/// Compares what a projection has applied with the log, up to its checkpoint, and finds the first differences.
///
/// # Errors
/// When it has not begun to count, or a database fails.
pub async fn audit(
    pool: &PgPool,
    log: &dyn Log,
    projection: &dyn Projection,
    tell: &(dyn Fn(Position, Position) + Sync),
) -> Result<Audited, AuditError> {
    let mut counting = Counting::open(pool, log, &[projection], None).await?;
    for one in &mut counting {
        let (after, up_to) = (one.books.after, one.books.up_to);
        Counting::count(std::slice::from_mut(one), log, (after, up_to), &|at| {
            tell(at - after, up_to - after)
        })
        .await?;
    }
    let one = counting.pop().ok_or(AuditError::NotBegun(projection.name()))?;
    let (differences, total) = differences(log, &one.books, one.should).await?;
    Ok(Audited {
        ok: total == 0,
        projection: projection.name(),
        after: one.books.after,
        up_to: one.books.up_to,
        events: one.events,
        waiting: one.waiting,
        differences,
        differences_total: total,
    })
}

/// The first blocks that differ, and how many do.
pub(super) async fn differences(
    log: &dyn Log,
    books: &Books,
    should: Applied,
) -> Result<(Vec<BlockDifference>, usize), AuditError> {
    let mut both: BTreeMap<(i64, Box<str>), (Sum, Sum)> =
        should.0.into_iter().map(|(key, sum)| (key, (sum, Sum::default()))).collect();
    for (key, sum) in &books.applied.0 {
        both.entry(key.clone()).or_default().1 = *sum;
    }
    both.retain(|_, (should, were)| should != were);
    let total = both.len();
    let mut told = Vec::new();
    for ((block, aggregate_type), (should, were)) in both.into_iter().take(TOLD_MAX) {
        let (first, last) = (block * BLOCK + 1, ((block + 1) * BLOCK).min(books.up_to));
        let event = match (should.events - were.events).abs() {
            1 => single(log, (first, last), &aggregate_type, should.digest ^ were.digest).await?,
            _ => None,
        };
        let (should, were) = (should.events, were.events);
        told.push(BlockDifference { aggregate_type, first, last, should, were, event });
    }
    Ok((told, total))
}

/// The one event of a block with that digest.
async fn single(
    log: &dyn Log,
    (first, last): (Position, Position),
    aggregate_type: &str,
    digest: i64,
) -> Result<Option<EventFound>, AuditError> {
    let mut found = None;
    log.read_each(first - 1, last - first + 1, Portion::Names, &mut |event| {
        let same = *event.aggregate_type == *aggregate_type
            && Sum::of(event.event_id, event.position).digest == digest;
        if same {
            let stream = format!("{}-{}", event.aggregate_type, event.aggregate_id);
            let (position, event_id) = (event.position, event.event_id);
            found = Some(EventFound { position, event_id, stream, event_type: event.event_type });
        }
    })
    .await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{super::block_of, *};

    #[test]
    fn a_block_holds_its_last_position() {
        assert_eq!([1, BLOCK, BLOCK + 1].map(block_of), [0, 0, 1]);
    }

    #[test]
    fn an_event_that_is_missing_is_the_difference() {
        let sum = |position: Position| Sum::of(Uuid::from_u128(position.unsigned_abs().into()), position);
        let (mut all, mut most) = (Sum::default(), Sum::default());
        for position in 1..=100 {
            all.add(sum(position));
            if position != 37 {
                most.add(sum(position));
            }
        }
        let difference = (all.events - most.events, all.digest ^ most.digest);
        assert_eq!(difference, (1, sum(37).digest));
        assert_ne!(sum(37), Sum::of(Uuid::from_u128(37), 38), "where it stands counts too");
    }
}
