//! `import retail`: the import, then both sides of its books.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{FAILED, FINE, Failure, serve::Running};
use crate::{
    ground::Ground,
    import::{self, Options, ledger},
    out,
    progress::Progress,
};

/// How long the read models may take to come to the import's end.
const CATCH_UP: Duration = Duration::from_secs(120);

/// Imports a file and compares it with the read models; 1 when they differ.
pub async fn retail(
    ground: Ground,
    file: &Path,
    rejects: Option<PathBuf>,
    json: bool,
) -> Result<u8, Failure> {
    let running = Running::start(&ground).await?;
    let status = import_and_compare(&running, file, Options { rejects }, json).await;
    running.stop().await;
    status
}

async fn import_and_compare(
    running: &Running,
    file: &Path,
    options: Options,
    json: bool,
) -> Result<u8, Failure> {
    let engine = &running.engine;
    let progress = Progress::stderr("import", "lines");
    let imported = import::retail(&engine.executor, &engine.fingerprints, file, &options, &progress).await?;
    let in_file = ledger::sum(file)?;
    let in_read_model = import::read_model(&running.read, &in_file, &imported, CATCH_UP).await?;
    let report = import::reconcile(&in_file.days, &in_read_model, &imported);
    if json {
        out::line(serde_json::to_string(&report)?)?;
    } else {
        out::line(&report)?;
        out::line(format_args!("Rejected lines: {}", imported.rejects.display()))?;
    }
    Ok(if report.ok { FINE } else { FAILED })
}
