//! What a projection has applied, counted with its work: so that it can be compared with the log afterwards.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::Query};
use uuid::Uuid;

use crate::log::Position;

/// Adds to what a follower ($1) has applied; $2 to $5 are what [`Applied::bind`] binds.
pub(super) const ADD: &str = "INSERT INTO applied_events AS a (follower, block, aggregate_type, events, digest) \
                              SELECT $1, * FROM UNNEST($2::bigint[], $3::text[], $4::bigint[], $5::bigint[]) \
                              ON CONFLICT (follower, block, aggregate_type) DO UPDATE \
                              SET events = a.events + EXCLUDED.events, digest = a.digest # EXCLUDED.digest";

/// Positions that are counted together: a difference is looked for in one block, event by event.
pub const BLOCK: Position = 10_000;

/// The block that a position is in, from 0.
#[must_use]
pub const fn block_of(position: Position) -> i64 {
    (position - 1).div_euclid(BLOCK)
}

/// Some events: how many, and the exclusive or of the digests of their ids and places.
///
/// One that is missing leaves its own digest as the difference, and so can be named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub events: i64,
    /// The exclusive or.
    pub digest: i64,
}

impl Sum {
    /// One event.
    #[must_use]
    pub fn of(event_id: Uuid, position: Position) -> Self {
        let (high, low) = event_id.as_u64_pair();
        Self { events: 1, digest: mixed(high ^ mixed(low ^ mixed(position.cast_unsigned()))).cast_signed() }
    }

    /// Adds others.
    pub const fn add(&mut self, other: Self) {
        self.events += other.events;
        self.digest ^= other.digest;
    }
}

/// Spreads 64 bits over 64 others: the last step of splitmix64 (Steele, Lea and Flood, 2014).
const fn mixed(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Sums by block and kind of aggregate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied(pub BTreeMap<(i64, Box<str>), Sum>);

impl Applied {
    /// Adds one event.
    pub fn add(&mut self, aggregate_type: &str, event_id: Uuid, position: Position) {
        let sum = self.0.entry((block_of(position), aggregate_type.into())).or_default();
        sum.add(Sum::of(event_id, position));
    }

    /// Adds them to what the follower has applied before; `from` is where it stood.
    pub(super) async fn write(
        &self,
        connection: &mut PgConnection,
        follower: &str,
        from: Position,
    ) -> Result<(), sqlx::Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "WITH begun AS ( \
                 UPDATE followers SET counted_after = $6 WHERE name = $1 AND counted_after IS NULL) {ADD}"
        );
        self.bind(sqlx::query(&sql), follower).bind(from).execute(connection).await.map(drop)
    }

    /// What [`ADD`] wants.
    pub(super) fn bind<'q>(
        &self,
        query: Query<'q, Postgres, PgArguments>,
        follower: &'q str,
    ) -> Query<'q, Postgres, PgArguments> {
        let rows: Vec<_> = self.0.iter().collect();
        query
            .bind(follower)
            .bind(rows.iter().map(|((block, _), _)| *block).collect::<Vec<_>>())
            .bind(rows.iter().map(|((_, aggregate_type), _)| aggregate_type.to_string()).collect::<Vec<_>>())
            .bind(rows.iter().map(|(_, sum)| sum.events).collect::<Vec<_>>())
            .bind(rows.iter().map(|(_, sum)| sum.digest).collect::<Vec<_>>())
    }

    /// Forgets what a follower has applied: it begins anew.
    pub(super) async fn clear(connection: &mut PgConnection, follower: &str) -> Result<(), sqlx::Error> {
        sqlx::query(
            "WITH begun AS (UPDATE followers SET counted_after = 0, audited_to = NULL WHERE name = $1), \
                  differing AS (DELETE FROM differing_blocks WHERE follower = $1) \
             DELETE FROM applied_events WHERE follower = $1",
        )
        .bind(follower)
        .execute(connection)
        .await
        .map(drop)
    }

    /// What a follower has applied, of everything or of one block, and from where on that is counted; `None` before it has
    /// begun to.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(
        connection: &mut PgConnection,
        follower: &str,
        block: Option<i64>,
    ) -> Result<Option<(Position, Self)>, sqlx::Error> {
        let after: Option<Option<Position>> =
            sqlx::query_scalar("SELECT counted_after FROM followers WHERE name = $1")
                .bind(follower)
                .fetch_optional(&mut *connection)
                .await?;
        let Some(after) = after.flatten() else { return Ok(None) };
        let rows: Vec<(i64, String, i64, i64)> = sqlx::query_as(
            "SELECT block, aggregate_type, events, digest FROM applied_events \
             WHERE follower = $1 AND ($2::bigint IS NULL OR block = $2)",
        )
        .bind(follower)
        .bind(block)
        .fetch_all(connection)
        .await?;
        let sums = rows.into_iter().map(|(block, aggregate_type, events, digest)| {
            ((block, aggregate_type.into()), Sum { events, digest })
        });
        Ok(Some((after, Self(sums.collect()))))
    }
}
