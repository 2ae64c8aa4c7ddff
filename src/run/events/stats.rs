//! `events stats`: how many events there are, and how large they are.

use std::collections::BTreeMap;

use projections::analytics::Day;
use serde::Serialize;
use store::log::{LogError, PostgresLog, Seen};

use super::Chosen;
use crate::{
    cli::By,
    out,
    progress::Progress,
    run::{FINE, Failure},
};

/// What was counted under one name.
#[derive(Clone, Debug, Default, Serialize)]
struct Count {
    events: u64,
    /// Of payloads and metadata, as stored.
    bytes: u64,
}

/// Everything that was counted.
#[derive(Debug, Serialize)]
struct Counted {
    /// Up to where.
    position: i64,
    #[serde(flatten)]
    all: Count,
    by: &'static str,
    counts: Vec<Named>,
}

#[derive(Debug, Serialize)]
struct Named {
    name: String,
    #[serde(flatten)]
    count: Count,
}

/// Counts.
pub async fn run(log: &PostgresLog, chosen: Chosen, by: By, json: bool) -> Result<u8, Failure> {
    let upto = chosen.end(log).await?;
    let progress = Progress::stderr("stats", "events");
    let whole = |positions: i64| u64::try_from(positions).unwrap_or(0);
    progress.begin(whole(upto - chosen.after));
    let (mut all, mut counts) = (Count::default(), BTreeMap::<String, Count>::new());
    let mut pages = chosen.pages(log, upto);
    let mut name = String::new();
    while let Some(page) = pages.next().await? {
        for seen in &page.events {
            let more = bytes(seen);
            call(seen, by, &mut name)?;
            if !counts.contains_key(&name) {
                counts.insert(name.clone(), Count::default());
            }
            for count in counts.get_mut(&name).into_iter().chain([&mut all]) {
                (count.events, count.bytes) = (count.events + 1, count.bytes + more);
            }
        }
        progress.at(whole(page.upto - chosen.after), whole(upto - chosen.after));
    }
    let by = match by {
        By::Aggregate => "aggregate",
        By::Event => "event",
        By::Day => "day",
    };
    let counts = counts.into_iter().map(|(name, count)| Named { name, count }).collect();
    let counted = Counted { position: upto, all, by, counts };
    if json {
        out::line(serde_json::to_string(&counted)?)?;
        return Ok(FINE);
    }
    let width = counted.counts.iter().map(|named| named.name.len()).max().unwrap_or(0).max(5);
    out::line(format_args!("{:width$} {:>12} {:>15}", counted.by, "events", "bytes"))?;
    for Named { name, count } in &counted.counts {
        out::line(format_args!("{name:width$} {:>12} {:>15}", count.events, count.bytes))?;
    }
    out::line(format_args!("{:width$} {:>12} {:>15}", "all", counted.all.events, counted.all.bytes))?;
    Ok(FINE)
}

/// The bytes of what is stored, counted with the first of what it means.
fn bytes(seen: &Seen) -> u64 {
    let stored = &seen.stored;
    if seen.part > 0 { 0 } else { (stored.payload().len() + stored.metadata().len()) as u64 }
}

/// What an event is counted under.
fn call(seen: &Seen, by: By, name: &mut String) -> Result<(), LogError> {
    name.clear();
    let stored = &seen.stored;
    match by {
        By::Aggregate => name.push_str(stored.aggregate_type()),
        By::Event => {
            for part in [stored.aggregate_type(), ".", seen.event_type()] {
                name.push_str(part);
            }
        }
        By::Day => {
            let brief = stored.brief().map_err(|source| LogError::of_event(stored, source))?;
            *name = Day::of_millis(brief.occurred_at.millis()).to_string();
        }
    }
    Ok(())
}
