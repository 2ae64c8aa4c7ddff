//! A real history turned into a scenario: what was asked as commands, what followed as what is to be seen.
//!
//! The history is played again in memory while it is written down, so whatever is written down goes green there. What
//! the shop does by itself is seen; what somebody asked for is asked again, by the command that leads to the same
//! events; and what neither explains is given. Personal data stays sealed: a word stands in its place.

mod guess;
mod history;
mod load;
mod script;

use std::collections::BTreeMap;

use domain::{AggregateType, AnyEvent, inventory_item};
use store::log::{Meant, Recorded};

pub use self::load::{LoadError, Wanted, load};
use self::{
    history::{groups, on_hand},
    script::{Halt, Stock, script},
};
use crate::{
    steps::Stream,
    suite::{Suite, at_once, in_memory},
};

/// Why a history is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is nothing to tell.
    #[error("nothing has happened there")]
    Nothing,
    /// Played again, it does not go its way; a fault of this program.
    #[error("the history cannot be told as a scenario: {0}")]
    Untellable(String),
}

/// The text of a scenario file that tells this history, in the order of the log.
///
/// # Errors
/// When it is empty.
pub fn record(title: &str, recorded: &[Recorded]) -> Result<String, RecordError> {
    if recorded.is_empty() {
        return Err(RecordError::Nothing);
    }
    let groups = groups(recorded);
    let stock = stock(recorded);
    let mut given = 0;
    let steps = loop {
        let played = at_once(script(&groups, &stock, given));
        match played.ok_or_else(|| RecordError::Untellable("it waits".into()))? {
            Ok(steps) => break steps,
            // Everything up to there is taken as given, then.
            Err(Halt::Unknown(number)) if number >= given => given = number + 1,
            Err(Halt::Unknown(_)) => return Err(RecordError::Untellable("it goes round in circles".into())),
            Err(Halt::Stuck(_)) if given < groups.len() => given = groups.len(),
            Err(Halt::Stuck(stuck)) => return Err(RecordError::Untellable(stuck.0)),
        }
    };
    let mut text = format!("Feature: What was recorded\n\n  Scenario: {title}\n");
    for step in steps {
        text += &format!("    {step}\n");
    }
    checked(title, text)
}

/// What is written down is read and played as anybody would.
fn checked(title: &str, text: String) -> Result<String, RecordError> {
    let mut suite = Suite::default();
    suite.read(title, &text);
    if let Some(problem) = suite.problems.first() {
        return Err(RecordError::Untellable(format!("{problem}\n{text}")));
    }
    let plays = suite.scenarios.iter().flat_map(|scenario| &scenario.plays);
    match plays.filter_map(|play| in_memory(play).failure).next() {
        None => Ok(text),
        Some(failure) => {
            let (expected, got) = (failure.expected.join("; "), failure.got.join("; "));
            let step = failure.step;
            Err(RecordError::Untellable(format!("{step}: expected {expected}, got {got}\n{text}")))
        }
    }
}

/// What must have been on hand of every SKU of whose events only some are told.
fn stock(recorded: &[Recorded]) -> Stock {
    let mut items: BTreeMap<&str, (bool, Vec<&inventory_item::Event>)> = BTreeMap::new();
    for Meant { recorded, event, .. } in recorded.iter().flat_map(Recorded::meant) {
        if let AnyEvent::InventoryItem(event) = event {
            let (whole, events) = items.entry(&recorded.stream.id).or_default();
            *whole |= recorded.sequence == 1;
            events.push(event);
        }
    }
    let partial = items.into_iter().filter(|(_, (whole, _))| !whole);
    let stream = |id: &str| Stream { aggregate_type: AggregateType::InventoryItem, id: id.to_owned() };
    partial.map(|(id, (_, events))| (stream(id), on_hand(&events))).collect()
}
