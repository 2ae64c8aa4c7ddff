//! The command line: subcommands and flags. What a flag leaves open, the environment and then the file decide.

mod accounts;
mod events;
mod history;
mod replay;
mod report;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use store::verify::Anchor;

pub use accounts::{AccountsCommand, RightsArgs};
pub use events::{By, EventsCommand, ExportArgs, FormatArg, SelectionArgs};
pub use history::{DiffArgs, Format, StateArgs, StockArgs, WhatIfArgs, WhichArgs};
pub use replay::{ReplayArgs, ReplayCommand, ToArgs};
pub use report::{ReportArgs, ReportCommand, ReportFormat};

/// An event-sourced order and inventory engine.
#[derive(Debug, Parser)]
#[command(name = "daybook", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// Which servers and which file.
    #[command(flatten)]
    pub ground: GroundArgs,
    /// Print one JSON object instead of text, where there is a result.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every subcommand stands on.
#[derive(Args, Clone, Debug)]
pub struct GroundArgs {
    /// Where the local servers keep their data, used when no DATABASE_URL is given.
    #[arg(long, global = true, value_name = "DIR", env = "DAYBOOK_DATA", default_value = ".daybook")]
    pub data: PathBuf,
    /// Settings as NAME=value lines, overridden by the environment.
    #[arg(long, global = true, value_name = "FILE", env = "DAYBOOK_CONFIG")]
    pub config: Option<PathBuf>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start local servers, migrate, load the sample catalogue and serve.
    Up {
        /// Throw the local data away first.
        #[arg(long)]
        fresh: bool,
        /// Where to listen.
        #[arg(long, value_name = "ADDRESS", env = "DAYBOOK_LISTEN", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
        /// Leave the catalogue empty.
        #[arg(long)]
        no_sample: bool,
    },
    /// Serve the HTTP API on servers that are running already.
    Serve {
        /// Where to listen.
        #[arg(long, value_name = "ADDRESS", env = "DAYBOOK_LISTEN", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
    /// Lay or update the tables, as their owner.
    Migrate {
        /// Change nothing; say what would be done, and exit with 1 if anything would.
        #[arg(long)]
        check: bool,
    },
    /// Read the whole log and say whether anything in it was changed, removed, added or moved.
    Verify {
        /// A place in the chain that an earlier run printed and that must still stand: `<position>:<link>`.
        #[arg(long, value_name = "ANCHOR")]
        anchor: Option<Anchor>,
        /// Take everything up to the anchor as read.
        #[arg(long, requires = "anchor")]
        after_anchor: bool,
        /// Do not read the archive's files: check their events' digests, which the database has, and not their content.
        #[arg(long)]
        archive_digests_only: bool,
    },
    /// Move whole closed streams into files, as the owner of the tables; everything reads on from there.
    Archive {
        /// Only streams whose newest event is older, as 365d, 52w or 12h.
        #[arg(long, value_name = "AGE", value_parser = age)]
        older_than: Duration,
        /// Where the files go, and those of earlier runs are; default: DAYBOOK_ARCHIVE_DIR.
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
        /// Change nothing; say what would be moved.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show, count and export what happened, with a role that may read the log.
    Events {
        /// What to do.
        #[command(subcommand)]
        command: EventsCommand,
    },
    /// Say that the database was put back from a copy that it cannot tell from what was there: the log begins a new life.
    ///
    /// A dump that was restored, a base backup that was recovered and a standby that was promoted are noticed without it.
    Restored,
    /// See to the keys that personal data is sealed under, and to those that sign tokens.
    Keys {
        /// What to do.
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// See to the accounts of people who work here.
    Accounts {
        /// What to do.
        #[command(subcommand)]
        command: AccountsCommand,
    },
    /// Show who follows the log, how far each has come, and see to what they have set aside.
    Followers {
        /// What to do.
        #[command(subcommand)]
        command: FollowersCommand,
    },
    /// Rebuild read models beside those that serve, compare them with the log, and see to streams that they have parked.
    Projections {
        /// What to do.
        #[command(subcommand)]
        command: ProjectionsCommand,
    },
    /// Bring another system's books in.
    Import {
        /// Whose.
        #[command(subcommand)]
        source: ImportCommand,
    },
    /// Play scenarios: what the shop promises, told in text files.
    Scenario {
        /// What to do with them.
        #[command(subcommand)]
        command: ScenarioCommand,
    },
    /// Show what an aggregate was at a moment, and what each event made of it.
    State(StateArgs),
    /// Show what is different about an aggregate between two moments, and the events between.
    Diff(DiffArgs),
    /// Show the whole stock as it was at a moment, from the log alone.
    Stock(StockArgs),
    /// Make a report of a period, with plots and tables: a page that needs nothing else, CSV or JSON.
    Report {
        /// Which.
        #[command(subcommand)]
        command: ReportCommand,
    },
    /// Replay the log through a projection, into a database or a folder of Parquet; watch it, pause it and rate it on the way.
    ///
    /// It needs a role that may read the log, and reaches nothing but that and the destination. A replay that was interrupted
    /// goes on when the same command is given again.
    Replay(ReplayArgs),
    /// Decide what was decided again, by other rules, and show every decision that comes out differently.
    WhatIf(WhatIfArgs),
    /// Look at a deployment and say what is wrong with it; change nothing, send nothing.
    ///
    /// Exits with 0 when nothing is wrong, with 1 when something is; what should be looked at alone is not wrong.
    Doctor {
        /// Where serve listens.
        #[arg(long, value_name = "ADDRESS", env = "DAYBOOK_LISTEN", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
    /// Show what each setting is, where that comes from and what it means; secrets are not shown.
    Settings,
}

/// What can be done about keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Wrap every key by DAYBOOK_MASTER_KEY that is still wrapped by DAYBOOK_MASTER_KEY_PREVIOUS; others go on serving.
    Rotate {
        /// Change nothing; say how many keys are left, and exit with 1 if any are.
        #[arg(long)]
        check: bool,
    },
    /// Make a new key that signs tokens. It is published now and signs in ten minutes; the old one verifies until its tokens
    /// have expired.
    RotateTokens {
        /// After a leak: it signs at once, and no token that another key has signed is taken any more. Whoever is logged in
        /// refreshes; guests lose their carts.
        #[arg(long)]
        now: bool,
    },
}

/// What can be done about followers.
#[derive(Debug, Subcommand)]
pub enum FollowersCommand {
    /// List them: how far each has come, what it has set aside, and what it goes on without.
    List {
        /// Again every second, with how many events a second each is done with.
        #[arg(long, conflicts_with = "json")]
        watch: bool,
    },
    /// Try now what a follower has set aside, and go on with all that waits behind it.
    Retry {
        /// What was set aside.
        #[command(flatten)]
        aside: AsideArgs,
    },
    /// Go on without the one event that a stream or an instance is stuck at, for good.
    Skip(SkipArgs),
    /// Go on without everything that waits, for good: a stream or an instance is followed again from here.
    Release {
        /// What was set aside.
        #[command(flatten)]
        aside: AsideArgs,
        /// Why, for whoever asks later.
        #[arg(long, value_name = "TEXT", value_parser = said)]
        reason: String,
    },
}

/// What can be done about read models.
#[derive(Debug, Subcommand)]
pub enum ProjectionsCommand {
    /// Build a read model anew beside the one that serves, and show where they differ; the new one serves if they do not.
    Rebuild {
        /// Which: orders, carts, stock, products, sales or search.
        name: String,
        /// Let the new rows, or the new index, serve even if they differ.
        #[arg(long)]
        swap: bool,
    },
    /// Compare what read models have applied with the log, and the search index with its rows; name what differs.
    Audit {
        /// Which: orders, carts, stock, products, sales or search; default: all.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// List streams that read models could not take; exit with 1 if there are any.
    Parked,
    /// Try now what a read model has parked.
    Retry {
        /// What was parked.
        #[command(flatten)]
        aside: AsideArgs,
    },
    /// Go on without the one event that a stream is stuck at, for good.
    Skip(SkipArgs),
}

/// An event to go on without.
#[derive(Args, Debug)]
pub struct SkipArgs {
    /// What is stuck at it.
    #[command(flatten)]
    pub aside: AsideArgs,
    /// Its position: the first one that is shown as set aside.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub position: i64,
    /// Why, for whoever asks later.
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub reason: Option<String>,
}

/// What a follower has set aside.
#[derive(Args, Debug)]
pub struct AsideArgs {
    /// Which read model, process manager or policy, such as orders or checkout.
    pub follower: String,
    /// Which stream of a read model, such as order-O1, or which instance of another follower, as `list` names it.
    #[arg(value_name = "STREAM|INSTANCE")]
    pub what: String,
}

/// What can be imported.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// A retailer's invoices (CSV, plain or gzip), reconciled with the read models at the end.
    Retail {
        /// The file.
        file: PathBuf,
        /// Where the rejected lines go; default: <file name>.rejects.csv in the working directory.
        #[arg(long, value_name = "FILE")]
        rejects: Option<PathBuf>,
    },
}

/// What can be done with scenarios.
#[derive(Debug, Subcommand)]
pub enum ScenarioCommand {
    /// Play them; without PATH and --tag also say what no scenario sees.
    Run(ScenarioArgs),
    /// Say which events, refusals and commands of process managers no scenario sees.
    Coverage,
    /// Print what really happened, as a scenario file.
    Record(RecordArgs),
}

/// Which history is recorded.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct RecordArgs {
    /// An order, with its cart, checkout, payments, fulfilment and invoice, and what it meant for the stock.
    #[arg(long, value_name = "ID")]
    pub order: Option<String>,
    /// A stream of the log, such as cart-C1. Repeatable.
    #[arg(long = "stream", value_name = "TYPE-ID")]
    pub streams: Vec<String>,
}

/// Which scenarios are played, and how.
#[derive(Args, Debug)]
pub struct ScenarioArgs {
    /// Files, and folders with `.feature` files; default: scenarios/.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// In memory, on the real log, or through the whole stack.
    #[arg(long, value_enum, default_value_t = Level::Domain)]
    pub level: Level,
    /// Only scenarios with this tag; `not:slow` leaves out those with the tag `slow`. Repeatable.
    #[arg(long = "tag", value_name = "TAG", value_parser = tag)]
    pub tags: Vec<String>,
    /// Write the results as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Play again whenever a file changes.
    #[arg(long, conflicts_with = "json")]
    pub watch: bool,
    /// Say what no scenario sees, in any case, and of whatever PATH holds: `--tag` does not count.
    #[arg(long)]
    pub coverage: bool,
}

/// A number and a unit.
fn age(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let hours = match unit {
        "h" => Some(1),
        "d" => Some(24),
        "w" => Some(24 * 7),
        _ => None,
    };
    // A longer time than any log has been written for would not fit the clock.
    let seconds =
        number.parse::<u32>().ok().zip(hours).map(|(number, hours)| u64::from(number) * hours * 3_600);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "an age is a number of hours, days or weeks, as 365d".to_owned())
}

/// A reason that says something.
fn said(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("say why".to_owned()) } else { Ok(text.to_owned()) }
}

/// A tag, or `not:` and a tag.
fn tag(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("not:").unwrap_or(text).trim_start_matches('@');
    if name.is_empty() || name.contains(|letter: char| letter.is_whitespace() || letter == '@') {
        return Err("a tag is a word such as slow, or not:slow".to_owned());
    }
    Ok(text.to_owned())
}

/// The levels that a scenario can be played at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// In memory.
    Domain,
    /// On the real log.
    Store,
    /// Through the whole stack.
    Http,
}
