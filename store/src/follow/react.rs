//! What a reactor does, and how far it has come.

use std::sync::Arc;

use async_trait::async_trait;

use crate::log::{Meant, Position};

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
    /// Events of it that are being worked on; those that were set aside are not among them.
    pub working: usize,
}

/// The work could not be done now; it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ReactError(pub String);
