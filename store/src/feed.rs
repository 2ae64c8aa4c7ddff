//! The newest events, read and decoded once for all followers of this process.
//!
//! This process's own come from its executor, the others from the broker, and from the log whenever the broker is away,
//! silent or wrong. While nobody else appends, the broker is not listened to: it would only say again what is known.

mod entry;
mod ring;
mod whole;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use futures::{FutureExt, StreamExt, stream::BoxStream};
use tokio::sync::{Notify, broadcast::error::RecvError, mpsc, watch};
use uuid::Uuid;

pub use self::entry::Entry;
use self::ring::Ring;
use crate::{
    broker::{Broker, Envelope},
    executor::{Appended, Executor},
    log::{Decoder, Head, Log, LogError, Position, StoredEvent, StreamId, read_with, understand},
    ports::{Clock, micros},
};

/// How long the broker may lag behind this process's own appends before the log is read instead.
const PATIENCE: Duration = Duration::from_millis(40);
/// How often the log's head is looked at for what other processes append while the broker is silent.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the broker may stay silent while the log moves before it is subscribed to anew.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// How long others may append nothing before the broker is listened to no longer.
const ALONE_AFTER: Duration = Duration::from_secs(60);
/// Within what time this process has said of what was read from the log that it is its own; otherwise it is others'.
const CLAIMED_WITHIN: Duration = Duration::from_millis(500);
/// How long to wait before subscribing again to a broker that ended or sent something foreign.
const RESUBSCRIBE_AFTER: Duration = Duration::from_millis(300);

/// The shared tail of the log; cheap to clone.
#[derive(Clone)]
pub struct Feed {
    inner: Arc<Inner>,
}

struct Inner {
    incarnation: Uuid,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    ring: RwLock<Ring>,
    tip: watch::Sender<Position>,
    watchers: Mutex<Watchers>,
    hint: Notify,
}

