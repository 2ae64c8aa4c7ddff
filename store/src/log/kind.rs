//! Every event of one kind of aggregates, stream by stream, without reading any others.

use std::sync::Arc;

use domain::AggregateType;
use futures::TryStreamExt as _;
use sqlx::{Executor as _, Row as _};

use super::{
    Decoder, Head, LogError, Position, PostgresLog, Recorded, Sequence, StoredEvent,
    postgres::dense,
    row::{COLUMNS, head_of, stored},
};

/// So many rows are asked for at once: the next ones are found again in the index.
const PAGE: i64 = 20_000;

/// What is done with each event that is read and understood.
pub type TakeRecorded<'a> = &'a mut (dyn FnMut(Recorded) + Send);

impl PostgresLog {
    /// The events of one kind of aggregates up to a position, or of one of them: ordered by the ids, and those of each in
    /// their order. Returns the head that they were read at.
    ///
    /// All of it is one snapshot, read along the key of the streams. It is for kinds that are never put away
    /// ([`AggregateType::ends`]); events of others may be in the archive, which is a gap here.
    ///
    /// # Errors
    /// When the log cannot be read, or has a gap.
    pub async fn each_of_kind(
        &self,
        aggregate_type: AggregateType,
        (id, upto): (Option<&str>, Position),
        take: TakeRecorded<'_>,
    ) -> Result<Head, LogError> {
        let mut snapshot = crate::transaction::snapshot(&self.pool).await?;
        // The key has the order that is wanted; sorting everything would need room for it.
        snapshot.execute("SET LOCAL enable_sort = off").await?;
        let head =
            sqlx::query("SELECT position, link, incarnation FROM log_head").fetch_one(&mut *snapshot).await?;
        let head = head_of(&head)?;
        let one = if id.is_some() { "AND aggregate_id = $6" } else { "" };
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE aggregate_type = $1 AND (aggregate_id, sequence) > ($2, $3) \
             AND position <= $4 {one} ORDER BY aggregate_id, sequence LIMIT $5"
        );
        let (mut last, mut decoder): ((Arc<str>, Sequence), _) = (("".into(), 0), Decoder::default());
        loop {
            let query = sqlx::query(&sql).bind(aggregate_type.as_str()).bind(&*last.0).bind(last.1);
            let query = query.bind(upto).bind(PAGE);
            let query = if let Some(id) = id { query.bind(id) } else { query };
            // It borrows what the next page begins after.
            let after = last.clone();
            let mut rows = query.fetch(&mut *snapshot);
            let mut found = 0;
            let mut reached = after.clone();
            while let Some(row) = rows.try_next().await? {
                let event = stored(&row)?;
                let before = if *reached.0 == *event.aggregate_id { reached.1 } else { 0 };
                dense(before, [row.try_get::<Sequence, _>(3)?])?;
                reached = (event.aggregate_id.clone(), event.sequence);
                take(understood(&mut decoder, &event)?);
                found += 1;
            }
            drop(rows);
            if found < PAGE {
                break;
            }
            last = reached;
        }
        snapshot.rollback().await?;
        Ok(head)
    }

    /// How many events there are of one kind of aggregates.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_of_kind(&self, aggregate_type: AggregateType) -> Result<i64, LogError> {
        let count = sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_type = $1");
        Ok(count.bind(aggregate_type.as_str()).fetch_one(&self.pool).await?)
    }
}

/// Streams come whole, so the event before is always among what was read.
fn understood(decoder: &mut Decoder, event: &StoredEvent) -> Result<Recorded, LogError> {
    let alone = || super::decode::missing_before(event);
    LogError::unless(event, decoder.read(event).unwrap_or_else(alone))
}
