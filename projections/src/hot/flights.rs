//! Questions that are on their way: who asks the same meanwhile takes the answer along.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use store::log::StreamId;
use tokio::sync::watch;

/// Those that have left and not come back.
pub(super) struct Flights<A> {
    under_way: Mutex<HashMap<StreamId, watch::Receiver<Option<A>>>>,
}

/// How somebody asks.
pub(super) enum Boarded<'f, A> {
    /// By themselves, for all who come meanwhile.
    First(Flight<'f, A>),
    /// With whoever was first.
    Along(Passage<A>),
}

/// A question that others wait for; when it is dropped before it has landed, they ask for themselves.
pub(super) struct Flight<'f, A> {
    flights: &'f Flights<A>,
    key: StreamId,
    answer: watch::Sender<Option<A>>,
}

/// A place on somebody else's.
pub(super) struct Passage<A>(watch::Receiver<Option<A>>);

impl<A> Default for Flights<A> {
    fn default() -> Self {
        Self { under_way: Mutex::default() }
    }
}

impl<A> Flights<A> {
    pub fn board(&self, key: &StreamId) -> Boarded<'_, A> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = under_way.get(key) {
            return Boarded::Along(Passage(flight.clone()));
        }
        let (answer, waiting) = watch::channel(None);
        under_way.insert(key.clone(), waiting);
        Boarded::First(Flight { flights: self, key: key.clone(), answer })
    }
}

impl<A> Flight<'_, A> {
    pub fn land(self, answer: A) {
        self.answer.send_replace(Some(answer));
    }
}

impl<A> Drop for Flight<'_, A> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&self.key);
    }
}

impl<A: Clone> Passage<A> {
    /// The answer; `None` when there was none.
    pub async fn landed(mut self) -> Option<A> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}
