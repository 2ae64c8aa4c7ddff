//! Scenario files: found, read, and bound, with everything that is wrong with any of them.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::{
    bind::{self, Play},
    feature, idle,
    run::{self, Outcome},
    text::{Flaw, Pos},
    world::{DomainWorld, Level, Places},
};

/// Where scenarios are looked for.
pub const FOLDER: &str = "scenarios";

/// Where a file begins.
const START: Pos = Pos { line: 1, column: 1 };

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
            let bytes = fs::read(&path);
            let shown = shown(&path);
            match bytes {
                Ok(bytes) => suite.read_bytes(&shown, bytes),
                Err(error) => suite.problem(&shown, Flaw::new(START, error.to_string())),
            }
        }
        Ok(suite)
    }

    fn problem(&mut self, path: &str, flaw: Flaw) {
        self.problems.push(Problem { path: path.to_owned(), flaw });
    }

    /// Adds one file as it is stored.
    pub fn read_bytes(&mut self, path: &str, bytes: Vec<u8>) {
        match String::from_utf8(bytes) {
            Ok(text) => self.read(path, &text),
            Err(error) => {
                let end = error.utf8_error().valid_up_to();
                let (before, bad) = error.as_bytes().split_at(end);
                let bad = bad.first().copied().unwrap_or_default();
                let before = String::from_utf8_lossy(before);
                let (lines, last) = (before.matches('\n').count(), before.rsplit('\n').next());
                let counted = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
                let at = Pos {
                    line: counted(lines),
                    column: counted(last.map_or(0, |last| last.chars().count())),
                };
                let message = format!("the byte {bad:#04x} is not UTF-8; save the file as UTF-8");
                self.problem(path, Flaw::new(at, message));
            }
        }
    }

    /// Adds the text of one file.
    pub fn read(&mut self, path: &str, text: &str) {
        let (scenarios, mut flaws) = feature::read(text);
        // What is named nowhere may be named in what cannot be read.
        let whole = flaws.is_empty();
        for scenario in scenarios {
            let plays = scenario.rows.iter().map(|row| bind::bind(row, &mut flaws)).collect();
            if whole {
                scenario.rows.iter().for_each(|row| idle::check(row, &mut flaws));
            }
            let (at, title) = (scenario.at, scenario.title);
            self.scenarios.push(Scenario { path: path.to_owned(), at, title, plays });
        }
        flaws.sort_by_key(|flaw| flaw.at);
        // A flaw outside of the examples shows in each of their rows.
        flaws.dedup();
        self.problems.extend(flaws.into_iter().map(|flaw| Problem { path: path.to_owned(), flaw }));
    }
}

/// Every scenario file, in the order of the paths, and by name within a folder; each once.
///
/// # Errors
/// When a path cannot be read, or is neither a file nor a folder.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Unreadable> {
    let mut walk = Walk::default();
    for path in paths {
        walk.named(path).map_err(|source| Unreadable { path: shown(path), source })?;
    }
    Ok(walk.found)
}

#[derive(Default)]
struct Walk {
    found: Vec<PathBuf>,
    /// Where it has been, by the real paths: links lead anywhere, also back.
    seen: BTreeSet<PathBuf>,
}

impl Walk {
    fn named(&mut self, path: &Path) -> io::Result<()> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return self.folder(path);
        }
        if !metadata.is_file() {
            return Err(io::Error::other("neither a file nor a folder"));
        }
        self.file(path);
        Ok(())
    }

    fn folder(&mut self, path: &Path) -> io::Result<()> {
        if !self.seen.insert(fs::canonicalize(path)?) {
            return Ok(());
        }
        let mut inside =
            fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        inside.sort();
        for path in inside {
            let metadata = fs::metadata(&path);
            let is_feature = path.extension().is_some_and(|extension| extension == "feature");
            match metadata {
                Ok(metadata) if metadata.is_dir() => self.folder(&path)?,
                Ok(metadata) if metadata.is_file() && is_feature => self.file(&path),
                // It is told when it is read.
                Err(_) if is_feature => self.file(&path),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.seen.insert(real) {
            self.found.push(path.to_owned());
        }
    }
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
