//! What a reactor does, and how far it has come.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    executor::Sequel,
    log::{Meant, Position},
};

/// What to do because of an event.
#[async_trait]
pub trait React: Send + Sync + 'static {
    /// The reactor's name, and its checkpoint's.
    fn name(&self) -> &'static str;

    /// Where somebody begins who has never followed.
    fn begins(&self) -> Begins {
        Begins::WithTheLog
    }

    /// Events of one lane are worked on one after another; `None` when the event means nothing here.
    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>>;

    /// Does the work; called again until it succeeds.
    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError>;

    /// Where its work begins before an event is durable, if it can.
    fn foresees(&self) -> Option<&dyn Foresee> {
        None
    }
}

/// Work that consists of commands alone, so that what is done of it for an event that comes to nothing is nothing.
#[async_trait]
pub trait Foresee: Send + Sync {
    /// Does the work for an event that is decided and not yet durable, whose position is 0, with commands of its sequel, until
    /// all of it is durable. After an error the event comes again, if it is durable: as any other, to [`React::react`].
    async fn react_ahead(&self, meant: Meant<'_>, sequel: &Sequel) -> Result<(), ReactError>;
}

/// Where a reactor begins that has never followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// With the first event: nothing that happened is left undone.
    WithTheLog,
    /// With what happens from now on: nobody wants to hear what happened before.
    AtTheHead,
}

/// How far a reactor has come in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Everything up to here has been read.
    pub position: Position,
    /// Events that are being worked on, those that are not durable yet among them, and not those that were set aside.
    pub working: usize,
}

/// The work could not be done now; it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ReactError(pub String);
