//! The domain's times as RFC 3339 text in UTC, for JSON.

use domain::value::Time;
use serde::{Deserialize, Deserializer, Serializer, de::Error};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// The moment as databases take it: every [`Time`] is one.
#[must_use]
pub fn moment(time: Time) -> OffsetDateTime {
    let nanos = i128::from(time.millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The moment as text, such as `2010-12-01T08:26:00Z`; milliseconds only where there are some.
#[must_use]
pub fn format(time: Time) -> String {
    // A Time lies within the years that RFC 3339 can say.
    moment(time).format(&Rfc3339).unwrap_or_else(|_| time.millis().to_string())
}

/// A moment as text, to the millisecond.
#[must_use]
pub fn of_moment(moment: OffsetDateTime) -> String {
    let millis = moment.unix_timestamp_nanos().div_euclid(1_000_000);
    format(Time::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
}

/// The moment that a text names, in whole milliseconds.
///
/// # Errors
/// When it is not RFC 3339.
pub fn parse(text: &str) -> Result<Time, time::error::Parse> {
    let moment = OffsetDateTime::parse(text, &Rfc3339)?.to_offset(UtcOffset::UTC);
    let millis = moment.unix_timestamp_nanos().div_euclid(1_000_000);
    Ok(Time::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)))
}

/// For `#[serde(with = "store::rfc3339")]`.
///
/// # Errors
/// The serialiser's.
pub fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*time))
}

/// For `#[serde(with = "store::rfc3339")]`.
///
/// # Errors
/// When the text is not RFC 3339.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(D::Error::custom)
}
