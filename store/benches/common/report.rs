//! Medians, percentiles, and how they are told.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Round;

/// What one side did, round by round.
#[derive(Default)]
pub struct Series(Vec<Round>);

impl Series {
    pub fn push(&mut self, round: Round) {
        self.0.push(round);
    }

    /// The median round's figure.
    pub fn per_s(&self) -> f64 {
        median(self.0.iter().map(|round| round.per_s))
    }

    /// Every round's figure.
    pub fn rounds(&self) -> Vec<f64> {
        self.0.iter().map(|round| whole(round.per_s)).collect()
    }

    /// What a share of all calls did not exceed, in milliseconds.
    pub fn percentile_ms(&self, share: f64) -> f64 {
        let mut took: Vec<Duration> = self.0.iter().flat_map(|round| round.took.iter().copied()).collect();
        took.sort_unstable();
        let at = ((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1));
        took.get(at).map_or(0.0, |took| hundredths(took.as_secs_f64() * 1_000.0))
    }

    pub fn median_ms(&self) -> f64 {
        self.percentile_ms(0.5)
    }
}

/// What a benchmark found.
pub struct Report {
    fields: Map<String, Value>,
}

impl Report {
    pub fn new(name: &'static str, baseline: &str) -> Self {
        let mut report = Self { fields: Map::new() };
        report.note("bench", name);
        report.note("baseline", baseline);
        report
    }

    pub fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    /// The two sides that the target is about.
    pub fn sides(&mut self, ours: &Series, baseline: &Series) {
        self.note("ours_per_s", whole(ours.per_s()));
        self.note("baseline_per_s", whole(baseline.per_s()));
        self.note("ratio", hundredths(ours.per_s() / baseline.per_s()));
        self.note("p50_ms", ours.median_ms());
        self.note("p99_ms", ours.percentile_ms(0.99));
        self.note("ours_rounds", ours.rounds());
        self.note("baseline_rounds", baseline.rounds());
    }

    /// Another comparison under its own names: `<name>_per_s`, `<name>_ratio`, `<name>_rounds`.
    pub fn also(&mut self, name: &str, ours: &Series, other: &Series) {
        self.note(&format!("{name}_per_s"), whole(other.per_s()));
        self.note(&format!("{name}_ratio"), hundredths(ours.per_s() / other.per_s()));
        self.note(&format!("{name}_rounds"), other.rounds());
    }

    pub fn print(self, as_json: bool) {
        if as_json {
            println!("{}", json!(self.fields));
            return;
        }
        let width = self.fields.keys().map(String::len).max().unwrap_or(0);
        for (name, value) in &self.fields {
            match value {
                Value::String(text) => println!("{name:width$}  {text}"),
                other => println!("{name:width$}  {other}"),
            }
        }
    }
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

pub fn whole(value: f64) -> f64 {
    value.round()
}

pub fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
