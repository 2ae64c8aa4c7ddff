//! What stands along an axis: the rows of a table, or every day, month or year of a period, those without anything included.

use std::{collections::BTreeMap, iter::successors};

use projections::analytics::reports::{self, Cell, Plot, Report, Table, Unit};
use store::rfc3339;
use time::Date;

use super::words;

/// So many days have a bar each; more are put together by months.
const DAYS_MAX: i64 = 62;
/// And so many months; more are put together by years.
const MONTHS_MAX: i32 = 60;

/// What is drawn: a label, and a number for each bar.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    pub label: String,
    pub bars: Vec<i64>,
}

/// What is put together to one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Day,
    Month,
    Year,
}

impl Step {
    /// How wide it has to be for that many not to be too many.
    fn between(first: Date, last: Date) -> Self {
        if (last - first).whole_days() < DAYS_MAX {
            Self::Day
        } else if month(last) - month(first) < MONTHS_MAX {
            Self::Month
        } else {
            Self::Year
        }
    }

    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// So much of a day as `2010-12-24` names it.
    const fn letters(self) -> usize {
        match self {
            Self::Day => 10,
            Self::Month => 7,
            Self::Year => 4,
        }
    }

    fn labels(self, first: Date, last: Date) -> Vec<String> {
        match self {
            Self::Day => {
                let days = successors(Some(first), |day| day.next_day()).take_while(|day| *day <= last);
                days.map(|day| day.to_string()).collect()
            }
            Self::Month => (month(first)..=month(last))
                .map(|month| format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1))
                .collect(),
            Self::Year => (first.year()..=last.year()).map(|year| format!("{year:04}")).collect(),
        }
    }
}

/// Months since the year nought.
fn month(day: Date) -> i32 {
    day.year() * 12 + i32::from(u8::from(day.month())) - 1
}

/// A group for each row.
pub fn rows(table: &Table, plot: Plot) -> Vec<Group> {
    // What has a name beside its code is called by both: names are not unique.
    let texts = table.columns.iter().take_while(|column| column.unit == Unit::Text).count();
    let group = |row: &Vec<Cell>| {
        let label = row.iter().take(texts).map(|cell| words::cell(cell, Unit::Text, None));
        let label = label.collect::<Vec<_>>().join(" ");
        let bar = |nth: &usize| match row.get(*nth) {
            Some(Cell::Number(number)) => *number,
            _ => 0,
        };
        Group { label, bars: plot.bars.iter().map(bar).collect() }
    };
    table.rows.iter().map(group).collect()
}

/// A group for each day of the report's period up to today, or for each month or year where these are too many.
pub fn over_time(table: &Table, plot: Plot, report: &Report) -> (Step, Vec<Group>) {
    let rows = rows(table, plot);
    // What somebody booked for a day that is to come is seen as well.
    let known = rows.last().and_then(|group| reports::day(&group.label).ok());
    let today = rfc3339::moment(report.now).date();
    let (first, last) = (report.period.first(), report.period.last());
    let last = last.min(known.map_or(today, |known| known.max(today))).max(first);
    filled(rows, plot.bars.len(), (first, last))
}

fn filled(rows: Vec<Group>, bars: usize, (first, last): (Date, Date)) -> (Step, Vec<Group>) {
    let step = Step::between(first, last);
    let mut sums: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for Group { label, bars } in rows {
        let label = label.get(..step.letters()).unwrap_or(&label).to_owned();
        let sum = sums.entry(label).or_insert_with(|| vec![0; bars.len()]);
        sum.iter_mut().zip(bars).for_each(|(sum, bar)| *sum = sum.saturating_add(bar));
    }
    let group = |label: String| Group { bars: sums.remove(&label).unwrap_or_else(|| vec![0; bars]), label };
    (step, step.labels(first, last).into_iter().map(group).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use super::*;

    fn along(days: &[(&str, i64)], first: &str, last: &str) -> (Step, Vec<(String, i64)>) {
        let rows = days.iter().map(|(day, bar)| Group { label: (*day).to_owned(), bars: vec![*bar] });
        let ends = (reports::day(first).unwrap(), reports::day(last).unwrap());
        let (step, groups) = filled(rows.collect(), 1, ends);
        (step, groups.into_iter().map(|group| (group.label, group.bars[0])).collect())
    }

    #[test]
    fn a_day_without_anything_has_its_place() {
        let (step, groups) = along(&[("2012-02-29", 7)], "2012-02-01", "2012-02-29");
        assert_eq!((step, groups.len()), (Step::Day, 29));
        assert_eq!(
            (groups[0].clone(), groups[28].clone()),
            (("2012-02-01".into(), 0), ("2012-02-29".into(), 7))
        );
    }

    #[test]
    fn months_without_anything_stand_between_those_with_something() {
        let days = [("2010-12-01", 1), ("2010-12-31", 2), ("2011-03-05", 4)];
        let (step, groups) = along(&days, "2010-12-01", "2011-04-30");
        let months = ["2010-12", "2011-01", "2011-02", "2011-03", "2011-04"].map(str::to_owned);
        assert_eq!((step, groups), (Step::Month, months.into_iter().zip([3, 0, 0, 4, 0]).collect()));
    }

    #[test]
    fn many_months_are_years() {
        let (step, groups) = along(&[("2011-03-05", 4)], "2009-01-01", "2014-01-01");
        assert_eq!((step, groups.len()), (Step::Year, 6));
        assert_eq!(groups[2], ("2011".to_owned(), 4));
        assert_eq!(along(&[], "2009-01-01", "2013-12-31").0, Step::Month);
        assert_eq!(along(&[], "2009-01-01", "2009-03-03").0, Step::Day);
        assert_eq!(along(&[], "2009-01-01", "2009-03-04").0, Step::Month);
    }
}
