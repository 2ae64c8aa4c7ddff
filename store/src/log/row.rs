//! Rows of the log's tables and what they stand for.

use domain::AggregateType;
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;

use super::{Answer, Head, StoredEvent, StreamId};

/// What [`stored`] reads, in its order.
pub const COLUMNS: &str = "position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
                           metadata, event_id, recorded_at";
/// The same with nothing in place of what is long, where the kind of aggregate is among those in $3.
pub const THIN_COLUMNS: &str = "position, aggregate_type, CASE WHEN aggregate_type <> ALL ($3) THEN aggregate_id END, sequence, event_type, \
     event_version, CASE WHEN aggregate_type <> ALL ($3) THEN payload END, \
     CASE WHEN aggregate_type <> ALL ($3) THEN metadata END, event_id, recorded_at";

/// The same with nothing in place of what an event says.
pub const NAME_COLUMNS: &str =
    "position, aggregate_type, aggregate_id, sequence, event_type, '', '', '', event_id, recorded_at";

/// The year 2000 as microseconds since the epoch.
pub const YEAR_2000_US: i64 = 946_684_800_000_000;

pub fn head_of(row: &PgRow) -> Result<Head, sqlx::Error> {
    Ok(Head {
        position: row.try_get(0)?,
        link: fixed(row.try_get::<&[u8], _>(1)?)?,
        incarnation: row.try_get(2)?,
    })
}

pub fn stored(row: &PgRow) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        position: row.try_get(0)?,
        aggregate_type: row.try_get::<&str, _>(1)?.into(),
        aggregate_id: row.try_get::<&str, _>(2)?.into(),
        sequence: row.try_get(3)?,
        event_type: row.try_get::<&str, _>(4)?.into(),
        event_version: row.try_get::<&str, _>(5)?.into(),
        // Postgres sends json as the text that it is; asking for it as text would make it copy that first.
        payload: row.try_get_unchecked::<&str, _>(6)?.into(),
        metadata: row.try_get_unchecked::<&str, _>(7)?.into(),
        event_id: row.try_get(8)?,
        recorded_at_us: micros_at(row, 9)?,
    })
}

/// A moment in microseconds since the epoch: a timestamptz travels as microseconds since 2000.
pub fn micros_at(row: &PgRow, column: usize) -> Result<i64, sqlx::Error> {
    Ok(YEAR_2000_US + row.try_get_unchecked::<i64, _>(column)?)
}

pub fn answer(row: &PgRow) -> Result<Answer, sqlx::Error> {
    let aggregate_type: AggregateType = row
        .try_get::<&str, _>(2)?
        .parse()
        .map_err(|error: domain::UnknownAggregate| sqlx::Error::Decode(error.into()))?;
    Ok(Answer {
        command_id: row.try_get(0)?,
        fingerprint: fixed(row.try_get::<&[u8], _>(1)?)?,
        stream: StreamId { aggregate_type, id: row.try_get::<&str, _>(3)?.into() },
        version: row.try_get(4)?,
        position: row.try_get(5)?,
        events: row.try_get(6)?,
        refusal: row.try_get(7)?,
        recorded_at_us: micros_of(row.try_get(8)?),
        expires_at_us: row.try_get::<Option<OffsetDateTime>, _>(9)?.map(micros_of),
    })
}

pub fn fixed(bytes: &[u8]) -> Result<[u8; 32], sqlx::Error> {
    bytes.try_into().map_err(|_| sqlx::Error::Decode(format!("{} bytes where 32 belong", bytes.len()).into()))
}

pub fn moment(micros: i64) -> OffsetDateTime {
    // Any i64 of microseconds that a clock gives is within the years that OffsetDateTime holds.
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

pub fn micros_of(moment: OffsetDateTime) -> i64 {
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX)
}
