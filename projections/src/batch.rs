//! Folds a batch of events into the rows that it touches, in memory.

use std::collections::BTreeMap;

use store::{
    follow::ApplyError,
    log::{Position, Recorded, Sequence},
};

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub position: Position,
    pub sequence: Sequence,
}

impl At {
    pub(crate) const fn of(recorded: &Recorded) -> Self {
        Self { position: recorded.position, sequence: recorded.sequence }
    }

    /// The row's next version, which follows its last one: an event that was left out must not go unseen.
    pub(crate) fn after(self, version: Sequence) -> Result<Sequence, ApplyError> {
        if self.sequence == version + 1 {
            Ok(self.sequence)
        } else {
            Err(ApplyError::Poison(format!("sequence {} does not follow version {version}", self.sequence)))
        }
    }
}

/// An event on its way into the row of its stream.
pub(crate) struct Step<'e, E> {
    pub id: &'e str,
    pub event: &'e E,
    pub at: At,
}

/// The ids whose rows have to be loaded: a stream's first event finds none.
pub(crate) fn loaded<'e, E>(steps: &[Step<'e, E>]) -> Vec<&'e str> {
    let first_of: BTreeMap<&str, Sequence> =
        steps.iter().rev().map(|step| (step.id, step.at.sequence)).collect();
    first_of.into_iter().filter(|(_, first)| *first > 1).map(|(id, _)| id).collect()
}

/// Applies steps in order to the rows that they belong to.
pub(crate) fn fold<E, R>(
    rows: &mut BTreeMap<String, R>,
    steps: &[Step<'_, E>],
    apply: impl Fn(Option<R>, &Step<'_, E>) -> Result<R, ApplyError>,
) -> Result<(), ApplyError> {
    for step in steps {
        let row = apply(rows.remove(step.id), step)?;
        rows.insert(step.id.to_owned(), row);
    }
    Ok(())
}

/// One value of each row, to bind as an array.
pub(crate) fn column<'a, T, C>(rows: &'a [T], value: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}
