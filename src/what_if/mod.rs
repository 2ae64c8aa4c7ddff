//! Decides again what was decided, by other rules, and finds every decision that comes out differently.
//!
//! The log keeps what happened and not what was asked. A process manager's commands derive from its own events, and other
//! commands on stock from what they led to; each is decided on the state that it met, by the domain's own functions, and
//! counts only if it leads to exactly what is recorded. Beside every state that was stands the one that would have been.

mod checkouts;
mod derive;
mod outcomes;
mod replay;
mod rules;
mod stock;
mod told;
mod twin;

use std::collections::HashMap;

use domain::AggregateType;
use store::log::{Answer, Log, LogError, Recorded, read_but};
use uuid::Uuid;

use self::replay::Replay;

pub use rules::{Rules, RulesError};
pub use told::{Difference, NEVER, Report, Totals};

/// So many events are read at once.
const PAGE: i64 = 5_000;

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub enum WhatIfError {
    /// The rules cannot be used.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Decides the whole log again; `progress` hears how far that has come, in positions.
///
/// # Errors
/// When the log cannot be read.
pub async fn what_if(
    log: &dyn Log,
    rules: &Rules,
    progress: &mut (dyn FnMut(i64, i64) + Send),
) -> Result<Report, WhatIfError> {
    let head = log.head().await?;
    let decided = [AggregateType::Checkout, AggregateType::InventoryItem, AggregateType::Allowance];
    let others = AggregateType::ALL.iter().copied().filter(|kind| !decided.contains(kind));
    let others: Vec<AggregateType> = others.collect();
    let mut replay = Replay::new(rules);
    let mut after = 0;
    while after < head.position {
        let limit = PAGE.min(head.position - after);
        let (end, read) = read_but(log, after, limit, &others, |stored, decoded| {
            decoded.map_err(|source| LogError::Decode {
                stream: format!("{}-{}", stored.aggregate_type, stored.aggregate_id).into(),
                sequence: stored.sequence,
                source,
            })
        })
        .await?;
        let read: Vec<Recorded> = read.into_iter().collect::<Result<_, _>>()?;
        let refused = refused(log, &read).await?;
        for recorded in read {
            replay.take(recorded, &refused);
        }
        after = end.max(after + 1);
        progress(after, head.position);
    }
    Ok(replay.end(head.position))
}

/// Of the commands that these checkouts began with, those that were refused: when, as the version of the stream says.
async fn refused(log: &dyn Log, read: &[Recorded]) -> Result<HashMap<Uuid, Answer>, LogError> {
    let ids: Vec<Uuid> = read
        .iter()
        .flat_map(Recorded::meant)
        .flat_map(|meant| checkouts::first_commands(meant).into_iter().map(|(id, ..)| id))
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let answers = log.answers(&ids).await?.into_iter();
    let refused = answers.filter(|answer| answer.refusal.is_some());
    Ok(refused.map(|answer| (answer.command_id, answer)).collect())
}
