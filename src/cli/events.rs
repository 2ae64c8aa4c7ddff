//! Subcommands about the events of the log, for whoever looks at it and changes nothing.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, builder::PossibleValuesParser, builder::TypedValueParser as _};
use domain::{AggregateType, value::Time};
use projections::analytics::{CHECKPOINT_ROWS, Format};
use scenarios::text::distance;
use store::history;
use uuid::Uuid;

/// What can be done with events.
#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Show the newest events, and those that come, a line each.
    Tail {
        /// Which.
        #[command(flatten)]
        selection: SelectionArgs,
        /// How many of those that there are already, 10 unless it is said; with --from-position, the first so many from there,
        /// and then it ends.
        #[arg(long, short = 'n', value_name = "N")]
        lines: Option<usize>,
        /// Show what there is, and end.
        #[arg(long)]
        no_follow: bool,
    },
    /// Show an event, or all of a stream, with everything that is known of it.
    Show {
        /// A position, an event's id, or a stream such as order-O1.
        #[arg(value_name = "POSITION|EVENT_ID|STREAM")]
        what: String,
    },
    /// Count events, and the bytes of their payloads and metadata.
    Stats {
        /// Which.
        #[command(flatten)]
        selection: SelectionArgs,
        /// What they are counted by.
        #[arg(long, value_enum, default_value_t = By::Event)]
        by: By,
    },
    /// Write events to a file, a folder or stdout, for programs that open such files.
    ///
    /// An export that was interrupted goes on where it was when the same command is given again.
    Export(ExportArgs),
}

/// What events are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Kind of aggregate.
    Aggregate,
    /// Type of event.
    Event,
    /// Day of business time, in UTC.
    Day,
}

/// What is written where.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Which events.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// What the files are.
    #[arg(long, value_enum)]
    pub format: FormatArg,
    /// The file, or with --by-type and --partition the folder; - for stdout.
    #[arg(long, value_name = "PATH", default_value = "-")]
    pub into: PathBuf,
    /// A file for each type of event, with its fields as columns; else one file with the payloads as JSON.
    #[arg(long)]
    pub by_type: bool,
    /// A folder day=<date> for each day of business time.
    #[arg(long, value_enum)]
    pub partition: Option<Partition>,
    /// Open personal data. Needs DAYBOOK_MASTER_KEY, and a role that may read the keys.
    #[arg(long)]
    pub open: bool,
    /// Throw away what an interrupted export left, and begin again.
    #[arg(long)]
    pub restart: bool,
    /// Note after so many rows how far it has come; a row group of Parquet has no more.
    #[arg(long, value_name = "ROWS", default_value_t = CHECKPOINT_ROWS,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub checkpoint: u64,
}

/// What the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// A JSON object a line.
    Ndjson,
    /// Commas.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Ndjson => Self::Ndjson,
            FormatArg::Csv => Self::Csv,
            FormatArg::Parquet => Self::Parquet,
        }
    }
}

/// What an export is parted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Partition {
    /// Day of business time, in UTC.
    Day,
}

/// Which events. Each part narrows it.
#[derive(Args, Clone, Debug, Default)]
pub struct SelectionArgs {
    /// Of this kind of aggregate, such as order. Repeatable.
    #[arg(long = "aggregate", value_name = "TYPE", value_parser = aggregate())]
    pub aggregates: Vec<AggregateType>,
    /// Of the aggregate with this id.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Of this type, such as Placed. Repeatable.
    #[arg(long = "event", value_name = "TYPE", value_parser = event)]
    pub events: Vec<&'static str>,
    /// Happened at this moment or day, or later: business time, as 2010-12-01 or 2010-12-01T08:26:00Z.
    #[arg(long, value_name = "TIME", value_parser = from)]
    pub from: Option<Time>,
    /// Happened at this moment or day, or earlier; of a day, all of it.
    #[arg(long, value_name = "TIME", value_parser = to)]
    pub to: Option<Time>,
    /// At this position of the log or after.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub from_position: Option<i64>,
    /// At this position of the log or before.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub to_position: Option<i64>,
    /// Of this business transaction.
    #[arg(long, value_name = "UUID")]
    pub correlation: Option<Uuid>,
}

/// A kind of aggregate; of one that is not known, clap names the nearest.
fn aggregate() -> impl clap::builder::TypedValueParser<Value = AggregateType> {
    PossibleValuesParser::new(AggregateType::ALL.iter().map(|kind| kind.as_str()))
        .try_map(|name| name.parse::<AggregateType>())
}

/// The stored name of an event.
fn event(text: &str) -> Result<&'static str, String> {
    let known = || AggregateType::ALL.iter().flat_map(|kind| kind.event_types()).map(|(name, _)| *name);
    if let Some(name) = known().find(|name| *name == text) {
        return Ok(name);
    }
    let nearest = known().min_by_key(|name| distance(name, text)).unwrap_or_default();
    Err(format!(
        "there is no such event; the nearest name is {nearest} (`daybook events stats` lists those in the log)"
    ))
}

fn from(text: &str) -> Result<Time, String> {
    moment(text).map(|(first, _)| first)
}

fn to(text: &str) -> Result<Time, String> {
    moment(text).map(|(_, last)| last)
}

/// The first and the last millisecond of a moment or a day.
fn moment(text: &str) -> Result<(Time, Time), String> {
    history::span(text).ok_or_else(|| {
        "say a day of the calendar as 2010-12-01, or a moment as 2010-12-01T08:26:00Z".to_owned()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use super::*;

    #[test]
    fn a_day_is_all_of_it_and_a_moment_itself() {
        assert_eq!(from("2010-12-01").unwrap().millis(), 1_291_161_600_000);
        assert_eq!(to("2010-12-01").unwrap().millis(), 1_291_247_999_999);
        assert_eq!(to("2010-12-01T08:26:00Z").unwrap().millis(), 1_291_191_960_000);
        for impossible in ["2010-02-30", "yesterday", "2010-12-01T25:00:00Z", ""] {
            let error = from(impossible).unwrap_err();
            assert!(error.contains("2010-12-01"), "{error}");
        }
    }

    #[test]
    fn an_event_that_there_is_not_is_told_with_the_nearest() {
        for (text, nearest) in [("Placd", "Placed"), ("lineadded", "LineAdded"), ("Recieved", "Received")] {
            assert!(event(text).unwrap_err().contains(nearest), "{text}");
        }
        assert_eq!(event("Placed").unwrap(), "Placed");
    }
}
