//! Requests, by route; and what was answered to those that were not done.

use super::{Text, seconds};
use crate::request::{BOUNDS_US, Tally};

impl Text {
    pub(super) fn requests(&mut self, tally: &Tally, (active, active_max): (usize, usize)) {
        let routes = tally.routes();
        let name = "daybook_http_requests_total";
        self.family(name, "counter", "Requests answered, by route and class of status.");
        for (method, route, counts) in &routes {
            for (class, count) in counts.classes() {
                self.line(name, &[("method", method), ("route", route), ("status", class)], count);
            }
        }
        let name = "daybook_http_request_duration_seconds";
        self.family(name, "histogram", "How long requests took until their answer began.");
        let bounds: Vec<String> = BOUNDS_US.iter().map(|bound| seconds(*bound)).collect();
        for (method, route, counts) in &routes {
            let (buckets, took_us) = counts.histogram();
            for (bound, count) in bounds.iter().map(String::as_str).chain(["+Inf"]).zip(&buckets) {
                let labels = [("method", *method), ("route", *route), ("le", bound)];
                self.line(&format!("{name}_bucket"), &labels, count);
            }
            let labels = [("method", *method), ("route", *route)];
            let took_us = i64::try_from(took_us).unwrap_or(i64::MAX);
            self.line(&format!("{name}_sum"), &labels, seconds(took_us));
            self.line(&format!("{name}_count"), &labels, buckets.last().copied().unwrap_or(0));
        }
        self.alone("daybook_http_requests_active", "Requests that are at work.", active);
        self.alone("daybook_http_requests_active_max", "Requests that may be at work at once.", active_max);
        let name = "daybook_http_problems_total";
        self.family(name, "counter", "Answers that were not what was asked for, by their code.");
        for (code, count) in tally.problems() {
            self.labelled(name, "code", code, count);
        }
    }
}
