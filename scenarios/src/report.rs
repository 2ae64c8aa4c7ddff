//! What went another way, for people.

use std::fmt::Write as _;

use crate::{run::Failure, suite::Scenario};

/// A failure, with what was expected, what came, and what had happened before.
#[must_use]
pub fn failure(scenario: &Scenario, example: Option<&str>, failure: &Failure) -> String {
    let mut text = format!("{}:{}: {}\n", scenario.path, failure.line, scenario.title);
    let mut part = |title: &str, lines: &[String]| {
        for (index, line) in lines.iter().enumerate() {
            let title = if index == 0 { title } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {title:<12}{line}");
        }
    };
    part("with", &example.map(str::to_owned).into_iter().collect::<Vec<_>>());
    part("step", std::slice::from_ref(&failure.step));
    part("expected", &failure.expected);
    part("got", &failure.got);
    part("difference", &failure.differences);
    part("so far", &failure.history);
    text
}
