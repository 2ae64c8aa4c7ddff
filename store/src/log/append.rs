//! One append on Postgres: one statement, and what its failure means.

use sqlx::{Arguments as _, PgConnection, postgres::PgArguments};

use super::{AppendError, Batch, Head, link, row::moment, timer};

/// The compare-and-set on the head comes first: everything else joins the row that it returns, so that nothing is
/// written when the head has moved, and the head is locked before any other row. There is no ON CONFLICT but for timers: a
/// violation aborts the batch, and its constraint says which rule it broke. What must be empty is looked up in the snapshot of the
/// statement, which holds everything up to the head, or the head has moved. Arrays are unnested side by side in the select list: in
/// FROM, Postgres would first write each of them down whole.
const APPEND: &str = r"
WITH head AS (
    UPDATE log_head SET position = $2, link = $3
    WHERE only_row AND position = $1 AND incarnation = $4
      AND NOT EXISTS (
          SELECT FROM unnest($25::text[], $26::text[]) AS empty (aggregate_type, aggregate_id),
              LATERAL (SELECT FROM events e WHERE (e.aggregate_type, e.aggregate_id) = (empty.aggregate_type, empty.aggregate_id)
                       UNION ALL
                       SELECT FROM archived_events a WHERE (a.aggregate_type, a.aggregate_id) = (empty.aggregate_type, empty.aggregate_id)
                       LIMIT 1) AS found)
    RETURNING position
), new_events AS (
    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                        position, event_id, recorded_at, digest)
    SELECT unnest($5::text[]), unnest($6::text[]), unnest($7::bigint[]), unnest($8::text[]), unnest($9::text[]),
           unnest($10::text[])::json, unnest($11::text[])::json, generate_series($1 + 1, $2), unnest($12::uuid[]),
           unnest($13::timestamptz[]), unnest($14::bytea[])
    FROM head
), new_link AS (
    INSERT INTO log_links (last_position, link) SELECT $2, $3 FROM head WHERE $2 > $1
), new_answers AS (
    INSERT INTO commands (command_id, fingerprint, aggregate_type, aggregate_id, version, position, events, refusal,
                          recorded_at, expires_at)
    SELECT unnest($15::uuid[]), unnest($16::bytea[]), unnest($17::text[]), unnest($18::text[]), unnest($19::bigint[]),
           unnest($20::bigint[]), unnest($21::int[]), unnest($22::text[])::json, unnest($23::timestamptz[]),
           unnest($24::timestamptz[])
    FROM head
), new_timers AS (
    INSERT INTO timers (timer_id, manager, instance, correlation_id, input, due_at)
    SELECT unnest($27::uuid[]), unnest($28::text[]), unnest($29::text[]), unnest($30::uuid[]), unnest($31::text[])::json,
           unnest($32::timestamptz[])
    FROM head
    ON CONFLICT (timer_id) DO NOTHING
)
SELECT position FROM head";

/// How many arguments it is given.
const ARGUMENTS: usize = 32;

/// Appends a batch behind `head`.
///
/// # Errors
/// When the head has moved, a rule was broken, or the outcome is not known.
pub async fn append(connection: &mut PgConnection, head: &Head, batch: &Batch) -> Result<Head, AppendError> {
    let last = head.position + batch.events.len() as i64;
    let link = if batch.events.is_empty() {
        head.link
    } else {
        link(&head.link, last, batch.events.iter().map(|event| &event.digest))
    };
    let events = &batch.events;
    let answers = &batch.answers;
    let mut arguments = PgArguments::default();
    // All at once: a buffer that grows is copied each time.
    arguments.reserve(ARGUMENTS, bytes(batch));
    let query = sqlx::query_with(APPEND, arguments)
        .bind(head.position)
        .bind(last)
        .bind(&link[..])
        .bind(head.incarnation)
        .bind(column(events, |event| event.stream.aggregate_type.as_str()))
        .bind(column(events, |event| &*event.stream.id))
        .bind(column(events, |event| event.sequence))
        .bind(column(events, |event| event.event_type))
        .bind(column(events, |event| event.event_version))
        .bind(column(events, |event| event.payload.as_str()))
        .bind(column(events, |event| event.metadata.as_str()))
        .bind(column(events, |event| event.event_id))
        .bind(column(events, |event| moment(event.recorded_at_us)))
        .bind(column(events, |event| &event.digest[..]))
        .bind(column(answers, |answer| answer.command_id))
        .bind(column(answers, |answer| &answer.fingerprint[..]))
        .bind(column(answers, |answer| answer.stream.aggregate_type.as_str()))
        .bind(column(answers, |answer| &*answer.stream.id))
        .bind(column(answers, |answer| answer.version))
        .bind(column(answers, |answer| answer.position))
        .bind(column(answers, |answer| answer.events))
        .bind(column(answers, |answer| answer.refusal.as_deref()))
        .bind(column(answers, |answer| moment(answer.recorded_at_us)))
        .bind(column(answers, |answer| answer.expires_at_us.map(moment)))
        .bind(column(&batch.empty, |stream| stream.aggregate_type.as_str()))
        .bind(column(&batch.empty, |stream| &*stream.id));
    let row = timer::bind(query, &batch.timers).fetch_optional(connection).await.map_err(append_error)?;
    match row {
        Some(_) => Ok(Head { position: last, link, incarnation: head.incarnation }),
        None => Err(AppendError::Missed),
    }
}

/// About what a batch takes as arguments, in bytes.
fn bytes(batch: &Batch) -> usize {
    let texts: usize = batch.events.iter().map(|event| event.payload.len() + event.metadata.len()).sum();
    let timers: usize = batch.timers.iter().map(|timer| timer.input.len() + 192).sum();
    texts + timers + (batch.events.len() + batch.answers.len()) * 256 + 1_024
}

pub(super) fn column<'a, T, C>(rows: &'a [T], value: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(value).collect()
}

fn append_error(error: sqlx::Error) -> AppendError {
    match &error {
        sqlx::Error::Database(database) => match database.constraint() {
            Some("commands_id") => AppendError::Answered,
            Some("events_stream" | "events_position" | "log_links_position") => AppendError::StreamMoved,
            // Class 57: the server is being shut down or killed this session; class 08: the connection; 25P03 and 55P03:
            // the session or the head's lock waited too long.
            _ if database.code().is_some_and(|code| {
                code.starts_with("57") || code.starts_with("08") || code == "25P03" || code == "55P03"
            }) =>
            {
                AppendError::Unknown(error)
            }
            _ => AppendError::Refused(error),
        },
        sqlx::Error::Encode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            AppendError::Refused(error)
        }
        _ => AppendError::Unknown(error),
    }
}
