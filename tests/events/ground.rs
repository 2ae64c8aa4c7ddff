//! The retail sample in a log of its own, an analyst who may read it, and a directory for files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use daybook::{
    import::{self, Options},
    progress::Progress,
};
use projections::ReadModels;
use store::{log::Log as _, schema, testing};

/// The analysts' role, the same for all tests.
pub const ANALYST: &str = "daybook_test_analyst";

/// One test's own.
pub struct Ground {
    pub store: testing::Ground,
    pub analyst_url: String,
    pub directory: PathBuf,
}

impl Ground {
    /// Nothing but tables.
    pub async fn empty() -> Self {
        let store = testing::Ground::new().await;
        store.lay(&projections::tables()).await;
        store.lay(&api::edge::tables()).await;
        let servers = stack::testing::shared();
        schema::ensure_role(&servers.owner_url, ANALYST, &servers.app_password).await.unwrap();
        store.lay(&schema::analysis_tables()).await;
        let (log, views, keys) = (schema::log_tables(), schema::analysis_tables(), schema::key_tables());
        for tables in [log, views, keys, projections::tables(), api::edge::tables()] {
            let roles = (ANALYST, testing::ROLE);
            schema::let_read(&store.owner_url, &store.prefix, roles, &tables).await.unwrap();
        }
        let directory = std::env::temp_dir().join(format!("daybook-events-{}", store.prefix));
        fs::create_dir(&directory).unwrap();
        Self { analyst_url: servers.url_for(ANALYST, &servers.app_password), store, directory }
    }

    /// With the retail sample imported, and read models that have come to its end.
    pub async fn traded() -> Self {
        let ground = Self::empty().await;
        let mut engine = ground.store.engine().await;
        let pool = ground.store.pool("_read").await;
        projections::start(&mut engine, pool.clone());
        let models = ReadModels::new(pool, &engine.progress(), engine.clock.clone());
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/retail-sample.csv");
        let options = Options { rejects: Some(ground.directory.join("rejects.txt")) };
        let (executor, fingerprints) = (&engine.executor, &engine.fingerprints);
        let imported =
            import::retail(executor, fingerprints, &file, &options, &Progress::silent()).await.unwrap();
        let books = import::ledger::sum(&file).unwrap();
        import::read_model(&models, &books, &imported, Duration::from_secs(20)).await.unwrap();
        // What is put away has been followed by everybody.
        let head = engine.executor.head().borrow().position;
        testing::eventually("all have followed", || async {
            let reached = |progress: &store::follow::Progress| progress.position() == Some(head);
            engine.progress().values().all(reached).then_some(())
        })
        .await;
        engine.stop().await;
        ground
    }

    pub async fn head(&self) -> i64 {
        store::log::PostgresLog::new(self.store.pool("").await).head().await.unwrap().position
    }

    /// `daybook …` as the analyst runs it: with an address, and nothing else.
    pub fn daybook(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
        command
            .current_dir(&self.directory)
            .env("DATABASE_URL", &self.analyst_url)
            .env("DAYBOOK_SCHEMA", &self.store.prefix)
            .env("DAYBOOK_LOG", "error");
        command
    }

    /// `daybook events …` in the same way.
    pub fn events(&self, args: &[&str]) -> Command {
        let mut command = self.daybook();
        command.arg("events").args(args);
        command
    }

    /// The same, which must be fine; what it printed.
    #[track_caller]
    pub fn fine(&self, args: &[&str]) -> String {
        let output = self.events(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A file of this directory.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.directory.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn has(&self, name: &str) -> bool {
        self.directory.join(name).exists()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // What is left over is in the system's temporary directory.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file under a folder and its bytes, by its path there.
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = vec![];
    let mut ahead = vec![folder.to_owned()];
    while let Some(path) = ahead.pop() {
        if path.is_dir() {
            ahead.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}
