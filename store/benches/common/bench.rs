//! Options, servers of its own, rounds and the report: what every benchmark on throw-away servers needs.

#![allow(dead_code, reason = "each benchmark takes from it what it needs")]

#[path = "report.rs"]
pub mod report;

use std::{
    env,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection, PgPool, Row};
use stack::Stack;
use store::testing::Ground;

use self::report::Report;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the command line asks for.
pub struct Options {
    /// The last line is one JSON object.
    pub json: bool,
    /// Seconds rather than minutes, to see that it runs.
    pub quick: bool,
    /// How often each side is measured.
    pub rounds: usize,
    /// How many events the log holds, where that can be chosen.
    pub events: Option<usize>,
    /// How long each side lasts, all rounds together, where that can be chosen.
    pub seconds: Option<u64>,
    /// Orders a second, where that can be chosen.
    pub orders: Option<usize>,
}

impl Options {
    fn from_args() -> Self {
        let args: Vec<String> = env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        let number = |flag: &str| -> Option<usize> {
            let at = args.iter().position(|arg| arg == flag)?;
            Some(args.get(at + 1)?.parse().unwrap_or_else(|_| panic!("{flag} takes a number")))
        };
        // Cargo says `--bench` when it is to be measured; without it, it is only to be tried.
        let quick = has("--quick") || !has("--bench");
        let rounds = number("--rounds").unwrap_or(if quick { 1 } else { 3 });
        let seconds = number("--seconds").and_then(|seconds| u64::try_from(seconds).ok());
        let (events, orders) = (number("--events"), number("--orders"));
        Self { json: has("--json"), quick, rounds, events, seconds, orders }
    }

    /// One or the other, as it is measured or only tried.
    pub fn pick<T>(&self, measured: T, tried: T) -> T {
        if self.quick { tried } else { measured }
    }

    /// How long one side of a round lasts.
    pub fn length(&self) -> Duration {
        Duration::from_millis(self.pick(3_000, 200))
    }
}

/// A benchmark on throw-away servers of its own, with the settings that users get.
pub struct Bench {
    pub options: Options,
    pub ground: Ground,
    servers: Stack,
}

impl Bench {
    pub async fn start() -> Self {
        let options = Options::from_args();
        let servers = stack::testing::private();
        let ground = Ground::alone(&servers).await;
        Self { options, ground, servers }
    }

    /// Another log on the same servers.
    pub async fn another_log(&self) -> Ground {
        Ground::alone(&self.servers).await
    }

    /// A connection of a client that knows nothing of Daybook, in a schema of its own.
    pub async fn plain(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.ground.owner_url).await.unwrap();
        sqlx::raw_sql("CREATE SCHEMA IF NOT EXISTS plain; SET search_path = plain")
            .execute(&mut connection)
            .await
            .unwrap();
        connection
    }

    /// The report, with the settings of the server that the serving role sees.
    pub async fn report(&self, name: &'static str, baseline: &str) -> Report {
        let pool = self.ground.pool("").await;
        let mut report = Report::new(name, baseline);
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let value = show(&pool, setting).await;
            assert_eq!(value, "on", "{setting}");
            report.note(setting, value);
        }
        report.note("postgres", show(&pool, "server_version").await);
        report.note("cpus", std::thread::available_parallelism().map_or(0, usize::from));
        report.note("rounds", self.options.rounds);
        report.note("quick", self.options.quick);
        // Whatever else the machine does shows here: idle, it is about what the benchmark itself keeps busy.
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        report.note("load_average", load.split_whitespace().next().unwrap_or_default());
        report
    }

    /// How many events went into the log together.
    pub async fn events_an_append(&self) -> f64 {
        let pool = self.ground.pool("").await;
        let (events, appends): (i64, i64) =
            sqlx::query_as("SELECT max(last_position), count(*) FROM log_links")
                .fetch_one(&pool)
                .await
                .unwrap();
        report::hundredths(events as f64 / appends as f64)
    }

    pub fn print(&self, report: Report) {
        report.print(self.options.json);
    }
}

async fn show(pool: &PgPool, setting: &str) -> String {
    sqlx::query("SELECT current_setting($1)").bind(setting).fetch_one(pool).await.unwrap().get(0)
}

/// How often something was done in a while, and how long each took.
#[derive(Clone, Debug, Default)]
pub struct Round {
    pub per_s: f64,
    pub took: Vec<Duration>,
}

impl Round {
    /// `things` done since `started`.
    pub fn new(things: usize, started: Instant, took: Vec<Duration>) -> Self {
        Self { per_s: things as f64 / started.elapsed().as_secs_f64(), took }
    }
}

/// One who calls, waits for the answer, and calls again.
pub trait Caller: Send + 'static {
    fn call(&mut self) -> impl Future<Output = ()> + Send;
}

/// Lets all callers call for a while.
pub async fn drive<C: Caller>(callers: &mut Vec<C>, length: Duration) -> Round {
    let started = Instant::now();
    let tasks: Vec<_> = callers
        .drain(..)
        .map(|mut caller| {
            tokio::spawn(async move {
                let mut took = Vec::new();
                while started.elapsed() < length {
                    let called = Instant::now();
                    caller.call().await;
                    took.push(called.elapsed());
                }
                (caller, took)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        let (caller, took) = task.await.unwrap();
        callers.push(caller);
        all.extend(took);
    }
    Round::new(all.len(), started, all)
}
