//! Scenario files: found, read, and bound, with everything that is wrong with any of them.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::{
    bind::{self, Play},
    feature,
    run::{self, Outcome},
    text::{Flaw, Pos},
    world::{DomainWorld, Level, Places},
};

/// Where scenarios are looked for.
pub const FOLDER: &str = "scenarios";

/// Something that is wrong with one of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which file.
    pub path: String,
    /// What, and where in it.
    pub flaw: Flaw,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flaw { at, message } = &self.flaw;
        write!(f, "{}:{}:{}: {message}", self.path, at.line, at.column)
    }
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct Unreadable {
    /// Which.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

/// A scenario that can be played.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its file.
    pub path: String,
    /// Where it stands in it.
    pub at: Pos,
    /// What it says.
    pub title: String,
    /// Itself, or one play for each row of its examples.
    pub plays: Vec<Play>,
}

/// What a set of files holds.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// Every scenario, file by file.
    pub scenarios: Vec<Scenario>,
    /// Everything that is wrong; while there is something, nothing is played.
    pub problems: Vec<Problem>,
}

impl Suite {
    /// Reads files and folders; in folders, everything that ends in `.feature`.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn load(paths: &[PathBuf]) -> Result<Self, Unreadable> {
        let mut suite = Self::default();
        for path in files(paths)? {
            let text = fs::read_to_string(&path);
            let shown = shown(&path);
            let text = text.map_err(|source| Unreadable { path: shown.clone(), source })?;
            suite.read(&shown, &text);
        }
        Ok(suite)
    }

    /// Adds the text of one file.
    pub fn read(&mut self, path: &str, text: &str) {
        let (scenarios, mut flaws) = feature::read(text);
        for scenario in scenarios {
            let plays = scenario.rows.iter().map(|row| bind::bind(row, &mut flaws)).collect();
            let (at, title) = (scenario.at, scenario.title);
            self.scenarios.push(Scenario { path: path.to_owned(), at, title, plays });
        }
        flaws.sort_by_key(|flaw| flaw.at);
        // A flaw outside of the examples shows in each of their rows.
        flaws.dedup();
        self.problems.extend(flaws.into_iter().map(|flaw| Problem { path: path.to_owned(), flaw }));
    }
}

/// Every scenario file, in the order of the paths, and by name within a folder.
///
/// # Errors
/// When a path cannot be read.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Unreadable> {
    let mut found = vec![];
    for path in paths {
        collect(path, true, &mut found).map_err(|source| Unreadable { path: shown(path), source })?;
    }
    Ok(found)
}

fn collect(path: &Path, named: bool, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if fs::metadata(path)?.is_dir() {
        let mut inside =
            fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        inside.sort();
        return inside.iter().try_for_each(|path| collect(path, false, found));
    }
    if named || path.extension().is_some_and(|extension| extension == "feature") {
        found.push(path.to_owned());
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

impl Scenario {
    /// Plays it in memory, every row; the outcome of each with its example.
    #[must_use]
    pub fn play_in_memory(&self) -> Vec<(Option<String>, Outcome)> {
        let played = |play: &Play| (play.example.clone(), in_memory(play));
        self.plays.iter().map(played).collect()
    }

    /// Plays it at a level, every row; the outcome of each with its example.
    pub async fn play(&self, level: Level, places: &Places) -> Vec<(Option<String>, Outcome)> {
        let mut rows = vec![];
        for play in &self.plays {
            rows.push((play.example.clone(), places.play(level, play).await));
        }
        rows
    }
}

/// Plays in memory, where nothing is ever waited for.
#[must_use]
pub fn in_memory(play: &Play) -> Outcome {
    at_once(run::play(play, &mut DomainWorld::default())).unwrap_or_default()
}

/// What comes of something that waits for nothing.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}
