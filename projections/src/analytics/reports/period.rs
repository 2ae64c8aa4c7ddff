//! The days that a report is about, as people name them.

use domain::value::Time;
use store::rfc3339;
use time::{Date, Duration, Month};

/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// Days of the calendar, in UTC; both ends are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: Date,
    to: Date,
}

/// What names no period.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPeriod {
    /// Not a day.
    #[error("{0:?} is no day of the calendar: say one as 2010-12-24")]
    Day(String),
    /// None of the words, and not a part of the calendar.
    #[error(
        "{0:?} is no period: say 2010, 2010-Q4, 2010-12 or 2010-12-24, or today, yesterday, week, month, last-month or year; \
         any others go with --from and --to"
    )]
    Word(String),
    /// The end is before the beginning.
    #[error("--from {0} is after --to {1}: swap them")]
    Backwards(Date, Date),
}

impl Period {
    /// From one day to another.
    ///
    /// # Errors
    /// When the second is before the first.
    pub fn new(from: Date, to: Date) -> Result<Self, NoPeriod> {
        if from > to { Err(NoPeriod::Backwards(from, to)) } else { Ok(Self { from, to }) }
    }

    /// What a word names now: a year, a quarter, a month or a day of the calendar, or `today`, `yesterday`, `week` (the last
    /// seven days, today's included), `month` and `year` (up to now), or `last-month`.
    ///
    /// # Errors
    /// When it names nothing.
    pub fn named(word: &str, now: Time) -> Result<Self, NoPeriod> {
        let today = rfc3339::moment(now).date();
        let first = |date: Date| date.replace_day(1).unwrap_or(date);
        let back = |days: i64| today.saturating_sub(Duration::days(days));
        let (from, to) = match word {
            "today" => (today, today),
            "yesterday" => (back(1), back(1)),
            "week" => (back(6), today),
            "month" => (first(today), today),
            "last-month" => {
                let last = first(today).saturating_sub(Duration::days(1));
                (first(last), last)
            }
            "year" => (Date::from_calendar_date(today.year(), Month::January, 1).unwrap_or(today), today),
            part => return calendar(part).ok_or_else(|| NoPeriod::Word(part.to_owned())),
        };
        Self::new(from, to)
    }

    /// Its first day.
    #[must_use]
    pub const fn first(self) -> Date {
        self.from
    }

    /// Its last day.
    #[must_use]
    pub const fn last(self) -> Date {
        self.to
    }

    /// Its last moment.
    #[must_use]
    pub fn end(self) -> Time {
        let epoch = Date::from_ordinal_date(1970, 1).unwrap_or(Date::MIN);
        let days = (self.to - epoch).whole_days();
        Time::from_millis(days.saturating_add(1).saturating_mul(DAY_MS).saturating_sub(1))
    }

    /// What a column of days is compared with, in SQL.
    pub(super) fn sql(self) -> String {
        format!("BETWEEN '{}' AND '{}'", self.from, self.to)
    }
}

/// A day as `2010-12-24`.
///
/// # Errors
/// When it is none.
pub fn day(text: &str) -> Result<Date, NoPeriod> {
    numbers(text)
        .filter(|_| text.len() == 10)
        .and_then(|numbers| match numbers[..] {
            [year, month, day] => date(year, month, day),
            _ => None,
        })
        .ok_or_else(|| NoPeriod::Day(text.to_owned()))
}

/// The numbers between hyphens: nothing but digits.
fn numbers(text: &str) -> Option<Vec<u16>> {
    let parts = text.split('-');
    parts.map(|part| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?).collect()
}

fn date(year: u16, month: u16, day: u16) -> Option<Date> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    (year > 0).then(|| Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok())?
}

fn calendar(text: &str) -> Option<Period> {
    let months = |year: u16, first: u16, last: u16| {
        let to = date(year, last, 1)?;
        let to = to.replace_day(to.month().length(to.year())).ok()?;
        Some(Period { from: date(year, first, 1)?, to })
    };
    if let Some((year, quarter)) = text.split_once("-Q") {
        let quarter = ["1", "2", "3", "4"].iter().position(|known| *known == quarter)?;
        let first = u16::try_from(quarter).ok()? * 3 + 1;
        return (year.len() == 4).then(|| months(numbers(year)?.first().copied()?, first, first + 2))?;
    }
    match (text.len(), &numbers(text)?[..]) {
        (4, &[year]) => months(year, 1, 12),
        (7, &[year, month]) => months(year, month, month),
        (10, &[year, month, day]) => date(year, month, day).map(|day| Period { from: day, to: day }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use super::*;

    fn named(word: &str) -> String {
        // 2011-03-01T12:00:00Z
        match Period::named(word, Time::from_millis(1_298_980_800_000)) {
            Ok(period) => format!("{} {}", period.first(), period.last()),
            Err(_) => "none".to_owned(),
        }
    }

    #[test]
    fn a_word_names_days() {
        for (word, days) in [
            ("2010", "2010-01-01 2010-12-31"),
            ("2010-Q4", "2010-10-01 2010-12-31"),
            ("2010-12", "2010-12-01 2010-12-31"),
            ("2012-02", "2012-02-01 2012-02-29"),
            ("2010-12-24", "2010-12-24 2010-12-24"),
            ("today", "2011-03-01 2011-03-01"),
            ("yesterday", "2011-02-28 2011-02-28"),
            ("week", "2011-02-23 2011-03-01"),
            ("month", "2011-03-01 2011-03-01"),
            ("last-month", "2011-02-01 2011-02-28"),
            ("year", "2011-01-01 2011-03-01"),
        ] {
            assert_eq!(named(word), days, "{word}");
        }
        for word in [
            "",
            "2010-13",
            "2010-00",
            "2010-02-30",
            "2010-Q5",
            "201",
            "+201",
            "2010-1",
            "2010-12-1",
            "months",
        ] {
            assert_eq!(named(word), "none", "{word}");
        }
    }

    #[test]
    fn a_period_ends_with_its_last_millisecond() {
        let period = Period::new(day("2010-12-01").unwrap(), day("2010-12-01").unwrap()).unwrap();
        assert_eq!(period.end().millis(), 1_291_247_999_999);
        assert!(day("2010-12-1").is_err() && day("2010-02-29").is_err() && day("2010-12-01T00").is_err());
        let backwards = Period::new(day("2010-12-02").unwrap(), day("2010-12-01").unwrap());
        assert!(backwards.unwrap_err().to_string().contains("swap"));
    }
}
