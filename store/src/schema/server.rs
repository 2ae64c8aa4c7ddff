//! Which servers the tables and statements are made for, and whether one takes writes.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};

use super::SchemaError;

/// The oldest major version that will do; older ones are not tried, and there everybody may create tables in `public`.
pub const VERSION_MIN: u32 = 15;

/// How old a session may be that began while the database was read-only.
pub(super) const READ_ONLY_KEPT: Duration = Duration::from_secs(1);

/// Whether a server takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// It does.
    Taken,
    /// It is a standby, until it is promoted.
    Standby,
    /// Sessions begin read-only: `default_transaction_read_only` is set for the server, the database or the role.
    ReadOnly,
}

/// Looks whether the server takes writes now.
///
/// # Errors
/// The database's.
pub async fn writes(pool: &PgPool) -> Result<Writes, SchemaError> {
    let (standby, read_only): (bool, bool) =
        sqlx::query_as("SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool")
            .fetch_one(pool)
            .await?;
    Ok(match (standby, read_only) {
        (true, _) => Writes::Standby,
        (false, true) => Writes::ReadOnly,
        (false, false) => Writes::Taken,
    })
}

/// Whether the session began while the database was read-only. A standby's session is none: it takes writes as soon as the
/// server does.
pub(super) async fn began_read_only(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT current_setting('default_transaction_read_only')::bool")
        .fetch_one(connection)
        .await
}

/// Whether the server is new enough.
pub(super) fn check(connection: &PgConnection) -> Result<(), SchemaError> {
    new_enough(connection.server_version_num())
}

/// `server_version_num` is the major version times 10,000; a proxy that does not tell it is taken at its word.
fn new_enough(version_num: Option<u32>) -> Result<(), SchemaError> {
    match version_num.map(|number| number / 10_000) {
        Some(found) if found < VERSION_MIN => Err(SchemaError::TooOld { found, needed: VERSION_MIN }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_older_than_15_is_told_by_its_major_version() {
        for (number, found) in [(90_624, 9), (130_000, 13), (149_999, 14)] {
            let told = new_enough(Some(number));
            assert!(matches!(told, Err(SchemaError::TooOld { found: major, needed: 15 }) if major == found));
        }
        for number in [Some(150_000), Some(150_014), Some(180_006), None] {
            assert!(new_enough(number).is_ok(), "{number:?}");
        }
    }
}
