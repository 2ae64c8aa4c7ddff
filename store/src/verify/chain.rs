//! Follows the chain: events in order, each batch against its link.

use std::collections::VecDeque;

use futures::TryStreamExt as _;
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{Anchor, FINDINGS_TOLD_MAX, Finding, Verified, shelves::Shelves};
use crate::archive::Place;
use crate::log::{Digest, Link, LogError, Position, Texts, digest, link, micros_at};

/// Links that are read at once.
const LINKS_AT_ONCE: i64 = 10_000;
/// How often progress is told, in events.
const TELL_EVERY: i64 = 5_000;

/// Every event from one position to another, with what its digest is made of, or where that was put. Each half comes in
/// order by itself: they are merged, and nothing is sorted.
const EVENTS: &str = "(SELECT position, digest, aggregate_type, aggregate_id, sequence, event_type, event_version, \
                              payload, metadata, event_id, recorded_at, NULL::int, NULL::int \
                       FROM events WHERE position > $1 AND position <= $2 ORDER BY position) \
                      UNION ALL \
                      (SELECT position, digest, aggregate_type, aggregate_id, sequence, NULL, NULL, \
                              NULL, NULL, NULL, NULL, file, place \
                       FROM archived_events WHERE position > $1 AND position <= $2 ORDER BY position) ORDER BY 1";

pub(super) struct Chain {
    /// Where the last batch ended.
    end: Anchor,
    /// The last position that was read.
    at: Position,
    /// Digests since the last batch's end.
    batch: Vec<Digest>,
    events: i64,
    batches: i64,
    /// Where events were put away.
    shelves: Shelves,
    findings: Vec<Finding>,
    findings_total: u64,
}

impl Chain {
    pub(super) fn from(start: Anchor, shelves: Shelves) -> Self {
        Self {
            end: start,
            at: start.position,
            batch: vec![],
            events: 0,
            batches: 0,
            shelves,
            findings: vec![],
            findings_total: 0,
        }
    }

    /// Whether the chain goes through an anchor.
    pub(super) async fn check(
        &mut self,
        connection: &mut PgConnection,
        anchor: Anchor,
    ) -> Result<(), LogError> {
        let stored: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT link FROM log_links WHERE last_position = $1")
                .bind(anchor.position)
                .fetch_optional(connection)
                .await?;
        let holds = stored.map_or(anchor == Anchor::BEGINNING, |stored| *stored == anchor.link);
        if !holds {
            self.found(Finding::Anchor { position: anchor.position });
        }
        Ok(())
    }

    /// Reads everything that follows.
    pub(super) async fn read(
        &mut self,
        connection: &mut PgConnection,
        told: &(dyn Fn(Position) + Sync),
    ) -> Result<(), LogError> {
        loop {
            let links = links(connection, self.end.position).await?;
            // Behind the last link, whatever is left.
            let Some((last, _)) = links.back().copied() else {
                return self.read_events(connection, links, i64::MAX, told).await;
            };
            self.read_events(connection, links, last, told).await?;
            if self.at < last {
                self.found(Finding::Missing { from: self.at + 1, to: last });
                self.at = last;
            }
        }
    }

