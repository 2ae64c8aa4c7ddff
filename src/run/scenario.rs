//! `scenario`: plays scenario files, tells what went another way, and what no scenario sees.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{EventKind, RecursiveMode, Watcher as _};
use scenarios::{
    coverage::{Coverage, Excuses},
    junit,
    record::{self, LoadError, RecordError, Wanted},
    report::{Played, Report, Tags},
    suite::{FOLDER, Suite, Unreadable},
    world::{self, PlaceError, Places, Servers},
};
use store::{
    log::StreamId,
    ports::{Ids as _, Machine},
};

use super::{FAILED, FINE, Failure, WRONG_INPUT};
use tokio::sync::mpsc;

use crate::{
    cli::{Level, RecordArgs, ScenarioArgs, ScenarioCommand},
    ground::{Ground, ServersOnly},
    settings::Settings,
};

/// Editors write a file in several steps; it is read when they have been quiet for so long.
const QUIET: Duration = Duration::from_millis(100);

/// Why nothing was played.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// What was laid for them cannot be taken away.
    #[error("taking the scenarios' tables away: {0}")]
    Place(#[from] PlaceError),
    /// A stream that is called otherwise.
    #[error("{0:?} is not a stream such as order-O1: an aggregate's type, a hyphen and an id")]
    NoStream(String),
    /// The history cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The history is no scenario.
    #[error(transparent)]
    Record(#[from] RecordError),
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
pub async fn run(
    command: ScenarioCommand,
    settings: Settings,
    data: &Path,
    json: bool,
) -> Result<u8, Failure> {
    match command {
        ScenarioCommand::Run(args) => {
            let stage = Stage::open(args.level, settings, data).await?;
            let playing = async {
                match args.watch {
                    true => watch(&args, &stage).await,
                    false => play(&args, &stage, json).await.map_err(Failure::from),
                }
            };
            // What was laid is taken away in any case.
            let ended = tokio::select! {
                ended = playing => ended,
                stopped = tokio::signal::ctrl_c() => stopped.map(|()| FAILED).map_err(Failure::from),
            };
            stage.close().await?;
            ended
        }
        ScenarioCommand::Record(args) => record(args, settings, data, json).await,
        ScenarioCommand::Coverage => {
            let suite = load(&[])?;
            if !suite.problems.is_empty() {
                return Ok(problems(&suite, json));
            }
            Ok(coverage(&suite, json))
        }
    }
}

/// Prints a history as a scenario file.
async fn record(args: RecordArgs, settings: Settings, data: &Path, json: bool) -> Result<u8, Failure> {
    let (title, wanted) = match args.order {
        Some(id) => (format!("What happened to order {id}"), Wanted::Order(id)),
        None => {
            let streams: Result<Vec<_>, _> = args.streams.iter().map(|stream| stream_id(stream)).collect();
            (format!("What happened to {}", args.streams.join(", ")), Wanted::Streams(streams?))
        }
    };
    let ground = Ground::prepare(settings, data, false, &|line| eprintln!("{line}")).await?;
    let recorded = record::load(&ground.log().await?, &wanted).await.map_err(ScenarioError::from)?;
    let text = record::record(&title, &recorded).map_err(ScenarioError::from)?;
    if json {
        println!("{}", serde_json::json!({"ok": true, "events": recorded.len(), "feature": text}));
    } else {
        print!("{text}");
    }
    Ok(FINE)
}

/// A stream as the log calls it: `<aggregate_type>-<id>`.
fn stream_id(text: &str) -> Result<StreamId, ScenarioError> {
    let named = text.split_once('-').filter(|(_, id)| !id.is_empty());
    let known = named.and_then(|(name, id)| Some(StreamId::new(name.parse().ok()?, id)));
    known.ok_or_else(|| ScenarioError::NoStream(text.to_owned()))
}

async fn play(args: &ScenarioArgs, stage: &Stage, json: bool) -> Result<u8, ScenarioError> {
    let suite = load(&args.paths)?;
    if !suite.problems.is_empty() {
        return Ok(problems(&suite, json));
    }
    let mut progress = Progress::default();
    let hear = |played: &Played| {
        if !json {
            progress.hear(played);
        }
    };
    let tags = Tags::new(&args.tags);
    let report = match &stage.servers {
        None => Report::in_memory(&suite, &tags, hear),
        Some((_, places)) => Report::on(places, stage.level, &suite, &tags, hear).await,
    };
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

/// Where scenarios are played.
struct Stage {
    level: world::Level,
    /// Servers, and places on them; none are needed in memory.
    servers: Option<(ServersOnly, Places)>,
}

impl Stage {
    async fn open(level: Level, settings: Settings, data: &Path) -> Result<Self, Failure> {
        let level = match level {
            Level::Domain => return Ok(Self { level: world::Level::Domain, servers: None }),
            Level::Store => world::Level::Store,
            Level::Http => world::Level::Http,
        };
        let ground = ServersOnly::prepare(settings, data, &|line| eprintln!("{line}")).await?;
        let servers = Servers {
            owner_url: ground.owner_url.clone(),
            app_url: ground.app_url.clone(),
            role: ground.role.clone(),
            nats_url: ground.nats_url.clone(),
        };
        let name = format!("s{}", Machine.next().simple());
        Ok(Self { level, servers: Some((ground, Places::new(servers, name))) })
    }

    /// Takes away what was laid.
    async fn close(self) -> Result<(), Failure> {
        if let Some((_ground, places)) = self.servers {
            places.remove().await.map_err(ScenarioError::from)?;
        }
        Ok(())
    }
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
async fn watch(args: &ScenarioArgs, stage: &Stage) -> Result<u8, Failure> {
    let (changed, mut changes) = mpsc::unbounded_channel();
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
        if let Err(error) = play(args, stage, false).await {
            println!("{error}");
        }
        println!("Watching; Ctrl-C ends.");
        if changes.recv().await.is_none() {
            return Ok(FINE);
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
        println!();
    }
}

fn is_feature(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "feature")
}
