//! Folds a batch of events into the rows that it touches, in memory.

use std::collections::BTreeMap;

use domain::{AggregateType, AnyEvent};
use store::{
    follow::ApplyError,
    log::{Position, Recorded, Sequence},
    upcast::may_drop,
};

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub position: Position,
    pub sequence: Sequence,
    /// Its place among what the stored event means, from 0.
    nth: usize,
    aggregate_type: AggregateType,
}

impl At {
    /// The row's next version, which follows its last one: an event that was left out must not go unseen.
    pub(crate) fn after(self, version: Option<Sequence>) -> Result<Sequence, ApplyError> {
        let follows = match version {
            Some(version) if self.nth == 0 => self.sequence == version + 1,
            Some(version) => self.sequence == version,
            // Nothing before it has made a row: there is nothing before it, or that means nothing.
            None => self.sequence == 1 || may_drop(self.aggregate_type),
        };
        if follows {
            Ok(self.sequence)
        } else {
            let (sequence, version) = (self.sequence, version.unwrap_or(0));
            Err(ApplyError::Poison(format!("sequence {sequence} does not follow version {version}")))
        }
    }
}

/// One of the events that a stored event means, on its way into the row of its stream.
pub(crate) struct Step<'e, E> {
    pub id: &'e str,
    /// `None` for a stored event that means nothing any more: it only moves the row's version on.
    pub event: Option<&'e E>,
    pub at: At,
}

/// The steps of one kind of aggregate, in order.
pub(crate) fn steps<'e, E>(
    events: &[&'e Recorded],
    aggregate_type: AggregateType,
    its: impl Fn(&'e AnyEvent) -> Option<&'e E>,
) -> Vec<Step<'e, E>> {
    let mut steps = Vec::new();
    for recorded in events.iter().filter(|recorded| recorded.stream.aggregate_type == aggregate_type) {
        let id = &*recorded.stream.id;
        let (position, sequence) = (recorded.position, recorded.sequence);
        let at = |nth| At { position, sequence, nth, aggregate_type };
        let meant = recorded.events.iter().enumerate();
        steps.extend(meant.map(|(nth, event)| Step { id, event: its(event), at: at(nth) }));
        if recorded.events.is_empty() {
            steps.push(Step { id, event: None, at: at(0) });
        }
    }
    steps
}

/// A row that says which event changed it last.
pub(crate) trait Versioned {
    /// The stream's version and the log's position with that event.
    fn last(&mut self) -> (&mut Sequence, &mut Position);

    /// The row of a stream whose first event means nothing, where what comes later can be added to that.
    fn of_nothing() -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// The ids whose rows have to be loaded: a stream's first event finds none.
pub(crate) fn loaded<'e, E>(steps: &[Step<'e, E>]) -> Vec<&'e str> {
    let first_of: BTreeMap<&str, Sequence> =
        steps.iter().rev().map(|step| (step.id, step.at.sequence)).collect();
    first_of.into_iter().filter(|(_, first)| *first > 1).map(|(id, _)| id).collect()
}

/// Applies steps in order to the rows that they belong to.
pub(crate) fn fold<E, R: Versioned>(
    rows: &mut BTreeMap<String, R>,
    steps: &[Step<'_, E>],
    apply: impl Fn(Option<R>, &E, At) -> Result<R, ApplyError>,
) -> Result<(), ApplyError> {
    for Step { id, event, at } in steps {
        match event {
            Some(event) => {
                let row = apply(rows.remove(*id), event, *at)?;
                rows.insert((*id).to_owned(), row);
            }
            None => {
                if let Some(row) = rows.get_mut(*id) {
                    let (version, position) = row.last();
                    (*version, *position) = (at.after(Some(*version))?, at.position);
                } else if let Some(mut row) = R::of_nothing() {
                    let (version, position) = row.last();
                    (*version, *position) = (at.sequence, at.position);
                    rows.insert((*id).to_owned(), row);
                }
            }
        }
    }
    Ok(())
}

/// One value of each row, to bind as an array.
pub(crate) fn column<'a, T, C>(rows: &'a [T], value: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}
