//! What a process does with its index beside following: what somebody asks for, and what it compares by itself.

use std::sync::Arc;

use sqlx::PgConnection;
use store::ports::Clock;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    asked::{Answers, Asked, Compared},
    changes::{FollowError, Rows},
    check::{Check, Checked},
    index::Index,
    source::Look,
    work::{Job, Step, Work},
};

/// How often something that was asked for is begun.
const TRIES_MAX: u32 = 3;

pub(super) struct Desk {
    index: Arc<dyn Index>,
    rows: Rows,
    clock: Arc<dyn Clock>,
    answers: Answers,
    check: Check,
    /// What somebody asked for.
    work: Option<Work>,
    /// What was asked for last, and how often it was begun; more than [`TRIES_MAX`] when nothing is to be done about it any
    /// more.
    last: Option<(Uuid, u32)>,
    jobs: mpsc::UnboundedSender<Job>,
}

impl Desk {
    pub fn new(
        index: Arc<dyn Index>,
        rows: Rows,
        answers: Answers,
        check: Check,
        (clock, jobs): (Arc<dyn Clock>, mpsc::UnboundedSender<Job>),
    ) -> Self {
        Self { index, rows, clock, answers, check, work: None, last: None, jobs }
    }

    /// Leaves everything as it is: another process may write by now, and what was built is for the next one to clear away.
    pub fn drop_work(&mut self) {
        self.work = None;
        // Nor is what was found here true of what that one writes.
        self.check.found(None);
    }

    /// The index becomes another one.
    pub fn begin_anew(&mut self) {
        self.work = None;
        self.check.found(None);
    }

    /// Whether there is something to compare, even if nothing has moved.
    pub fn compares(&self) -> bool {
        match &self.work {
            Some(work) => work.is_comparing(),
            None => self.check.is_due(&*self.clock),
        }
    }

    /// Whether somebody waits for what is compared.
    pub fn hurries(&self) -> bool {
        self.work.as_ref().is_some_and(Work::is_comparing)
    }

    /// Returns when what was asked for can be compared, or has failed. It may be dropped and called again.
    pub async fn prepared(&mut self) -> Result<(), FollowError> {
        match &mut self.work {
            Some(work) => work.prepared().await,
            None => std::future::pending().await,
        }
    }

    /// Goes on with what was asked for, or checks a little, with an index that reflects `now` as the snapshot shows it.
    /// Says whether another index answers now.
    pub async fn step(&mut self, snapshot: &mut PgConnection, now: &Look) -> Result<bool, FollowError> {
        let Some(work) = &mut self.work else {
            let position = now.marker().position;
            self.check.step(snapshot, &*self.index, position, &*self.clock).await?;
            return Ok(false);
        };
        match work.step(snapshot, &self.rows, now, &*self.clock).await {
            Ok(Step::GoesOn) => Ok(false),
            Ok(Step::Done(compared)) => {
                let differences = match compared.swapped {
                    true => 0,
                    false => compared.difference.rows_that_differ(),
                };
                self.check.found(Some(Checked { position: compared.position, differences }));
                if let Some(work) = self.work.take() {
                    self.over(&work.asked, Ok(&compared)).await;
                }
                if compared.swapped {
                    tracing::info!(position = compared.position, "the search index was rebuilt");
                }
                Ok(compared.swapped)
            }
            // The index is followed all the same.
            Err(error) => {
                self.failed(&error).await;
                Ok(false)
            }
        }
    }

    /// Takes up what somebody asks for, and gives up what nobody asks for any more.
    pub async fn notice(&mut self, asked: Option<Asked>) {
        if let Some(work) = self.work.take_if(|work| Some(work.asked) != asked) {
            work.give_up(&*self.index).await;
        }
        let Some(asked) = asked else { return };
        if self.work.is_none() {
            let tries = self.last.filter(|(id, _)| *id == asked.id).map_or(0, |(_, tries)| tries);
            if tries == TRIES_MAX {
                let text = "the index had to be followed anew again and again: see the process's log";
                self.over(&asked, Err(text)).await;
            }
            if tries >= TRIES_MAX {
                return;
            }
            self.last = Some((asked.id, tries + 1));
            let index = Arc::clone(&self.index);
            self.work = Some(Work::begin(asked, index, self.rows.clone(), &self.jobs));
        }
        if let Some(work) = &self.work {
            let (stage, so_far) = work.so_far();
            self.answers.so_far(&asked, stage, so_far).await;
        }
    }

    /// Says that what was asked for was not done.
    pub async fn failed(&mut self, error: &FollowError) {
        let Some(work) = self.work.take() else { return };
        tracing::warn!(%error, what = work.asked.what.name(), "what was asked of the search index was not done");
        self.over(&work.asked, Err(&error.to_string())).await;
        work.give_up(&*self.index).await;
    }

    /// Says what came of it, and takes it up no more.
    async fn over(&mut self, asked: &Asked, outcome: Result<&Compared, &str>) {
        self.last = Some((asked.id, TRIES_MAX + 1));
        self.answers.done(asked, outcome).await;
    }
}
