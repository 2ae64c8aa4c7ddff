//! Runs commands: one after another for each aggregate, in memory, appended in groups, answered when durable.

mod cache;
mod core;
mod decided;
mod durable;
mod expiry;
mod foreseen;
mod limits;
mod load;
mod recover;
mod sequel;
mod weight;

use std::{fmt, sync::Arc};

use domain::{AnyCommand, AnyEvent, AnyRefusal, value::Time};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use uuid::Uuid;

use self::sequel::{Reply, stopped};
pub use self::{
    core::run,
    decided::{derived_id, of_its_time},
    expiry::Expiry,
    foreseen::Foreseen,
    limits::Limits,
    load::folded,
    sequel::{Ahead, Foretold, Sequel},
};
use crate::{
    feed::Entry,
    log::{Head, NewTimer, Position, Sequence, StreamId},
    outage::Outage,
    trace::{self, Traceparent},
};

/// Why a command is executed and on whose behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who, as in the events' metadata.
    pub actor: Arc<str>,
    /// The whole business transaction.
    pub correlation_id: Uuid,
    /// The event or request behind it.
    pub causation_id: Uuid,
    /// Business time, where it is not now.
    pub occurred_at: Option<Time>,
    /// The span that its events go on from. Whoever asks leaves it open: the executor's door fills it in.
    pub traceparent: Option<Traceparent>,
}

/// Where a command's id comes from, and so how long its answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Chosen by a client, or made up for one: forgotten after [`CLIENT_ANSWERS_KEPT_US`].
    Client,
    /// Derived from its cause ([`derived_id`]): never forgotten, and its events' ids derive from it.
    Derived,
}

/// Answers to clients' commands are kept for 48 hours; the draft standard asks for at least 24.
pub const CLIENT_ANSWERS_KEPT_US: i64 = 48 * 3_600 * 1_000_000;

/// A command on its way.
#[derive(Clone, Debug)]
pub struct Request {
    /// The aggregate's id; its type comes with the command.
    pub aggregate_id: Arc<str>,
    /// What is asked.
    pub command: AnyCommand,
    /// Its id: a repeat under the same id gets the first answer.
    pub command_id: Uuid,
    /// A keyed hash that tells a repeat from another command under the same id.
    pub fingerprint: [u8; 32],
    /// Where the id comes from.
    pub origin: Origin,
    /// The stream version that the caller has seen, if it insists on it.
    pub expected_version: Option<Sequence>,
    /// Why and for whom.
    pub cause: Cause,
}

impl Request {
    /// The stream that the command is for.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        StreamId { aggregate_type: self.command.aggregate_type(), id: self.aggregate_id.clone() }
    }

    fn is_for(&self, stream: &StreamId) -> bool {
        self.aggregate_id == stream.id && self.command.aggregate_type() == stream.aggregate_type
    }
}

/// A consistency token: everything up to `position` of that life of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Which life of the log.
    pub incarnation: Uuid,
    /// Up to where.
    pub position: Position,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.incarnation, self.position)
    }
}

/// A command that was accepted, durably.
#[derive(Clone, Debug, PartialEq)]
pub struct Executed {
    /// The stream's version now.
    pub version: Sequence,
    /// What happened; empty on a replay, whose events stand in the log at `positions`.
    pub events: Vec<(Uuid, AnyEvent)>,
    /// The positions of its events, first to last; `None` when nothing happened.
    pub positions: Option<(Position, Position)>,
    /// For reading one's own writes.
    pub token: Token,
    /// Whether this is the first answer again.
    pub replayed: bool,
}

/// A command that was refused, durably: a repeat is refused alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Why.
    pub refusal: AnyRefusal,
    /// The stream's version that the refusal rests on.
    pub version: Sequence,
    /// The log that the refusal rests on.
    pub token: Token,
    /// Whether this is the first answer again.
    pub replayed: bool,
}

/// Why a command has no accepting answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The aggregate said no.
    #[error("{}", .0.refusal)]
    Refused(Box<Refused>),
    /// Another command has that id.
    #[error("the command id was used for another command")]
    IdReused,
    /// The same command is being executed right now.
    #[error("the command with this id is still in flight")]
    InFlight,
    /// The stream is not at the version that the caller insists on.
    #[error("the stream is at version {actual}")]
    VersionMismatch {
        /// Where it is.
        actual: Sequence,
    },
    /// Too much is waiting; nothing was done.
    #[error("too many commands are waiting")]
    Overloaded,
    /// The log cannot be written or read. Whether the command took effect may be unknown: repeat it under its id.
    #[error("the log is unavailable: {0}")]
    Unavailable(Outage),
}

