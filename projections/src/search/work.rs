//! What was asked of this process: an index filled anew beside the one that answers, or this one compared with the rows.

use std::sync::Arc;

use sqlx::PgConnection;
use store::{log::Position, ports::Clock};
use tokio::sync::{mpsc, oneshot};

use super::{
    asked::{Asked, Compared, SoFar, What},
    changes::{FollowError, Rows},
    compare::Comparison,
    index::{Beside, Index, IndexError, Reading},
    source::{self, Look},
};

/// Products that are compared at once.
const STRETCH: usize = 1_000;
/// How long comparing may go on before what changed meanwhile is written.
const COMPARING_US: i64 = 100_000;
/// How near a new index has to be before it is kept level with the one that answers.
const NEAR: Position = 2_000;

/// Something that goes on beside following, driven by the same task.
pub(super) type Job = futures::future::BoxFuture<'static, ()>;

/// Drives one job after the other.
pub(super) async fn drive(mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some(job) = jobs.recv().await {
        job.await;
    }
}

/// Something that was asked for and is under way.
pub(super) struct Work {
    pub asked: Asked,
    stage: Stage,
}

enum Stage {
    /// The index beside is filled, or texts are gone through.
    Preparing(oneshot::Receiver<Result<Ready, FollowError>>, Arc<SoFar>),
    Comparing(Box<Comparing>),
}

/// What can be compared.
struct Ready {
    held: Box<dyn Reading>,
    beside: Option<New>,
}

/// An index beside the one that answers.
struct New {
    beside: Box<dyn Beside>,
    held: Box<dyn Reading>,
    /// What it reflects.
    look: Look,
}

struct Comparing {
    ready: Ready,
    after: Position,
    comparison: Comparison,
    total: i64,
}

/// What a step has come to.
pub(super) enum Step {
    GoesOn,
    Done(Compared),
}

impl Work {
    /// Begins with what takes long, as a job that ends when the work is dropped.
    pub fn begin(asked: Asked, index: Arc<dyn Index>, rows: Rows, jobs: &mpsc::UnboundedSender<Job>) -> Self {
        let (mut sender, receiver) = oneshot::channel();
        let so_far = Arc::new(SoFar::default());
        let told = Arc::clone(&so_far);
        let job = async move {
            let prepared = tokio::select! {
                prepared = prepare(&*index, &rows, asked.what, &told) => prepared,
                () = sender.closed() => return,
            };
            // Whoever asked has gone, and what was built goes too.
            drop(sender.send(prepared));
        };
        // With nobody to drive it, the receiver says so.
        drop(jobs.send(Box::pin(job)));
        Self { asked, stage: Stage::Preparing(receiver, so_far) }
    }

    /// Whether it wants to compare as soon as possible.
    pub const fn is_comparing(&self) -> bool {
        matches!(self.stage, Stage::Comparing(_))
    }

    /// What it is at, and how far.
    pub fn so_far(&self) -> (&'static str, (i64, i64)) {
        match &self.stage {
            Stage::Preparing(_, so_far) => ("filling", so_far.read()),
            Stage::Comparing(comparing) => ("comparing", (comparing.comparison.compared(), comparing.total)),
        }
    }

    /// Waits for the job, if one is under way.
    pub async fn prepared(&mut self) -> Result<(), FollowError> {
        let Stage::Preparing(receiver, so_far) = &mut self.stage else {
            return std::future::pending().await;
        };
        let cut_off = |_| FollowError::from(IndexError::Failed("the work was cut off".to_owned()));
        let ready = receiver.await.map_err(cut_off)??;
        let total = so_far.read().1;
        let comparison = Comparison::default();
        self.stage = Stage::Comparing(Box::new(Comparing { ready, after: Position::MIN, comparison, total }));
        Ok(())
    }

