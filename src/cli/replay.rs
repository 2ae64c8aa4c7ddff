//! What is replayed, where to, how fast, and how a replay that runs is steered.

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};
use projections::replay::{Begin, Destination, ReplayError, Speed};
use store::history::{Moment, span};

/// The schema that a replay goes into unless another one is named.
const SCHEMA: &str = "daybook_replay";

/// What is replayed, or what is done about a replay.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct ReplayArgs {
    /// What is done about one that runs.
    #[command(subcommand)]
    pub command: Option<ReplayCommand>,
    /// Through which projection: orders, carts, stock, products or sales.
    #[arg(long, value_name = "NAME", required = true)]
    pub projection: Option<String>,
    /// Where it goes.
    #[command(flatten)]
    pub to: ToArgs,
    /// From where on it is rated: a position, a time or a day. What stands before it is applied first, at once.
    #[arg(long, value_name = "MOMENT", value_parser = begin)]
    pub from: Option<Begin>,
    /// Up to when: a position, a time of business or a day, all of it. Up to the log's end, without it.
    #[arg(long = "to", value_name = "MOMENT", value_parser = end)]
    pub until: Option<Moment>,
    /// How fast: 10x (ten business seconds a second), 500/s (events a second), or max.
    #[arg(long, value_name = "SPEED", default_value_t)]
    pub speed: Speed,
    /// Throw away what another replay left there, and begin again.
    #[arg(long)]
    pub restart: bool,
    /// For a folder: a database to fold the rows in, in temporary tables; default: that of the log.
    #[arg(long, value_name = "DATABASE_URL")]
    pub scratch: Option<String>,
}

/// What can be done about a replay that runs.
#[derive(Debug, Subcommand)]
pub enum ReplayCommand {
    /// Let it stand still.
    Pause(ToArgs),
    /// Let it go on.
    Resume(ToArgs),
    /// Let it go at another speed.
    Rate {
        /// How fast: 10x, 500/s or max.
        #[arg(value_name = "SPEED")]
        speed: Speed,
        /// Which.
        #[command(flatten)]
        to: ToArgs,
    },
    /// Say how far it is.
    Status(ToArgs),
}

/// Where a replay goes.
#[derive(Args, Debug)]
pub struct ToArgs {
    /// A Postgres database, or a folder of Parquet that is not there yet.
    #[arg(long, value_name = "DATABASE_URL|DIR", required = true, value_parser = NonEmptyStringValueParser::new())]
    pub into: Option<String>,
    /// In a database: the schema, which is made.
    #[arg(long, value_name = "NAME", default_value = SCHEMA)]
    pub schema: String,
}

impl ToArgs {
    /// The destination; `scratch_url` is for a folder.
    ///
    /// # Errors
    /// When an address is named that is none of Postgres.
    pub fn destination(&self, scratch_url: &str) -> Result<Destination, ReplayError> {
        let into = self.into.clone().unwrap_or_default();
        let scheme = into.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        let of_postgres = matches!(scheme.as_deref(), Some("postgres" | "postgresql"));
        match (of_postgres, into.contains("://")) {
            (true, true) => Ok(Destination::Schema { url: into, schema: self.schema.clone() }),
            (false, false) => {
                Ok(Destination::Folder { path: into.into(), scratch_url: scratch_url.to_owned() })
            }
            // One with a slash too few, or of another kind of server.
            _ => Err(ReplayError::NoDatabase),
        }
    }
}

/// A position, or the first millisecond of a day, in UTC, or a time.
fn begin(text: &str) -> Result<Begin, String> {
    match text.parse() {
        Ok(Moment::Position(position)) => Ok(Begin::Position(position)),
        Ok(Moment::Time(_)) => span(text).map(|(first, _)| Begin::Time(first)).ok_or_else(|| no_moment(text)),
        _ => Err(no_moment(text)),
    }
}

fn end(text: &str) -> Result<Moment, String> {
    text.parse().ok().filter(|moment| !matches!(moment, Moment::Sequence(_))).ok_or_else(|| no_moment(text))
}

fn no_moment(text: &str) -> String {
    format!(
        "{text:?} is no moment: write a time such as 2010-12-24T08:30:00Z, a day of the calendar such as 2010-12-24, or a position such as 120"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use super::*;

    #[test]
    fn an_address_of_postgres_is_one_however_its_scheme_is_written_and_any_other_is_not_repeated() {
        let destination = |into: &str| {
            ToArgs { into: Some(into.to_owned()), schema: SCHEMA.to_owned() }.destination("scratch")
        };
        for address in ["postgres://me:hunter2@db/mine", "POSTGRES://me:hunter2@db/mine", "PostgreSQL://db"] {
            assert!(matches!(destination(address), Ok(Destination::Schema { .. })), "{address}");
        }
        for folder in ["christmas", "./a:b/c", "/tmp/postgres", "C:\\files"] {
            assert!(matches!(destination(folder), Ok(Destination::Folder { .. })), "{folder}");
        }
        for wrong in
            ["mysql://me:hunter2@db/mine", "s3://bucket", "postgres:/me:hunter2@db/mine", "postgre://x"]
        {
            let told = destination(wrong).unwrap_err().to_string();
            assert!(told.contains("postgres://") && !told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn a_replay_begins_with_a_day_and_ends_with_one() {
        let day_ms = 24 * 60 * 60 * 1_000;
        assert!(matches!(begin("1970-01-02").unwrap(), Begin::Time(first) if first.millis() == day_ms));
        assert!(matches!(end("1970-01-02").unwrap(), Moment::Time(last) if last.millis() == 2 * day_ms - 1));
        assert_eq!(
            (begin("7").unwrap(), end("position:7").unwrap()),
            (Begin::Position(7), Moment::Position(7))
        );
        for wrong in ["2010-02-30", "sequence:3", "0", "", "tomorrow"] {
            assert!(begin(wrong).is_err() && end(wrong).unwrap_err().contains("2010-12-24"), "{wrong}");
        }
    }
}
