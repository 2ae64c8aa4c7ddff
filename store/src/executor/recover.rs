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
    core::{Core, Step},
    decided::Decided,
    sequel::fallen,
};
use crate::{
    json,
    log::{
        Answer, DecodeError, Decoder, Head, LockedLog, Log, LogError, Position, Recorded, StoredEvent,
        StreamId, understand,
    },
    outage::Outage,
};

/// Events read at a time; a process that has fallen far behind takes several rounds, not all of it into memory.
const PAGE: i64 = 5_000;
/// How long the log may take for one step before its outcome counts as unknown.
pub(super) const STEP_TIMEOUT: Duration = Duration::from_secs(15);

/// What recovery is to find out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    /// Whether some of the batch's commands may have answers already.
    pub look_up: bool,
    /// Whether to keep the head locked from here on.
    pub lock: bool,
}

/// What recovery found out.
pub(super) struct Recovery {
    search: Search,
    head: Head,
    foreign: Vec<StoredEvent>,
    /// What came of reading those that are not stored in the form of today: it may take others to read them. The rest is
    /// read when it turns out to be of an aggregate in memory.
    old: HashMap<Position, Result<Recorded, DecodeError>>,
    /// Up to where `foreign` goes; before the head when there is more to read.
    reached: Position,
    answers: Vec<Answer>,
    guard: Option<Box<dyn LockedLog>>,
}

