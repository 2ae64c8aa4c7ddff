//! The shop as processes: the built binary and its servers, looked at, killed and brought back.

use std::{
    fs::{self, File},
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

use hyper::Method;
use serde_json::Value as Json;
use sqlx::{ConnectOptions as _, PgConnection, PgPool, postgres::PgConnectOptions, postgres::PgPoolOptions};
use stack::Stack;
use store::testing::{Ground, eventually, master_key};

use crate::{
    http::{Ask, Connection},
    keeper::admit,
};

/// The name under which the test itself is connected.
const TEST: &str = "torture";

/// What is killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strike {
    pub serve: bool,
    pub postgres: bool,
    pub nats: bool,
    /// A read model that is being built anew.
    pub rebuild: bool,
}

/// What was going on just before a kill.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Whether an append was being executed.
    pub appending: bool,
    /// Postgres's processes other than the first.
    pids: Vec<i32>,
}

/// The processes.
pub struct Shop {
    pub ground: Ground,
    pub address: SocketAddr,
    servers: Stack,
    serve: Option<Child>,
    rebuild: Option<Child>,
    told: PathBuf,
    /// Where the search index lies.
    index: PathBuf,
}

/// The binary stands two folders above the tests that cargo built with it.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("daybook");
    assert!(program.exists(), "build the whole workspace first: cargo build");
    program
}

impl Shop {
    /// Servers of its own with all tables, and nobody serving yet.
    pub async fn open() -> Self {
        let servers = tokio::task::block_in_place(stack::testing::private);
        let ground = Ground::alone(&servers).await;
        ground.lay(&projections::tables()).await;
        ground.lay(&api::edge::tables()).await;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        admit(&ground, address).await;
        let told = std::env::temp_dir().join(format!("daybook-torture-{}.log", std::process::id()));
        let index = std::env::temp_dir().join(format!("daybook-torture-{}-index", std::process::id()));
        Self { ground, address, servers, serve: None, rebuild: None, told, index }
    }

    /// Starts `daybook serve` and waits until it is ready.
    pub async fn serve(&mut self) {
        let stderr = File::options().create(true).append(true).open(&self.told).unwrap();
        let mut serve = self.daybook(&["serve", "--listen", &self.address.to_string()]);
        self.serve = Some(serve.stdout(Stdio::null()).stderr(stderr).spawn().unwrap());
        self.ready().await;
    }

    fn daybook(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(args)
            .env("DATABASE_URL", &self.ground.app_url)
            .env("DAYBOOK_OWNER_DATABASE_URL", &self.ground.owner_url)
            .env("NATS_URL", &self.ground.nats_url)
            .env("DAYBOOK_SCHEMA", &self.ground.prefix)
            .env("DAYBOOK_NATS_PREFIX", &self.ground.prefix)
            .env("DAYBOOK_MASTER_KEY", master_key().to_text())
            .env("DAYBOOK_INDEX_DIR", &self.index)
            .env("DAYBOOK_LOG", "warn");
        command
    }

    /// Begins to build a read model anew, to be put in place of the one that serves.
    pub fn begin_rebuild(&mut self, name: &str) {
        let mut rebuild = self.daybook(&["projections", "rebuild", name, "--swap"]);
        let (quiet, said) = (Stdio::null(), Stdio::null());
        self.rebuild = Some(rebuild.stdout(quiet).stderr(said).spawn().unwrap());
    }

    /// What `daybook projections` tells, whatever it found.
    pub fn projections(&self, args: &[&str]) -> Json {
        let output = self.daybook(&[&["projections"], args, &["--json"]].concat()).output().unwrap();
        let said = || String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {}", said()))
    }

    /// Waits until the shop says that it is ready.
    pub async fn ready(&mut self) {
        let ask = Ask { method: Method::GET, path: "/readyz".to_owned(), key: None, body: String::new() };
        let address = self.address;
        eventually("the shop is ready", || async {
            let reply = Connection::open(address).await?.send(&ask).await;
            (reply.status == 200 && reply.whole).then_some(())
        })
        .await;
    }

