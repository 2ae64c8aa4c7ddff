//! What the executor does when an append did not simply succeed. Nothing is guessed at.
//!
//! Whatever went wrong, the way back is the same: look up which of the batch's commands have answers, read the events
//! that others appended, decide again what they touched, and go on.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use uuid::Uuid;

use super::{
    ExecuteError, Executed, Refused, Request, Token,
    cache::Slot,
    core::{Core, Step},
    decided::Decided,
};
use crate::log::{Answer, Head, LockedLog, Log, LogError, Recorded, StoredEvent, StreamId, decode};

/// What recovery found out.
pub(super) struct Recovery {
    head: Head,
    foreign: Vec<Recorded>,
    answers: Vec<Answer>,
    guard: Option<Box<dyn LockedLog>>,
}

impl Core {
    /// Tries again for a while after the connection broke, then gives the batch up.
    pub(super) fn retry_or_fail(&mut self, reason: &str) -> Option<BoxFuture<'static, Step>> {
        let now_us = self.clock.now_us();
        let since_us = *self.broken_since_us.get_or_insert(now_us);
        let waited = Duration::from_micros(u64::try_from(now_us - since_us).unwrap_or(0));
        if waited < self.limits.give_up_after {
            return Some(self.recover(true, false, Duration::from_millis(100)));
        }
        self.fail(reason);
        None
    }

    /// Finds out what has happened meanwhile.
    pub(super) fn recover(&self, look_up: bool, lock: bool, delay: Duration) -> BoxFuture<'static, Step> {
        let ids = if look_up {
            self.flying.iter().map(|decided| decided.request.command_id).collect()
        } else {
            vec![]
        };
        let (log, clock, after) = (Arc::clone(&self.log), Arc::clone(&self.clock), self.head);
        async move {
            if !delay.is_zero() {
                clock.sleep(delay).await;
            }
            Step::Recovered(Box::new(recovery(&*log, after, &ids, lock).await))
        }
        .boxed()
    }

    /// Takes in what recovery found, and appends again what is still to be done.
    pub(super) fn recovered(&mut self, recovery: Recovery) -> Option<BoxFuture<'static, Step>> {
        let mut touched = HashSet::new();
        for recorded in recovery.foreign {
            self.fold_foreign(recorded, &mut touched);
        }
        self.head = recovery.head;
        self.head_sender.send_replace(self.head);
        let mut answers: HashMap<Uuid, Answer> =
            recovery.answers.into_iter().map(|answer| (answer.command_id, answer)).collect();
        let pending: Vec<Decided> = self.flying.drain(..).chain(self.queue.drain(..)).collect();
        let mut waiting = Vec::with_capacity(pending.len());
        for decided in pending {
            match answers.remove(&decided.request.command_id) {
                Some(answer) => {
                    let stream = decided.request.stream();
                    self.settle(&stream, decided.request.command_id);
                    touched.insert(stream);
                    let _ =
                        decided.reply.send(first_answer(&decided.request, &answer, self.head.incarnation));
                }
                None => waiting.push(decided),
            }
        }
        self.decide_again(waiting, &touched);
        if self.queue.is_empty() {
            return None;
        }
        Some(self.append(recovery.guard))
    }

    fn fold_foreign(&mut self, recorded: Recorded, touched: &mut HashSet<StreamId>) {
        match self.cache.get_mut(&recorded.stream) {
            Some(Slot::Ready(ready)) if recorded.sequence == ready.durable.sequence + 1 => {
                touched.insert(recorded.stream);
                ready.durable.evolve(recorded.event);
            }
            // What the load has brought already.
            Some(Slot::Ready(_)) => {}
            Some(Slot::Loading { seen, .. }) => seen.push(recorded),
            None => {}
        }
    }

    /// Puts the waiting commands back into the queue, deciding again those whose stream has changed under them.
    fn decide_again(&mut self, waiting: Vec<Decided>, touched: &HashSet<StreamId>) {
        for stream in touched {
            if let Some(ready) = self.cache.ready_mut(stream) {
                ready.ahead = None;
            }
        }
        for decided in waiting {
            let stream = decided.request.stream();
            if touched.contains(&stream) {
                self.settle(&stream, decided.request.command_id);
                self.known_ids.insert(decided.request.command_id);
                self.decide(decided.request, decided.reply);
            } else {
                self.queue.push(decided);
            }
        }
    }

    fn settle(&mut self, stream: &StreamId, command_id: Uuid) {
        self.known_ids.remove(&command_id);
        if let Some(ready) = self.cache.ready_mut(stream) {
            ready.undecided_or_flying -= 1;
        }
    }

    /// Gives up on the flying batch, and decides again what rested on it.
    pub(super) fn fail(&mut self, reason: &str) {
        self.misses = 0;
        self.broken_since_us = None;
        let reason: Arc<str> = reason.into();
        let mut touched = HashSet::new();
        for decided in std::mem::take(&mut self.flying) {
            let stream = decided.request.stream();
            self.settle(&stream, decided.request.command_id);
            touched.insert(stream);
            let _ = decided.reply.send(Err(ExecuteError::Unavailable(Arc::clone(&reason))));
        }
        // What rested on the failed batch is not decided on a guess about it: its aggregates are read anew.
        let (rest, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.queue)
            .into_iter()
            .partition(|decided| touched.contains(&decided.request.stream()));
        self.queue = kept;
        for decided in rest {
            self.known_ids.remove(&decided.request.command_id);
            let _ = decided.reply.send(Err(ExecuteError::Unavailable(Arc::clone(&reason))));
        }
        for stream in &touched {
            self.cache.forget(stream);
        }
        self.head_sender.send_replace(self.head);
    }
}

