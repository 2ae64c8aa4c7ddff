//! A run as JUnit XML, in the form that Jenkins and its kin read.

use std::fmt::Write as _;

use crate::{
    report::{Played, Report},
    world::Level,
};

/// The whole run: a suite a file, a case a scenario.
#[must_use]
pub fn xml(report: &Report) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let seconds = |took: std::time::Duration| format!("{:.6}", took.as_secs_f64());
    let (tests, failures) = (report.played.len(), report.failed());
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "<testsuites name=\"daybook {}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"{}\">",
        report.level.name(),
        seconds(report.took)
    );
    for suite in report.played.chunk_by(|left, right| left.scenario.path == right.scenario.path) {
        let path = suite.first().map_or("", |played| &played.scenario.path);
        let failures = suite.iter().filter(|played| !played.passed()).count();
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{}\">",
            escaped(path),
            suite.len(),
            seconds(suite.iter().map(|played| played.took).sum())
        );
        for played in suite {
            let name = escaped(&played.scenario.title);
            let class = escaped(&format!("{}.{}", report.level.name(), class(path)));
            let time = seconds(played.took);
            let _ = write!(text, "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{time}\"");
            text.push_str(&inside(played));
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// A run that did not come about: a suite a file, an error a problem, each with the file and what is wrong.
#[must_use]
pub fn errors(level: Level, problems: &[(String, String)]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (level, count) = (level.name(), problems.len());
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "<testsuites name=\"daybook {level}\" tests=\"{count}\" failures=\"0\" errors=\"{count}\" time=\"0\">"
    );
    for suite in problems.chunk_by(|(left, _), (right, _)| left == right) {
        let (path, count) = (suite.first().map_or("", |(path, _)| path), suite.len());
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\" tests=\"{count}\" failures=\"0\" errors=\"{count}\" skipped=\"0\" time=\"0\">",
            escaped(path)
        );
        let class = escaped(&format!("{level}.{}", class(path)));
        for (_, problem) in suite {
            let problem = escaped(problem);
            let _ = writeln!(
                text,
                "    <testcase name=\"{problem}\" classname=\"{class}\" time=\"0\">\n      \
                 <error message=\"{problem}\" type=\"problem\"/>\n    </testcase>"
            );
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn inside(played: &Played) -> String {
    let skipped: Vec<_> = played.rows.iter().flat_map(|(_, outcome)| &outcome.skipped).collect();
    let mut text = String::new();
    if let Some((_, failure)) = played.failures().next() {
        let message = escaped(&failure.step);
        let _ = writeln!(
            text,
            "      <failure message=\"{message}\" type=\"difference\">{}</failure>",
            escaped(&played.told())
        );
    }
    if !skipped.is_empty() {
        let lines: Vec<_> = skipped.iter().map(|step| format!("skipped: {step}")).collect();
        let _ = writeln!(text, "      <system-out>{}</system-out>", escaped(&lines.join("\n")));
    }
    if text.is_empty() { "/>\n".to_owned() } else { format!(">\n{text}    </testcase>\n") }
}

/// `scenarios/cart/lines.feature` as `scenarios.cart.lines`: dots make the folders that viewers show.
fn class(path: &str) -> String {
    path.trim_end_matches(".feature").replace(['/', '\\'], ".").trim_start_matches('.').to_owned()
}

/// Text as XML 1.0 can hold it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(letter),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => {}
            other => escaped.push(other),
        }
    }
    escaped
}
