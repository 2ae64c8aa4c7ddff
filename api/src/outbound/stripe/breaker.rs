//! Knows when a gateway that does not answer is left alone, and when it is tried again.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Answers that are remembered at most.
const REMEMBERED_MAX: usize = 64;

/// When it opens and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So many failures open it, if they are half of all answers or more.
    pub failures: usize,
    /// Among the answers of so many microseconds.
    pub window_us: i64,
    /// It stays open for so long the first time, twice as long each time a try fails.
    pub open_us: i64,
    /// And never longer than this.
    pub open_max_us: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { failures: 5, window_us: 30_000_000, open_us: 10_000_000, open_max_us: 120_000_000 }
    }
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everything is asked.
    Closed,
    /// One request is on its way to see whether anybody answers again.
    HalfOpen,
    /// Nothing is asked.
    Open,
}

#[derive(Debug)]
enum State {
    /// When answers came, and whether they were answers.
    Closed(VecDeque<(i64, bool)>),
    Open {
        until_us: i64,
        open_us: i64,
    },
    HalfOpen {
        open_us: i64,
    },
}

/// A circuit breaker. Times are microseconds of one clock that never jumps.
#[derive(Debug)]
pub struct Breaker {
    limits: Limits,
    state: Mutex<State>,
}

impl Breaker {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::new(State::Closed(VecDeque::new())) }
    }

    /// Whether a request may go out now. Each that does has to be told of: [`Self::answered`] or [`Self::failed`].
    pub(super) fn admits(&self, now_us: i64) -> bool {
        let mut state = self.lock();
        match *state {
            State::Closed(_) => true,
            State::Open { until_us, open_us } if now_us >= until_us => {
                *state = State::HalfOpen { open_us };
                true
            }
            State::Open { .. } | State::HalfOpen { .. } => false,
        }
    }

    /// Somebody answered.
    pub(super) fn answered(&self, now_us: i64) {
        let mut state = self.lock();
        match &mut *state {
            State::Closed(answers) => self.remember(answers, now_us, true),
            State::Open { .. } => {}
            State::HalfOpen { .. } => *state = State::Closed(VecDeque::new()),
        }
    }

    /// Nobody did, or only to say that something is broken there. Whether that opened it.
    pub(super) fn failed(&self, now_us: i64) -> bool {
        let mut state = self.lock();
        let open_us = match &mut *state {
            State::Closed(answers) => {
                self.remember(answers, now_us, false);
                let failures = answers.iter().filter(|(_, fine)| !fine).count();
                if failures < self.limits.failures || failures * 2 < answers.len() {
                    return false;
                }
                self.limits.open_us
            }
            State::HalfOpen { open_us } => open_us.saturating_mul(2).min(self.limits.open_max_us),
            State::Open { .. } => return false,
        };
        *state = State::Open { until_us: now_us.saturating_add(open_us), open_us };
        true
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        match *self.lock() {
            State::Closed(_) => Standing::Closed,
            State::Open { .. } => Standing::Open,
            State::HalfOpen { .. } => Standing::HalfOpen,
        }
    }

    fn remember(&self, answers: &mut VecDeque<(i64, bool)>, now_us: i64, fine: bool) {
        answers.push_back((now_us, fine));
        let old = |(at_us, _): &(i64, bool)| now_us.saturating_sub(*at_us) > self.limits.window_us;
        while answers.len() > REMEMBERED_MAX || answers.front().is_some_and(old) {
            answers.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment, so whoever panicked left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    fn opened() -> Breaker {
        let breaker = Breaker::new(Limits::default());
        for second in 0..5 {
            assert!(breaker.admits(second * S));
            assert_eq!(breaker.failed(second * S), second == 4);
        }
        breaker
    }

    #[test]
    fn it_opens_after_five_failures_and_lets_one_try_through_later() {
        let breaker = opened();
        assert_eq!(breaker.standing(), Standing::Open);
        assert!(!breaker.admits(13 * S));
        assert!(breaker.admits(14 * S), "ten seconds after the fifth");
        assert_eq!(breaker.standing(), Standing::HalfOpen);
        assert!(!breaker.admits(14 * S), "one try at a time");
        breaker.answered(15 * S);
        assert_eq!(breaker.standing(), Standing::Closed);
        assert!(breaker.admits(15 * S));
    }

    #[test]
    fn a_try_that_fails_keeps_it_open_for_twice_as_long_up_to_two_minutes() {
        let breaker = opened();
        let mut now = 14 * S;
        for open_s in [20, 40, 80, 120, 120] {
            assert!(breaker.admits(now));
            assert!(breaker.failed(now));
            assert!(!breaker.admits(now + open_s * S - 1));
            now += open_s * S;
        }
        assert!(breaker.admits(now));
    }

    #[test]
    fn failures_that_lie_far_apart_or_are_few_among_answers_do_not_open_it() {
        let apart = Breaker::new(Limits::default());
        for minute in 0..20 {
            assert!(!apart.failed(minute * 60 * S));
        }
        let few = Breaker::new(Limits::default());
        for at in 0..40 {
            few.answered(at * S / 10);
            few.answered(at * S / 10);
            assert!(!few.failed(at * S / 10));
        }
        assert_eq!(few.standing(), Standing::Closed);
    }

    #[test]
    fn an_answer_that_comes_late_does_not_close_an_open_one() {
        let breaker = opened();
        breaker.answered(5 * S);
        assert_eq!(breaker.standing(), Standing::Open);
    }
}