impl Core {
    /// Tries again for a while after the connection broke, then gives the batch up.
    pub(super) fn retry_or_fail(&mut self, outage: &Outage) -> Option<BoxFuture<'static, Step>> {
        let now_us = self.clock.elapsed_us();
        let since_us = *self.broken_since_us.get_or_insert(now_us);
        let waited = Duration::from_micros(u64::try_from(now_us - since_us).unwrap_or(0));
        if waited < self.limits.give_up_after {
            return Some(self.recover(Search { look_up: true, lock: false }, Duration::from_millis(100)));
        }
        self.fail(outage);
        None
    }

    /// Finds out what has happened meanwhile.
    pub(super) fn recover(&self, search: Search, delay: Duration) -> BoxFuture<'static, Step> {
        let ids = if search.look_up {
            self.flying.iter().map(|decided| decided.request.command_id).collect()
        } else {
            vec![]
        };
        let (log, clock) = (Arc::clone(&self.log), Arc::clone(&self.clock));
        let (known, folded) = (self.head, self.folded);
        async move {
            if !delay.is_zero() {
                clock.sleep(delay).await;
            }
            let found = tokio::select! {
                found = recovery(&*log, known, folded, &ids, search) => found,
                () = clock.sleep(STEP_TIMEOUT) => Err(LogError::timed_out()),
            };
            Step::Recovered(Box::new(found))
        }
        .boxed()
    }

    /// Takes in what recovery found, and appends again what is still to be done.
    pub(super) fn recovered(&mut self, mut recovery: Recovery) -> Option<BoxFuture<'static, Step>> {
        for stored in &recovery.foreign {
            let old = recovery.old.remove(&stored.position);
            self.fold_foreign(stored, old);
        }
        self.folded = recovery.reached;
        if recovery.reached < recovery.head.position {
            return Some(self.recover(recovery.search, Duration::ZERO));
        }
        let moved = recovery.head.position > self.head.position;
        self.head = recovery.head;
        self.head_sender.send_replace(self.head);
        let mut touched = std::mem::take(&mut self.touched);
        let unreadable = std::mem::take(&mut self.unreadable);
        let mut answers: HashMap<Uuid, Answer> =
            recovery.answers.into_iter().map(|answer| (answer.command_id, answer)).collect();
        let pending: Vec<Decided> = self.flying.drain(..).chain(self.queue.drain(..)).collect();
        // An append that did not simply find the head moved may have failed because of a guess, and one under the lock must
        // not. Where the head has not moved at all, a stream is not empty.
        let all = recovery.search.look_up || recovery.search.lock;
        let guessed: HashSet<StreamId> = pending
            .iter()
            .map(|decided| (decided.rests_on_empty, decided.request.stream()))
            .filter(|(unproven, stream)| match all {
                true => *unproven || self.cache.is_guessed(stream),
                false => *unproven && !moved,
            })
            .map(|(_, stream)| stream)
            .collect();
        let mut waiting = Vec::with_capacity(pending.len());
        for decided in pending {
            let stream = decided.request.stream();
            let answer = match answers.remove(&decided.request.command_id) {
                Some(answer) => {
                    touched.insert(stream.clone());
                    first_answer(&decided.request, &answer, self.head.incarnation)
                }
                None if unreadable.contains(&stream) => Err(too_new()),
                None => {
                    waiting.push(decided);
                    continue;
                }
            };
            self.settle(&stream, decided.request.command_id);
            decided.reply.send_instead(answer);
        }
        for stream in &unreadable {
            self.give_up_loading(stream, &too_new());
            self.cache.forget(stream);
        }
        for stream in &guessed {
            self.cache.forget(stream);
        }
        let (unread, waiting): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|decided| guessed.contains(&decided.request.stream()));
        for Decided { request, reply, .. } in unread {
            self.load_for(request, reply);
        }
        self.decide_again(waiting, touched);
        if self.queue.is_empty() {
            if self.loading == 0 {
                self.broken_since_us = None;
                self.misses = 0;
            }
            return None;
        }
        Some(self.append(recovery.guard))
    }

    /// Folds an event of another process into its aggregate, if that is in memory.
    fn fold_foreign(&mut self, stored: &StoredEvent, old: Option<Result<Recorded, DecodeError>>) {
        // No stream of a kind that this program does not know is in memory.
        let Ok(aggregate_type) = stored.aggregate_type.parse() else { return };
        let stream = StreamId { aggregate_type, id: stored.aggregate_id.clone() };
        if self.cache.get_mut(&stream).is_none() {
            return;
        }
        match old.or_else(|| Decoder::default().read(stored)) {
            Some(Ok(recorded)) => {
                if self.cache.fold(&stream, recorded, stored.payload.len()) {
                    self.touched.insert(stream);
                }
            }
            unread => {
                let error = unread.and_then(Result::err);
                tracing::error!(%stream, ?error, "an event of another process cannot be read: upgrade this one");
                self.unreadable.insert(stream);
            }
        }
    }

    /// Puts the waiting commands back into the queue, deciding again those whose stream has changed under them, and leaving
    /// out those that followed from what is no longer so.
    pub(super) fn decide_again(&mut self, waiting: Vec<Decided>, mut touched: HashSet<StreamId>) {
        for stream in &touched {
            if let Some(ready) = self.cache.ready_mut(stream) {
                ready.expect_nothing();
            }
        }
        for decided in waiting {
            let stream = decided.request.stream();
            if decided.reply.has_fallen() {
                self.leave_out(decided, &mut touched);
            } else if touched.contains(&stream) {
                self.settle(&stream, decided.request.command_id);
                self.known_ids.insert(decided.request.command_id);
                self.decide(decided.request, decided.reply);
            } else {
                self.queue.push(decided);
            }
        }
    }

    /// Leaves out a command of a sequel that has fallen: whatever came to its stream later is decided again.
    fn leave_out(&mut self, decided: Decided, touched: &mut HashSet<StreamId>) {
        let stream = decided.request.stream();
        self.settle(&stream, decided.request.command_id);
        if touched.insert(stream.clone())
            && let Some(ready) = self.cache.ready_mut(&stream)
        {
            ready.expect_nothing();
            for kept in self.queue.iter().filter(|kept| kept.request.is_for(&stream)) {
                ready.expect(kept.decision.events());
            }
        }
        decided.reply.send_instead(Err(fallen()));
    }

    fn settle(&mut self, stream: &StreamId, command_id: Uuid) {
        self.known_ids.remove(&command_id);
        if let Some(ready) = self.cache.ready_mut(stream) {
            ready.undecided_or_flying -= 1;
        }
    }

    /// Gives up on the flying batch, and decides again what rested on it.
    pub(super) fn fail(&mut self, outage: &Outage) {
        self.misses = 0;
        self.broken_since_us = None;
        // What a recovery had begun to fold is read anew too.
        let mut touched: HashSet<_> = self.touched.drain().chain(self.unreadable.drain()).collect();
        for decided in std::mem::take(&mut self.flying) {
            let stream = decided.request.stream();
            self.settle(&stream, decided.request.command_id);
            touched.insert(stream);
            decided.reply.send_instead(Err(ExecuteError::Unavailable(outage.clone())));
        }
        // What rested on the failed batch is not decided on a guess about it: its aggregates are read anew. What followed from
        // it fails with it, and so does what rested on that.
        loop {
            let (rest, kept): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.queue).into_iter().partition(|decided| {
                    decided.reply.has_fallen() || touched.contains(&decided.request.stream())
                });
            self.queue = kept;
            if rest.is_empty() {
                break;
            }
            for decided in rest {
                self.known_ids.remove(&decided.request.command_id);
                touched.insert(decided.request.stream());
                decided.reply.send_instead(Err(ExecuteError::Unavailable(outage.clone())));
            }
        }
        for stream in &touched {
            self.give_up_loading(stream, &ExecuteError::Unavailable(outage.clone()));
            self.cache.forget(stream);
        }
        self.head_sender.send_replace(self.head);
    }
}