    async fn read_events(
        &mut self,
        connection: &mut PgConnection,
        mut links: VecDeque<(Position, Link)>,
        to: Position,
        told: &(dyn Fn(Position) + Sync),
    ) -> Result<(), LogError> {
        let mut rows = sqlx::query(EVENTS).bind(self.at).bind(to).fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let position: Position = row.try_get(0)?;
            if position <= self.at {
                self.found(Finding::Doubled { position });
                continue;
            }
            if position > self.at + 1 {
                self.found(Finding::Missing { from: self.at + 1, to: position - 1 });
            }
            while let Some((last, stored)) = links.front().copied().filter(|(last, _)| *last < position) {
                links.pop_front();
                self.close(last, stored);
            }
            self.event(position, &row).await?;
            if self.events % TELL_EVERY == 0 {
                told(position);
            }
        }
        told(self.at);
        for (last, stored) in links {
            self.close(last, stored);
        }
        Ok(())
    }

    async fn event(&mut self, position: Position, row: &PgRow) -> Result<(), LogError> {
        let stored: &[u8] = row.try_get(1)?;
        let found = match (row.try_get(11)?, row.try_get(12)?) {
            (Some(file), Some(block)) => self.shelves.check(position, row, Place { file, block }).await?,
            _ if digest(texts(row)?) == stored => None,
            _ => {
                let Texts { aggregate_type, aggregate_id, sequence, .. } = texts(row)?;
                let stream = format!("{aggregate_type}-{aggregate_id}");
                Some(Finding::Altered { position, stream, sequence })
            }
        };
        if let Some(found) = found {
            self.found(found);
        }
        // A digest of another length breaks its batch's link, as any other wrong one does.
        self.batch.push(stored.try_into().unwrap_or([0; 32]));
        self.at = position;
        self.events += 1;
        Ok(())
    }

    /// A batch ended at `last`. The chain goes on from the stored link, so that one fault is found once.
    fn close(&mut self, last: Position, stored: Link) {
        if link(&self.end.link, last, self.batch.iter()) != stored {
            self.found(Finding::BrokenLink { from: self.end.position + 1, to: last });
        }
        self.batch.clear();
        self.batches += 1;
        self.end = Anchor { position: last, link: stored };
    }

    /// Compares where the log ends with where the head stands.
    pub(super) fn finish(&mut self, head: Position, head_link: &[u8]) {
        if !self.batch.is_empty() {
            self.found(Finding::Unlinked { from: self.end.position + 1, to: self.at });
        }
        if head != self.at || head != self.end.position || *head_link != self.end.link {
            self.found(Finding::Head { position: head, end: self.at });
        }
    }

    /// What the chain cannot know: that the writer counted right.
    pub(super) async fn check_sequences(&mut self, connection: &mut PgConnection) -> Result<(), LogError> {
        let mut rows = sqlx::query(
            "SELECT aggregate_type || '-' || aggregate_id, count(*), max(sequence) \
             FROM (SELECT aggregate_type, aggregate_id, sequence FROM events UNION ALL \
                   SELECT aggregate_type, aggregate_id, sequence FROM archived_events) AS everywhere \
             GROUP BY aggregate_type, aggregate_id HAVING count(*) <> max(sequence)",
        )
        .fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let (stream, events, last) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            self.found(Finding::Sequences { stream, events, last });
        }
        Ok(())
    }

    /// Looks at the files themselves.
    pub(super) async fn check_files(&mut self) -> Result<(), LogError> {
        for finding in self.shelves.check_files().await? {
            self.found(finding);
        }
        Ok(())
    }

    /// Compares what was read of each file with what its row tells.
    pub(super) fn check_file_rows(&mut self) {
        for finding in self.shelves.check_rows() {
            self.found(finding);
        }
    }

    pub(super) fn told(self) -> Verified {
        Verified {
            ok: self.findings_total == 0,
            events: self.events,
            batches: self.batches,
            archived: self.shelves.read(),
            anchor: self.end,
            findings: self.findings,
            findings_total: self.findings_total,
        }
    }

    fn found(&mut self, finding: Finding) {
        self.findings_total += 1;
        if self.findings.len() < FINDINGS_TOLD_MAX {
            self.findings.push(finding);
        }
    }
}

fn texts(row: &PgRow) -> Result<Texts<'_>, sqlx::Error> {
    Ok(Texts {
        aggregate_type: row.try_get(2)?,
        aggregate_id: row.try_get(3)?,
        sequence: row.try_get(4)?,
        event_type: row.try_get(5)?,
        event_version: row.try_get(6)?,
        // Postgres sends json as the text that it is.
        payload: row.try_get_unchecked(7)?,
        metadata: row.try_get_unchecked(8)?,
        event_id: row.try_get(9)?,
        recorded_at_us: micros_at(row, 10)?,
    })
}

async fn links(
    connection: &mut PgConnection,
    after: Position,
) -> Result<VecDeque<(Position, Link)>, LogError> {
    let rows: Vec<(Position, Vec<u8>)> = sqlx::query_as(
        "SELECT last_position, link FROM log_links WHERE last_position > $1 ORDER BY last_position LIMIT $2",
    )
    .bind(after)
    .bind(LINKS_AT_ONCE)
    .fetch_all(connection)
    .await?;
    // A link of another length is none that any batch comes to.
    Ok(rows.into_iter().map(|(last, link)| (last, link.try_into().unwrap_or([0xff; 32]))).collect())
}