    /// How serve ended, if it did so by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.serve.as_mut()?.try_wait().unwrap()
    }

    /// The end of what serve wrote.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.told).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// A pool of the test's own on the log's schema, which serve knows nothing of.
    pub async fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(2).connect_with(self.options()).await.unwrap()
    }

    /// A connection to look through, opened before it is needed.
    pub async fn window(&self) -> PgConnection {
        self.options().connect().await.unwrap()
    }

    fn options(&self) -> PgConnectOptions {
        let options: PgConnectOptions = self.ground.owner_url.parse().unwrap();
        options.application_name(TEST).options([("search_path", self.ground.prefix.as_str())])
    }

    /// What is going on this very moment.
    pub async fn look(&self, window: &mut PgConnection) -> Seen {
        let (appending, pids): (i64, Vec<i32>) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE application_name = 'daybook' AND state = 'active' \
                                     AND query LIKE '%UPDATE log_head SET position%'), array_agg(pid) \
             FROM pg_stat_activity",
        )
        .fetch_one(window)
        .await
        .unwrap();
        Seen { appending: appending > 0, pids }
    }

    /// Gets ready to kill, so that nothing but the signal is left to do.
    pub fn aim(&self, strike: Strike, seen: &Seen) -> Child {
        let mut pids = vec![];
        if strike.postgres {
            // The first process goes first: it would look after the death of the others.
            pids.push(self.servers.postgres_pid().unwrap().unwrap().to_string());
            pids.extend(seen.pids.iter().map(ToString::to_string));
        }
        if let Some(serve) = self.serve.as_ref().filter(|_| strike.serve) {
            pids.push(serve.id().to_string());
        }
        if strike.nats {
            pids.push(self.servers.nats_pid().unwrap().unwrap().to_string());
        }
        if let Some(rebuild) = self.rebuild.as_ref().filter(|_| strike.rebuild) {
            pids.push(rebuild.id().to_string());
        }
        // A session that has ended by itself meanwhile is no failure.
        Command::new("sh")
            .args(["-c", "read -r go; kill -9 \"$@\"", "sh"])
            .args(&pids)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// `kill -9`. Returns how the rebuild ended, if there was one.
    pub fn strike(&mut self, strike: Strike, mut aimed: Child) -> Option<ExitStatus> {
        aimed.stdin.take().unwrap().write_all(b"go\n").unwrap();
        aimed.wait().unwrap();
        if strike.postgres {
            self.servers.kill_postgres().unwrap();
        }
        if strike.nats {
            self.servers.kill_nats().unwrap();
        }
        if strike.serve {
            self.serve.take().unwrap().wait().unwrap();
        }
        self.rebuild.take().map(|mut rebuild| rebuild.wait().unwrap())
    }

    /// Starts again what was killed; returns whether serve had stopped by itself.
    pub async fn bring_back(&mut self, strike: Strike) -> bool {
        tokio::task::block_in_place(|| {
            if strike.postgres {
                self.servers.start_postgres().unwrap();
            }
            if strike.nats {
                self.servers.start_nats().unwrap();
            }
        });
        if strike.serve {
            // What a dead process has asked for may still be done; only then is it settled.
            let pool = self.pool().await;
            eventually("the dead process's sessions are over", || async {
                let left: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'daybook'",
                )
                .fetch_one(&pool)
                .await
                .unwrap();
                (left == 0).then_some(())
            })
            .await;
            self.serve().await;
            return false;
        }
        if let Some(status) = self.ended() {
            let words = self.last_words();
            assert!(!status.success() && words.contains("daybook: "), "stopped without saying why: {words}");
            self.serve = None;
            self.serve().await;
            return true;
        }
        self.ready().await;
        false
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        for mut child in [self.serve.take(), self.rebuild.take()].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("what serve said last:\n{}", self.last_words());
        }
        let _ = fs::remove_file(&self.told);
        let _ = fs::remove_dir_all(&self.index);
    }
}
