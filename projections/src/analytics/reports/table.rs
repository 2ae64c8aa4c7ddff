//! What reports are made of: figures, and tables that are each one query on the log's views.

use std::borrow::Cow;

use sqlx::{PgConnection, Row as _};

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
    pub(super) const fn new(name: &'static str, title: &'static str, unit: Unit) -> Self {
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
    /// What a reader has to know of it; may be empty.
    pub note: Cow<'static, str>,
}

impl Figure {
    pub(super) fn noted(self, note: impl Into<Cow<'static, str>>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// What is drawn of a table: its first column along, these ones up, a bar each.
#[derive(Clone, Copy, Debug)]
pub struct Plot {
    /// Columns, by their places.
    pub bars: &'static [usize],
    /// What the bars are.
    pub shows: &'static str,
    /// What is counted, where it is no money.
    pub of: &'static str,
    /// Whether the first column is days; they are put together by months or years where there are many.
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
    /// Rows with the largest number in this column come first where not all can be shown.
    pub first: Option<usize>,
    /// In the order in which they are read.
    pub rows: Vec<Vec<Cell>>,
}

/// What is asked for a table.
pub(super) struct Asked {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) note: &'static str,
    pub(super) columns: &'static [Column],
    pub(super) plot: Option<Plot>,
    pub(super) query: String,
}

impl Asked {
    pub(super) async fn of(self, connection: &mut PgConnection) -> Result<Table, sqlx::Error> {
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
        Ok(Table { name, title, note, query, columns, plot, first: None, rows })
    }
}

impl Table {
    /// What a column comes to over all rows.
    pub(super) fn sum(&self, nth: usize) -> i64 {
        let numbers = self.rows.iter().filter_map(|row| match row.get(nth) {
            Some(Cell::Number(number)) => Some(*number),
            _ => None,
        });
        numbers.fold(0, i64::saturating_add)
    }
}

pub(super) fn figure(
    name: &'static str,
    title: &'static str,
    unit: Unit,
    value: impl Into<Option<i64>>,
) -> Figure {
    Figure { name, title, unit, value: value.into(), note: Cow::Borrowed("") }
}

/// `part * times / whole` to the nearest, a half upwards; `None` of nothing.
pub(super) fn ratio(part: i64, times: i64, whole: i64) -> Option<i64> {
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
