//! What the feed has in memory of one aggregate, from its first event on.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use super::{Entry, Feed};
use crate::{
    executor::Token,
    log::{Position, Recorded, StreamId},
};

impl Feed {
    /// The events of one stream, if all of them are in memory up to that position at least.
    #[must_use]
    pub fn whole(&self, stream: &StreamId, upto: Position) -> Option<Vec<Arc<Entry>>> {
        let found = self.of_late(stream);
        let first = found.first()?.event.as_ref().ok()?;
        (first.sequence == 1 && found.last()?.position >= upto).then_some(found)
    }

    /// Those events of one stream that are in memory.
    #[must_use]
    pub fn of_late(&self, stream: &StreamId) -> Vec<Arc<Entry>> {
        let key = (stream.aggregate_type.as_str().into(), stream.id.clone());
        self.inner.ring.read().unwrap_or_else(PoisonError::into_inner).stream(&key)
    }

    /// Everything that ever happened to an aggregate, if all of that is in memory and can be read.
    #[must_use]
    pub fn recorded(&self, stream: &StreamId) -> Option<Vec<Recorded>> {
        self.whole(stream, 0)?.iter().map(|entry| entry.event.as_ref().ok().cloned()).collect()
    }

    /// Up to where the feed has come, once that is as far as a token says; `None` when it is not in time, or the token is of
    /// another life of the log.
    pub async fn reached(&self, token: Token, within: Duration) -> Option<Position> {
        // Before the first event every log is alike.
        if token.position > 0 && token.incarnation != self.inner.incarnation {
            return None;
        }
        let mut tip = self.inner.tip.subscribe();
        tokio::select! {
            biased;
            reached = tip.wait_for(|tip| *tip >= token.position) => reached.ok().map(|tip| *tip),
            () = self.inner.clock.sleep(within) => None,
        }
    }
}
