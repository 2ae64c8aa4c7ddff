//! What is kept beside the log, as its database tells it: pieces of its journal, and files of what was put away.

use sqlx::PgPool;

/// How that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whether the database puts its journal away, so that a restore can lose nothing.
    pub journal: bool,
    /// How long ago it did so last, in microseconds; `None` before the first time.
    pub journal_age_us: Option<i64>,
    /// Whether it failed since.
    pub journal_fails: bool,
    /// Files of events that were put away.
    pub files: i64,
    /// The events in them.
    pub events: i64,
    /// How long ago the last of them was written, in microseconds.
    pub files_age_us: Option<i64>,
}

crate::from_row!(Kept { journal, journal_age_us, journal_fails, files, events, files_age_us });

/// An idle database puts nothing away, so that its age alone says nothing is wrong; a failure does.
const KEPT: &str = "\
    SELECT current_setting('archive_mode') <> 'off' AS journal, \
           (extract(epoch FROM clock_timestamp() - a.last_archived_time) * 1000000)::bigint AS journal_age_us, \
           COALESCE(a.last_failed_time > COALESCE(a.last_archived_time, '-infinity'), false) AS journal_fails, \
           f.files, f.events, (extract(epoch FROM clock_timestamp() - f.last) * 1000000)::bigint AS files_age_us \
    FROM pg_stat_archiver a, \
         (SELECT count(*) AS files, COALESCE(sum(events), 0)::bigint AS events, max(archived_at) AS last \
          FROM archive_files) f";

/// Asks the log's database.
pub(super) async fn kept(pool: &PgPool) -> Result<Kept, sqlx::Error> {
    sqlx::query_as(KEPT).fetch_one(pool).await
}
