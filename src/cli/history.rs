//! How the past is asked for: which aggregate, which moment, which rules.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use domain::value::{LocationId, Sku, Time};
use store::history::{Moment, time};

/// So many events are shown unless it is said otherwise.
const STEPS: usize = 200;

/// What somebody wants to know the state of.
#[derive(Args, Debug)]
pub struct StateArgs {
    /// Which aggregate.
    #[command(flatten)]
    pub which: WhichArgs,
    /// When; as it is, without it.
    #[command(flatten)]
    pub at: AtArgs,
}

/// An aggregate, and how much of its past is shown.
#[derive(Args, Debug)]
pub struct WhichArgs {
    /// Its type: order, cart, payment, inventory_item, product …
    #[arg(value_name = "TYPE")]
    pub aggregate: String,
    /// Its id; of stock, the SKU.
    pub id: String,
    /// Show at most so many events, the last ones.
    #[arg(long, value_name = "N", default_value_t = STEPS)]
    pub last: usize,
}

/// A moment of an aggregate's past.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
pub struct AtArgs {
    /// Business time: what occurred then or earlier counts. A day is its end, in UTC.
    #[arg(long, value_name = "TIME", value_parser = moment_in_time)]
    pub at: Option<Time>,
    /// A position of the log: what stands there or before it counts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub at_position: Option<i64>,
    /// A place in the aggregate's own stream, which is its version then.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub at_sequence: Option<i64>,
}

/// Two moments of an aggregate's past.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// Which aggregate.
    #[command(flatten)]
    pub which: WhichArgs,
    /// The earlier moment: a time, a day (its end, in UTC), a position, or sequence:N.
    #[arg(long, value_name = "MOMENT")]
    pub from: Moment,
    /// The later one; as it is, without it.
    #[arg(long, value_name = "MOMENT")]
    pub to: Option<Moment>,
}

/// Which stock, when, and how it is printed.
#[derive(Args, Debug)]
pub struct StockArgs {
    /// Business time: what occurred then or earlier counts. A day is its end, in UTC.
    #[arg(long, value_name = "TIME", value_parser = moment_in_time, conflicts_with = "at_position")]
    pub at: Option<Time>,
    /// A position of the log: what stands there or before it counts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub at_position: Option<i64>,
    /// Of this SKU alone.
    #[arg(long, value_name = "SKU")]
    pub sku: Option<Sku>,
    /// Only SKUs of which units lay in this place, and how many.
    #[arg(long, value_name = "PLACE", conflicts_with = "verify")]
    pub location: Option<LocationId>,
    /// How it is printed, as a table unless it is said; --json is the same as --format json.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Compare the read model of stock with the log, at the position that it has come to; exit with 1 if they differ.
    #[arg(long, conflicts_with_all = ["at", "at_position"])]
    pub verify: bool,
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

/// Other rules than those that were.
#[derive(Args, Debug)]
pub struct WhatIfArgs {
    /// The rules that are to be others, as JSON; docs/TIME_TRAVEL.md lists them.
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,
}

impl From<AtArgs> for Moment {
    fn from(AtArgs { at, at_position, at_sequence }: AtArgs) -> Self {
        let time = at.map(Self::Time);
        let place = at_position.map(Self::Position).or_else(|| at_sequence.map(Self::Sequence));
        time.or(place).unwrap_or(Self::Now)
    }
}

fn moment_in_time(text: &str) -> Result<Time, String> {
    time(text).ok_or_else(|| {
        "a time is written as 2010-12-24T08:30:00Z, or 2010-12-24 for the end of that day in UTC; for a position of the \
         log there is --at-position"
            .to_owned()
    })
}
