//! `scenario`: plays scenario files, tells what went another way, and what no scenario sees.

mod watch;

use std::{
    cell::Cell,
    fs, io,
    path::{Path, PathBuf},
    time::Instant,
};

use scenarios::{
    coverage::{Coverage, Excuses},
    junit,
    record::{self, LoadError, RecordError, Wanted},
    report::{NoneChosen, Played, Report, Tags},
    suite::{FOLDER, Suite, Unreadable},
    world::{self, PlaceError, Places, Servers},
};
use store::{
    log::{NoStreamId, StreamId},
    ports::{Ids as _, Machine},
};

use tokio::sync::Notify;

use super::{FAILED, FINE, Failure, WRONG_INPUT};

use crate::{
    cli::{Level, RecordArgs, ScenarioArgs, ScenarioCommand},
    ground::{Ground, ServersOnly},
    out::{self, Unprinted},
    settings::Settings,
};

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
    #[error(transparent)]
    NoStream(#[from] NoStreamId),
    /// The history cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The history is no scenario.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// There is nothing to play.
    #[error("there are no scenarios in {0}")]
    None(String),
    /// Nothing of it was asked for.
    #[error(transparent)]
    NoneChosen(#[from] NoneChosen),
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
            let begun = Instant::now();
            let ended = on_stage(&args, settings, data, json, begun).await;
            if let (Some(path), Err(failure)) = (&args.junit, &ended) {
                // Nobody may take an earlier run's results for this one's; the failure itself is told in any case.
                let problem = ("daybook scenario run".to_owned(), failure.to_string());
                let _ = fs::write(path, junit::errors(level(args.level), &[problem]));
            }
            ended
        }
        ScenarioCommand::Record(args) => record(args, settings, data, json).await,
        ScenarioCommand::Coverage => {
            let suite = load(&[])?;
            if !suite.problems.is_empty() {
                return problems(&suite, json);
            }
            coverage(&suite, json)
        }
    }
}

async fn on_stage(
    args: &ScenarioArgs,
    settings: Settings,
    data: &Path,
    json: bool,
    begun: Instant,
) -> Result<u8, Failure> {
    let stage = Stage::open(args.level, settings, data).await?;
    let last = Cell::new(FAILED);
    let playing = async {
        match args.watch {
            true => watch::watch(args, &stage, &last).await,
            false => play(args, &stage, json, begun).await,
        }
    };
    // What was laid is taken away in any case.
    let ended = tokio::select! {
        ended = playing => ended,
        // That is how watching ends.
        stopped = tokio::signal::ctrl_c() => stopped.map(|()| last.get()).map_err(Failure::from),
    };
    stage.close().await?;
    ended
}

/// Prints a history as a scenario file.
async fn record(args: RecordArgs, settings: Settings, data: &Path, json: bool) -> Result<u8, Failure> {
    let (title, wanted) = match args.order {
        Some(id) => (format!("What happened to order {id}"), Wanted::Order(id)),
        None => {
            let streams: Result<Vec<StreamId>, NoStreamId> =
                args.streams.iter().map(|stream| stream.parse()).collect();
            (
                format!("What happened to {}", args.streams.join(", ")),
                Wanted::Streams(streams.map_err(ScenarioError::from)?),
            )
        }
    };
    let ground = Ground::prepare(settings, data, false, &|line| out::tell(line)).await?;
    let recorded = record::load(&ground.log().await?, &wanted).await.map_err(ScenarioError::from)?;
    let text = record::record(&title, &recorded).map_err(ScenarioError::from)?;
    if json {
        out::line(serde_json::json!({"ok": true, "events": recorded.len(), "feature": text}))?;
    } else {
        out::text(text)?;
    }
    Ok(FINE)
}

