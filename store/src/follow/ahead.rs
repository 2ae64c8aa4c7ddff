//! Reads the log for one projection that is far behind: long stretches, and only what it follows.

use std::sync::Arc;

use domain::AggregateType;

use super::applying::Stretch;
use crate::{
    feed::Entry,
    log::{Log, LogError, Position, read_but},
};

/// Positions that are read at once.
const PAGE: Position = 10_000;
/// Events and bytes of their texts after which a stretch ends: it is one transaction, shorter than a lease.
const EVENTS_MAX: usize = 20_000;
const BYTES_MAX: usize = 16 << 20;

/// Whether an event of such an aggregate is for somebody who follows these. One of a newer program's kind concerns everybody:
/// that program's projection may have a use for it, and must find it not passed.
pub(super) fn concerns(follows: &[AggregateType], aggregate_type: &str) -> bool {
    aggregate_type.parse().map_or(true, |known| follows.contains(&known))
}

/// The next stretch after a position, which ends at `until` at the latest; empty when nothing is there.
pub(super) async fn stretch(
    log: &dyn Log,
    after: Position,
    until: Position,
    follows: &[AggregateType],
) -> Result<Stretch, LogError> {
    let mut stretch = Stretch { end: after, entries: Vec::new() };
    // One of a newer program's kind is not among them.
    let unwanted =
        AggregateType::ALL.iter().filter(|kind| !follows.contains(kind)).copied().collect::<Vec<_>>();
    let mut bytes = 0;
    while stretch.end < until && stretch.entries.len() < EVENTS_MAX && bytes < BYTES_MAX {
        let new = |stored, event| Arc::new(Entry::new(stored, event));
        let (end, page) = read_but(log, stretch.end, PAGE.min(until - stretch.end), &unwanted, new).await?;
        if end == stretch.end {
            break;
        }
        bytes += page.iter().map(|entry| entry.bytes()).sum::<usize>();
        stretch.end = end;
        stretch.entries.extend(page);
    }
    Ok(stretch)
}
