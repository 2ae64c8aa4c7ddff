//! A stream as its aggregate's fold needs it, from its snapshot on.

use futures::TryStreamExt as _;
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    FOLD, LogError, Past, Sequence, StoredEvent, StreamId, TakePast, decode::decode_behind, postgres::dense,
    snapshot, through::is_away,
};
use crate::upcast::{Before, Stored};

/// What came of reading rows.
pub(super) enum Read {
    /// There are no more.
    All,
    /// The first event was put away.
    Away,
}

/// Takes the rows of a stream, one by one; `begun` says whether there was one.
pub(super) async fn rows(
    connection: &mut PgConnection,
    (stream, snapshot): (&StreamId, bool),
    take: TakePast<'_>,
    begun: &mut bool,
) -> Result<Read, LogError> {
    let mut rows = sqlx::query(snapshot::HISTORY)
        .bind(stream.aggregate_type.as_str())
        .bind(&*stream.id)
        .bind(snapshot.then_some(FOLD))
        .fetch(connection);
    // The row of the event before the next one; with a snapshot, that event's row is the first.
    let mut before: Option<PgRow> = None;
    let mut last = 0;
    while let Some(row) = rows.try_next().await? {
        *begun = true;
        let sequence = row.try_get(0)?;
        if let Some(state) = row.try_get_unchecked::<Option<&str>, _>(4)? {
            take(Past::State(sequence, state));
        } else {
            if last == 0 && is_away(&row, 1)? {
                return Ok(Read::Away);
            }
            dense(last, [sequence])?;
            let behind = || match before.as_ref().map(form) {
                None => Before::Nothing,
                Some(form) => form.map_or(Before::Unread, Before::Is),
            };
            take(past(stream, sequence, form(&row)?, behind)?);
        }
        last = sequence;
        before = Some(row);
    }
    Ok(Read::All)
}

/// Takes a stream's events.
pub(super) fn events(
    stream: &StreamId,
    events: Vec<StoredEvent>,
    take: TakePast<'_>,
) -> Result<(), LogError> {
    let mut before: Option<StoredEvent> = None;
    for event in events {
        let behind = || before.as_ref().map_or(Before::Nothing, |before| Before::Is(before.form()));
        take(past(stream, event.sequence, event.form(), behind)?);
        before = Some(event);
    }
    Ok(())
}

/// What an event means, for a fold.
fn past<'a>(
    stream: &StreamId,
    sequence: Sequence,
    stored: Stored<'_>,
    before: impl FnOnce() -> Before<'a>,
) -> Result<Past<'static>, LogError> {
    decode_behind(stream.aggregate_type, stored, before).map(Past::Next).map_err(|source| LogError::Decode {
        stream: stream.to_string().into(),
        sequence,
        source,
    })
}

/// The form of an event in a row of [`snapshot::HISTORY`]. Postgres sends json as the text that it is.
fn form(row: &PgRow) -> Result<Stored<'_>, sqlx::Error> {
    Ok(Stored {
        event_type: row.try_get(1)?,
        event_version: row.try_get(2)?,
        payload: row.try_get_unchecked(3)?,
    })
}
