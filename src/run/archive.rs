//! `archive`: moves whole closed streams into files, and says what moved and what stayed.

use std::{ops::ControlFlow, path::PathBuf, time::Duration};

use store::{
    archive::{Archived, Archiving, EVENTS_PER_FILE, Kept, SETTING, Step},
    ports::{Clock as _, Machine},
};

use super::{FINE, Failure};
use crate::{
    ground::Ground,
    out::{self, Unprinted},
    progress::Progress,
};

/// Puts away what is closed and old enough.
pub async fn run(
    ground: &Ground,
    older_than: Duration,
    into: Option<PathBuf>,
    dry_run: bool,
    json: bool,
) -> Result<u8, Failure> {
    let known = ground.settings.archive.clone();
    let directory = into.or_else(|| known.clone()).ok_or(Failure::NoArchive)?;
    let age_us = i64::try_from(older_than.as_micros()).unwrap_or(i64::MAX);
    let archiving = Archiving {
        pool: ground.owner_pool().await?,
        followers: vec![ground.projection_pool().await?],
        before_us: Machine.now_us().saturating_sub(age_us),
        directory: directory.clone(),
        dry_run,
        events_per_file: EVENTS_PER_FILE,
    };
    let progress = Progress::stderr("archive", "events");
    let told = |step: Step| {
        match step {
            Step::Looked(done, of) => progress.at(done.unsigned_abs(), of.unsigned_abs()),
            Step::Tidying => {
                progress.finish();
                out::tell("archive: tidying the table up (VACUUM)");
            }
            Step::Written(_) | Step::Moved(_) | Step::Committed(_) => {}
        }
        // Whoever ends it ends the process: nothing is lost, and the next run goes on.
        ControlFlow::Continue(())
    };
    let archived = archiving.run(&told).await?;
    if json {
        out::line(serde_json::to_string(&archived)?)?;
        return Ok(FINE);
    }
    tell_of(&archived)?;
    if !dry_run && !archived.files.is_empty() && known.as_ref() != Some(&directory) {
        out::line(format_args!(
            "Every process that reads the log needs {SETTING}={} from now on.",
            directory.display()
        ))?;
    }
    Ok(FINE)
}

fn tell_of(archived: &Archived) -> Result<(), Unprinted> {
    let Archived { dry_run, streams, events, files, kept, unknown_files } = archived;
    for file in files {
        out::line(format_args!("{}: {} events, {} bytes", file.file, file.events, file.bytes))?;
    }
    let verb = if *dry_run { "would be archived" } else { "were archived" };
    out::line(format_args!("{events} events of {streams} streams {verb}."))?;
    let Kept { young, followed, awaited, open, unreadable, held_back_by } = kept;
    for (number, why) in [
        (young, "are not old enough"),
        (open, "are not closed"),
        (awaited, "are waited for by a timer, or were set aside by a follower"),
        (followed, "have not been passed by every follower"),
        (unreadable, "hold events that this program does not know"),
    ] {
        if *number > 0 {
            out::line(format_args!("{number} streams stay: they {why}."))?;
        }
    }
    if let Some((name, position)) = held_back_by {
        out::line(format_args!("The follower furthest behind is {name}, at position {position}."))?;
    }
    for file in unknown_files {
        out::line(format_args!("{file} is no file of this log: nothing here refers to it."))?;
    }
    Ok(())
}
