//! Keeps what a customer wanted to keep, once it was paid with.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    AnyEvent,
    payment::Event,
    value::{AttemptId, CustomerId},
};
use store::{
    executor::derived_id,
    feed::Feed,
    follow::{Begins, React, ReactError},
    log::{Log, Meant, Recorded},
};

use super::{Keeps, Saved, rows::Kept};

/// Follows authorizations.
pub(super) struct Keep {
    pub saved: Saved,
    pub keeps: Arc<dyn Keeps>,
    pub log: Arc<dyn Log>,
    pub feed: Feed,
}

#[async_trait]
impl React for Keep {
    fn name(&self) -> &'static str {
        "saved_methods"
    }

    /// What was let go of since is not brought back.
    fn begins(&self) -> Begins {
        Begins::AtTheHead
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        match meant.event {
            AnyEvent::Payment(Event::Authorized { .. }) => Some(meant.recorded.stream.id.clone()),
            _ => None,
        }
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        let AnyEvent::Payment(Event::Authorized { attempt, reference, .. }) = meant.event else {
            return Ok(());
        };
        let Some(customer) = self.wanted(meant, attempt).await? else { return Ok(()) };
        let Some(found) = self.keeps.kept(reference).await.map_err(again)? else { return Ok(()) };
        let id = derived_id(meant.id(), "method", 0);
        match self.saved.keep(id, &customer, &found).await.map_err(again)? {
            Kept::Yes => Ok(()),
            Kept::No => self.keeps.detach(&found.token).await.map_err(again),
        }
    }
}

impl Keep {
    /// For whom it is to be kept, if it is.
    async fn wanted(&self, meant: Meant<'_>, attempt: &AttemptId) -> Result<Option<CustomerId>, ReactError> {
        let stream = &meant.recorded.stream;
        // Nearly always in memory, since it was asked for a moment ago.
        let whole = self.feed.whole(stream, meant.recorded.position).and_then(|entries| {
            let asked = |entry: &Arc<store::feed::Entry>| {
                Some(entry.event.as_ref().ok()?.meant().find_map(|meant| asked(meant.event, attempt)))
            };
            entries.iter().map(asked).collect::<Option<Vec<_>>>()
        });
        let found = match whole {
            Some(found) => found,
            None => {
                let recorded = self.log.recorded(stream, 0).await.map_err(again)?;
                let asked =
                    |recorded: &Recorded| recorded.meant().find_map(|meant| asked(meant.event, attempt));
                recorded.iter().map(asked).collect()
            }
        };
        Ok(found.into_iter().flatten().next())
    }
}

fn asked(event: &AnyEvent, wanted: &AttemptId) -> Option<CustomerId> {
    match event {
        AnyEvent::Payment(Event::AuthorizationRequested { attempt, keep_for, .. }) if attempt == wanted => {
            keep_for.clone()
        }
        _ => None,
    }
}

fn again(error: impl std::fmt::Display) -> ReactError {
    ReactError(error.to_string())
}
