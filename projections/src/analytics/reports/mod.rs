//! What a period came to, as figures and tables. Each table is one query on the log's views, which is told with it; numbers
//! are whole, money in minor units.

mod funnel;
mod period;
mod reservations;
mod sales;
mod stock;

use domain::value::{Currency, Time};
use sqlx::{PgConnection, PgPool, Row as _};
use store::log::{LogError, Position, PostgresLog};

pub use period::{NoPeriod, Period, day};

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

    /// The kinds of aggregates that it is made of.
    const fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Sales(_) => &["order"],
            Self::Stock | Self::Reservations => &["inventory_item"],
            Self::Funnel => &["cart", "order", "payment"],
        }
    }
}

/// What a number or text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A text: a day, a moment, a name.
    Text,
    /// So many.
    Count,
    /// Minor units of the report's currency.
    Money,
    /// Milliseconds.
    Millis,
    /// Hundredths of a percent.
    BasisPoints,
}

/// A column: its name for programs, its title for people.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// For programs.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What stands in it.
    pub unit: Unit,
}

impl Column {
    const fn new(name: &'static str, title: &'static str, unit: Unit) -> Self {
        Self { name, title, unit }
    }
}

/// What stands in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// As it is.
    Text(String),
    /// In the column's unit.
    Number(i64),
}

/// A number that stands for the whole period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// For programs.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it is.
    pub unit: Unit,
    /// How many; `None` where there is nothing to tell it from.
    pub value: Option<i64>,
}

/// What is drawn of a table: its first column along, these ones up, a bar each.
#[derive(Clone, Copy, Debug)]
pub struct Plot {
    /// Columns, by their places.
    pub bars: &'static [usize],
    /// What is counted, where it is no money.
    pub of: &'static str,
    /// Whether the first column is days; they are put together by months where there are many.
    pub by_day: bool,
}

/// Rows, and what they were asked with.
#[derive(Clone, Debug)]
pub struct Table {
    /// For programs.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What a reader has to know of it.
    pub note: &'static str,
    /// The query that made it, as it ran.
    pub query: String,
    /// What stands where.
    pub columns: &'static [Column],
    /// What is drawn of it.
    pub plot: Option<Plot>,
    /// In the order in which they are read.
    pub rows: Vec<Vec<Cell>>,
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
    Ok(Report { about, period, currency, position, archived, figures, tables })
}

/// What is asked for a table.
struct Asked {
    name: &'static str,
    title: &'static str,
    note: &'static str,
    columns: &'static [Column],
    plot: Option<Plot>,
    query: String,
}

impl Asked {
    async fn of(self, connection: &mut PgConnection) -> Result<Table, sqlx::Error> {
        let Self { name, title, note, columns, plot, query } = self;
        let found = sqlx::query(&query).fetch_all(connection).await?;
        let rows = found.iter().map(|row| {
            let cell = |(nth, column): (usize, &Column)| {
                Ok(match column.unit {
                    Unit::Text => row.try_get::<Option<String>, _>(nth)?.map_or(Cell::Empty, Cell::Text),
                    Unit::Count | Unit::Money | Unit::Millis | Unit::BasisPoints => {
                        row.try_get::<Option<i64>, _>(nth)?.map_or(Cell::Empty, Cell::Number)
                    }
                })
            };
            columns.iter().enumerate().map(cell).collect::<Result<Vec<_>, sqlx::Error>>()
        });
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Table { name, title, note, query, columns, plot, rows })
    }
}

impl Table {
    /// What a column comes to over all rows.
    fn sum(&self, nth: usize) -> i64 {
        let numbers = self.rows.iter().filter_map(|row| match row.get(nth) {
            Some(Cell::Number(number)) => Some(*number),
            _ => None,
        });
        numbers.fold(0, i64::saturating_add)
    }
}

const fn figure(name: &'static str, title: &'static str, unit: Unit, value: i64) -> Figure {
    Figure { name, title, unit, value: Some(value) }
}

/// `part * times / whole` to the nearest, a half upwards; `None` of nothing.
fn ratio(part: i64, times: i64, whole: i64) -> Option<i64> {
    let (part, whole) = (i128::from(part) * i128::from(times), i128::from(whole));
    let nearest = (whole > 0).then(|| (2 * part + whole).div_euclid(2 * whole))?;
    i64::try_from(nearest).ok()
}

#[cfg(test)]
mod tests {
    use super::ratio;

    #[test]
    fn ratios_are_whole_and_the_nearest() {
        assert_eq!(ratio(1, 10_000, 3), Some(3_333));
        assert_eq!(ratio(2, 10_000, 3), Some(6_667));
        assert_eq!([ratio(5, 1, 2), ratio(-5, 1, 2), ratio(4, 1, 2)], [Some(3), Some(-2), Some(2)]);
        assert_eq!([ratio(5, 1, 0), ratio(i64::MAX, i64::MAX, 1)], [None, None]);
    }
}
