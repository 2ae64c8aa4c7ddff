//! `import retail`: the import, then both sides of its books.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use projections::Freshness;

use super::{FAILED, FINE, Failure, serve::Running};
use crate::{
    ground::Ground,
    import::{self, Day, Options, Progress, Sums, ledger},
};

/// What the names of imported orders' sources start with.
const SOURCE: &str = "retail:";
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
    let engine = &running.engine;
    let progress = Progress::stderr();
    let imported = import::retail(
        &engine.executor,
        &engine.fingerprints,
        file,
        &Options { rejects },
        &progress,
    )
    .await?;
    let in_file = ledger::sum(file)?;
    let freshness = Freshness {
        at_least: imported.token,
        wait: CATCH_UP,
    };
    let in_read_model: Vec<Day> = running
        .read
        .days(SOURCE, freshness)
        .await?
        .value
        .iter()
        .map(day)
        .collect();
    let report = import::reconcile(&in_file, &in_read_model, &imported);
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report}");
        println!("Rejected lines: {}", imported.rejects.display());
    }
    running.stop().await;
    Ok(if report.ok { FINE } else { FAILED })
}

fn day(day: &projections::reconcile::Day) -> Day {
    Day {
        date: day.date,
        sums: Sums {
            orders: day.orders,
            units: day.units,
            sale_value: day.sale_value.amount,
            returned_value: day.returned_value.amount,
        },
    }
}
