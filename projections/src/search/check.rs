//! Compares an index with the rows by itself, a few products now and then, and says what it found.

use sqlx::PgConnection;
use store::{log::Position, ports::Clock};
use tokio::sync::watch;

use super::{
    changes::FollowError,
    compare::Comparison,
    index::{Index, Reading},
    source,
};

/// How often some are compared, and how many: little enough that nobody feels it.
const EVERY_US: i64 = 10_000_000;
const PRODUCTS: usize = 500;

/// What an index was found to hold when some of it, or all, was compared with the rows last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How far the read models were then.
    pub position: Position,
    /// Products that are not as their rows say; of the last time that all were compared, or since if those are more.
    pub differences: i64,
}

/// A check that goes round and round.
pub(super) struct Check {
    told: watch::Sender<Option<Checked>>,
    due_us: i64,
    round: Option<Round>,
    /// Found in the last whole round.
    last: i64,
}

struct Round {
    held: Box<dyn Reading>,
    after: Position,
    comparison: Comparison,
}

impl Check {
    pub fn new(told: watch::Sender<Option<Checked>>, clock: &dyn Clock) -> Self {
        Self { told, due_us: clock.elapsed_us() + EVERY_US, round: None, last: 0 }
    }

    pub fn is_due(&self, clock: &dyn Clock) -> bool {
        clock.elapsed_us() >= self.due_us
    }

    /// Begins anew: the index is another one, or all of it was compared.
    pub fn found(&mut self, checked: Option<Checked>) {
        self.round = None;
        self.last = checked.map_or(0, |checked| checked.differences);
        self.told.send_replace(checked);
    }

    /// Compares a few products of an index that reflects what the snapshot shows. Texts never change once they are written,
    /// so an engine that does not keep them is asked for its values only.
    pub async fn step(
        &mut self,
        snapshot: &mut PgConnection,
        index: &dyn Index,
        position: Position,
        clock: &dyn Clock,
    ) -> Result<(), FollowError> {
        self.due_us = clock.elapsed_us() + EVERY_US;
        let mut round = match self.round.take() {
            Some(round) => round,
            None => {
                let held = index.read(false).await?;
                Round { held, after: Position::MIN, comparison: Comparison::default() }
            }
        };
        let listed_at = source::listed(snapshot, round.after, PRODUCTS).await?;
        let until = listed_at.last().filter(|_| listed_at.len() == PRODUCTS).copied();
        let until = until.unwrap_or(Position::MAX);
        let held = round.held.between(round.after, until).await?;
        let documents = source::documents(snapshot, &listed_at).await?;
        let should = documents.iter().map(|document| round.held.of(document)).collect();
        let before = round.comparison.differences();
        round.comparison.add(held, should);
        round.after = until;
        let found = round.comparison.differences();
        if found > before {
            tracing::error!(
                products = found,
                "the search index is not what its rows say: see `daybook projections audit search`, mend it with \
                 `daybook projections rebuild search --swap`"
            );
        }
        if until == Position::MAX {
            self.last = found;
        } else {
            self.round = Some(round);
        }
        self.told.send_replace(Some(Checked { position, differences: found.max(self.last) }));
        Ok(())
    }
}
