//! Moments, as the domain needs them: something to compare and add to.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// Milliseconds since 1970-01-01T00:00:00Z, within the years 1 to 9999, which is what RFC 3339 can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Time(i64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Time")]
        struct Millis(i64);
        let Millis(millis) = Millis::deserialize(deserializer)?;
        let time = Self::from_millis(millis);
        if time.0 == millis {
            Ok(time)
        } else {
            Err(D::Error::custom(format_args!("{millis} milliseconds are outside the years 1 to 9999")))
        }
    }
}

impl Time {
    /// The first moment of the year 1.
    pub const MIN: Self = Self(-62_135_596_800_000);
    /// The last moment of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// A moment, in milliseconds since the epoch; the first or last there is, where it would lie beyond.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        if millis < Self::MIN.0 {
            Self::MIN
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The next multiple of `step_ms` at or after this, so that moments which nearly meet become one.
    #[must_use]
    pub const fn rounded_up(self, step_ms: i64) -> Self {
        match self.0.checked_rem_euclid(step_ms) {
            None | Some(0) => self,
            Some(over) => self.plus_millis(step_ms.saturating_sub(over)),
        }
    }

    /// The year of the Gregorian calendar in UTC, from 1 to 9999.
    ///
    /// After Howard Hinnant's `civil_from_days`: eras of 400 years that begin in March.
    #[must_use]
    pub fn year(self) -> u16 {
        let days = self.0.div_euclid(86_400_000).saturating_add(719_468);
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let after_december = i64::from(day_of_year >= 306);
        let year = era.saturating_mul(400).saturating_add(year_of_era).saturating_add(after_december);
        u16::try_from(year).unwrap_or(9_999)
    }

    /// So many milliseconds later, at most the last moment there is.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_begin_and_end_where_the_calendar_says() {
        let cases = [
            (0, 1970),
            (-1, 1969),
            (1_293_839_999_999, 2010),
            (1_293_840_000_000, 2011),
            (951_782_400_000, 2000),
            (978_307_199_999, 2000),
            (978_307_200_000, 2001),
            (1_798_761_599_999, 2026),
            (1_798_761_600_000, 2027),
            (i64::MAX, 9_999),
            (i64::MIN, 1),
        ];
        for (millis, year) in cases {
            assert_eq!(Time::from_millis(millis).year(), year, "{millis}");
        }
    }

    #[test]
    fn what_no_calendar_can_say_is_not_read() {
        let read = |millis: i64| serde_json::from_value::<Time>(millis.into()).ok();
        assert_eq!(read(253_402_300_799_999), Some(Time::MAX));
        assert_eq!(read(-62_135_596_800_000), Some(Time::MIN));
        assert_eq!([253_402_300_800_000, -62_135_596_800_001, i64::MAX, i64::MIN].map(read), [None; 4]);
        assert_eq!(Time::MAX.plus_millis(1), Time::MAX);
    }

    #[test]
    fn a_moment_is_rounded_up_to_the_next_step_or_stays() {
        let rounded = |millis| Time::from_millis(millis).rounded_up(10).millis();
        assert_eq!([0, 1, 9, 10, 11, -1, -10].map(rounded), [0, 10, 10, 10, 20, 0, -10]);
    }
}
