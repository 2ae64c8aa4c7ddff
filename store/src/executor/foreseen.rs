//! Events that are decided and not yet durable, told to process managers: what follows from them is durable together with them
//! or after them.

use std::{collections::HashSet, sync::Arc};

use domain::process::{self, Fact};
use futures::future::BoxFuture;
use tokio::sync::broadcast;

use super::{
    Executor, Reply, Request, Sequel,
    core::{Core, Step},
    decided::{Decided, Decision, occurred_at, recorded},
};
use crate::log::{AppendError, Position, Recorded};

/// What a listener may be behind by before it misses some, which it learns when they are durable.
pub(super) const KEPT: usize = 256;

/// An event that is decided, the first that is on its way in its stream and the only one of its command for process managers.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// As it will stand in the log, at a place that nobody knows yet: its position is 0.
    pub recorded: Recorded,
    /// Where the log ended, as far as this process knew, when it was decided. Whatever of its stream stands further behind lets
    /// the sequel fall.
    pub after: Position,
    /// What follows from it is of this sequel, which falls when its command is decided again.
    pub sequel: Sequel,
}

impl Executor {
    /// What is decided from now on and concerns a process manager, in the order of the log. Who falls behind misses some; of
    /// what is part of a sequel, or not the first that is on its way in its stream, nobody is told.
    #[must_use]
    pub fn foreseen(&self) -> broadcast::Receiver<Arc<Foreseen>> {
        self.foreseen.subscribe()
    }
}

impl Core {
    /// Tells of the event of a command that concerns process managers, and whether anybody was told.
    pub(super) fn foresee(
        &self,
        request: &Request,
        reply: &mut Reply,
        decision: &Decision,
        decided_at_us: i64,
    ) -> bool {
        if !reply.is_free() || self.foreseen.receiver_count() == 0 {
            return false;
        }
        let at = occurred_at(request, decided_at_us);
        let mut concerning = decision
            .happenings()
            .filter(|(event, row)| process::concerns(Fact { id: &row.stream.id, event, at }));
        let (Some((event, row)), None) = (concerning.next(), concerning.next()) else { return false };
        let recorded = recorded(request, decided_at_us, (event, row), 0);
        let foreseen = Foreseen { recorded, after: self.head.position, sequel: reply.lead() };
        // Whoever listened may have gone meanwhile.
        self.foreseen.send(Arc::new(foreseen)).is_ok()
    }

    /// An append was refused as it was. What follows from other commands may be why: it goes by itself, before the rest is given
    /// up.
    pub(super) fn refused(&mut self, error: &AppendError) -> Option<BoxFuture<'static, Step>> {
        if matches!(error, AppendError::Refused(_)) && self.voids_what_follows() {
            tracing::warn!(%error, "an append was refused; it goes without what follows from other commands");
            let tried: HashSet<_> = self.flying.iter().map(|decided| decided.request.command_id).collect();
            let waiting = self.flying.drain(..).chain(self.queue.drain(..)).collect();
            self.decide_again(waiting, HashSet::new());
            // Nobody new comes along, who may bring more of the kind.
            let again = |decided: &&Decided| tried.contains(&decided.request.command_id);
            let others = self.queue.split_off(self.queue.iter().take_while(again).count());
            let next = self.append(None);
            self.queue.extend(others);
            return Some(next);
        }
        tracing::error!(%error, "an append failed; its aggregates are read again");
        self.fail(&error.into());
        None
    }

    /// Lets the sequels fall of which there are followers in the flying append, beside others; whether there are any.
    fn voids_what_follows(&self) -> bool {
        let followed: Vec<_> = self.flying.iter().filter_map(|decided| decided.reply.follows()).collect();
        if followed.len() == self.flying.len() {
            return false;
        }
        followed.iter().for_each(|sequel| sequel.fall());
        !followed.is_empty()
    }
}
