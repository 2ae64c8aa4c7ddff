//! Answers that are told before they are durable, to whoever has more commands that follow from them.
//!
//! What follows joins the queue behind what it follows from, and is never durable before it. When a command comes to something
//! else after all, because another process was quicker or an append failed, its sequel has fallen: what is left of it is not
//! executed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::{AnyEvent, AnyRefusal};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{ExecuteError, Executed, decided::Decision};
use crate::{log::NewTimer, trace};

/// Commands that follow from one another, each sent as soon as the one before is decided.
#[derive(Clone, Debug, Default)]
pub struct Sequel(Arc<AtomicBool>);

impl Sequel {
    /// Whether something in it came to something else than was foretold.
    #[must_use]
    pub fn has_fallen(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn fall(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What a command will have come to once it is durable, unless its sequel falls.
#[derive(Debug, PartialEq)]
pub struct Foretold {
    /// Whether its events are the first ones of their stream.
    pub begins: bool,
    /// Its events under their ids, or why it was refused.
    pub outcome: Result<Vec<(Uuid, AnyEvent)>, AnyRefusal>,
}

impl Foretold {
    /// `None` where the answer is not the aggregate's.
    fn of(decision: &Decision, begins: bool) -> Option<Self> {
        let outcome = match decision {
            Decision::Accepted { events, rows } => {
                Ok(rows.iter().map(|row| row.event_id).zip(events.iter().cloned()).collect())
            }
            Decision::Refused { refusal, .. } => Err(refusal.clone()),
            Decision::Stale | Decision::Impossible(_) => return None,
        };
        Some(Self { begins, outcome })
    }
}

/// A command of a sequel that is decided.
#[derive(Debug)]
pub struct Ahead {
    /// What it will have come to.
    pub foretold: Arc<Foretold>,
    pub(super) durable: oneshot::Receiver<Result<Executed, ExecuteError>>,
    pub(super) span: Option<trace::Span>,
}

impl Ahead {
    /// Waits until the answer is durable, which is what was foretold if the sequel has not fallen by then.
    ///
    /// # Errors
    /// As [`super::Executor::execute`].
    pub async fn durable(self) -> Result<Executed, ExecuteError> {
        let answer = self.durable.await.unwrap_or_else(|_| Err(stopped()));
        if let Some(mut span) = self.span {
            span.answered(&answer);
        }
        answer
    }
}

pub(super) fn fallen() -> ExecuteError {
    ExecuteError::Unavailable("what it follows from came to something else".into())
}

pub(super) fn stopped() -> ExecuteError {
    ExecuteError::Unavailable("the executor has stopped".into())
}

/// Whoever waits for an answer.
#[derive(Debug)]
pub struct Reply {
    durable: oneshot::Sender<Result<Executed, ExecuteError>>,
    part: Option<Part>,
}

/// A command's part in a sequel.
#[derive(Debug)]
enum Part {
    /// The sequel follows from it. It is executed whatever becomes of that.
    Leads(Sequel),
    /// It follows from what leads the sequel, or from others within it.
    Follows {
        sequel: Sequel,
        told: Told,
        /// What is set with it.
        timers: Vec<NewTimer>,
    },
}

impl Part {
    const fn sequel(&self) -> &Sequel {
        match self {
            Self::Leads(sequel) | Self::Follows { sequel, .. } => sequel,
        }
    }
}

#[derive(Debug)]
enum Told {
    Nothing(oneshot::Sender<Arc<Foretold>>),
    This(Arc<Foretold>),
    /// Who waited for it is gone.
    Nobody,
}

impl Reply {
    pub const fn new(durable: oneshot::Sender<Result<Executed, ExecuteError>>) -> Self {
        Self { durable, part: None }
    }

    /// To a command of a sequel.
    pub const fn within(
        sequel: Sequel,
        timers: Vec<NewTimer>,
        ahead: oneshot::Sender<Arc<Foretold>>,
        durable: oneshot::Sender<Result<Executed, ExecuteError>>,
    ) -> Self {
        Self { durable, part: Some(Part::Follows { sequel, told: Told::Nothing(ahead), timers }) }
    }

    /// Whether it has no part in a sequel.
    pub const fn is_free(&self) -> bool {
        self.part.is_none()
    }

    /// Begins a sequel of what follows from a command that was accepted and has no part in one.
    pub fn lead(&mut self) -> Sequel {
        let sequel = Sequel::default();
        self.part = Some(Part::Leads(sequel.clone()));
        sequel
    }

    /// The sequel that it was sent within.
    pub const fn follows(&self) -> Option<&Sequel> {
        match &self.part {
            Some(Part::Follows { sequel, .. }) => Some(sequel),
            Some(Part::Leads(_)) | None => None,
        }
    }

    /// Timers that are set with the command.
    pub fn timers(&self) -> &[NewTimer] {
        match &self.part {
            Some(Part::Follows { timers, .. }) => timers,
            Some(Part::Leads(_)) | None => &[],
        }
    }

    /// Whether what it follows from is not so.
    pub fn has_fallen(&self) -> bool {
        self.follows().is_some_and(Sequel::has_fallen)
    }

    /// Tells ahead what was decided, if that is asked for, and whether somebody was told for the first time. Another decision
    /// than the one that was told before is the sequel's fall, and any other of a command that leads one: what others have
    /// appended meanwhile stands before it.
    pub fn foretell(&mut self, decision: &Decision, begins: bool) -> bool {
        let (sequel, told) = match &mut self.part {
            None => return false,
            Some(Part::Leads(sequel)) => {
                sequel.fall();
                return false;
            }
            Some(Part::Follows { sequel, told, .. }) => (sequel, told),
        };
        let foretold = Foretold::of(decision, begins);
        match (std::mem::replace(told, Told::Nobody), foretold) {
            (Told::Nothing(ahead), Some(foretold)) => {
                let foretold = Arc::new(foretold);
                if ahead.send(Arc::clone(&foretold)).is_ok() {
                    *told = Told::This(foretold);
                    return true;
                }
            }
            (Told::This(before), Some(foretold)) if *before == foretold => *told = Told::This(before),
            (Told::This(_), _) => sequel.fall(),
            (Told::Nothing(_) | Told::Nobody, _) => {}
        }
        false
    }

    /// What was told of it no longer holds: it is to be decided later than what follows from it.
    pub fn withdraw(&mut self) {
        match &self.part {
            Some(Part::Leads(sequel) | Part::Follows { sequel, told: Told::This(_), .. }) => sequel.fall(),
            Some(Part::Follows { .. }) | None => {}
        }
    }

    /// The answer, which is durable as it was decided. A caller that has gone away does not mind.
    pub fn send(self, answer: Result<Executed, ExecuteError>) {
        let _ = self.durable.send(answer);
    }

    /// The answer, which is another one than was decided, if anything was: nothing may follow from that.
    pub fn send_instead(self, answer: Result<Executed, ExecuteError>) {
        if let Some(part) = &self.part {
            part.sequel().fall();
        }
        self.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_a_sequel_is_executed_though_that_has_fallen_and_makes_it_fall_when_it_is_decided_again() {
        let reply = || Reply::new(oneshot::channel().0);
        let (mut leads, (ahead, _told)) = (reply(), oneshot::channel());
        let sequel = leads.lead();
        let follows = Reply::within(sequel.clone(), Vec::new(), ahead, oneshot::channel().0);
        assert!(leads.follows().is_none() && follows.follows().is_some());
        follows.send_instead(Err(stopped()));
        assert!(sequel.has_fallen() && !leads.has_fallen());
        let mut again = reply();
        let sequel = again.lead();
        assert!(!sequel.has_fallen());
        assert!(!again.foretell(&Decision::Accepted { events: vec![], rows: vec![] }, true));
        assert!(sequel.has_fallen());
    }
}