async fn play(args: &ScenarioArgs, stage: &Stage, json: bool, begun: Instant) -> Result<u8, Failure> {
    let suite = load(&args.paths)?;
    if !suite.problems.is_empty() {
        if let Some(path) = &args.junit {
            let problems = suite.problems.iter().map(|problem| (problem.path.clone(), problem.to_string()));
            write_junit(path, &junit::errors(stage.level, &problems.collect::<Vec<_>>()))?;
        }
        return problems(&suite, json);
    }
    let tags = Tags::new(&args.tags);
    tags.check(&suite).map_err(ScenarioError::from)?;
    let Some(mut report) = report(stage, &suite, &tags, json).await? else { return Ok(FAILED) };
    report.took = begun.elapsed();
    if let Some(path) = &args.junit {
        write_junit(path, &junit::xml(&report))?;
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
        out::line(told)?;
    } else {
        if let Some(coverage) = coverage.filter(|_| args.coverage || !full) {
            out::text(coverage)?;
        }
        out::line(report.summary())?;
    }
    Ok(if report.failed() == 0 && full { FINE } else { FAILED })
}

/// Plays what is chosen, and tells of it on the way; nobody plays on for a reader who has gone.
async fn report(stage: &Stage, suite: &Suite, tags: &Tags, json: bool) -> Result<Option<Report>, Unprinted> {
    let (mut progress, mut printed, stop) = (Progress::default(), Ok(()), Notify::new());
    let hear = |played: &Played| {
        if !json && printed.is_ok() {
            printed = progress.hear(played);
            if printed.is_err() {
                stop.notify_one();
            }
        }
    };
    let report = match &stage.servers {
        None => Some(Report::in_memory(suite, tags, hear)),
        Some((_, places)) => tokio::select! {
            report = Report::on(places, stage.level, suite, tags, hear) => Some(report),
            () = stop.notified() => None,
        },
    };
    printed?;
    progress.end_of_file()?;
    Ok(report)
}

fn write_junit(path: &Path, xml: &str) -> Result<(), ScenarioError> {
    fs::write(path, xml).map_err(|source| ScenarioError::Junit { path: path.to_owned(), source })
}

/// Where scenarios are played.
struct Stage {
    level: world::Level,
    /// Servers, and places on them; none are needed in memory.
    servers: Option<(ServersOnly, Places)>,
}

impl Stage {
    async fn open(level: Level, settings: Settings, data: &Path) -> Result<Self, Failure> {
        let level = self::level(level);
        if level == world::Level::Domain {
            return Ok(Self { level, servers: None });
        }
        let ground = ServersOnly::prepare(settings, data, &|line| out::tell(line)).await?;
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

const fn level(level: Level) -> world::Level {
    match level {
        Level::Domain => world::Level::Domain,
        Level::Store => world::Level::Store,
        Level::Http => world::Level::Http,
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
    fn hear(&mut self, played: &Played) -> Result<(), Unprinted> {
        if self.path != played.scenario.path {
            self.end_of_file()?;
            *self = Self { path: played.scenario.path.clone(), ..Self::default() };
        }
        if played.passed() {
            self.passed += 1;
            return Ok(());
        }
        self.failed += 1;
        out::line(played.told())
    }

    fn end_of_file(&self) -> Result<(), Unprinted> {
        if self.passed + self.failed == 0 {
            return Ok(());
        }
        out::line(format_args!("{}: {} passed, {} failed", self.path, self.passed, self.failed))
    }
}

fn coverage(suite: &Suite, json: bool) -> Result<u8, Failure> {
    let coverage = seen(suite);
    if json {
        out::line(coverage.json())?;
    } else {
        out::text(&coverage)?;
    }
    Ok(if coverage.is_full() { FINE } else { FAILED })
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
fn problems(suite: &Suite, json: bool) -> Result<u8, Failure> {
    let told: Vec<_> = suite.problems.iter().map(ToString::to_string).collect();
    if json {
        out::line(serde_json::json!({"ok": false, "problems": told}))?;
    } else {
        for problem in &told {
            out::line(problem)?;
        }
        let count = if told.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", told.len()) };
        out::line(format_args!("{count}; nothing was played"))?;
    }
    Ok(WRONG_INPUT)
}