pub(super) fn understood(stored: &StoredEvent) -> Result<Recorded, LogError> {
    decode(stored).map_err(|source| LogError::Decode {
        stream: format!("{}-{}", stored.aggregate_type, stored.aggregate_id).into(),
        sequence: stored.sequence,
        source,
    })
}

/// Reads what others appended since `known`, up to the head, which is kept locked if asked to.
async fn recovery(log: &dyn Log, known: Head, ids: &[Uuid], lock: bool) -> Result<Recovery, LogError> {
    const PAGE: i64 = 5_000;
    let answers = if ids.is_empty() { Vec::new() } else { log.answers(ids).await? };
    let mut guard = if lock { Some(log.lock().await?) } else { None };
    let head = match &guard {
        Some(guard) => guard.head(),
        None => log.head().await?,
    };
    let mut foreign = Vec::new();
    let mut after = known.position;
    while after < head.position {
        let limit = PAGE.min(head.position - after);
        let page = match &mut guard {
            Some(guard) => guard.read(after, limit).await?,
            None => log.read(after, limit).await?,
        };
        let Some(last) = page.last() else {
            return Err(LogError::Gap { after, found: head.position });
        };
        after = last.position;
        for stored in &page {
            foreign.push(understood(stored)?);
        }
    }
    Ok(Recovery { head, foreign, answers, guard })
}

fn first_answer(request: &Request, answer: &Answer, incarnation: Uuid) -> Result<Executed, ExecuteError> {
    if answer.fingerprint != request.fingerprint || answer.stream != request.stream() {
        return Err(ExecuteError::IdReused);
    }
    let token = Token { incarnation, position: answer.position };
    match &answer.refusal {
        Some(row) => match serde_json::from_str(row) {
            Ok(refusal) => {
                let refused = Refused { refusal, version: answer.version, token, replayed: true };
                Err(ExecuteError::Refused(Box::new(refused)))
            }
            Err(error) => Err(ExecuteError::Unavailable(error.to_string().into())),
        },
        None => Ok(Executed {
            version: answer.version,
            events: Vec::new(),
            positions: (answer.events > 0)
                .then(|| (answer.position - i64::from(answer.events) + 1, answer.position)),
            token,
            replayed: true,
        }),
    }
}
