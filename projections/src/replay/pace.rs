//! How fast a replay goes: as fast as it can, by business time, or so many events a second; and how long it is to wait.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Thousandths of a whole.
const THOUSAND: u32 = 1_000;
/// Microseconds of a second.
const SECOND_US: i64 = 1_000_000;

/// How fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// As fast as it can; `max`.
    #[default]
    Max,
    /// Business time goes by so much faster than the clock on the wall, in thousandths; `10x` is 10,000 of them.
    Business(u32),
    /// So many events a second; `500/s`.
    Events(u32),
}

/// A text that names no speed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no speed: write 10x (ten business seconds a second; from 0.001x), 500/s (events a second), or max"
)]
pub struct NoSpeed(String);

impl FromStr for Speed {
    type Err = NoSpeed;

    fn from_str(text: &str) -> Result<Self, NoSpeed> {
        let speed = match (text, text.strip_suffix('x'), text.strip_suffix("/s")) {
            ("max", ..) => Some(Self::Max),
            (_, Some(factor), _) => thousandths(factor).map(Self::Business),
            (_, _, Some(events)) => whole(events).map(Self::Events),
            _ => None,
        };
        let moves = |speed: &Self| !matches!(speed, Self::Business(0) | Self::Events(0));
        speed.filter(moves).ok_or_else(|| NoSpeed(text.to_owned()))
    }
}

fn whole(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// A number with at most three digits behind the point.
fn thousandths(text: &str) -> Option<u32> {
    let (units, rest) = text.split_once('.').unwrap_or((text, "0"));
    if rest.is_empty() || rest.len() > 3 {
        return None;
    }
    whole(units)?.checked_mul(THOUSAND)?.checked_add(whole(&format!("{rest:0<3}"))?)
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Max => f.write_str("max"),
            Self::Events(events) => write!(f, "{events}/s"),
            Self::Business(factor) if factor % THOUSAND == 0 => write!(f, "{}x", factor / THOUSAND),
            Self::Business(factor) => {
                let decimal = format!("{}.{:03}", factor / THOUSAND, factor % THOUSAND);
                write!(f, "{}x", decimal.trim_end_matches('0'))
            }
        }
    }
}

impl Serialize for Speed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Speed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What an operator wants of a replay that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wishes {
    /// Whether it is to stand still.
    pub paused: bool,
    /// How fast it is to go otherwise.
    pub speed: Speed,
}

/// When each event may be applied. Times are microseconds of a clock that never jumps, and milliseconds of business time.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    wishes: Wishes,
    /// Since when it goes like this.
    since_us: i64,
    /// What time it was in business then; nothing before the first event.
    from_ms: Option<i64>,
    /// Events since then.
    events: i64,
    /// The latest time of an event.
    reached_ms: i64,
}

impl Pace {
    /// What time it is in business; nothing before the first event.
    #[must_use]
    pub fn business_ms(&self, now_us: i64) -> Option<i64> {
        let from_ms = self.from_ms?;
        Some(match self.wishes {
            Wishes { paused: false, speed: Speed::Business(factor) } => {
                let gone = i128::from(now_us - self.since_us) * i128::from(factor) / i128::from(SECOND_US);
                from_ms.saturating_add(i64::try_from(gone).unwrap_or(i64::MAX))
            }
            Wishes { paused: true, .. } => from_ms,
            Wishes { .. } => self.reached_ms,
        })
    }

    /// Goes on like this from now; whether that is otherwise than before.
    pub fn change(&mut self, wishes: Wishes, now_us: i64) -> bool {
        if wishes == self.wishes {
            return false;
        }
        (self.from_ms, self.since_us, self.events) = (self.business_ms(now_us), now_us, 0);
        self.wishes = wishes;
        true
    }

    /// How it goes.
    #[must_use]
    pub const fn wishes(&self) -> Wishes {
        self.wishes
    }

    /// How many microseconds are left until an event may be applied that occurred then, the `nth` (from 0) of those that
    /// wait; `None` while it stands still.
    #[must_use]
    pub fn wait_us(&self, (nth, at_ms): (usize, i64), now_us: i64) -> Option<i64> {
        if self.wishes.paused {
            return None;
        }
        let Some(from_ms) = self.from_ms else { return Some(0) };
        let due_us = match self.wishes.speed {
            Speed::Max => return Some(0),
            Speed::Events(events) => {
                let before = i128::from(self.events) + i128::try_from(nth).unwrap_or(i128::MAX);
                before * i128::from(SECOND_US) / i128::from(events)
            }
            Speed::Business(factor) => span_us(at_ms.saturating_sub(from_ms), factor),
        };
        let due_us = self.since_us.saturating_add(i64::try_from(due_us.max(0)).unwrap_or(i64::MAX));
        Some(due_us.saturating_sub(now_us).max(0))
    }