    /// Compares for a while; the index that answers reflects `now`, as the snapshot shows it. Both sides are level with it
    /// in every stretch, and a new index that comes to answer is as well.
    pub async fn step(
        &mut self,
        snapshot: &mut PgConnection,
        rows: &Rows,
        now: &Look,
        clock: &dyn Clock,
    ) -> Result<Step, FollowError> {
        let Stage::Comparing(comparing) = &mut self.stage else { return Ok(Step::GoesOn) };
        comparing.ready.level(snapshot, rows, now).await?;
        let begun_us = clock.elapsed_us();
        while !comparing.stretch(snapshot).await? {
            if clock.elapsed_us() - begun_us > COMPARING_US {
                return Ok(Step::GoesOn);
            }
        }
        let comparison = std::mem::take(&mut comparing.comparison);
        let equal = comparison.differences() == 0;
        let (difference, [old_digest, new_digest]) = comparison.told(snapshot).await?;
        let mut swapped = false;
        if let Some(New { beside, .. }) = comparing.ready.beside.take() {
            swapped = equal || self.asked.swap;
            if swapped {
                // Nothing new: its marker moves.
                beside.index().write(Vec::new(), Vec::new(), &now.marker()).await?;
                beside.swap().await?;
            } else {
                beside.give_up().await?;
            }
        }
        let position = now.marker().position;
        Ok(Step::Done(Compared { position, old_digest, new_digest, difference, swapped }))
    }

    /// Removes what was built so far.
    pub async fn give_up(self, index: &dyn Index) {
        let given_up = match self.stage {
            Stage::Preparing(receiver, _) => {
                drop(receiver);
                index.sweep().await
            }
            Stage::Comparing(comparing) => match comparing.ready.beside {
                Some(New { beside, .. }) => beside.give_up().await,
                None => Ok(()),
            },
        };
        if let Err(error) = given_up {
            tracing::warn!(%error, "a search index that was given up is removed by the next one");
        }
    }
}

impl Ready {
    /// Writes what a new index does not hold yet.
    async fn level(
        &mut self,
        snapshot: &mut PgConnection,
        rows: &Rows,
        now: &Look,
    ) -> Result<(), FollowError> {
        if let Some(new) = &mut self.beside
            && new.look != *now
        {
            let changes = rows.changes(snapshot, &new.look, now).await?;
            if !changes.is_none() {
                changes.write(new.beside.index(), now).await?;
            }
            new.look = now.clone();
        }
        Ok(())
    }
}

impl Comparing {
    /// Compares some products, and says whether these were the last.
    async fn stretch(&mut self, snapshot: &mut PgConnection) -> Result<bool, FollowError> {
        let listed_at = source::listed(snapshot, self.after, STRETCH).await?;
        // Behind the last row there may be what no row says.
        let until = match listed_at.last().filter(|_| listed_at.len() == STRETCH) {
            Some(last) => *last,
            None => Position::MAX,
        };
        let old = self.ready.held.between(self.after, until).await?;
        let new = match &mut self.ready.beside {
            Some(new) => new.held.between(self.after, until).await?,
            None => {
                let documents = source::documents(snapshot, &listed_at).await?;
                documents.iter().map(|document| self.ready.held.of(document)).collect()
            }
        };
        self.comparison.add(old, new);
        self.after = until;
        Ok(until == Position::MAX)
    }
}

async fn prepare(index: &dyn Index, rows: &Rows, what: What, so_far: &SoFar) -> Result<Ready, FollowError> {
    let mut snapshot = store::transaction::snapshot(&rows.pool).await?;
    let (look, _) = Look::at(&mut snapshot).await?;
    so_far.begin(source::count(&mut snapshot).await?);
    if what == What::Audit {
        snapshot.commit().await?;
        return Ok(Ready { held: index.read(true).await?, beside: None });
    }
    let mut filling = index.fill(&look.marker()).await?;
    source::all(&mut snapshot, &mut *filling, &|more| so_far.advance(more)).await?;
    snapshot.commit().await?;
    let beside = filling.build(look.marker()).await?;
    let look = come_near(&*beside, rows, look).await?;
    let (held, new) = futures::try_join!(index.read(true), beside.index().read(true))?;
    Ok(Ready { held, beside: Some(New { beside, held: new, look }) })
}

/// Writes what changed during the fill, until little is left.
async fn come_near(beside: &dyn Beside, rows: &Rows, mut look: Look) -> Result<Look, FollowError> {
    loop {
        let mut snapshot = store::transaction::snapshot(&rows.pool).await?;
        let (now, _) = Look::at(&mut snapshot).await?;
        if !now.is_of(&look) {
            let replaced = "other rows serve since it was begun: rebuild it again";
            return Err(IndexError::Failed(replaced.to_owned()).into());
        }
        let (from, to) = source::between(&look, &now);
        let changes = rows.changes(&mut snapshot, &look, &now).await?;
        snapshot.commit().await?;
        if !changes.is_none() {
            changes.write(beside.index(), &now).await?;
        }
        look = now;
        if to - from <= NEAR {
            return Ok(look);
        }
    }
}
