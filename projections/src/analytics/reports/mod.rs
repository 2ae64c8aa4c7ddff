//! What a period came to, as figures and tables. Each table is one query on the log's views, which is told with it; numbers
//! are whole, money in minor units.

mod funnel;
mod period;
mod reservations;
mod sales;
mod stock;
mod table;

use domain::value::{Currency, Time};
use sqlx::PgPool;
use store::log::{LogError, Position, PostgresLog};

pub use period::{NoPeriod, Period, day};
pub use table::{Cell, Column, Figure, Plot, Table, Unit};

use table::{Asked, figure, ratio};

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// What was sold and credited, in one currency.
    Sales(Option<Currency>),
    /// What came, what left, and what was there at the end.
    Stock,
    /// How far carts and orders came that began in the period.
    Funnel,
    /// What was held for somebody, and what became of it.
    Reservations,
}

impl About {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sales(_) => "sales",
            Self::Stock => "stock",
            Self::Funnel => "funnel",
            Self::Reservations => "reservations",
        }
    }

    /// The names of its tables.
    #[must_use]
    pub const fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Sales(_) => sales::TABLES,
            Self::Stock => stock::TABLES,
            Self::Funnel => funnel::TABLES,
            Self::Reservations => reservations::TABLES,
        }
    }

    /// The kinds of aggregates that it is made of.
    const fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Sales(_) => &["order"],
            Self::Stock | Self::Reservations => &["inventory_item"],
            Self::Funnel => &["cart", "order", "payment"],
        }
    }
}

/// What a period came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which report.
    pub about: About,
    /// Of which days, in UTC.
    pub period: Period,
    /// What money is in; `None` where there is none.
    pub currency: Option<Currency>,
    /// When it was made.
    pub now: Time,
    /// How far the log had come when it was asked.
    pub position: Position,
    /// Events of these kinds of aggregates, of whatever day, that lie in the archive's files and are not counted.
    pub archived: i64,
    /// What stands for the whole period.
    pub figures: Vec<Figure>,
    /// What stands by day, product, …
    pub tables: Vec<Table>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Money in several currencies does not add up.
    #[error("there are sales in {0} in that period, which do not add up: name one with --currency")]
    Currencies(String),
    /// The views cannot be asked.
    #[error("the log's views: {0}")]
    Database(#[from] sqlx::Error),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Where a report is taken from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The views.
    pub views: &'a PgPool,
    /// The log that they are of.
    pub log: &'a PostgresLog,
    /// The schema that it lies in.
    pub schema: &'a str,
    /// The present.
    pub now: Time,
}

/// Makes a report. All its queries see the log at one position.
///
/// # Errors
/// When the views or the log cannot be read, or the sales of the period are in several currencies and none was named.
pub async fn report(from: Sources<'_>, about: About, period: Period) -> Result<Report, ReportError> {
    let mut snapshot = store::transaction::snapshot(from.views).await?;
    let position = sqlx::query_scalar(&format!("SELECT position FROM {}.log_head", from.schema))
        .fetch_one(&mut *snapshot)
        .await?;
    let archived =
        format!("SELECT count(*) FROM {}.archived_events WHERE aggregate_type = ANY($1)", from.schema);
    let archived = sqlx::query_scalar(&archived).bind(about.kinds()).fetch_one(&mut *snapshot).await?;
    let (currency, figures, tables) = match about {
        About::Sales(currency) => {
            let currency = sales::currency(&mut snapshot, period, currency).await?;
            let (figures, tables) = sales::report(&mut snapshot, period, currency).await?;
            (currency, figures, tables)
        }
        About::Stock => {
            let (figures, tables) = stock::report(&mut snapshot, from, period).await?;
            (None, figures, tables)
        }
        About::Funnel => {
            let (figures, tables) = funnel::report(&mut snapshot, period).await?;
            (None, figures, tables)
        }
        About::Reservations => {
            let (figures, tables) = reservations::report(&mut snapshot, period).await?;
            (None, figures, tables)
        }
    };
    snapshot.rollback().await?;
    Ok(Report { about, period, currency, now: from.now, position, archived, figures, tables })
}
