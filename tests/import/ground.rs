//! A running store with its read models, and a directory for files.

use std::{fs, path::PathBuf, time::Duration};

use daybook::{
    import::{self, ImportError, Imported, Options, Report},
    progress::Progress,
};
use projections::ReadModels;
use sqlx::Executor as _;
use store::{engine::Engine, testing};

pub const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";

/// One test's own.
pub struct Ground {
    pub engine: Engine,
    pub models: ReadModels,
    ground: testing::Ground,
    directory: PathBuf,
}

impl Ground {
    pub async fn new() -> Self {
        let ground = testing::Ground::new().await;
        ground.lay(&projections::tables()).await;
        let mut engine = ground.engine().await;
        let pool = ground.pool("_read").await;
        projections::start(&mut engine, pool.clone());
        let directory = std::env::temp_dir().join(format!("daybook-import-{}", ground.prefix));
        fs::create_dir(&directory).unwrap();
        Self {
            models: ReadModels::new(pool, &engine.progress(), engine.clock.clone()),
            engine,
            ground,
            directory,
        }
    }

    /// A file of these bytes.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    pub fn options(&self) -> Options {
        Options { rejects: Some(self.directory.join("rejects.csv")) }
    }

    pub async fn import(&self, file: &std::path::Path) -> Result<Imported, ImportError> {
        let (executor, fingerprints) = (&self.engine.executor, &self.engine.fingerprints);
        import::retail(executor, fingerprints, file, &self.options(), &Progress::silent()).await
    }

    pub async fn report(&self, file: &std::path::Path, imported: &Imported) -> Report {
        let wait = Duration::from_secs(20);
        let books = import::ledger::sum(file).unwrap();
        let read_model = import::read_model(&self.models, &books, imported, wait).await.unwrap();
        import::reconcile(&books.days, &read_model, imported)
    }

    pub async fn head(&self) -> i64 {
        self.engine.log.head().await.unwrap().position
    }

    /// Breaks the read model as its owner could.
    pub async fn break_read_model(&self, sql: &str) {
        let done = self.ground.owner_pool("_read").await.execute(sql).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{sql}");
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // What is left over is in the system's temporary directory.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

pub fn sample() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples/retail-sample.csv")
}
