//! What is asked of the log itself: what anything was at a moment ([`history`]), and the log as tables, in files that other
//! programs open; read models that were replayed from it too.
//!
//! An export is read by `store` ([`store::log::Pages`]), put into columns or lines here ([`Export`]), and is complete or not
//! there: until then everything lies in a folder beside its place ([`Work`]), from where it goes on when it was interrupted.

mod cells;
mod columns;
mod csv;
mod error;
mod export;
mod folder;
pub mod history;
mod ndjson;
mod parquet;
pub mod reports;
mod segments;
mod stamp;
mod tables;
mod work;

pub use cells::{Cell, row};
pub use columns::{Column, Kind, Table};
pub use error::AnalyticsError;
pub use export::{Export, Exported, Target};
pub(crate) use folder::{STANDING, WISHES};
pub use ndjson::{line, object};
pub use stamp::{Day, micros, millis};
pub use tables::{TableError, write_tables};
pub use work::Work;
pub(crate) use work::differs;

/// What the files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    Ndjson,
    /// A heading and a line each, with commas.
    Csv,
    /// Apache Parquet, compressed with Snappy.
    Parquet,
}

impl Format {
    /// How the names of its files end.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// How an export is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// What the files are.
    pub format: Format,
    /// A file for each type of event, with columns of its own; else one for all, with the payload as JSON.
    pub by_type: bool,
    /// A folder `day=<date>` for each day of business time, in UTC.
    pub by_day: bool,
    /// Rows after which it is noted how far the export has come; a row group of Parquet holds no more.
    pub checkpoint_rows: u64,
}

/// Rows between two notes where nothing else is said.
pub const CHECKPOINT_ROWS: u64 = 131_072;
