//! Which report, of which days, and where it goes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use domain::value::Currency;
use projections::analytics::reports;
use time::Date;

/// What can be reported.
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// What was sold and credited: by day and country, the products that sold most, the average order.
    Sales {
        /// Of when, and where it goes.
        #[command(flatten)]
        args: ReportArgs,
        /// The currency, where there are sales in several.
        #[arg(long, value_name = "CODE")]
        currency: Option<Currency>,
    },
    /// What was on hand, reserved and available at the end, what came and left, and what ran out.
    Stock(ReportArgs),
    /// How far carts and orders came that began in the period, and how long each step took.
    Funnel(ReportArgs),
    /// What was held for somebody, what became of it, and how long it was held.
    Reservations(ReportArgs),
}

/// Of when, and where it goes.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// The first day, in UTC, as 2010-12-01.
    #[arg(long, value_name = "DAY", value_parser = reports::day)]
    pub from: Option<Date>,
    /// The last day, all of it; default: today.
    #[arg(long, value_name = "DAY", value_parser = reports::day)]
    pub to: Option<Date>,
    /// 2010, 2010-Q4, 2010-12, 2010-12-24, today, yesterday, week, month, last-month or year.
    #[arg(long, value_name = "PERIOD", conflicts_with_all = ["from", "to"])]
    pub period: Option<String>,
    /// What it is, html unless it is said; --json is the same as --format json.
    #[arg(long, value_enum)]
    pub format: Option<ReportFormat>,
    /// Which of the report's tables, with --format csv; default: the first.
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// The file; - for stdout.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,
    /// Put it in the place of a file that is there; of a link's file, not of the link.
    #[arg(long)]
    pub replace: bool,
}

/// What a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A page for people, with plots, in one file.
    Html,
    /// One of its tables, for spreadsheets.
    Csv,
    /// Everything, for programs.
    Json,
}

impl ReportCommand {
    /// Of when, and where it goes.
    #[must_use]
    pub const fn args(&self) -> &ReportArgs {
        match self {
            Self::Sales { args, .. } | Self::Stock(args) | Self::Funnel(args) | Self::Reservations(args) => {
                args
            }
        }
    }
}
