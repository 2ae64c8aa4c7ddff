//! Moments as texts of one width, which every program reads as moments.

use time::{Date, OffsetDateTime};

const DAY_MS: i64 = 86_400_000;

/// A day of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    /// The day of a moment, in milliseconds since the epoch.
    #[must_use]
    pub const fn of_millis(millis: i64) -> Self {
        Self(millis.div_euclid(DAY_MS))
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let date: Date = moment(self.0.saturating_mul(DAY_MS).saturating_mul(1_000)).date();
        write!(f, "{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
    }
}

/// Writes a moment in milliseconds since the epoch as `2010-12-01T08:26:00.000Z`.
pub fn millis(out: &mut Vec<u8>, millis: i64) {
    write(out, millis.saturating_mul(1_000), 3);
}

/// Writes a moment in microseconds since the epoch as `2010-12-01T08:26:00.000000Z`.
pub fn micros(out: &mut Vec<u8>, micros: i64) {
    write(out, micros, 6);
}

fn write(out: &mut Vec<u8>, us: i64, digits: usize) {
    let at = moment(us);
    let (year, month, day) = at.to_calendar_date();
    let parts = [
        (year.unsigned_abs(), 4, b'-'),
        (u32::from(u8::from(month)), 2, b'-'),
        (u32::from(day), 2, b'T'),
        (u32::from(at.hour()), 2, b':'),
        (u32::from(at.minute()), 2, b':'),
        (u32::from(at.second()), 2, b'.'),
        (if digits == 3 { u32::from(at.millisecond()) } else { at.microsecond() }, digits, b'Z'),
    ];
    for (number, width, behind) in parts {
        push(out, number, width);
        out.push(behind);
    }
}

/// A number with zeros before it. Two of these for every event are a good part of what a line costs, if formatted.
fn push(out: &mut Vec<u8>, mut number: u32, width: usize) {
    let begin = out.len();
    out.resize(begin + width, b'0');
    for digit in out.iter_mut().skip(begin).rev() {
        *digit += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

fn moment(us: i64) -> OffsetDateTime {
    // Whatever an event may say lies within the years that it holds.
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_one_width() {
        let mut out = vec![];
        millis(&mut out, 1_291_191_960_000);
        out.push(b' ');
        micros(&mut out, -1);
        assert_eq!(String::from_utf8_lossy(&out), "2010-12-01T08:26:00.000Z 1969-12-31T23:59:59.999999Z");
        assert_eq!(Day::of_millis(-1).to_string(), "1969-12-31");
        assert_eq!(Day::of_millis(1_291_191_960_000).to_string(), "2010-12-01");
    }
}