fn too_new() -> ExecuteError {
    let text = "the aggregate holds an event that this program cannot read: upgrade it";
    ExecuteError::Unavailable(Outage::too_new(text))
}

/// Reads a page of what others appended after `folded`, towards the head, which is kept locked if asked to.
async fn recovery(
    log: &dyn Log,
    known: Head,
    folded: Position,
    ids: &[Uuid],
    search: Search,
) -> Result<Recovery, LogError> {
    let mut guard = if search.lock { Some(log.lock().await?) } else { None };
    let head = match &guard {
        Some(guard) => guard.head(),
        None => log.head().await?,
    };
    // This process's own head always ends a batch. A log without that very link was restored, or lost its end.
    // A head that stands before it was moved by somebody.
    let link = match &mut guard {
        Some(guard) => guard.link_at(known.position).await?,
        None => log.link_at(known.position).await?,
    };
    if head.incarnation != known.incarnation
        || head.position < known.position
        || link != (known.position, known.link)
    {
        return Err(LogError::OtherLog);
    }
    // Asked for after the head: of whatever is in the log up to there the answers are there too.
    let answers = match &mut guard {
        _ if ids.is_empty() => Vec::new(),
        Some(guard) => guard.answers(ids).await?,
        None => log.answers(ids).await?,
    };
    let limit = PAGE.min(head.position - folded);
    let foreign = match &mut guard {
        _ if limit <= 0 => Vec::new(),
        Some(guard) => guard.read(folded, limit).await?,
        None => log.read(folded, limit).await?,
    };
    let reached = foreign.last().map_or(folded, |last| last.position);
    if reached < head.position && foreign.is_empty() {
        return Err(LogError::Gap { after: reached, found: head.position });
    }
    let (mut old, mut decoder) = (HashMap::new(), Decoder::default());
    for stored in foreign.iter().filter(|stored| !stored.is_current()) {
        old.insert(stored.position, understand(log, &mut decoder, stored).await?);
    }
    Ok(Recovery { search, head, foreign, old, reached, answers, guard })
}

fn first_answer(request: &Request, answer: &Answer, incarnation: Uuid) -> Result<Executed, ExecuteError> {
    if answer.fingerprint != request.fingerprint || answer.stream != request.stream() {
        return Err(ExecuteError::IdReused);
    }
    let token = Token { incarnation, position: answer.position };
    match &answer.refusal {
        Some(row) => match json::refusal(row) {
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
