//! `events export`: one task reads the log, another writes the files.

use std::{
    io::{self, IsTerminal as _},
    path::{self, Path},
};

use projections::analytics::{AnalyticsError, Export, Exported, Layout, Target, Work};
use serde_json::{Value, json};
use store::{
    log::{Log as _, Page, Pages, Position, Seen},
    vault::Vault,
};
use tokio::sync::mpsc;

use super::{Chosen, EventsError};
use crate::{
    cli::ExportArgs,
    ground::Reading,
    out,
    progress::Progress,
    run::{FINE, Failure},
};

/// Pages that may lie between the two tasks.
const PAGES: usize = 2;

/// What the reader tells the writer.
enum Said {
    Read(Page),
    /// That was all.
    End(Position),
}

/// Looks whether the export can be what was asked for, before anything is reached.
pub fn check(args: &ExportArgs) -> Result<(), EventsError> {
    let (many, to_stdout) = (args.by_type || args.partition.is_some(), is_stdout(&args.into));
    if many && to_stdout {
        return Err(EventsError::ManyFiles);
    }
    // An address may hold a password, which a word about a file of that name would repeat.
    if args.into.to_string_lossy().contains("://") {
        return Err(EventsError::IsAddress);
    }
    let is_folder = args.into.is_dir() || args.into.to_string_lossy().ends_with(path::MAIN_SEPARATOR);
    if !many && is_folder {
        return Err(EventsError::IsFolder(args.into.clone()));
    }
    if to_stdout && args.restart {
        return Err(EventsError::NothingToRestart);
    }
    if to_stdout && args.format == crate::cli::FormatArg::Parquet && io::stdout().is_terminal() {
        return Err(EventsError::Terminal);
    }
    Ok(())
}

/// Exports, and says what.
pub async fn run(reading: &Reading, mut chosen: Chosen, args: ExportArgs, json: bool) -> Result<u8, Failure> {
    let vault = if args.open { Some(reading.vault().await?) } else { None };
    let head = reading.log.head().await?;
    let mut upto = chosen.upto.map_or(head.position, |upto| upto.min(head.position));
    let layout = Layout {
        format: args.format.into(),
        by_type: args.by_type,
        by_day: args.partition.is_some(),
        checkpoint_rows: args.checkpoint,
    };
    let begin = chosen.after;
    let to_stdout = is_stdout(&args.into);
    let target = if to_stdout {
        Target::Stream(out::stream())
    } else {
        let many = layout.by_type || layout.by_day;
        let range = (chosen.after, upto.max(chosen.after));
        let work = Work::begin(&args.into, many, &asked(&args), range, head.incarnation, args.restart);
        let work = work.map_err(EventsError::from)?;
        if work.after() > chosen.after {
            out::tell(format_args!("export: goes on after position {}", work.after()));
        }
        (chosen.after, upto) = (work.after(), work.upto());
        Target::Place(work)
    };
    let progress = Progress::stderr("export", "events");
    progress.begin_after(whole(chosen.after - begin), whole(upto - begin));
    let export = Export::begin(layout, target).map_err(EventsError::from)?;
    let (say, hear) = mpsc::channel(PAGES);
    let writer = tokio::task::spawn_blocking(move || write(export, hear));
    let pages = chosen.pages(&reading.log, upto);
    let told = |position: Position| progress.at(whole(position - begin), whole(upto - begin));
    let read = read(pages, upto, vault.as_ref(), say, &told).await;
    let written = writer.await.map_err(EventsError::from)?;
    // A writer that cannot go on ends the reading, and knows why.
    let exported = match (read, written) {
        (Err(failure), Ok(_)) => return Err(failure),
        (_, Err(error)) => return Err(EventsError::from(error).into()),
        (Ok(()), Ok(None)) => {
            return Err(EventsError::from(AnalyticsError::Stream(io::ErrorKind::BrokenPipe.into())).into());
        }
        (Ok(()), Ok(Some(exported))) => exported,
    };
    progress.finish();
    told_of(&exported, upto, to_stdout, json)?;
    Ok(FINE)
}

/// Reads page after page; the log's events as every reader sees them, and opened if they are to be.
async fn read(
    mut pages: Pages,
    upto: Position,
    vault: Option<&Vault>,
    say: mpsc::Sender<Said>,
    told: &(dyn Fn(Position) + Sync),
) -> Result<(), Failure> {
    while let Some(mut page) = pages.next().await? {
        if let Some(vault) = vault {
            for seen in &mut page.events {
                open(vault, seen).await?;
            }
        }
        let position = page.upto;
        if say.send(Said::Read(page)).await.is_err() {
            return Ok(());
        }
        told(position);
    }
    // Where nobody hears it, the writer has failed and says so itself.
    let _ = say.send(Said::End(upto)).await;
    Ok(())
}

async fn open(vault: &Vault, seen: &mut Seen) -> Result<(), Failure> {
    if let Some(opened) = vault.opened(seen.payload()).await? {
        seen.set_payload(opened);
    }
    Ok(())
}

/// Writes what is read; `None` when the reading broke off, so that nothing is put in its place.
fn write(mut export: Export, mut hear: mpsc::Receiver<Said>) -> Result<Option<Exported>, AnalyticsError> {
    while let Some(said) = hear.blocking_recv() {
        match said {
            Said::Read(page) => export.take(&page.events, page.upto)?,
            Said::End(upto) => return export.finish(upto).map(Some),
        }
    }
    Ok(None)
}

/// Everything that makes one export another one.
fn asked(args: &ExportArgs) -> Value {
    let selection = &args.selection;
    let kinds: Vec<_> = selection.aggregates.iter().map(|kind| kind.as_str()).collect();
    json!({
        "daybook": env!("CARGO_PKG_VERSION"),
        "--format": projections::analytics::Format::from(args.format).as_str(),
        "--by-type": args.by_type,
        "--partition": args.partition.is_some(),
        "--open": args.open,
        "--aggregate": kinds,
        "--id": selection.id,
        "--event": selection.events,
        "--from": selection.from.map(|time| time.millis()),
        "--to": selection.to.map(|time| time.millis()),
        "--from-position": selection.from_position,
        "--to-position": selection.to_position,
        "--correlation": selection.correlation,
    })
}

fn told_of(exported: &Exported, upto: Position, to_stdout: bool, json: bool) -> Result<(), Failure> {
    let Exported { rows, files } = exported;
    if json {
        let files: Vec<_> = files.iter().map(|(path, bytes)| json!({"file": path, "bytes": bytes})).collect();
        let told = json!({"ok": true, "events": rows, "position": upto, "files": files});
        if to_stdout {
            out::tell(told);
        } else {
            out::line(told)?;
        }
        return Ok(());
    }
    if to_stdout {
        return Ok(());
    }
    for (path, bytes) in files {
        out::line(format_args!("{}: {bytes} bytes", path.display()))?;
    }
    out::line(format_args!("{rows} events up to position {upto} were exported."))?;
    Ok(())
}

fn is_stdout(into: &Path) -> bool {
    into == Path::new("-")
}

fn whole(positions: Position) -> u64 {
    u64::try_from(positions).unwrap_or(0)
}

impl From<EventsError> for Failure {
    fn from(error: EventsError) -> Self {
        match error {
            EventsError::Analytics(AnalyticsError::Event(error)) => Self::Log(error),
            error => Self::Events(error),
        }
    }
}
