//! Which events somebody wants to see, and pages of them: for those who look at the log and do not follow it.
//!
//! A page is one statement of its own, so that nobody's reading holds back what the database tidies up behind appends.

use std::sync::Arc;

use domain::{AggregateType, value::Time};
use futures::TryStreamExt as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Decoder, Log as _, LogError, Portion, Position, PostgresLog, RawEvent, Seen, StreamId, raw::RAW_COLUMNS,
    see, seen::occurred_at,
};
use crate::upcast;

/// Positions of a page.
const PAGE: i64 = 16_384;

/// Which events are wanted; the default is all. What is said holds together: each part narrows it.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of these kinds of aggregates; of any, if none is named.
    pub aggregate_types: Vec<AggregateType>,
    /// Of the aggregate with this id.
    pub aggregate_id: Option<Arc<str>>,
    /// Of these names, as readers see them today; of any, if none is named.
    pub event_types: Vec<Box<str>>,
    /// Of this business transaction.
    pub correlation_id: Option<Uuid>,
    /// Happened then or later.
    pub from: Option<Time>,
    /// Happened then or earlier.
    pub to: Option<Time>,
}

/// Reads the selected events page after page, in order.
#[derive(Debug)]
pub struct Pages {
    log: PostgresLog,
    selection: Selection,
    decoder: Decoder,
    after: Position,
    upto: Position,
}

/// What a page holds.
#[derive(Debug, Default)]
pub struct Page {
    /// Events, in order; there may be none.
    pub events: Vec<Seen>,
    /// Up to where the log has been read.
    pub upto: Position,
}

impl Selection {
    /// The kinds of aggregates that are wanted.
    fn kinds(&self) -> &[AggregateType] {
        if self.aggregate_types.is_empty() { AggregateType::ALL } else { &self.aggregate_types }
    }

    /// Whether all events are wanted.
    fn is_all(&self) -> bool {
        self.aggregate_types.is_empty()
            && self.aggregate_id.is_none()
            && self.event_types.is_empty()
            && self.correlation_id.is_none()
    }

    /// The stored names that may come out under one of the wanted ones.
    fn stored_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.event_types.iter().map(|name| &**name).collect();
        for name in self.kinds().iter().flat_map(|kind| upcast::leaves_its_name(*kind)) {
            names.push(name);
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The statement that copies the rows of `after < position <= upto` that may be wanted.
    fn copy(&self, after: Position, upto: Position) -> String {
        let mut wanted = vec![];
        if !self.aggregate_types.is_empty() || self.aggregate_id.is_some() {
            wanted.push(any_of("aggregate_type", self.kinds().iter().map(|kind| kind.as_str())));
        }
        if let Some(id) = &self.aggregate_id {
            wanted.push(format!("aggregate_id = {}", literal(id)));
        }
        if !self.event_types.is_empty() {
            wanted.push(any_of("event_type", self.stored_names().into_iter()));
        }
        if let Some(id) = self.correlation_id {
            wanted.push(format!("strpos(metadata::text, '{id}') > 0"));
        }
        let range = format!("position > {after} AND position <= {upto}");
        let rows = match self.aggregate_id {
            // By the stream's key, however few or many positions there are.
            Some(_) => format!(
                "WITH stream AS MATERIALIZED (SELECT {RAW_COLUMNS} FROM events WHERE {}) \
                 SELECT {RAW_COLUMNS} FROM stream WHERE {range} ORDER BY position",
                wanted.join(" AND ")
            ),
            None => {
                wanted.push(range);
                format!("SELECT {RAW_COLUMNS} FROM events WHERE {} ORDER BY position", wanted.join(" AND "))
            }
        };
        format!("COPY ({rows}) TO STDOUT (FORMAT binary)")
    }

    /// Whether a stored event may be wanted: the same as the database is asked.
    fn may_want(&self, event: &RawEvent) -> bool {
        (self.aggregate_types.is_empty()
            || self.aggregate_types.iter().any(|kind| kind.as_str() == event.aggregate_type()))
            && self.aggregate_id.as_deref().is_none_or(|id| id == event.aggregate_id())
            && (self.event_types.is_empty() || self.stored_names().contains(&event.event_type()))
    }

    /// Whether an event is wanted that was read because it may be.
    fn wants(&self, seen: &Seen) -> Result<bool, LogError> {
        if !self.event_types.is_empty() && !self.event_types.iter().any(|name| **name == *seen.event_type()) {
            return Ok(false);
        }
        if let Some(wanted) = self.correlation_id {
            let brief = seen.stored.brief().map_err(|source| LogError::of_event(&seen.stored, source))?;
            if brief.correlation_id != wanted {
                return Ok(false);
            }
        }
        if self.from.is_none() && self.to.is_none() {
            return Ok(true);
        }
        let at = occurred_at(&seen.stored)?;
        Ok(self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at <= to))
    }
}

impl Pages {
    /// The selected events of `after < position <= upto`.
    #[must_use]
    pub fn new(log: PostgresLog, selection: Selection, after: Position, upto: Position) -> Self {
        Self { log, selection, decoder: Decoder::default(), after, upto }
    }

