//! The doors to the outside that decisions about time, names and chance go through, so that a test can hold them.

use std::{
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use domain::value::Time;
use uuid::Uuid;

/// What time it is, and waiting.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Microseconds since the epoch: when something happened, by the calendar that the shop lives by.
    fn now_us(&self) -> i64;

    /// Microseconds since some moment, for pacing and time limits; it never jumps.
    fn elapsed_us(&self) -> i64;

    /// Returns after `duration`, for pacing and time limits.
    async fn sleep(&self, duration: Duration);

    /// Returns when that moment of the calendar has come.
    async fn until(&self, moment: Time);

    /// Returns when so much time has gone since a moment of [`Clock::elapsed_us`].
    async fn rest(&self, since_us: i64, pace: Duration) {
        let since = Duration::from_micros(u64::try_from(self.elapsed_us() - since_us).unwrap_or(0));
        let rest = pace.saturating_sub(since);
        if !rest.is_zero() {
            self.sleep(rest).await;
        }
    }

    /// The moment as the domain counts it.
    fn now(&self) -> Time {
        Time::from_millis(self.now_us().div_euclid(1_000))
    }
}

/// New names and random bytes.
pub trait Ids: Send + Sync {
    /// A new UUIDv7.
    fn next(&self) -> Uuid;

    /// Fills `bytes` from a cryptographically secure source.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()>;
}

/// The machine's clock and randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

#[async_trait]
impl Clock for Machine {
    fn now_us(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_micros());
        // A clock before 1970 is broken; the epoch itself is as good an answer as any.
        since.ok().and_then(|micros| i64::try_from(micros).ok()).unwrap_or(0)
    }

    fn elapsed_us(&self) -> i64 {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        // 292,000 years fit.
        i64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    async fn until(&self, moment: Time) {
        let left_ms = moment.millis().saturating_sub(self.now().millis());
        self.sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))).await;
    }
}

impl Ids for Machine {
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        getrandom::fill(bytes).map_err(|error| std::io::Error::other(error.to_string()))
    }
}

/// A length of time as clocks count it.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
