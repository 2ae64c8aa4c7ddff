//! A clock that a scenario holds: the calendar stands still until the scenario lets time pass.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use domain::value::Time;
use store::ports::{Clock, Machine};
use tokio::sync::watch;

/// Pauses up to this long are between two looks; longer ones are time limits.
const LOOK_MAX: Duration = Duration::from_millis(250);

/// A calendar that stands still, and the machine's own time for pauses and time limits.
#[derive(Debug)]
pub struct Calendar {
    now: watch::Sender<Time>,
    waiting: Arc<Waiting>,
}

/// Who waits for a moment of the calendar.
#[derive(Debug, Default)]
struct Waiting {
    moments: Mutex<BTreeMap<i64, Time>>,
    next: AtomicI64,
}

/// A place among those who wait, given up when the wait is over, however it ends.
struct Place {
    waiting: Arc<Waiting>,
    number: i64,
}

impl Calendar {
    /// A calendar that stands at a moment.
    #[must_use]
    pub fn new(now: Time) -> Self {
        Self { now: watch::Sender::new(now), waiting: Arc::default() }
    }

    /// Begins anew at a moment, whichever it is: nobody has looked at the calendar yet.
    pub fn begin_at(&self, moment: Time) {
        self.now.send_replace(moment);
    }

    /// Turns to a later moment; it never turns back.
    pub fn turn_to(&self, moment: Time) {
        self.now.send_if_modified(|now| std::mem::replace(now, moment.max(*now)) < moment);
    }

    /// The moments that somebody waits for, in order.
    #[must_use]
    pub fn awaited(&self) -> Vec<Time> {
        let moments = self.waiting.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let mut moments: Vec<_> = moments.values().copied().collect();
        moments.sort_unstable();
        moments
    }
}

impl Waiting {
    fn wait(self: &Arc<Self>, moment: Time) -> Place {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.moments.lock().unwrap_or_else(PoisonError::into_inner).insert(number, moment);
        Place { waiting: Arc::clone(self), number }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.moments.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

#[async_trait]
impl Clock for Calendar {
    fn now_us(&self) -> i64 {
        self.now.borrow().millis().saturating_mul(1_000)
    }

    fn elapsed_us(&self) -> i64 {
        Machine.elapsed_us()
    }

    /// A pause between two looks ends when the calendar turns: then there may be something to see.
    async fn sleep(&self, duration: Duration) {
        let mut now = self.now.subscribe();
        let turned = async {
            match duration <= LOOK_MAX {
                true => drop(now.changed().await),
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            () = Machine.sleep(duration) => {}
            () = turned => {}
        }
    }

    async fn until(&self, moment: Time) {
        let _place = self.waiting.wait(moment);
        let mut now = self.now.subscribe();
        // The sender lives in `self`, so this ends only when the moment has come.
        let _ = now.wait_for(|now| *now >= moment).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: i64) -> Time {
        Time::from_millis(ms)
    }

    #[tokio::test]
    async fn who_waits_is_known_until_the_moment_has_come() {
        let calendar = Arc::new(Calendar::new(at(10)));
        let waiter = tokio::spawn({
            let calendar = Arc::clone(&calendar);
            async move { calendar.until(at(20)).await }
        });
        while calendar.awaited().is_empty() {
            tokio::task::yield_now().await;
        }
        calendar.turn_to(at(19));
        calendar.turn_to(at(12));
        assert_eq!((calendar.now(), calendar.awaited()), (at(19), vec![at(20)]));
        calendar.turn_to(at(20));
        waiter.await.unwrap();
        assert_eq!(calendar.awaited(), []);
    }
}