    /// So many events were let go, of which the latest occurred then.
    pub fn let_go(&mut self, events: usize, latest_ms: i64, now_us: i64) {
        self.events += i64::try_from(events).unwrap_or(0);
        if self.from_ms.is_none() {
            (self.from_ms, self.since_us, self.reached_ms) = (Some(latest_ms), now_us, latest_ms);
        }
        self.reached_ms = self.reached_ms.max(latest_ms);
    }

    /// How many milliseconds are left until it is that time in business; `None` where nobody rates business time.
    #[must_use]
    pub fn left_ms(&self, end_ms: i64, now_us: i64) -> Option<i64> {
        match self.wishes.speed {
            Speed::Business(factor) => {
                let left_us = span_us(end_ms - self.business_ms(now_us)?, factor);
                Some(i64::try_from(left_us / 1_000).unwrap_or(i64::MAX).max(0))
            }
            Speed::Max | Speed::Events(_) => None,
        }
    }
}

/// How many microseconds a span of business time takes at so many thousandths.
fn span_us(business_ms: i64, factor: u32) -> i128 {
    i128::from(business_ms) * i128::from(SECOND_US) / i128::from(factor)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use super::*;

    fn speed(text: &str) -> Speed {
        text.parse().unwrap()
    }

    #[test]
    fn speeds_are_read_and_said_the_same() {
        for text in ["max", "10x", "0.5x", "0.001x", "1.25x", "500/s", "1/s"] {
            assert_eq!(speed(text).to_string(), text);
        }
        for wrong in
            ["", "x", "0x", "0/s", "-1x", "1.x", ".5x", "1.0000x", "5000000000/s", "10", "fast", "+1x"]
        {
            assert!(wrong.parse::<Speed>().unwrap_err().to_string().contains("10x"), "{wrong}");
        }
    }

    #[test]
    fn ten_business_seconds_take_one_and_a_pause_stops_the_clock() {
        let mut pace = Pace::default();
        pace.change(Wishes { paused: false, speed: speed("10x") }, 0);
        assert_eq!(pace.wait_us((0, 50_000), 7), Some(0), "the first one begins it");
        pace.let_go(1, 50_000, 1_000_000);
        assert_eq!(pace.wait_us((0, 60_000), 1_000_000), Some(1_000_000));
        assert_eq!(pace.wait_us((0, 40_000), 1_000_000), Some(0), "what is late already does not wait");
        assert_eq!(pace.business_ms(1_500_000), Some(55_000));
        assert_eq!(pace.left_ms(75_000, 1_500_000), Some(2_000));
        assert!(pace.change(Wishes { paused: true, speed: speed("10x") }, 1_500_000));
        assert_eq!((pace.wait_us((0, 0), 9_000_000), pace.business_ms(9_000_000)), (None, Some(55_000)));
        assert!(pace.change(Wishes { paused: false, speed: speed("0.5x") }, 10_000_000));
        assert_eq!(pace.wait_us((0, 60_000), 10_000_000), Some(10_000_000));
        assert!(!pace.change(pace.wishes(), 11_000_000));
    }

    #[test]
    fn events_are_let_go_at_their_rate_whenever_they_occurred() {
        let mut pace = Pace::default();
        pace.change(Wishes { paused: false, speed: speed("4/s") }, 0);
        pace.let_go(1, 50_000, 0);
        assert_eq!(
            [0, 1, 4].map(|nth| pace.wait_us((nth, 0), 0)),
            [Some(250_000), Some(500_000), Some(1_250_000)]
        );
        pace.let_go(4, 10_000, 1_000_000);
        assert_eq!(pace.wait_us((0, 0), 1_000_000), Some(250_000));
        assert_eq!((pace.business_ms(0), pace.left_ms(0, 0)), (Some(50_000), None));
        pace.change(Wishes::default(), 1_100_000);
        assert_eq!(pace.wait_us((9, 0), 1_100_000), Some(0));
    }
}
