//! `verify`: whether the log is as it was written, and where it is not.

use store::{
    log::Position,
    verify::{Files, Wanted, verify_with},
};

use super::{FAILED, FINE, Failure};
use crate::{ground::Ground, out, progress::Progress};

/// Verifies the log; 1 when something in it is not as it was written.
pub async fn run(ground: &Ground, wanted: Wanted, digests_only: bool, json: bool) -> Result<u8, Failure> {
    let pool = ground.log_pool().await?;
    let files = if digests_only { Files::DigestsOnly } else { Files::Read(ground.archive()) };
    let progress = Progress::stderr("verify", "events");
    let start = wanted.anchor.filter(|_| wanted.after_anchor).map_or(0, |anchor| anchor.position);
    let so_far = |position: Position| u64::try_from(position - start).unwrap_or(0);
    let verified =
        verify_with(&pool, wanted, files, &|done, of| progress.at(so_far(done), so_far(of))).await?;
    progress.finish();
    if json {
        out::line(serde_json::to_string(&verified)?)?;
        return Ok(if verified.ok { FINE } else { FAILED });
    }
    for finding in &verified.findings {
        out::line(finding)?;
    }
    if verified.ok {
        out::line(format_args!(
            "{} events in {} batches are as they were written.",
            verified.events, verified.batches
        ))?;
        match (verified.archived, digests_only) {
            (0, _) => {}
            (archived, false) => out::line(format_args!("{archived} of them were read from the archive."))?,
            (archived, true) => {
                out::line(format_args!(
                    "Of {archived} of them, in the archive, only the digests were read."
                ))?;
            }
        }
        out::line(format_args!("Anchor: {}", verified.anchor))?;
        return Ok(FINE);
    }
    let more = verified.findings_total.saturating_sub(verified.findings.len() as u64);
    if more > 0 {
        out::line(format_args!("and {more} more"))?;
    }
    out::line(format_args!(
        "{} things in {} events are not as they were written: see \"The log was changed\" in docs/OPERATIONS.md.",
        verified.findings_total, verified.events
    ))?;
    Ok(FAILED)
}
