//! What stands in the way of serving from a log.

use sqlx::PgPool;

use super::SchemaError;
use crate::log::Position;

/// How the log that a pool sees stands to whoever wants to serve from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// Nothing stands in the way.
    Fit,
    /// The tables are not there, or the role may not read them.
    NotMigrated,
    /// The role may change events, so the log is only as safe as this program.
    MayChangeEvents,
    /// The head is not where the log ends, or carries another link: somebody has changed it, or has put events behind it.
    HeadAstray {
        /// Where the head stands.
        head: Position,
        /// Where the log ends.
        end: Position,
    },
}

/// Whether any right of the role's, or of a role that it may become, reaches what was written.
const MAY_CHANGE: &str = "\
    SELECT EXISTS (SELECT FROM pg_class WHERE oid IN (to_regclass('events'), to_regclass('log_links')) \
                   AND (pg_has_role(relowner, 'MEMBER') \
                        OR has_table_privilege(oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') \
                        OR has_any_column_privilege(oid, 'UPDATE')))";

/// One statement, so that appends of others do not come between its parts. The last link stands where the last batch ended;
/// no event stands behind it.
const ASTRAY: &str = "\
    SELECT head.position, GREATEST(last.position, (SELECT max(position) FROM events)) \
    FROM log_head AS head, \
         (SELECT COALESCE(max(last_position), 0) AS position FROM log_links) AS last \
         LEFT JOIN log_links ON last_position = last.position \
    WHERE head.position <> GREATEST(last.position, (SELECT max(position) FROM events)) \
       OR head.link <> COALESCE(log_links.link, decode(repeat('00', 32), 'hex'))";

/// Looks whether the tables are there, the head is where the log ends, and the role is a modest one.
///
/// # Errors
/// The database's.
pub async fn fitness(pool: &PgPool) -> Result<Fitness, SchemaError> {
    let laid: bool = sqlx::query_scalar("SELECT to_regclass('events') IS NOT NULL").fetch_one(pool).await?;
    if !laid {
        return Ok(Fitness::NotMigrated);
    }
    if let Some((head, end)) = sqlx::query_as(ASTRAY).fetch_optional(pool).await? {
        return Ok(Fitness::HeadAstray { head, end });
    }
    let may_change: bool = sqlx::query_scalar(MAY_CHANGE).fetch_one(pool).await?;
    Ok(if may_change { Fitness::MayChangeEvents } else { Fitness::Fit })
}
