//! How long an errand waits after each failure, and when it is given up.

use std::time::Duration;

use uuid::Uuid;

/// Pauses, one a failure; after as many failures and one more it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff(Vec<Duration>);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Backoff {
    /// These pauses.
    #[must_use]
    pub const fn new(pauses: Vec<Duration>) -> Self {
        Self(pauses)
    }

    /// 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: a little more than three days, as Standard Webhooks advises.
    #[must_use]
    pub fn webhooks() -> Self {
        const HOUR: u64 = 3_600;
        let hours = [2, 5, 10, 14, 20, 24].map(|hours| seconds(hours * HOUR));
        Self([seconds(5), seconds(300), seconds(1_800)].into_iter().chain(hours).collect())
    }

    /// From 30 s to 24 h, about two days in all: RFC 5321 asks for four to five days of a relay, but who bought something
    /// wants no confirmation by then.
    #[must_use]
    pub fn mails() -> Self {
        Self([30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400].map(seconds).into())
    }

    /// How long to wait after so many failures; `None` when it is over. Up to a tenth is added by the errand's id, so that
    /// what failed together does not come again together.
    #[must_use]
    pub fn after(&self, failures: i32, id: Uuid) -> Option<Duration> {
        let nth = usize::try_from(failures).ok()?.checked_sub(1)?;
        let pause = *self.0.get(nth)?;
        let share = u32::from(id.as_bytes()[15]);
        Some(pause + pause * share / 2_560)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_tried_ten_times_in_a_little_more_than_three_days() {
        let backoff = Backoff::webhooks();
        let id = Uuid::from_u128(0);
        let pauses: Vec<_> = (1..).map_while(|failures| backoff.after(failures, id)).collect();
        assert_eq!(pauses.len(), 9);
        assert_eq!(pauses[0], Duration::from_secs(5));
        let hours = pauses.iter().sum::<Duration>().as_secs() / 3_600;
        assert!((72..80).contains(&hours), "{hours} hours");
        assert_eq!(backoff.after(10, id), None);
    }

    #[test]
    fn errands_that_failed_together_come_again_apart_and_at_most_a_tenth_later() {
        let backoff = Backoff::new(vec![Duration::from_secs(100)]);
        let late = |last: u128| backoff.after(1, Uuid::from_u128(last)).unwrap();
        assert_eq!(late(0), Duration::from_secs(100));
        assert!(late(7) < late(200) && late(255) <= Duration::from_secs(110));
    }
}
