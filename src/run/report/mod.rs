//! `report`: what a period came to, as a page for people, CSV or JSON, for whoever may read the log's views.

mod along;
mod file;
mod html;
mod plot;
mod rows;
mod words;

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use plotters::drawing::DrawingAreaErrorKind;
use projections::analytics::reports::{self, About, NoPeriod, Period, Report, ReportError, Sources};
use store::{
    ports::{Clock as _, Machine},
    rfc3339,
};
use tokio::signal::unix::{SignalKind, signal};

use self::file::Place;
use super::{FAILED, FINE, Failure, WRONG_INPUT};
use crate::{
    cli::{ReportArgs, ReportCommand, ReportFormat},
    ground::Reading,
    out,
    settings::Settings,
};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportFailure {
    /// Nothing that could be a period.
    #[error(transparent)]
    Period(#[from] NoPeriod),
    /// Nobody said which days.
    #[error("say which days: --period 2010-12, or --from 2010-12-01 and perhaps --to 2010-12-24")]
    NoDays,
    /// There is something in its place.
    #[error("{} is there already: name another file, or say --replace", .0.display())]
    Exists(PathBuf),
    /// A folder was named.
    #[error("{} is a folder: name a file in it with --out", .0.display())]
    IsFolder(PathBuf),
    /// Something was named that is no file.
    #[error("{} is a device or a pipe: lead stdout into it, with --out -", .0.display())]
    NoFile(PathBuf),
    /// A link was named that leads to nothing.
    #[error("{} is a link to a file that is not there: name the file itself", .0.display())]
    LeadsNowhere(PathBuf),
    /// Another process is about to make the same file.
    #[error("{} is being made by another process: name another file, or wait until it is done", .0.display())]
    Busy(PathBuf),
    /// Two forms of one thing.
    #[error("--json is the same as --format json: leave one of both out")]
    TwoFormats,
    /// The folder around it is not there.
    #[error("{} cannot be made: there is no folder {}", path.display(), folder.display())]
    NoFolder {
        /// What was to be made.
        path: PathBuf,
        /// Where.
        folder: PathBuf,
    },
    /// Nobody reads that.
    #[error("a page is nothing for a terminal: name a file with --out, or say --format csv or json")]
    Terminal,
    /// A table that the report has not.
    #[error("there is no table {0:?} in this report; it has {1}")]
    NoTable(String, String),
    /// One table of a format that has all of them.
    #[error("--table chooses what --format csv prints; a page and JSON hold all of them")]
    AllTables,
    /// The file system's.
    #[error("{}: {source}; nothing stands under that name unless it did before", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The views do not tell it.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Rows cannot be written as CSV.
    #[error("writing CSV: {0}")]
    Csv(#[from] csv::Error),
    /// The page cannot be written.
    #[error("writing the page: {0}")]
    Page(#[from] askama::Error),
    /// A plot cannot be drawn.
    #[error("drawing a plot: {0}")]
    Plot(#[from] DrawingAreaErrorKind<io::Error>),
}

impl ReportFailure {
    pub(super) const fn status(&self) -> u8 {
        match self {
            Self::Period(_)
            | Self::NoDays
            | Self::Exists(_)
            | Self::IsFolder(_)
            | Self::NoFile(_)
            | Self::LeadsNowhere(_)
            | Self::Busy(_)
            | Self::TwoFormats
            | Self::NoFolder { .. }
            | Self::Terminal
            | Self::NoTable(..)
            | Self::AllTables
            | Self::Report(ReportError::Currencies(_)) => WRONG_INPUT,
            Self::File { .. } | Self::Report(_) | Self::Csv(_) | Self::Page(_) | Self::Plot(_) => FAILED,
        }
    }
}

/// What a shell says of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;
/// And of one that SIGTERM did.
const TERMINATED: u8 = 143;

/// Makes a report, and puts it where it was asked for; where that is broken off, nothing of it is left.
pub async fn run(
    settings: Settings,
    data: &Path,
    command: &ReportCommand,
    json: bool,
) -> Result<u8, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        made = make(settings, data, command, json) => made,
        _ = interrupt.recv() => Ok(INTERRUPTED),
        _ = terminate.recv() => Ok(TERMINATED),
    }
}

async fn make(settings: Settings, data: &Path, command: &ReportCommand, json: bool) -> Result<u8, Failure> {
    let about = match command {
        ReportCommand::Sales { currency, .. } => About::Sales(*currency),
        ReportCommand::Stock(_) => About::Stock,
        ReportCommand::Funnel(_) => About::Funnel,
        ReportCommand::Reservations(_) => About::Reservations,
    };
    let args = command.args();
    let format = match (json, args.format) {
        (true, None | Some(ReportFormat::Json)) => ReportFormat::Json,
        (true, Some(_)) => return Err(ReportFailure::TwoFormats.into()),
        (false, format) => format.unwrap_or(ReportFormat::Html),
    };
    if let Some(table) = &args.table {
        if format != ReportFormat::Csv {
            return Err(ReportFailure::AllTables.into());
        }
        if !about.tables().contains(&table.as_str()) {
            return Err(ReportFailure::NoTable(table.clone(), about.tables().join(", ")).into());
        }
    }
    let period = period(args)?;
    let place = if args.out == Path::new("-") {
        if format == ReportFormat::Html && io::stdout().is_terminal() {
            return Err(ReportFailure::Terminal.into());
        }
        None
    } else {
        Some(Place::take(&args.out, args.replace)?)
    };
    let reading = Reading::prepare(settings, data, &|line| out::tell(line)).await?;
    let views = reading.views().await?;
    let from = Sources { views: &views, log: &reading.log, schema: reading.schema(), now: Machine.now() };
    let report = reports::report(from, about, period).await.map_err(ReportFailure::from)?;
    let text = text(&report, reading.schema(), format, args.table.as_deref())?;
    match place {
        Some(place) => place.fill(&text)?,
        None => out::text(&text)?,
    }
    if report.archived > 0 {
        out::tell(words::archived(report.archived));
    }
    Ok(FINE)
}

fn period(args: &ReportArgs) -> Result<Period, ReportFailure> {
    let now = Machine.now();
    match (&args.period, args.from) {
        (Some(word), _) => Ok(Period::named(word, now)?),
        (None, Some(from)) => Ok(Period::new(from, args.to.unwrap_or(rfc3339::moment(now).date()))?),
        (None, None) => Err(ReportFailure::NoDays),
    }
}

fn text(
    report: &Report,
    schema: &str,
    format: ReportFormat,
    table: Option<&str>,
) -> Result<String, ReportFailure> {
    match format {
        ReportFormat::Html => html::page(report, schema),
        ReportFormat::Json => Ok(format!("{}\n", rows::json(report))),
        ReportFormat::Csv => {
            let named = report.tables.iter().find(|known| table.is_none_or(|name| known.name == name));
            // Which names there are was looked at before anything was asked.
            named.map_or(Ok(String::new()), rows::csv)
        }
    }
}
