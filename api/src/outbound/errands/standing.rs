//! How much of each channel waits and is given up, and what this process has carried.

use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::Row as _;

use super::{Channel, Outcome, Queue, queue::moment};

/// What this process has carried, by channel.
#[derive(Debug, Default)]
pub struct Counters([Counted; 4]);

#[derive(Debug, Default)]
struct Counted {
    sent: AtomicU64,
    failed: AtomicU64,
}

impl Counters {
    pub(super) fn count(&self, channel: Channel, outcome: &Outcome) {
        let counted = &self.0[channel as usize];
        match outcome {
            Outcome::Done => counted.sent.fetch_add(1, Ordering::Relaxed),
            Outcome::Again(_) | Outcome::Never(_) => counted.failed.fetch_add(1, Ordering::Relaxed),
            Outcome::Void(_) => 0,
        };
    }

    /// Errands of a channel that were taken by whom they are for, and tries that failed.
    #[must_use]
    pub fn of(&self, channel: Channel) -> (u64, u64) {
        let counted = &self.0[channel as usize];
        (counted.sent.load(Ordering::Relaxed), counted.failed.load(Ordering::Relaxed))
    }
}

/// What of a channel is not carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub channel: Channel,
    /// Errands that wait, and since when the oldest of them does.
    pub waiting: i64,
    /// How long the oldest of them has waited, in milliseconds.
    pub oldest_ms: i64,
    /// Errands that were given up, and are not forgotten yet.
    pub dead: i64,
}

impl Queue {
    /// How every channel stands.
    ///
    /// # Errors
    /// The database's.
    pub async fn standings(&self) -> Result<Vec<Standing>, sqlx::Error> {
        let rows = sqlx::query(
            // Two parts, so that each finds its rows by an index of just these.
            "SELECT channel, count(*), (extract(epoch FROM $1 - min(created_at)) * 1000)::bigint, 0::bigint \
             FROM errands WHERE state = 'waiting' GROUP BY channel \
             UNION ALL \
             SELECT channel, 0, 0, count(*) FROM errands WHERE state = 'dead' GROUP BY channel",
        )
        .bind(moment(self.clock.now()))
        .fetch_all(&self.pool)
        .await?;
        let mut standings: Vec<_> = Channel::ALL
            .iter()
            .map(|channel| Standing { channel: *channel, waiting: 0, oldest_ms: 0, dead: 0 })
            .collect();
        for row in rows {
            let name: String = row.try_get(0)?;
            let (waiting, oldest_ms, dead): (i64, i64, i64) =
                (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            if let Some(standing) = standings.iter_mut().find(|standing| standing.channel.as_str() == name) {
                standing.waiting += waiting;
                standing.oldest_ms += oldest_ms.max(0);
                standing.dead += dead;
            }
        }
        Ok(standings)
    }
}
