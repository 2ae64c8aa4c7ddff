//! Waits for what follows from a command elsewhere: events of one stream, as they come.

use std::{sync::Arc, time::Duration};

use domain::AggregateType;
use store::{
    executor::Token,
    feed::Entry,
    log::{Meant, Recorded, Sequence, StreamId},
};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{Shop, problem::Problem};

/// When a wait is over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at_us: i64,
}

impl Deadline {
    /// So long from now.
    #[must_use]
    pub fn after(shop: &Shop, wait: Duration) -> Self {
        let wait_us = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        Self { at_us: shop.clock.elapsed_us().saturating_add(wait_us) }
    }

    /// The same, or so long from now if that is sooner.
    #[must_use]
    pub fn within(self, shop: &Shop, wait: Duration) -> Self {
        Self { at_us: self.at_us.min(Self::after(shop, wait).at_us) }
    }

    fn left(self, shop: &Shop) -> Duration {
        Duration::from_micros(u64::try_from(self.at_us - shop.clock.elapsed_us()).unwrap_or(0))
    }
}

/// A stream that is watched from before the command that makes it move.
#[derive(Debug)]
pub struct Watch {
    stream: StreamId,
    /// What may have come before it was watched.
    before: std::vec::IntoIter<Arc<Entry>>,
    entries: UnboundedReceiver<Arc<Entry>>,
}

impl Watch {
    /// Watches a stream from now on.
    #[must_use]
    pub fn new(shop: &Shop, aggregate_type: AggregateType, id: &str) -> Self {
        let stream = StreamId::new(aggregate_type, id);
        Self { entries: shop.feed.watch(stream.clone()), stream, before: Vec::new().into_iter() }
    }

    /// Watches a stream that is only known now and may have moved already, as far as that is in memory.
    #[must_use]
    pub fn of_late(shop: &Shop, aggregate_type: AggregateType, id: &str) -> Self {
        let watch = Self::new(shop, aggregate_type, id);
        let before = shop.feed.of_late(&watch.stream).into_iter();
        Self { before, ..watch }
    }

    /// The first event after a sequence in which `look` finds something; `None` when none came in time.
    ///
    /// A repeat looks into the log first: what it waits for has probably happened.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn first<T>(
        &mut self,
        shop: &Shop,
        (after, replayed): (Sequence, bool),
        deadline: Deadline,
        mut look: impl FnMut(Meant<'_>) -> Option<T>,
    ) -> Result<Option<(Recorded, T)>, Problem> {
        if replayed {
            for recorded in read(shop, &self.stream, after).await? {
                let found = recorded.meant().find_map(&mut look);
                if let Some(found) = found {
                    return Ok(Some((recorded, found)));
                }
            }
        }
        let mut over = shop.clock.sleep(deadline.left(shop));
        loop {
            let entry = match self.before.next() {
                Some(before) => Some(before),
                None => tokio::select! {
                    biased;
                    entry = self.entries.recv() => entry,
                    () = &mut over => None,
                },
            };
            let Some(entry) = entry else { return Ok(None) };
            if let Ok(recorded) = &entry.event
                && recorded.sequence > after
                && let Some(found) = recorded.meant().find_map(&mut look)
            {
                return Ok(Some((recorded.clone(), found)));
            }
        }
    }
}

/// For how long this process's feed is waited for: its own appends are there at once, others' as soon as they are copied.
const PATIENCE: Duration = Duration::from_millis(40);

/// Everything that ever happened to an aggregate, if that is in memory up to where this process has appended, and up to the
/// position that the answer has to reflect; and how far it goes. What other processes append comes a moment later.
pub async fn recent(
    shop: &Shop,
    stream: &StreamId,
    at_least: Option<Token>,
) -> Option<(Vec<Recorded>, Token)> {
    let head = *shop.executor.head().borrow();
    let asked = at_least.filter(|token| token.position > 0);
    let wanted = Token {
        incarnation: asked.map_or(head.incarnation, |token| token.incarnation),
        position: asked.map_or(head.position, |token| token.position.max(head.position)),
    };
    let position = shop.feed.reached(wanted, PATIENCE).await?;
    Some((shop.feed.recorded(stream)?, Token { position, ..wanted }))
}

/// The events of a stream after a sequence.
///
/// # Errors
/// When the log cannot be read.
pub async fn read(shop: &Shop, stream: &StreamId, after: Sequence) -> Result<Vec<Recorded>, Problem> {
    Ok(shop.log.recorded(stream, after).await?)
}
