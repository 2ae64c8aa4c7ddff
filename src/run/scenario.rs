//! `scenario`: plays scenario files, tells what went another way, and what no scenario sees.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

use notify::{EventKind, RecursiveMode, Watcher as _};
use scenarios::{
    coverage::{Coverage, Excuses},
    junit,
    report::{Played, Report, Tags},
    suite::{FOLDER, Suite, Unreadable},
};

use super::{FAILED, FINE, Failure, WRONG_INPUT};
use crate::cli::{Level, ScenarioArgs, ScenarioCommand};

/// Editors write a file in several steps; it is read when they have been quiet for so long.
const QUIET: Duration = Duration::from_millis(100);

/// Why nothing was played.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The level is not there.
    #[error("the level {0} is not in this build; play them with --level domain")]
    Level(&'static str),
    /// There is nothing to play.
    #[error("there are no scenarios in {0}")]
    None(String),
    /// The results cannot be written.
    #[error("{}: {source}", path.display())]
    Junit {
        /// Where to.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The files cannot be watched.
    #[error("watching the files: {0}")]
    Watch(#[from] notify::Error),
}

/// Does what is asked with scenarios.
pub fn run(command: ScenarioCommand, json: bool) -> Result<u8, Failure> {
    match command {
        ScenarioCommand::Run(args) if args.watch => watch(&args),
        ScenarioCommand::Run(args) => Ok(play(&args, json)?),
        ScenarioCommand::Coverage => {
            let suite = load(&[])?;
            if !suite.problems.is_empty() {
                return Ok(problems(&suite, json));
            }
            Ok(coverage(&suite, json))
        }
    }
}

fn play(args: &ScenarioArgs, json: bool) -> Result<u8, ScenarioError> {
    match args.level {
        Level::Domain => {}
        Level::Store => return Err(ScenarioError::Level("store")),
        Level::Http => return Err(ScenarioError::Level("http")),
    }
    let suite = load(&args.paths)?;
    if !suite.problems.is_empty() {
        return Ok(problems(&suite, json));
    }
    let mut progress = Progress::default();
    let report = Report::in_memory(&suite, &Tags::new(&args.tags), |played| {
        if !json {
            progress.hear(played);
        }
    });
    progress.end_of_file();
    if let Some(path) = &args.junit {
        let written = fs::write(path, junit::xml(&report));
        written.map_err(|source| ScenarioError::Junit { path: path.clone(), source })?;
    }
    let everything = args.paths.is_empty() && args.tags.is_empty();
    let coverage = (everything || args.coverage).then(|| seen(&suite));
    let full = coverage.as_ref().is_none_or(Coverage::is_full);
    if json {
        let mut told = report.json();
        if let Some(coverage) = &coverage {
            told["ok"] = (report.failed() == 0 && full).into();
            told["coverage"] = coverage.json();
        }
        println!("{told}");
    } else {
        if let Some(coverage) = coverage.filter(|_| !full) {
            print!("{coverage}");
        }
        println!("{}", report.summary());
    }
    Ok(if report.failed() == 0 && full { FINE } else { FAILED })
}

/// A line a file, below what went another way in it.
#[derive(Default)]
struct Progress {
    path: String,
    passed: usize,
    failed: usize,
}

impl Progress {
    fn hear(&mut self, played: &Played) {
        if self.path != played.scenario.path {
            self.end_of_file();
            *self = Self { path: played.scenario.path.clone(), ..Self::default() };
        }
        if played.passed() {
            self.passed += 1;
        } else {
            self.failed += 1;
            println!("{}", played.told());
        }
    }

    fn end_of_file(&self) {
        if self.passed + self.failed > 0 {
            println!("{}: {} passed, {} failed", self.path, self.passed, self.failed);
        }
    }
}

fn coverage(suite: &Suite, json: bool) -> u8 {
    let coverage = seen(suite);
    if json {
        println!("{}", coverage.json());
    } else {
        print!("{coverage}");
    }
    if coverage.is_full() { FINE } else { FAILED }
}

fn seen(suite: &Suite) -> Coverage {
    Coverage::of(suite, &Excuses::load(Path::new(FOLDER)))
}

fn load(paths: &[PathBuf]) -> Result<Suite, ScenarioError> {
    let paths = if paths.is_empty() { vec![FOLDER.into()] } else { paths.to_vec() };
    let suite = Suite::load(&paths)?;
    if suite.scenarios.is_empty() && suite.problems.is_empty() {
        let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(ScenarioError::None(shown.join(", ")));
    }
    Ok(suite)
}

/// Tells everything that is wrong with the files; nothing was played.
fn problems(suite: &Suite, json: bool) -> u8 {
    let told: Vec<_> = suite.problems.iter().map(ToString::to_string).collect();
    if json {
        println!("{}", serde_json::json!({"ok": false, "problems": told}));
    } else {
        for problem in &told {
            println!("{problem}");
        }
        let count = if told.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", told.len()) };
        println!("{count}; nothing was played");
    }
    WRONG_INPUT
}

/// Plays, and plays again whenever a scenario file changes, until the program is stopped.
fn watch(args: &ScenarioArgs) -> Result<u8, Failure> {
    let (changed, changes) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let told = event.is_ok_and(|event| {
            !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| is_feature(path))
        });
        if told {
            // Nobody listens any more once the program ends.
            let _ = changed.send(());
        }
    })
    .map_err(ScenarioError::from)?;
    let paths = if args.paths.is_empty() { vec![FOLDER.into()] } else { args.paths.clone() };
    for path in &paths {
        // Editors replace files: their folder is what stays.
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        watcher.watch(folder, RecursiveMode::Recursive).map_err(ScenarioError::from)?;
    }
    loop {
        if let Err(error) = play(args, false) {
            println!("{error}");
        }
        println!("Watching; Ctrl-C ends.");
        if changes.recv().is_err() {
            return Ok(FINE);
        }
        while changes.recv_timeout(QUIET).is_ok() {}
        println!();
    }
}

fn is_feature(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "feature")
}
