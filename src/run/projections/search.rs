//! `projections rebuild search` and `projections audit search`: asked of the processes that keep a search index.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use ::projections::search::{Answer, AskError, Compared, Patience, State, What, ask};
use serde_json::json;
use store::ports::Machine;
use uuid::Uuid;

use super::{FAILED, FINE, Failure, ProjectionsError, print_difference};
use crate::{ground::Ground, out, progress::Progress};

/// What the index is called beside the read models.
pub const NAME: &str = "search";

/// Asks, and shows on the way how far each process is.
async fn asked(ground: &Ground, what: What, swap: bool) -> Result<Vec<Answer>, Failure> {
    let pool = ground.projection_pool().await?;
    let work = match what {
        What::Rebuild => "rebuild",
        What::Audit => "audit",
    };
    let told = Told { work, progress: Progress::stderr(work, "documents"), stages: Mutex::default() };
    let tell = |answers: &[Answer]| told.tell(answers);
    let patience = Patience::default();
    let answers = ask(&pool, (Arc::new(Machine), &Machine), (what, swap), patience, &tell).await;
    told.progress.finish();
    Ok(answers.map_err(ProjectionsError::from)?)
}

/// What was shown.
struct Told {
    work: &'static str,
    progress: Progress,
    /// The stage of each process that was told last.
    stages: Mutex<HashMap<Uuid, &'static str>>,
}

impl Told {
    fn tell(&self, answers: &[Answer]) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut done, mut of) = (0, 0);
        for Answer { process, state } in answers {
            let stage = match state {
                State::Waiting => "has not begun yet",
                State::Filling(..) if self.work == "audit" => "goes through the texts",
                State::Filling(..) => "fills an index beside the one that answers",
                State::Comparing(..) => "compares",
                State::Done(_) => "is done",
                State::Failed(_) => "failed",
                State::Silent(_) => "does not answer",
            };
            let (some, all) = match state {
                State::Filling(some, all) | State::Comparing(some, all) => (*some, *all),
                State::Done(compared) => (compared.difference.rows, compared.difference.rows),
                State::Waiting | State::Failed(_) | State::Silent(_) => (0, 0),
            };
            (done, of) = (done + some.unsigned_abs(), of + all.unsigned_abs());
            if stages.insert(process.instance, stage) != Some(stage) {
                out::tell(format_args!("{}: {process} {stage}", self.work));
            }
        }
        if of > 0 {
            self.progress.at(done, of);
        }
    }
}

/// Has every index filled anew; the new ones answer if they are equal, or are to.
pub async fn rebuild(ground: &Ground, swap: bool, json: bool) -> Result<u8, Failure> {
    let answers = asked(ground, What::Rebuild, swap).await?;
    let swapped = |answer: &Answer| matches!(&answer.state, State::Done(compared) if compared.swapped);
    let ok = answers.iter().all(swapped);
    if json {
        out::line(json!({ "ok": ok, "projection": NAME, "swapped": ok, "processes": answers }))?;
    } else {
        for answer in &answers {
            print_rebuilt(answer)?;
        }
        let differs = |answer: &Answer| matches!(&answer.state, State::Done(compared) if !compared.swapped);
        if answers.iter().any(differs) {
            out::line("If the new ones are right: daybook projections rebuild search --swap")?;
        }
    }
    Ok(if ok { FINE } else { FAILED })
}

fn print_rebuilt(Answer { process, state }: &Answer) -> Result<(), Failure> {
    let Some(compared) = done(NAME, process, state)? else { return Ok(()) };
    let Compared { position, difference, swapped, .. } = compared;
    out::line(format_args!("search: {process}: old and new index compared at position {position}"))?;
    print_difference(difference, ["old", "new"])?;
    Ok(out::line(match swapped {
        true => "  The new index answers now.",
        false => "  The old index goes on answering.",
    })?)
}

/// Has every index compared with the rows; `None` where nobody keeps one and nobody insists.
pub async fn audit(ground: &Ground, insist: bool) -> Result<Option<Vec<Answer>>, Failure> {
    match asked(ground, What::Audit, false).await {
        Ok(answers) => Ok(Some(answers)),
        Err(Failure::Projections(ProjectionsError::Search(AskError::Nobody))) if !insist => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether every process answered that its index is what its rows say.
pub fn is_right(answers: &[Answer]) -> bool {
    answers.iter().all(|answer| match &answer.state {
        State::Done(compared) => compared.difference.rows_that_differ() == 0,
        State::Waiting | State::Filling(..) | State::Comparing(..) | State::Failed(_) | State::Silent(_) => {
            false
        }
    })
}

/// Prints what an audit has found.
pub fn print_audited(answers: &[Answer]) -> Result<(), Failure> {
    let mut mend = false;
    for Answer { process, state } in answers {
        let Some(compared) = done(NAME, process, state)? else { continue };
        let Compared { position, old_digest, new_digest, difference, .. } = compared;
        let rows = difference.rows;
        if difference.rows_that_differ() == 0 {
            out::line(format_args!(
                "search: {process}: each of {rows} products is indexed as its rows at position {position} say; \
                 digest {old_digest}"
            ))?;
            continue;
        }
        mend = true;
        out::line(format_args!(
            "search: {process}: not what the rows at position {position} say; digests {old_digest} and {new_digest}"
        ))?;
        print_difference(difference, ["index", "rows"])?;
    }
    if mend {
        out::line("To have the index right again: daybook projections rebuild search --swap")?;
    }
    Ok(())
}

/// What was found; what went wrong is printed.
fn done<'a>(
    name: &str,
    process: &::projections::search::Process,
    state: &'a State,
) -> Result<Option<&'a Compared>, Failure> {
    let why = match state {
        State::Done(compared) => return Ok(Some(compared)),
        State::Failed(error) => format!("failed: {error}"),
        State::Silent(why) => format!("does not answer: {why}"),
        State::Waiting | State::Filling(..) | State::Comparing(..) => "is not done".to_owned(),
    };
    out::line(format_args!("{name}: {process} {why}"))?;
    Ok(None)
}
