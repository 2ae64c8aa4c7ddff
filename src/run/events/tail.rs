//! `events tail`: the newest events, and those that come.

use std::{collections::VecDeque, time::Duration};

use projections::analytics::{Table, line, millis};
use store::log::{LogError, Pages, Position, PostgresLog, Seen};

use super::Chosen;
use crate::{
    out,
    run::{FINE, Failure},
};

/// Between two looks at where the log ends.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// So many of the newest are shown unless it is said.
const NEWEST: usize = 10;
/// Positions that are looked through first for the newest ones.
const WINDOW: i64 = 4_096;

/// Shows the newest, then whatever comes until nobody reads any more, or until the last position that was asked for; or from
/// where somebody named, all or so many.
pub async fn run(
    log: &PostgresLog,
    chosen: Chosen,
    lines: Option<usize>,
    follow: bool,
    json: bool,
) -> Result<u8, Failure> {
    let table = Table::of_all();
    let end = chosen.end(log).await?;
    let (mut pages, mut left) = if chosen.from_there {
        (chosen.pages(log, end), lines)
    } else {
        (newest(log, &chosen, end, lines.unwrap_or(NEWEST), &table, json).await?, None)
    };
    loop {
        while left != Some(0)
            && let Some(page) = pages.next().await?
        {
            let events = page.events.get(..left.unwrap_or(usize::MAX)).unwrap_or(&page.events);
            print(&table, events, json)?;
            left = left.map(|left| left - events.len());
            if out::is_closed() {
                return Err(out::Unprinted::closed().into());
            }
        }
        let head = chosen.end(log).await?;
        pages.extend(head);
        if left == Some(0) || !follow || chosen.upto.is_some_and(|upto| head >= upto) && pages.is_done() {
            return Ok(FINE);
        }
        if out::is_closed() {
            return Err(out::Unprinted::closed().into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Shows the newest so many, and gives back what reads on behind them.
async fn newest(
    log: &PostgresLog,
    chosen: &Chosen,
    end: Position,
    lines: usize,
    table: &Table,
    json: bool,
) -> Result<Pages, Failure> {
    let (mut kept, mut after, mut window) = (VecDeque::new(), end, WINDOW);
    // Further and further back, until there are enough.
    while after > 0 && kept.len() < lines {
        kept.clear();
        after = (end - window).max(0);
        let mut pages = Pages::new(log.clone(), chosen.selection.clone(), after, end);
        while let Some(page) = pages.next().await? {
            for seen in page.events {
                kept.push_back(seen);
                if kept.len() > lines {
                    kept.pop_front();
                }
            }
        }
        window = window.saturating_mul(8);
    }
    print(table, kept.make_contiguous(), json)?;
    Ok(Pages::new(log.clone(), chosen.selection.clone(), end, end))
}

fn print(table: &Table, events: &[Seen], json: bool) -> Result<(), Failure> {
    let mut text = vec![];
    for seen in events {
        if json {
            line(table, seen, &mut text)?;
        } else {
            plain(seen, &mut text)?;
        }
    }
    if !text.is_empty() {
        out::text(String::from_utf8_lossy(&text))?;
    }
    Ok(())
}

/// Where, when, what: one line.
fn plain(seen: &Seen, out: &mut Vec<u8>) -> Result<(), LogError> {
    let stored = &seen.stored;
    let broken = |source| LogError::of_event(stored, source);
    let brief = stored.brief().map_err(broken)?;
    out.extend_from_slice(format!("{} ", stored.position).as_bytes());
    millis(out, brief.occurred_at.millis());
    let fields = seen.fields().map_err(broken)?;
    let (kind, id) = (stored.aggregate_type(), stored.aggregate_id());
    let line = format!(" {kind}-{id} #{} {} {fields}\n", stored.sequence, seen.event_type());
    out.extend_from_slice(line.as_bytes());
    Ok(())
}
