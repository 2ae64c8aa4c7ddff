//! Which trace something belongs to, as W3C Trace Context writes it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The trace, the span within it that caused what carries this, and whether anybody collects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace; never zero.
    pub trace_id: u128,
    /// The span; never zero.
    pub span_id: u64,
    /// Whether the trace is collected.
    pub sampled: bool,
}

/// A text that is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
pub struct NoTraceparent;

/// The version that is written; later ones are read as far as they say the same.
const VERSION: u8 = 0;
/// The version that there never is.
const FORBIDDEN: u8 = 0xff;
/// Bytes of the first version: two of its own, and between hyphens 32, 16 and two.
const LENGTH: usize = 55;
const SAMPLED: u8 = 1;

impl FromStr for Traceparent {
    type Err = NoTraceparent;

    fn from_str(text: &str) -> Result<Self, NoTraceparent> {
        let parts = || {
            let version = u8::try_from(hex(text.get(..2)?)?).ok().filter(|version| *version != FORBIDDEN)?;
            let whole = match version {
                VERSION => text.len() == LENGTH,
                _ => text.len() == LENGTH || text.as_bytes().get(LENGTH) == Some(&b'-'),
            };
            let mut parts = text.get(2..LENGTH).filter(|_| whole)?.split('-').skip(1);
            let sized = |part: Option<&str>, length: usize| hex(part.filter(|part| part.len() == length)?);
            Some(Self {
                trace_id: sized(parts.next(), 32).filter(|id| *id != 0)?,
                span_id: sized(parts.next(), 16)
                    .and_then(|id| u64::try_from(id).ok())
                    .filter(|id| *id != 0)?,
                sampled: u8::try_from(sized(parts.next(), 2)?).ok()? & SAMPLED != 0,
            })
        };
        parts().ok_or(NoTraceparent)
    }
}

/// Digits, which the standard has in lower case.
fn hex(text: &str) -> Option<u128> {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u128::from_str_radix(text, 16).ok().filter(|_| digits)
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace_id, span_id, sampled } = self;
        write!(f, "{VERSION:02x}-{trace_id:032x}-{span_id:016x}-{:02x}", u8::from(*sampled))
    }
}

impl Serialize for Traceparent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Traceparent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_written_as_it_was_read() {
        let read: Traceparent = TEXT.parse().unwrap();
        assert_eq!((read.span_id, read.sampled), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(read.to_string(), TEXT);
        let json = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Traceparent>(&json).unwrap(), read);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_says_the_same() {
        let later = format!("cc{}-what-comes", &TEXT[2..]);
        assert_eq!(later.parse::<Traceparent>().unwrap(), TEXT.parse().unwrap());
    }

    #[test]
    fn what_the_standard_refuses_is_refused() {
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-+0f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736é00f067aa0ba902b7-0",
        ] {
            assert_eq!(text.parse::<Traceparent>(), Err(NoTraceparent), "{text}");
        }
    }
}
