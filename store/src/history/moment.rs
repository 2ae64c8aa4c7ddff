//! A moment of the past, as somebody names it, and which events count by then.

use std::str::FromStr;

use domain::value::Time;

use crate::{
    log::{Position, Recorded, Sequence},
    rfc3339,
};

/// Clocks that are not quite alike: a time that lies less ahead is taken for now.
pub const AHEAD_MAX_MS: i64 = 60_000;

/// The last millisecond of a day, counted from its first.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000 - 1;

/// A moment of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// As it is: every event counts.
    Now,
    /// Business time: what occurred then or earlier counts, whenever the log took it.
    Time(Time),
    /// A place in the log: what stands there or before it counts.
    Position(Position),
    /// A place in the stream: what stands there or before it counts.
    Sequence(Sequence),
}

/// A text that names no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no moment: write a time such as 2010-12-24T08:30:00Z, a day such as 2010-12-24 (its end, in UTC), a \
     position such as 120, or a place in the aggregate's own stream such as sequence:3; both count from 1"
)]
pub struct NoMoment(String);

/// A moment that the log has not come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ahead {
    /// A position behind the log's last one.
    #[error("position {position} is beyond the log's end: its last position is {head}")]
    Position {
        /// Which was named.
        position: Position,
        /// The log's last one.
        head: Position,
    },
    /// A time that is still to come.
    #[error("{} is still to come: it is {} now", rfc3339::format(*time), rfc3339::format(*now))]
    Time {
        /// Which was named.
        time: Time,
        /// The present.
        now: Time,
    },
}

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let wrong = || NoMoment(text.to_owned());
        let place = |number: &str| {
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            number.parse::<i64>().ok().filter(|place| digits && *place >= 1).ok_or_else(wrong)
        };
        match text.split_once(':') {
            Some(("position", number)) => place(number).map(Self::Position),
            Some(("sequence", number)) => place(number).map(Self::Sequence),
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => place(text).map(Self::Position),
            _ => time(text).map(Self::Time).ok_or_else(wrong),
        }
    }
}

/// A time, or the end of a day, in UTC.
#[must_use]
pub fn time(text: &str) -> Option<Time> {
    span(text).map(|(_, last)| last)
}

/// The first and the last millisecond of a day, in UTC, or twice the time that is named.
#[must_use]
pub fn span(text: &str) -> Option<(Time, Time)> {
    let is_day = text.len() == 10 && text.bytes().filter(|byte| *byte == b'-').count() == 2;
    if is_day {
        let first = rfc3339::parse(&format!("{text}T00:00:00Z")).ok()?;
        return Some((first, first.plus_millis(DAY_MS)));
    }
    rfc3339::parse(text).ok().map(|time| (time, time))
}

impl Moment {
    /// Whether an event has happened by then.
    #[must_use]
    pub fn counts(self, recorded: &Recorded) -> bool {
        self.holds(recorded.position, recorded.sequence, recorded.metadata.occurred_at)
    }

    /// The same of an event at these places that occurred then.
    #[must_use]
    pub const fn holds(self, position: Position, sequence: Sequence, occurred_at: Time) -> bool {
        match self {
            Self::Now => true,
            Self::Time(time) => occurred_at.millis() <= time.millis(),
            Self::Position(last) => position <= last,
            Self::Sequence(last) => sequence <= last,
        }
    }

    /// The same, but of today as far as it has come: its end, which a day means, is still to come.
    #[must_use]
    pub const fn so_far(self, now: Time) -> Self {
        let first = now.millis() - now.millis().rem_euclid(DAY_MS + 1);
        match self {
            Self::Time(time) if time.millis() == first + DAY_MS => Self::Time(now),
            as_it_is => as_it_is,
        }
    }

    /// Refuses what the log has not come to.
    ///
    /// # Errors
    /// When the position is behind `head`, or the time more than a minute behind `now`.
    pub const fn check(self, head: Position, now: Time) -> Result<(), Ahead> {
        match self {
            Self::Position(position) if position > head => Err(Ahead::Position { position, head }),
            Self::Time(time) if time.millis() > now.plus_millis(AHEAD_MAX_MS).millis() => {
                Err(Ahead::Time { time, now })
            }
            Self::Now | Self::Time(_) | Self::Position(_) | Self::Sequence(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_days_positions_and_sequences_are_told_apart() {
        for (text, moment) in [
            ("120", Some(Moment::Position(120))),
            ("position:7", Some(Moment::Position(7))),
            ("sequence:3", Some(Moment::Sequence(3))),
            ("1970-01-01T00:00:01Z", Some(Moment::Time(Time::from_millis(1_000)))),
            ("1970-01-01T01:00:01.5+01:00", Some(Moment::Time(Time::from_millis(1_500)))),
            ("1970-01-01", Some(Moment::Time(Time::from_millis(86_399_999)))),
            ("2010-02-30", None),
            ("2010-12-24 08:30", None),
            ("24.12.2010", None),
            ("0", None),
            ("-5", None),
            ("sequence:0", None),
            ("sequence:x", None),
            ("position:+7", None),
            ("99999999999999999999", None),
            ("", None),
            ("yesterday", None),
        ] {
            assert_eq!(text.parse().ok(), moment, "{text}");
        }
    }

    #[test]
    fn today_is_what_it_has_come_to() {
        let now = Time::from_millis(3 * (DAY_MS + 1) + 5);
        let today = time("1970-01-04").map(Moment::Time);
        assert_eq!(today.map(|today| today.so_far(now)), Some(Moment::Time(now)));
        for other in ["1970-01-03", "1970-01-05", "1970-01-04T23:59:59Z"] {
            let other = time(other).map(Moment::Time);
            assert_eq!(other.map(|other| other.so_far(now)), other);
        }
        assert_eq!(Moment::Position(4).so_far(now), Moment::Position(4));
    }

    #[test]
    fn what_is_to_come_is_refused_and_a_clock_that_is_a_little_ahead_is_not() {
        let now = Time::from_millis(1_000_000);
        assert_eq!(Moment::Position(7).check(7, now), Ok(()));
        assert_eq!(Moment::Position(8).check(7, now), Err(Ahead::Position { position: 8, head: 7 }));
        assert_eq!(Moment::Time(now.plus_millis(AHEAD_MAX_MS)).check(7, now), Ok(()));
        let time = now.plus_millis(AHEAD_MAX_MS + 1);
        assert_eq!(Moment::Time(time).check(7, now), Err(Ahead::Time { time, now }));
    }
}
