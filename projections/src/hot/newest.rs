//! What the newest events say by themselves, for whoever would otherwise wait until they are rows.

use std::time::Duration;

use store::{
    feed::Feed,
    log::{Position, Recorded, StreamId},
};

use super::{Basis, Hot, Weighed};
use crate::{Freshness, fresh::Seen};

/// For how long this process's feed is waited for: its own appends are there at once.
const PATIENCE: Duration = Duration::from_millis(100);

/// The end of the log in memory, as far as a read model has nothing else to say about it: it has set aside nothing, and
/// leaves nothing out.
pub struct Newest<'h> {
    feed: &'h Feed,
    follower: &'static str,
    /// Up to where every event is there.
    tip: Position,
}

impl<T: Weighed> Hot<T> {
    /// The newest events instead of a read model's rows, if they reach as far as they have to.
    pub async fn newest(&self, follower: &'static str, freshness: Freshness) -> Option<Newest<'_>> {
        let inner = &*self.inner;
        let place = inner.watched.place(follower)?;
        let feed = &inner.feed;
        let tip = match freshness.at_least {
            Some(token) => feed.reached(token, freshness.wait.min(PATIENCE)).await?,
            None => *feed.tip().borrow(),
        };
        inner.watched.leaves_nothing_out(place, tip).then_some(Newest { feed, follower, tip })
    }
}

impl Newest<'_> {
    /// Everything that ever happened to an aggregate, if all of that is in memory and can be read.
    pub(crate) fn whole(&self, stream: &StreamId) -> Option<Vec<Recorded>> {
        self.feed.recorded(stream)
    }

    /// What an answer rests on that was made of these streams.
    pub(crate) fn basis(&self, streams: Vec<StreamId>) -> Basis {
        Basis::new(self.follower, self.seen(), streams)
    }

    /// What a read model's rows would have shown that has come so far.
    pub(crate) fn seen(&self) -> Seen {
        Seen { incarnation: Some(self.feed.incarnation()), position: self.tip, parked_from: None }
    }
}