impl Feed {
    /// A feed that begins at the log's present end.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn new(log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let Head { position: tip, incarnation, .. } = log.head().await?;
        let inner = Inner {
            incarnation,
            log,
            clock,
            ring: RwLock::default(),
            tip: watch::Sender::new(tip),
            watchers: Mutex::default(),
            hint: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Which life of the log its events are of.
    #[must_use]
    pub fn incarnation(&self) -> Uuid {
        self.inner.incarnation
    }

    /// Up to where the feed has come.
    #[must_use]
    pub fn tip(&self) -> watch::Receiver<Position> {
        self.inner.tip.subscribe()
    }

    /// At most `max` events after a position, in order and without a gap; none when none came within `wait`.
    ///
    /// # Errors
    /// When they are no longer in memory and the log cannot be read.
    pub async fn after(
        &self,
        position: Position,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Arc<Entry>>, LogError> {
        let mut tip = self.inner.tip.subscribe();
        if *tip.borrow_and_update() <= position {
            tokio::select! {
                _ = tip.wait_for(|tip| *tip > position) => {}
                () = self.inner.clock.sleep(wait) => return Ok(Vec::new()),
            }
        }
        if let Some(found) = self.in_memory(position, max) {
            return Ok(found);
        }
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let entry = |stored, event| Arc::new(Entry::new(stored, event));
        read_with(&*self.inner.log, position, limit, entry).await
    }

    /// The events after a position as they stand in the log, as far as this process has written them and has them in memory.
    #[must_use]
    pub fn own(&self, position: Position, max: usize) -> Vec<StoredEvent> {
        let found = self.in_memory(position, max).unwrap_or_default();
        let next = found.first().is_some_and(|first| first.position == position + 1);
        let mut own = Vec::with_capacity(found.len());
        own.extend(found.iter().take_while(|_| next).map_while(|entry| entry.stored()));
        own
    }

    /// The events of one stream from now on, as they come.
    #[must_use]
    pub fn watch(&self, stream: StreamId) -> mpsc::UnboundedReceiver<Arc<Entry>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut watchers = self.inner.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.add(stream, sender);
        receiver
    }

    /// Looks at the log now: the caller knows that another process has appended to it.
    pub fn look(&self) {
        self.inner.hint.notify_one();
    }

    /// Keeps the feed at the log's end for ever. This process's own executor knows first what it has appended.
    pub async fn run(self, broker: Arc<dyn Broker>, executor: Executor) {
        let clock = Arc::clone(&self.inner.clock);
        let (mut head, mut appended) = (executor.head(), executor.appended());
        // The door to the executor is not kept open.
        drop(executor);
        let mut appends = true;
        let mut envelopes = futures::stream::pending().boxed();
        let mut heard_us = clock.elapsed_us();
        let mut looked_us = 0;
        // When somebody else was last seen to append, while the broker is listened to.
        let mut others_us = None;
        let mut others = false;
        let mut own_us = heard_us;
        // Up to where the log was read, and when, before this process has said whether that is its own.
        let mut unclaimed: Option<(Position, i64)> = None;
        loop {
            let (tip, now_us) = (*self.inner.tip.borrow(), clock.elapsed_us());
            others |= unclaimed.take_if(|(_, read_us)| now_us - *read_us > micros(CLAIMED_WITHIN)).is_some();
            if std::mem::take(&mut others) && others_us.replace(now_us).is_none() {
                heard_us = now_us;
                envelopes = self.subscribe(&broker, Duration::ZERO);
            }
            // Who appends nothing hears nothing twice, and hears others at once.
            let alone = |since_us: i64| now_us - since_us > micros(ALONE_AFTER);
            if others_us.is_some_and(alone) && !alone(own_us) {
                others_us = None;
                envelopes = futures::stream::pending().boxed();
            }
            let hinted = async {
                tokio::select! {
                    () = clock.sleep(PATIENCE) => false,
                    () = self.inner.hint.notified() => true,
                }
            };
            tokio::select! {
                own = appended.recv(), if appends => match own {
                    Ok(own) => {
                        own_us = now_us;
                        let first = own.0.first().map_or(tip, |first| first.position);
                        others = first > tip + 1 || unclaimed.take().is_some_and(|(upto, _)| first > upto);
                        self.take_own(&own).await;
                    }
                    // What was missed is read.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => appends = false,
                },
                envelope = envelopes.next() => match envelope {
                    Some(envelope) => {
                        heard_us = clock.elapsed_us();
                        others = envelope.event.position > tip;
                        if !self.take(envelope).await {
                            envelopes = self.subscribe(&broker, RESUBSCRIBE_AFTER);
                        }
                    }
                    None => envelopes = self.subscribe(&broker, RESUBSCRIBE_AFTER),
                },
                hinted = hinted => {
                    let now_us = clock.elapsed_us();
                    let tip = *self.inner.tip.borrow();
                    let own = head.borrow_and_update().position > tip;
                    // Whatever moved the head was told before that.
                    if own && !appended.is_empty() {
                        looked_us = if hinted { 0 } else { looked_us };
                        continue;
                    }
                    if !own && !hinted && now_us - looked_us < micros(LOOK_EVERY) {
                        continue;
                    }
                    looked_us = now_us;
                    let caught_up = self.catch_up(Position::MAX).await;
                    // Whoever hints knows of others.
                    others = hinted && matches!(caught_up, Ok(true));
                    if !others && matches!(caught_up, Ok(true)) {
                        let tip = *self.inner.tip.borrow();
                        unclaimed = Some((tip, unclaimed.map_or(now_us, |(_, read_us)| read_us)));
                    }
                    match caught_up {
                        // The log moved and the broker said nothing: it may have lost the subscription.
                        Ok(true) if others_us.is_some() && now_us - heard_us > micros(SILENCE_MAX) => {
                            heard_us = now_us;
                            envelopes = self.subscribe(&broker, Duration::ZERO);
                        }
                        Ok(_) => {}
                        Err(error) => {
                            tracing::warn!(%error, "the feed cannot read the log");
                            clock.sleep(LOOK_EVERY).await;
                        }
                    }
                }
            }
        }
    }

    /// The broker's envelopes after the tip; ends when it has no more to give.
    fn subscribe(&self, broker: &Arc<dyn Broker>, delay: Duration) -> BoxStream<'static, Envelope> {
        let (feed, broker) = (self.clone(), Arc::clone(broker));
        async move {
            feed.inner.clock.sleep(delay).await;
            let from = *feed.inner.tip.borrow() + 1;
            broker.subscribe(from).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "the broker cannot be followed; the log is read instead");
                futures::stream::empty().boxed()
            })
        }
        .flatten_stream()
        .boxed()
    }

    /// Takes what this process has appended. If what others appended before cannot be read now, all of it is read later.
    async fn take_own(&self, (own, head): &Appended) {
        let Some(first) = own.first().map(|entry| entry.position) else { return };
        if first > *self.inner.tip.borrow() + 1 && self.catch_up(first - 1).await.is_err() {
            return;
        }
        let tip = *self.inner.tip.borrow();
        if first <= tip + 1 {
            self.inner.ring.write().unwrap_or_else(PoisonError::into_inner).appended(first, *head);
            self.push(own.iter().filter(|entry| entry.position > tip).map(Arc::clone));
        }
    }

    /// Where the log stood with the append of this process that brought a position, if that was of late.
    pub(crate) fn head_with(&self, position: Position) -> Option<Head> {
        self.inner.ring.read().unwrap_or_else(PoisonError::into_inner).head_with(position)
    }

    /// Takes an envelope behind the tip; `false` when it is not of this log or what is before it cannot be read.
    async fn take(&self, envelope: Envelope) -> bool {
        let position = envelope.event.position;
        if envelope.incarnation != self.inner.incarnation {
            return false;
        }
        let tip = *self.inner.tip.borrow();
        if position > tip + 1 && self.catch_up(position - 1).await.is_err() {
            return false;
        }
        if position == *self.inner.tip.borrow() + 1 {
            let stored = envelope.event;
            match understand(&*self.inner.log, &mut Decoder::default(), &stored).await {
                Ok(event) => self.push([Arc::new(Entry::new(stored, event))]),
                Err(_) => return false,
            }
        }
        true
    }

    /// Reads the log up to `until` or its end, and says whether there was anything.
    async fn catch_up(&self, until: Position) -> Result<bool, LogError> {
        const PAGE: i64 = 2_000;
        let mut any = false;
        loop {
            let tip = *self.inner.tip.borrow();
            let limit = PAGE.min(until - tip);
            if limit <= 0 {
                return Ok(any);
            }
            let new = |stored, event| Arc::new(Entry::new(stored, event));
            let page = read_with(&*self.inner.log, tip, limit, new).await?;
            if page.is_empty() {
                return Ok(any);
            }
            any = true;
            self.push(page);
        }
    }

    fn push(&self, entries: impl IntoIterator<Item = Arc<Entry>>) {
        let mut last = None;
        {
            let mut ring = self.inner.ring.write().unwrap_or_else(PoisonError::into_inner);
            let mut watchers = self.inner.watchers.lock().unwrap_or_else(PoisonError::into_inner);
            for entry in entries {
                last = Some(entry.position);
                watchers.notify(&entry);
                ring.push(entry);
            }
        }
        if let Some(last) = last {
            self.inner.tip.send_replace(last);
        }
    }

    fn in_memory(&self, position: Position, max: usize) -> Option<Vec<Arc<Entry>>> {
        self.inner.ring.read().unwrap_or_else(PoisonError::into_inner).after(position, max)
    }
}

/// Who waits for which streams.
#[derive(Default)]
struct Watchers {
    streams: HashMap<StreamId, Vec<mpsc::UnboundedSender<Arc<Entry>>>>,
    /// How many streams there may be before those that nobody waits for any more are dropped.
    sweep_at: usize,
}

impl Watchers {
    fn add(&mut self, stream: StreamId, sender: mpsc::UnboundedSender<Arc<Entry>>) {
        // A stream that never gets another event would keep its watchers for ever.
        if self.streams.len() >= self.sweep_at {
            self.streams.retain(|_, senders| senders.iter().any(|sender| !sender.is_closed()));
            self.sweep_at = (self.streams.len() * 2).max(1_024);
        }
        self.streams.entry(stream).or_default().push(sender);
    }

    fn notify(&mut self, entry: &Arc<Entry>) {
        let Ok(recorded) = &entry.event else { return };
        if let Some(senders) = self.streams.get_mut(&recorded.stream) {
            senders.retain(|sender| sender.send(Arc::clone(entry)).is_ok());
            if senders.is_empty() {
                self.streams.remove(&recorded.stream);
            }
        }
    }
}
