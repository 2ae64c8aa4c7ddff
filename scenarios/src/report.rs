//! How a run went: for people, and for programs.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use serde_json::{Value as Json, json};

use crate::{
    bind::Play,
    run::{Failure, Outcome},
    suite::{Scenario, Suite},
    text::nearest,
    world::{Level, Places},
};

/// A run of several scenarios.
#[derive(Clone, Debug)]
pub struct Report {
    /// At which level.
    pub level: Level,
    /// Each scenario, in the order of the files.
    pub played: Vec<Played>,
    /// How long it took.
    pub took: Duration,
}

/// One scenario that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// Which.
    pub scenario: Scenario,
    /// Its rows, with their examples.
    pub rows: Vec<(Option<String>, Outcome)>,
    /// How long it took.
    pub took: Duration,
}

/// Which scenarios are to be played.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    wanted: Vec<String>,
    unwanted: Vec<String>,
}

/// The tags that were asked for choose nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no scenario is chosen by {wanted}{instead}")]
pub struct NoneChosen {
    wanted: String,
    instead: String,
}

impl Tags {
    /// Those with any of the tags, and none of those that are written as `not:tag`.
    #[must_use]
    pub fn new(tags: &[String]) -> Self {
        let mut chosen = Self::default();
        for tag in tags {
            match tag.strip_prefix("not:") {
                Some(tag) => chosen.unwanted.push(tag.trim_start_matches('@').to_owned()),
                None => chosen.wanted.push(tag.trim_start_matches('@').to_owned()),
            }
        }
        chosen
    }

    /// Makes sure that there is something to be played.
    ///
    /// # Errors
    /// When no scenario of the suite is chosen; the tags that there are, are named.
    pub fn check(&self, suite: &Suite) -> Result<(), NoneChosen> {
        if self.chosen(suite).next().is_some() {
            return Ok(());
        }
        let plays = suite.scenarios.iter().flat_map(|scenario| &scenario.plays);
        let known: BTreeSet<_> = plays.flat_map(|play| &play.tags).map(String::as_str).collect();
        let unknown = self.wanted.iter().find(|tag| !known.contains(tag.as_str()));
        let meant = unknown.and_then(|tag| nearest(tag, known.iter().copied()));
        let meant = meant.map(|tag| format!("; did you mean \"{tag}\"?")).unwrap_or_default();
        let tags: Vec<_> = known.into_iter().collect();
        let there = match tags.as_slice() {
            [] => "; there are no tags here".to_owned(),
            tags => format!("; the tags here are {}", tags.join(", ")),
        };
        let wanted = self.wanted.iter().map(|tag| format!("--tag {tag}"));
        let unwanted = self.unwanted.iter().map(|tag| format!("--tag not:{tag}"));
        let wanted = wanted.chain(unwanted).collect::<Vec<_>>().join(" ");
        Err(NoneChosen { wanted, instead: format!("{meant}{there}") })
    }

    /// The scenarios of a suite that have any chosen row, with those rows.
    fn chosen<'a>(&'a self, suite: &'a Suite) -> impl Iterator<Item = Scenario> + 'a {
        suite.scenarios.iter().filter_map(|scenario| {
            let plays: Vec<_> = scenario.plays.iter().filter(|play| self.choose(play)).cloned().collect();
            (!plays.is_empty()).then(|| Scenario { plays, ..scenario.clone() })
        })
    }

    fn choose(&self, play: &Play) -> bool {
        let has = |tag: &String| play.tags.contains(tag);
        (self.wanted.is_empty() || self.wanted.iter().any(has)) && !self.unwanted.iter().any(has)
    }
}

impl Report {
    /// Plays every chosen scenario in memory; `tell` hears of each as it is done.
    pub fn in_memory(suite: &Suite, tags: &Tags, mut tell: impl FnMut(&Played)) -> Self {
        let start = Instant::now();
        let mut played = vec![];
        for scenario in tags.chosen(suite) {
            let start = Instant::now();
            let rows = scenario.play_in_memory();
            let done = Played { scenario, rows, took: start.elapsed() };
            tell(&done);
            played.push(done);
        }
        Self { level: Level::Domain, played, took: start.elapsed() }
    }

    /// Plays every chosen scenario at a level, several at once; `tell` hears of each in the order of the files.
    pub async fn on(
        places: &Places,
        level: Level,
        suite: &Suite,
        tags: &Tags,
        mut tell: impl FnMut(&Played),
    ) -> Self {
        let start = Instant::now();
        let mut playing = stream::iter(tags.chosen(suite))
            .map(|scenario| async move {
                let start = Instant::now();
                let rows = scenario.play(level, places).await;
                Played { scenario, rows, took: start.elapsed() }
            })
            .buffered(Places::AT_ONCE);
        let mut played = vec![];
        while let Some(done) = playing.next().await {
            tell(&done);
            played.push(done);
        }
        drop(playing);
        Self { level, played, took: start.elapsed() }
    }

    /// How many went as told.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.played.iter().filter(|played| played.passed()).count()
    }

    /// How many went another way.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.played.len() - self.passed()
    }

    /// How many steps this level could not check.
    #[must_use]
    pub fn skipped(&self) -> usize {
        let rows = self.played.iter().flat_map(|played| &played.rows);
        rows.map(|(_, outcome)| outcome.skipped.len()).sum()
    }

    /// One line: `153 scenarios passed, 2 failed, 4 steps skipped in 0.4 s`.
    #[must_use]
    pub fn summary(&self) -> String {
        let count =
            |number: usize, noun: &str| format!("{number} {noun}{}", if number == 1 { "" } else { "s" });
        let mut line = format!("{} passed, {} failed", count(self.passed(), "scenario"), self.failed());
        if self.skipped() > 0 {
            // Writing to a String cannot fail.
            let _ = write!(line, ", {} skipped", count(self.skipped(), "step"));
        }
        format!("{line} in {:.1} s", self.took.as_secs_f64())
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Json {
        let failures = self.played.iter().flat_map(|played| {
            played.failures().map(|(example, failure)| {
                json!({
                    "path": played.scenario.path,
                    "line": failure.line,
                    "scenario": played.scenario.title,
                    "example": example,
                    "step": failure.step,
                    "expected": failure.expected,
                    "got": failure.got,
                    "differences": failure.differences,
                    "given": failure.given,
                    "since": failure.since,
                })
            })
        });
        json!({
            "ok": self.failed() == 0,
            "level": self.level.name(),
            "passed": self.passed(),
            "failed": self.failed(),
            "steps_skipped": self.skipped(),
            "seconds": self.took.as_secs_f64(),
            "failures": failures.collect::<Vec<_>>(),
        })
    }
}

impl Played {
    /// Whether every row went as told.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The rows that went another way, with their examples.
    pub fn failures(&self) -> impl Iterator<Item = (Option<&str>, &Failure)> {
        self.rows
            .iter()
            .filter_map(|(example, outcome)| Some((example.as_deref(), outcome.failure.as_ref()?)))
    }

    /// Every failure, with what was expected, what came, and what had happened before.
    #[must_use]
    pub fn told(&self) -> String {
        let told = self.failures().map(|(example, failed)| failure(&self.scenario, example, failed));
        told.collect::<Vec<_>>().join("\n")
    }
}

fn failure(scenario: &Scenario, example: Option<&str>, failure: &Failure) -> String {
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
    part("given", &failure.given);
    part("since", &failure.since);
    text
}
