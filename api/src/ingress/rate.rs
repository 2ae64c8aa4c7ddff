//! How often somebody may ask, and the headers that tell them.

use std::{
    hash::Hash,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{IntoResponse as _, Response},
};
use governor::{
    Quota,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

use crate::{Shop, principal::Principal, problem::Problem};

/// As draft-ietf-httpapi-ratelimit-headers has them.
pub(super) const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Those who have asked lately and are remembered; beyond, those are forgotten who could ask as much as anybody.
const PARTIES_MAX: usize = 200_000;
/// After so many questions it is seen whether they are too many.
const LOOK_EVERY: u32 = 4_096;
/// A quota may be used up at once, and is whole again after this.
const WINDOW_S: u32 = 10;

/// So many requests a second, over ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(NonZeroU32);

/// Not a rate.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a rate is a whole number of requests a second, from 1 to 100000")]
pub struct RateError;

impl Rate {
    /// A household or an office behind one address.
    pub const PER_ADDRESS: Self = Self(NonZeroU32::new(100).unwrap());
    /// One shopper with several windows, or a member of the staff with a script.
    pub const PER_PRINCIPAL: Self = Self(NonZeroU32::new(50).unwrap());

    /// So many requests a second.
    ///
    /// # Errors
    /// When there are none, or more than can be counted.
    pub fn per_second(requests: u32) -> Result<Self, RateError> {
        NonZeroU32::new(requests).filter(|requests| requests.get() <= 100_000).map(Self).ok_or(RateError)
    }

    fn quota(self) -> Quota {
        Quota::per_second(self.0)
            .allow_burst(self.0.saturating_mul(NonZeroU32::new(WINDOW_S).unwrap_or(self.0)))
    }
}

type Keyed<K> = governor::RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// Counts the requests of many.
pub(crate) struct Limiter<K: Hash + Eq + Clone> {
    name: &'static str,
    rate: Rate,
    keyed: Keyed<K>,
    asked: AtomicU32,
}

/// What is left to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// So many requests at once.
    Requests(u32),
    /// None before this has passed.
    NoneFor(Duration),
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    pub(super) fn new(name: &'static str, rate: Rate) -> Self {
        let keyed = governor::RateLimiter::keyed(rate.quota()).with_middleware();
        Self { name, rate, keyed, asked: AtomicU32::new(0) }
    }

    /// Counts a request.
    pub(crate) fn count(&self, key: &K) -> Left {
        if self.asked.fetch_add(1, Relaxed).is_multiple_of(LOOK_EVERY) && self.keyed.len() > PARTIES_MAX {
            self.keyed.retain_recent();
        }
        match self.keyed.check_key(key) {
            Ok(state) => Left::Requests(state.remaining_burst_capacity()),
            Err(not_until) => Left::NoneFor(not_until.wait_time_from(self.keyed.clock().now())),
        }
    }

    /// Tells what is left, unless a stricter limit was told already.
    pub(crate) fn tell(&self, left: Left, headers: &mut HeaderMap) {
        if headers.contains_key(LIMIT) {
            return;
        }
        let burst = self.rate.0.get().saturating_mul(WINDOW_S);
        let remaining = match left {
            Left::Requests(requests) => requests,
            Left::NoneFor(_) => 0,
        };
        let whole_again_s = (burst - remaining.min(burst)).div_ceil(self.rate.0.get());
        let name = self.name;
        for (header, text) in [
            (LIMIT, format!("\"{name}\";r={remaining};t={whole_again_s}")),
            (POLICY, format!("\"{name}\";q={burst};w={WINDOW_S}")),
        ] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(header, value);
            }
        }
    }

    /// The answer to who has asked too often.
    pub(crate) fn refuse(&self, wait: Duration) -> Response {
        let wait_s = wait.as_secs() + 1;
        let problem = Problem::new("rate.exceeded", "too many requests; those that were refused did nothing")
            .with("limit", self.name)
            .with("retry_after_s", wait_s)
            .with_header(axum::http::header::RETRY_AFTER, &wait_s.to_string());
        let mut response = problem.into_response();
        self.tell(Left::NoneFor(wait), response.headers_mut());
        response
    }
}

/// Counts the requests of each address.
pub(super) async fn by_address<F: Future<Output = Response>>(
    shop: &Shop,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let Some(limiter) = &shop.ingress.per_address else { return next(request).await };
    let Some(party) = shop.ingress.party(request.headers(), request.extensions()) else {
        return next(request).await;
    };
    let left = limiter.count(&party);
    if let Left::NoneFor(wait) = left {
        return limiter.refuse(wait);
    }
    let mut response = next(request).await;
    limiter.tell(left, response.headers_mut());
    response
}

/// Counts the requests of each who says who they are. Those who work here are known, and their scripts come in bursts.
pub(crate) async fn by_principal(
    shop: &Shop,
    principal: &Principal,
    answer: impl Future<Output = Response>,
) -> Response {
    let Some(limiter) = shop.ingress.per_principal.as_ref().filter(|_| principal.customer().is_some()) else {
        return answer.await;
    };
    let left = limiter.count(&principal.actor());
    if let Left::NoneFor(wait) = left {
        return limiter.refuse(wait);
    }
    let mut response = answer.await;
    limiter.tell(left, response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_used_up_and_others_have_theirs() {
        let limiter: Limiter<u8> = Limiter::new("test", Rate::per_second(1).unwrap());
        let left: Vec<Left> = (0..10).map(|_| limiter.count(&1)).collect();
        assert_eq!(left[0], Left::Requests(9));
        assert_eq!(left[9], Left::Requests(0));
        assert!(matches!(limiter.count(&1), Left::NoneFor(wait) if wait <= Duration::from_secs(1)));
        assert_eq!(limiter.count(&2), Left::Requests(9));
    }

    #[test]
    fn what_is_left_is_told_as_the_draft_has_it() {
        let limiter: Limiter<u8> = Limiter::new("test", Rate::per_second(5).unwrap());
        let mut headers = HeaderMap::new();
        limiter.tell(Left::Requests(38), &mut headers);
        assert_eq!(headers[LIMIT], "\"test\";r=38;t=3");
        assert_eq!(headers[POLICY], "\"test\";q=50;w=10");
    }

    #[test]
    fn no_rate_is_none_or_beyond_counting() {
        assert!(Rate::per_second(0).is_err());
        assert!(Rate::per_second(100_001).is_err());
    }
}