    /// Whether it has read up to where it may.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.after >= self.upto
    }

    /// Lets it read further, up to there.
    pub fn extend(&mut self, upto: Position) {
        self.upto = self.upto.max(upto);
    }

    /// The next page; `None` at the end.
    ///
    /// # Errors
    /// When the log cannot be read, or an event of it cannot be understood.
    pub async fn next(&mut self) -> Result<Option<Page>, LogError> {
        if self.after >= self.upto {
            return Ok(None);
        }
        // Those of one aggregate are few, and found without looking through pages.
        let one = self.selection.aggregate_id.is_some();
        let upto = if one { self.upto } else { self.upto.min(self.after.saturating_add(PAGE)) };
        let rows = self.log.raw_page(&self.selection, self.after, upto).await?;
        let mut events = Vec::with_capacity(rows.len());
        for raw in rows {
            see(&self.log, &mut self.decoder, raw, &mut events).await?;
        }
        if !self.selection.is_all() || self.selection.from.is_some() || self.selection.to.is_some() {
            let mut wanted = Vec::with_capacity(events.len());
            for seen in events {
                if self.selection.wants(&seen)? {
                    wanted.push(seen);
                }
            }
            events = wanted;
        }
        self.after = upto;
        Ok(Some(Page { events, upto }))
    }
}

impl PostgresLog {
    /// The event with this id, if it is a row; those in the archive are known by their positions and streams. Reads all.
    ///
    /// # Errors
    /// The database's.
    pub async fn position_of(&self, event_id: Uuid) -> Result<Option<Position>, LogError> {
        let position = sqlx::query_scalar("SELECT position FROM events WHERE event_id = $1")
            .bind(event_id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(position)
    }

    /// The rows of `after < position <= upto` that may be wanted, in order.
    async fn raw_page(
        &self,
        selection: &Selection,
        after: Position,
        upto: Position,
    ) -> Result<Vec<RawEvent>, LogError> {
        let mut connection = self.pool.acquire().await?;
        let rows = copied(&mut connection, &selection.copy(after, upto)).await?;
        // Asked behind the copy: what is put away in between was still a row there.
        let away: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM archived_events WHERE position > $1 AND position <= $2 \
             AND ($3::text IS NULL OR (aggregate_id = $3 AND aggregate_type = ANY ($4))))",
        )
        .bind(after)
        .bind(upto)
        .bind(selection.aggregate_id.as_deref())
        .bind(selection.kinds().iter().map(|kind| kind.as_str()).collect::<Vec<_>>())
        .fetch_one(&mut *connection)
        .await?;
        drop(connection);
        if away {
            return self.through_archive(selection, after, upto).await;
        }
        if selection.is_all() {
            super::postgres::dense(after, rows.iter().map(|row| row.position))?;
            let end = rows.last().map_or(after, |row| row.position);
            if end < upto {
                return Err(LogError::Gap { after: end, found: upto });
            }
        }
        Ok(rows)
    }

    /// The same where some were put away.
    async fn through_archive(
        &self,
        selection: &Selection,
        after: Position,
        upto: Position,
    ) -> Result<Vec<RawEvent>, LogError> {
        let mut rows = vec![];
        if let Some(id) = &selection.aggregate_id {
            for kind in selection.kinds() {
                rows.extend(self.load(&StreamId::new(*kind, id), 0).await?.iter().map(RawEvent::from));
            }
            rows.retain(|row| row.position > after && row.position <= upto);
            rows.sort_unstable_by_key(|row| row.position);
        } else {
            let kinds = selection.kinds();
            let unwanted: Vec<_> =
                AggregateType::ALL.iter().copied().filter(|kind| !kinds.contains(kind)).collect();
            self.read_each(after, upto - after, Portion::But(&unwanted), &mut |stored| {
                rows.push(RawEvent::from(&stored))
            })
            .await?;
        }
        rows.retain(|row| selection.may_want(row));
        Ok(rows)
    }
}

async fn copied(connection: &mut PgConnection, statement: &str) -> Result<Vec<RawEvent>, sqlx::Error> {
    let mut messages = connection.copy_out_raw(statement).await?;
    let mut rows = vec![];
    while let Some(message) = messages.try_next().await? {
        rows.extend(RawEvent::of_copy(message)?);
    }
    Ok(rows)
}

fn any_of<'a>(column: &str, values: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<_> = values.map(literal).collect();
    format!("{column} = ANY (ARRAY[{}]::text[])", values.join(", "))
}

/// A text in a statement that takes no parameters, whatever stands in it.
fn literal(text: &str) -> String {
    use std::fmt::Write as _;
    let hex = text.bytes().fold(String::with_capacity(text.len() * 2), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("convert_from(decode('{hex}', 'hex'), 'UTF8')")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_stays_a_text() {
        let selection =
            Selection { aggregate_id: Some("x'; DROP TABLE events; --".into()), ..Selection::default() };
        assert!(!selection.copy(0, 9).contains("DROP"), "{}", selection.copy(0, 9));
    }

    #[test]
    fn a_name_is_looked_for_under_those_that_it_had() {
        let selection = Selection {
            aggregate_types: vec![AggregateType::Cart],
            event_types: vec!["LineAdded".into()],
            ..Selection::default()
        };
        let names = selection.stored_names();
        // Forms of tests alone: they are split, merged or renamed.
        assert!(names.contains(&"LineAdded") && names.contains(&"PickConfirmed"), "{names:?}");
    }
}
