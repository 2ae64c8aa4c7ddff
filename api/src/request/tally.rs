//! How many requests each route has answered, with which status, and how quickly.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use axum::http::{Method, StatusCode};

use super::{NO_ROUTE, counted};
use crate::{access, codes};

/// The upper ends of the buckets, in microseconds; what took longer counts in the last one, which has none.
pub const BOUNDS_US: [i64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];
/// The first digits of statuses, from 1.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counted since this process began.
pub struct Tally {
    /// By method and route, for all that the access table knows: no client can add one.
    routes: HashMap<(&'static str, &'static str), Route>,
    /// What met no route.
    none: Route,
    /// By code, for every one there is.
    problems: HashMap<&'static str, AtomicU64>,
}

/// What one method of a route has answered.
#[derive(Default)]
pub struct Route {
    classes: [AtomicU64; CLASSES.len()],
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    took_us: AtomicU64,
}

impl Default for Tally {
    fn default() -> Self {
        let routes = access::ROUTES.iter().flat_map(|(path, methods)| {
            methods.iter().map(|(method, _)| ((*method, *path), Route::default()))
        });
        let problems = codes::CODES.iter().map(|row| (row.code, AtomicU64::new(0)));
        Self { routes: routes.collect(), none: Route::default(), problems: problems.collect() }
    }
}

impl Tally {
    /// One more.
    pub fn count(&self, method: &Method, route: &str, status: StatusCode, took_us: i64, code: Option<&str>) {
        let counts = self.routes.get(&(counted(method), route)).unwrap_or(&self.none);
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        counts.classes[class].fetch_add(1, Relaxed);
        counts.buckets[BOUNDS_US.partition_point(|bound| *bound < took_us)].fetch_add(1, Relaxed);
        counts.took_us.fetch_add(u64::try_from(took_us).unwrap_or(0), Relaxed);
        if let Some(count) = code.and_then(|code| self.problems.get(code)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// What was asked for at all, as method, route and counts, in the order of the names.
    pub fn routes(&self) -> Vec<(&'static str, &'static str, &Route)> {
        let all = self.routes.iter().map(|((method, route), counts)| (*method, *route, counts));
        let mut asked: Vec<_> =
            all.chain([("any", NO_ROUTE, &self.none)]).filter(|(_, _, counts)| counts.any()).collect();
        asked.sort_unstable_by_key(|(method, route, _)| (*route, *method));
        asked
    }

    /// How often each code was answered with.
    pub fn problems(&self) -> impl Iterator<Item = (&'static str, u64)> {
        codes::CODES.iter().filter_map(|row| Some((row.code, self.problems.get(row.code)?.load(Relaxed))))
    }
}

impl Route {
    fn any(&self) -> bool {
        self.classes.iter().any(|count| count.load(Relaxed) > 0)
    }

    /// How many answers of each class of statuses there were, of those that there were.
    pub fn classes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.classes.iter().map(|count| count.load(Relaxed));
        CLASSES.into_iter().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// How many took no longer than each bound, and at the end how many there were; beside it, how long all took.
    pub fn histogram(&self) -> (Vec<u64>, u64) {
        let mut sum = 0;
        let cumulated = self.buckets.iter().map(|bucket| {
            sum += bucket.load(Relaxed);
            sum
        });
        (cumulated.collect(), self.took_us.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_once_in_its_route_its_class_and_every_bucket_that_it_fits() {
        let tally = Tally::default();
        for (took_us, status) in [(1_000, 201), (1_001, 409), (20_000_000, 503)] {
            let status = StatusCode::from_u16(status).unwrap();
            tally.count(&Method::POST, "/v1/checkouts", status, took_us, Some("cart.empty"));
        }
        let routes = tally.routes();
        let [(method, route, counts)] = routes.as_slice() else { panic!("{}", routes.len()) };
        assert_eq!((*method, *route), ("POST", "/v1/checkouts"));
        assert_eq!(counts.classes().collect::<Vec<_>>(), [("2xx", 1), ("4xx", 1), ("5xx", 1)]);
        let (buckets, took_us) = counts.histogram();
        assert_eq!((buckets[0], buckets[1], buckets[12], buckets[13], took_us), (1, 2, 2, 3, 20_002_001));
        assert_eq!(tally.problems().find(|(code, _)| *code == "cart.empty"), Some(("cart.empty", 3)));
    }

    #[test]
    fn what_clients_make_up_is_one_row() {
        let tally = Tally::default();
        for (method, route) in [("BREW", "/v1/carts"), ("GET", NO_ROUTE), ("POST", "/v1/none")] {
            tally.count(&method.parse().unwrap(), route, StatusCode::NOT_FOUND, 1, None);
        }
        tally.count(&Method::HEAD, "/healthz", StatusCode::OK, 1, None);
        let names: Vec<_> = tally.routes().iter().map(|(method, route, _)| (*method, *route)).collect();
        assert_eq!(names, [("GET", "/healthz"), ("any", "none")]);
    }
}
