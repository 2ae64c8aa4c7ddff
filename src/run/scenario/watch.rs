//! `scenario run --watch`: plays again whenever a file changes, also in a folder that goes and comes back.

use std::{
    cell::Cell,
    collections::BTreeMap,
    path::{Path, PathBuf, absolute},
    time::{Duration, Instant},
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use scenarios::{coverage::Excuses, suite::FOLDER};
use tokio::sync::mpsc::{self, UnboundedSender};

use super::{ScenarioError, Stage, play};
use crate::{cli::ScenarioArgs, out, run::Failure};

/// Editors write a file in several steps; it is read when they have been quiet for so long.
const QUIET: Duration = Duration::from_millis(100);
/// So often the folders may change while they are about to be watched.
const TRIES: usize = 10;

/// Plays until the program is stopped; `last` tells how the last round ended.
pub(super) async fn watch(args: &ScenarioArgs, stage: &Stage, last: &Cell<u8>) -> Result<u8, Failure> {
    let paths = if args.paths.is_empty() { vec![FOLDER.into()] } else { args.paths.clone() };
    let paths: Vec<_> = paths.iter().map(absolute).collect::<Result<_, _>>()?;
    let (changed, mut changes) = mpsc::unbounded_channel();
    let mut watcher = begin(&paths, &changed)?;
    loop {
        match play(args, stage, false, Instant::now()).await {
            Ok(status) => last.set(status),
            Err(Failure::Printing(unprinted)) => return Err(unprinted.into()),
            Err(failure) => {
                last.set(failure.status());
                out::line(failure)?;
            }
        }
        out::line("Watching; Ctrl-C ends.")?;
        if changes.recv().await.is_none() {
            return Ok(last.get());
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
        // Anew, as a folder may be another one by now; before the old one ends, so that nothing is missed.
        let next = begin(&paths, &changed)?;
        drop(watcher);
        watcher = next;
        out::line("")?;
    }
}

/// Watches what is there now.
fn begin(paths: &[PathBuf], changed: &UnboundedSender<()>) -> Result<RecommendedWatcher, ScenarioError> {
    let mut tries = 0;
    loop {
        match try_begin(paths, changed) {
            Err(_) if tries < TRIES => tries += 1,
            begun => return Ok(begun?),
        }
    }
}

fn try_begin(paths: &[PathBuf], changed: &UnboundedSender<()>) -> notify::Result<RecommendedWatcher> {
    let (concerned, changed) = (paths.to_vec(), changed.clone());
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let told = event.is_ok_and(|event| {
            !matches!(event.kind, EventKind::Access(_))
                && event.paths.iter().any(|path| concerns(path, &concerned))
        });
        if told {
            // Nobody listens any more once the program ends.
            let _ = changed.send(());
        }
    })?;
    for (folder, mode) in folders(paths) {
        watcher.watch(&folder, mode)?;
    }
    Ok(watcher)
}

/// The folders that hold the files, and those above them, where a folder goes and comes back.
fn folders(paths: &[PathBuf]) -> BTreeMap<PathBuf, RecursiveMode> {
    let mut folders = BTreeMap::new();
    for path in paths {
        // Editors replace files: their folder is what stays.
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        if folder.is_dir() {
            folders.insert(folder.to_owned(), RecursiveMode::Recursive);
        }
        if let Some(above) = folder.ancestors().skip(1).find(|above| above.is_dir()) {
            folders.entry(above.to_owned()).or_insert(RecursiveMode::NonRecursive);
        }
    }
    folders
}

/// Whether a change may have changed what is played.
fn concerns(path: &Path, paths: &[PathBuf]) -> bool {
    let is_read = path.extension().is_some_and(|extension| extension == "feature")
        || path.file_name().is_some_and(|name| name == Excuses::FILE)
        || path.is_dir();
    paths.iter().any(|watched| {
        let folder = if watched.is_dir() { watched } else { watched.parent().unwrap_or(watched) };
        watched.starts_with(path) || (is_read && path.starts_with(folder))
    })
}
