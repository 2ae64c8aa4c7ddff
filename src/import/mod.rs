//! Replays a retailer's invoices through the command path, and proves that the read models then say what the file says.
//!
//! A file is read and checked as a whole before the first command; `docs/IMPORT.md` tells how its lines are understood.

mod bill;
mod bytes;
mod classify;
mod error;
pub mod ledger;
mod line;
mod moves;
mod plan;
mod reconcile;
mod rejects;
mod run;
mod stock;

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use projections::{Freshness, QueryError, ReadModels};
use store::{
    executor::{Executor, Token},
    secrets::Fingerprints,
};

pub use self::{
    bytes::FILE_BYTES_MAX,
    classify::Reason,
    error::{ImportError, InputError, Problem},
    ledger::Books,
    reconcile::{Comparison, Day, Lines, RejectedSums, Report, Sums, reconcile},
    rejects::RejectedDay,
};
use self::{plan::Plan, run::Run};
use crate::progress::Progress;

/// What the names of all these invoices start with, in orders' sources and in the ids of commands.
const SOURCE: &str = "retail:";

/// What may be chosen about an import.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the rejected lines go; by default [`rejects_beside`] the working directory's files.
    pub rejects: Option<PathBuf>,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Events that this import added; a repeat adds none.
    pub new_events: u64,
    /// Commands that were answered, for the first time or again.
    pub commands: u64,
    /// Orders among the file's invoices.
    pub orders: u64,
    /// Credit notes among the file's invoices.
    pub credit_notes: u64,
    /// Where the file's lines went.
    pub lines: Lines,
    /// What was rejected, by the day of its invoice, in order.
    pub rejected: Vec<RejectedDay>,
    /// Where the rejected lines stand.
    pub rejects: PathBuf,
    /// The read models must have come this far before they are compared; `None` when nothing was to be done.
    pub token: Option<Token>,
}

/// Imports a retailer's invoices: everything in the file, or, when the file is not as it must be, nothing of it.
///
/// May be repeated, also after it was interrupted: what is in the log already is not done twice.
///
/// # Errors
/// As [`ImportError`] says; [`ImportError::exit_code`] tells bad input from a failure.
pub async fn retail(
    executor: &Executor,
    fingerprints: &Fingerprints,
    file: &Path,
    options: &Options,
    progress: &Progress,
) -> Result<Imported, ImportError> {
    let rejects = match &options.rejects {
        Some(path) => path.clone(),
        None => rejects_beside(file)?,
    };
    let plan = {
        let (file, rejects) = (file.to_owned(), rejects.clone());
        tokio::task::spawn_blocking(move || Plan::lay(&file, &rejects)).await??
    };
    progress.begin(plan.lines.total);
    let tally = Run::new(executor, fingerprints, &plan, progress).all().await?;
    progress.finish();
    Ok(Imported {
        new_events: tally.new_events,
        commands: tally.commands,
        orders: plan.orders(),
        credit_notes: plan.credit_notes(),
        lines: plan.lines,
        rejected: plan.rejected,
        rejects,
        token: tally.last,
    })
}

/// What the read models say of a file's own invoices, once they reflect `imported`.
///
/// # Errors
/// When they have not come so far within `wait`, or as [`QueryError`] says otherwise.
pub async fn read_model(
    models: &ReadModels,
    books: &Books,
    imported: &Imported,
    wait: Duration,
) -> Result<Vec<Day>, QueryError> {
    let freshness = Freshness { at_least: imported.token, wait };
    let days = models.days(&books.names, freshness).await?.value;
    Ok(days
        .into_iter()
        .map(|day| Day {
            date: day.date,
            sums: Sums {
                orders: day.orders,
                units: day.units,
                sale_value: day.sale_value.amount,
                returned_value: day.returned_value.amount,
            },
        })
        .collect())
}

/// Where the rejected lines of `file` go by default: `<its name>.rejects.csv` in the working directory.
///
/// # Errors
/// When there is no working directory, or the path names no file.
pub fn rejects_beside(file: &Path) -> Result<PathBuf, ImportError> {
    let unreadable = |source| ImportError::File { path: file.to_owned(), source };
    let name = file.file_name().ok_or_else(|| unreadable(std::io::ErrorKind::InvalidFilename.into()))?;
    let mut name = name.to_owned();
    name.push(".rejects.csv");
    Ok(env::current_dir().map_err(unreadable)?.join(name))
}
