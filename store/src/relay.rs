//! Copies the log to the broker, event N only behind event N − 1, so that the broker's sequence is the position.
//!
//! Whatever in the broker is not the log's is deleted with the whole stream and copied anew; nothing is repaired.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    broker::{Broker, BrokerError, Envelope, MessageId},
    feed::Feed,
    follow::Lease,
    log::{Head, Log, LogError, Position, StoredEvent},
    ports::Clock,
    trace,
};

/// Events that a stream made anew starts with; older ones stand in the log.
const HISTORY: Position = 100_000;
/// Events read and published at a time.
const PAGE: i64 = 2_000;
/// From the beginning of one copy to that of the next, at the least: what is appended meanwhile is copied together. Whoever waits
/// for the copy before it reads the log has twice this patience.
const PACE: Duration = Duration::from_millis(20);
/// How often the broker is looked at while there is nothing to copy.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long is waited after a failure, twice as long after each further one, and at most: well within the lease.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Why copying stopped; it begins again from what the broker holds.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error("the lease went to another process")]
    LeaseLost,
}

/// The relay of one process; of all that run, the one that holds the lease copies.
pub struct Relay {
    /// The log.
    pub log: Arc<dyn Log>,
    /// Where to copy it.
    pub broker: Arc<dyn Broker>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who copies.
    pub lease: Lease,
    /// The newest events: what this process wrote itself is not read again.
    pub feed: Feed,
}

impl Relay {
    /// Copies until `stop` says so or its sender is gone, then gives up the lease.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut failing = PAUSE.0;
        loop {
            let pause = tokio::select! {
                pause = self.turn(&mut failing) => pause,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.lease.give_up().await;
    }

    /// Copies until something fails, and says how long to wait before trying again; `failing` is how long that is if it
    /// goes on as it does.
    async fn turn(&mut self, failing: &mut Duration) -> Duration {
        if !self.lease.hold().await {
            return LOOK_EVERY;
        }
        let began_us = self.clock.elapsed_us();
        match self.copy().await {
            Err(RelayError::LeaseLost) => self.lease.lost(),
            Err(error) => {
                self.lease.meter().failed();
                tracing::warn!(%error, "the relay starts again");
            }
            Ok(never) => match never {},
        }
        // It had worked for a while.
        if u128::try_from(self.clock.elapsed_us() - began_us).is_ok_and(|us| us > PAUSE.1.as_micros()) {
            *failing = PAUSE.0;
        }
        let pause = *failing;
        *failing = (pause * 2).min(PAUSE.1);
        pause
    }

    async fn copy(&mut self) -> Result<std::convert::Infallible, RelayError> {
        // What another relay publishes meanwhile may be of another life of the log, so the whole tail is looked at.
        let (mut last, mut incarnation) = self.agree(PAGE).await?;
        if let Err(error) = self.broker.renew().await {
            tracing::warn!(%error, "the broker could not be told to forget ids earlier; it goes on");
        }
        // By itself: why it is not stored is not heard of a message behind which others follow.
        last = self.copy_page(last, incarnation, 1).await?.0;
        let mut tip = self.feed.tip();
        loop {
            tip.mark_unchanged();
            let began_us = self.clock.elapsed_us();
            last = self.copy_from(last, incarnation).await?;
            self.clock.rest(began_us, PACE).await;
            tokio::select! {
                // The feed is this process's own, and stays.
                _ = tip.changed() => {}
                () = self.clock.sleep(LOOK_EVERY) => (last, incarnation) = self.agree(1).await?,
            }
        }
    }

    /// Copies everything after `last` and says up to where it came.
    async fn copy_from(&mut self, mut last: Position, incarnation: Uuid) -> Result<Position, RelayError> {
        loop {
            let (reached, events) = self.copy_page(last, incarnation, PAGE).await?;
            last = reached;
            // A page of this process's own ends where somebody else has appended.
            let more = events >= PAGE || events > 0 && *self.feed.tip().borrow() > last;
            if !more {
                return Ok(last);
            }
        }
    }

    /// Copies at most so many events after `last`, and says up to where it came and how many there were.
    async fn copy_page(
        &mut self,
        last: Position,
        incarnation: Uuid,
        limit: i64,
    ) -> Result<(Position, i64), RelayError> {
        if !self.lease.hold().await {
            return Err(RelayError::LeaseLost);
        }
        let page = self.page(last, incarnation, limit).await?;
        self.lease.meter().reached(last);
        let Some(end) = page.last().map(|event| event.position) else {
            return Ok((last, 0));
        };
        let events = page.len();
        let envelopes: Vec<_> = page.into_iter().map(|event| Envelope { incarnation, event }).collect();
        let traced_us = trace::is_collected().then(|| self.clock.now_us());
        self.broker.publish(&envelopes).await?;
        if let Some(traced_us) = traced_us {
            trace::published(traced_us, &envelopes);
        }
        self.lease.meter().handled(events);
        self.lease.meter().reached(end);
        Ok((end, i64::try_from(events).unwrap_or(i64::MAX)))
    }

    /// What stands behind `last`.
    async fn page(
        &self,
        last: Position,
        incarnation: Uuid,
        limit: i64,
    ) -> Result<Vec<StoredEvent>, LogError> {
        if self.feed.incarnation() == incarnation {
            let own = self.feed.own(last, usize::try_from(limit).unwrap_or(usize::MAX));
            // Whatever others append comes to the feed as well.
            if !own.is_empty() || *self.feed.tip().borrow() <= last {
                return Ok(own);
            }
        }
        let page = self.log.read(last, limit).await?;
        // Looked at after reading: what was read is of this life, or another one has begun by now.
        if self.log.head().await?.incarnation != incarnation {
            return Err(LogError::OtherLog);
        }
        Ok(page)
    }

    /// Makes sure that the broker's stream is a copy of the log, as far as its last `tail` messages tell, making it
    /// anew if not, and says where it ends and which life of the log it is a copy of.
    async fn agree(&mut self, tail: i64) -> Result<(Position, Uuid), RelayError> {
        let state = self.broker.state().await?;
        // Looked at after the broker: another relay may still be ending what it had begun under its lease.
        let head = self.log.head().await?;
        match state {
            Some(state) => {
                let tail = tail.min(i64::try_from(state.messages).unwrap_or(i64::MAX));
                if state.last <= head.position && self.same(state.last - tail, state.last, &head).await? {
                    return Ok((state.last, head.incarnation));
                }
                tracing::warn!(
                    last = state.last,
                    head = head.position,
                    "the broker's stream is not the log's: made anew"
                );
                self.lease.meter().failed();
                self.broker.delete().await?;
            }
            None => tracing::info!(head = head.position, "the broker has no stream: made anew"),
        }
        let first = (head.position - HISTORY + 1).max(1);
        self.broker.create(first).await?;
        Ok((first - 1, head.incarnation))
    }

    /// Whether the broker holds the log's events after `after` up to `last`.
    async fn same(&self, after: Position, last: Position, head: &Head) -> Result<bool, RelayError> {
        let events = self.log.read(after, last - after).await?;
        let complete = events.last().map_or(after, |event| event.position) == last;
        let mut messages = futures::stream::iter(events)
            .map(|event| async move {
                let wanted = MessageId { incarnation: head.incarnation, event_id: event.event_id };
                Ok::<_, BrokerError>(self.broker.message_at(event.position).await? == Some(wanted))
            })
            .buffered(64);
        while let Some(same) = messages.next().await {
            if !same? {
                return Ok(false);
            }
        }
        Ok(complete)
    }
}