/// The events of one append of this process, in order, and where the log stood with them.
pub type Appended = (Arc<[Arc<Entry>]>, Head);

/// The door to the executor; cheap to clone.
#[derive(Clone, Debug)]
pub struct Executor {
    requests: mpsc::Sender<(Box<Request>, Reply)>,
    head: watch::Receiver<Head>,
    appended: broadcast::Sender<Appended>,
    foreseen: broadcast::Sender<Arc<Foreseen>>,
}

impl Executor {
    /// Executes a command and answers once the answer is durable.
    ///
    /// Dropping the future does not undo the command.
    ///
    /// # Errors
    /// As [`ExecuteError`] says.
    pub async fn execute(&self, mut request: Request) -> Result<Executed, ExecuteError> {
        let span = trace::asked(&mut request);
        let (reply, answer) = oneshot::channel();
        self.requests.try_send((Box::new(request), Reply::new(reply))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ExecuteError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        // The reply is dropped only when the executor stops in between.
        let answer = answer.await.unwrap_or_else(|_| Err(stopped()));
        if let Some(mut span) = span {
            span.answered(&answer);
        }
        answer
    }

    /// Executes a command, waiting for room where [`Executor::execute`] would say that there is none; for callers that
    /// bound their own number. While the same id is in flight, its answer is waited for too.
    ///
    /// # Errors
    /// As [`ExecuteError`] says, `Overloaded` and `InFlight` excepted.
    pub async fn execute_in_turn(&self, mut request: Request) -> Result<Executed, ExecuteError> {
        let span = trace::asked(&mut request);
        let mut head = self.head.clone();
        loop {
            head.mark_unchanged();
            let (reply, answer) = oneshot::channel();
            if self.requests.send((Box::new(request.clone()), Reply::new(reply))).await.is_err() {
                return Err(stopped());
            }
            match answer.await {
                // Its id is free, or taken by another, when the head is told anew.
                Ok(Err(ExecuteError::InFlight)) if head.changed().await.is_ok() => {}
                Ok(Err(ExecuteError::InFlight)) | Err(_) => return Err(stopped()),
                Ok(answer) => {
                    if let Some(mut span) = span {
                        span.answered(&answer);
                    }
                    return answer;
                }
            }
        }
    }

    /// Executes a command of a sequel, waiting for room, and answers as soon as it is decided: what follows from the answer
    /// may be sent at once, within the same sequel, and is durable together with it or after it. Its timers are set in the
    /// same transaction; after an error whoever wants them sets them himself.
    ///
    /// # Errors
    /// As [`ExecuteError`] says, `Overloaded` excepted; `Unavailable` too when the sequel has fallen. A refusal by the
    /// aggregate is no error here.
    pub async fn execute_ahead(
        &self,
        mut request: Request,
        timers: Vec<NewTimer>,
        sequel: &Sequel,
    ) -> Result<Ahead, ExecuteError> {
        let span = trace::asked(&mut request);
        let ((reply, durable), (ahead, foretold)) = (oneshot::channel(), oneshot::channel());
        let reply = Reply::within(sequel.clone(), timers, ahead, reply);
        self.requests.send((Box::new(request), reply)).await.map_err(|_| stopped())?;
        match foretold.await {
            Ok(foretold) => Ok(Ahead { foretold, durable, span }),
            // It was answered without being decided.
            Err(_) => match durable.await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(_)) => Err(ExecuteError::Unavailable("it was executed before".into())),
                Err(_) => Err(stopped()),
            },
        }
    }

    /// How many commands wait to be taken up, and how many may.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        let max = self.requests.max_capacity();
        (max - self.requests.capacity(), max)
    }

    /// Returns when the executor has stopped: the log is not the one that it worked on, and the process must end.
    pub async fn stopped(&self) {
        self.requests.closed().await;
    }

    /// The events of every append of this process from now on, for whoever would otherwise read them from the log. Who
    /// falls behind misses some, and other processes append too.
    #[must_use]
    pub fn appended(&self) -> broadcast::Receiver<Appended> {
        self.appended.subscribe()
    }

    /// The head of the log as this process knows it, for whoever waits for it to move.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<Head> {
        self.head.clone()
    }
}
