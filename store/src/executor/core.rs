//! The executor's one loop: it alone holds the aggregates, decides, and has at most one append on its way.

use std::{
    collections::{HashSet, VecDeque},
    ops::ControlFlow,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use tokio::sync::{broadcast, mpsc, watch};
use uuid::Uuid;

use super::{
    Appended, ExecuteError, Executor, Foreseen, Limits, Reply, Request,
    cache::{Cache, Slot},
    decided::{Decided, Decision, batch, decide},
    durable::Durable,
    foreseen,
    load::{Loading, load, save},
    recover::{Recovery, STEP_TIMEOUT, Search},
    sequel::fallen,
};
use crate::{
    log::{AppendError, Head, LockedLog, Log, LogError, Position, Snapshot, StreamId},
    ports::{Clock, Ids},
};

/// Aggregates that are loaded at once; appends, leases and timers need connections too.
const LOADS_AT_ONCE: usize = 8;
/// Appends whose events a listener may be behind by before it has to read the log.
const APPENDED_KEPT: usize = 64;
/// Snapshots that are written at once.
const SAVES_AT_ONCE: usize = 2;
/// How often an append waits for what follows from what was just decided.
const STEPS_AWAITED: usize = 16;

/// Starts an executor on a log: the door to it, and the future that must be driven for it to work.
///
/// # Errors
/// When the log's head cannot be read.
pub async fn run(
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    limits: Limits,
) -> Result<(Executor, impl Future<Output = ()> + Send), LogError> {
    let head = log.head().await?;
    let (sender, requests) = mpsc::channel(limits.waiting_max);
    let (head_sender, head_receiver) = watch::channel(head);
    let executor = Executor {
        requests: sender,
        head: head_receiver,
        appended: broadcast::Sender::new(APPENDED_KEPT),
        foreseen: broadcast::Sender::new(foreseen::KEPT),
    };
    let core = Core {
        log,
        clock,
        ids,
        limits,
        head,
        head_sender,
        appended: executor.appended.clone(),
        foreseen: executor.foreseen.clone(),
        cache: Cache::new(limits.cache_bytes_max, limits.snapshot_every),
        queue: Vec::new(),
        flying: Vec::new(),
        durable: Durable::default(),
        appending_since_us: 0,
        quickest_append_us: 1_000_000,
        known_ids: HashSet::new(),
        folded: head.position,
        touched: HashSet::new(),
        unreadable: HashSet::new(),
        loading: 0,
        loads: 0,
        to_load: VecDeque::new(),
        snapshots: VecDeque::new(),
        misses: 0,
        foretold: false,
        broken_since_us: None,
    };
    Ok((executor, core.run(requests)))
}

pub(super) struct Core {
    pub(super) log: Arc<dyn Log>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
    pub(super) limits: Limits,
    pub(super) head: Head,
    pub(super) head_sender: watch::Sender<Head>,
    pub(super) appended: broadcast::Sender<Appended>,
    pub(super) foreseen: broadcast::Sender<Arc<Foreseen>>,
    pub(super) cache: Cache,
    /// Decided, not yet in an append.
    pub(super) queue: Vec<Decided>,
    /// In the append that is on its way.
    pub(super) flying: Vec<Decided>,
    /// What the last append made durable: told while the next one is on its way.
    pub(super) durable: Durable,
    /// When the last append was sent off.
    pub(super) appending_since_us: i64,
    /// How long an append took of late, at its quickest.
    pub(super) quickest_append_us: i64,
    /// Ids of everything taken up and not yet answered.
    pub(super) known_ids: HashSet<Uuid>,
    /// Up to where other processes' events are folded in; before a recovery is complete, ahead of `head`.
    pub(super) folded: Position,
    /// Aggregates that the recovery under way has changed.
    pub(super) touched: HashSet<StreamId>,
    /// Aggregates with an event that this program cannot read.
    pub(super) unreadable: HashSet<StreamId>,
    /// Commands whose aggregate is being loaded.
    pub(super) loading: usize,
    /// Loads that were ever begun: each has a number.
    pub(super) loads: u64,
    /// Aggregates that are to be loaded, once fewer are.
    pub(super) to_load: VecDeque<(u64, StreamId)>,
    /// Snapshots that are to be written; the next one of a stream takes the place of one that waits.
    pub(super) snapshots: VecDeque<Snapshot>,
    /// Appends in a row that found the head moved, or a stream that was taken to be empty.
    pub(super) misses: u32,
    /// Whether anybody was told of late what a command will have come to.
    foretold: bool,
    pub(super) broken_since_us: Option<i64>,
}

pub(super) enum Step {
    Appended(Result<Head, AppendError>),
    Recovered(Box<Result<Recovery, LogError>>),
}

impl Core {
    async fn run(mut self, mut requests: mpsc::Receiver<(Box<Request>, Reply)>) {
        let mut loads: FuturesUnordered<BoxFuture<'static, Loading>> = FuturesUnordered::new();
        let mut saving: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
        let mut step: Option<BoxFuture<'static, Step>> = None;
        let mut incoming = Vec::new();
        let mut open = true;
        while open || step.is_some() || !loads.is_empty() || !self.queue.is_empty() {
            let room = self.has_room();
            tokio::select! {
                biased;
                Some(done) = OptionFuture::from(step.as_mut()) => match self.advance(done) {
                    ControlFlow::Continue(next) => step = next,
                    // Dropping everything answers every caller.
                    ControlFlow::Break(()) => return,
                },
                Some((load, stream, result)) = loads.next(), if !loads.is_empty() => {
                    if self.cache.awaits(&stream, load) {
                        self.loaded(&stream, result);
                    }
                }
                Some(()) = saving.next(), if !saving.is_empty() => {}
                count = requests.recv_many(&mut incoming, 1_024), if open && room => {
                    open = count > 0;
                    for (request, reply) in incoming.drain(..) {
                        self.take_up(request, reply);
                    }
                }
            }
            while loads.len() < LOADS_AT_ONCE
                && let Some(next) = self.to_load.pop_front()
            {
                loads.push(load(Arc::clone(&self.log), Arc::clone(&self.clock), next).boxed());
            }
            while saving.len() < SAVES_AT_ONCE
                && let Some(snapshot) = self.snapshots.pop_front()
            {
                saving.push(save(Arc::clone(&self.log), self.head, snapshot).boxed());
            }
            if step.is_none() && self.goes_at_once() {
                let mut next = self.append(None);
                step = Some(match futures::poll!(&mut next) {
                    Poll::Pending => next,
                    Poll::Ready(done) => futures::future::ready(done).boxed(),
                });
            }
            self.tell();
            if step.is_none() && !self.queue.is_empty() {
                // Whoever was answered just now and is ready to call again comes along, not one append later; and so does what
                // follows from what was decided.
                for _ in 0..STEPS_AWAITED {
                    self.foretold = false;
                    tokio::task::yield_now().await;
                    while self.has_room()
                        && let Ok((request, reply)) = requests.try_recv()
                    {
                        self.take_up(request, reply);
                    }
                    if !self.foretold {
                        break;
                    }
                }
                step = Some(self.append(None));
            }
        }
    }

    fn has_room(&self) -> bool {
        self.queue.len() + self.flying.len() + self.loading < self.limits.undurable_max
    }

    /// Decides a command, or has its aggregate loaded first.
    fn take_up(&mut self, request: Box<Request>, reply: Reply) {
        if !self.known_ids.insert(request.command_id) {
            reply.send_instead(Err(ExecuteError::InFlight));
            return;
        }
        let stream = request.stream();
        match self.cache.get_mut(&stream) {
            Some(Slot::Ready(_)) => self.decide(request, reply),
            Some(Slot::Loading { .. }) => self.load_for(request, reply),
            // Nearly always there is nothing to read: the append proves it, and where it does not the stream is read.
            None if request.command.expects_no_stream() => {
                self.cache.guess_empty(&stream);
                self.decide(request, reply);
            }
            None => self.load_for(request, reply),
        }
    }

    pub(super) fn decide(&mut self, request: Box<Request>, mut reply: Reply) {
        let stream = request.stream();
        if reply.has_fallen() {
            self.known_ids.remove(&request.command_id);
            reply.send_instead(Err(fallen()));
            // Whoever waits until this id is in flight no longer hears of it by the head.
            self.head_sender.send_replace(self.head);
            return;
        }
        let ready = match self.cache.get_mut(&stream) {
            Some(Slot::Ready(ready)) => ready,
            // One before it has found that it must be read.
            Some(Slot::Loading { .. }) => return self.load_for(request, reply),
            None => {
                self.known_ids.remove(&request.command_id);
                let why = "the aggregate is not in memory";
                return reply.send_instead(Err(ExecuteError::Unavailable(why.into())));
            }
        };
        let (unproven, first) = (ready.is_unproven(), ready.is_behind_no_other());
        let newest = ready.newest();
        let (decision, decided_at_us) = decide(&request, newest, &*self.clock, &*self.ids);
        self.foretold |= reply.foretell(&decision, newest.sequence == 0);
        let version = match &decision {
            Decision::Accepted { events, .. } if !events.is_empty() => ready.expect(events),
            _ => newest.sequence,
        };
        ready.undecided_or_flying += 1;
        self.cache.touch(&stream);
        let rests_on_empty = unproven && !decision.happened();
        self.foretold |= first && self.foresee(&request, &mut reply, &decision, decided_at_us);
        self.queue.push(Decided { request, reply, decision, version, decided_at_us, rests_on_empty });
    }

    /// Sends off as much of the queue as one append takes.
    pub(super) fn append(&mut self, guard: Option<Box<dyn LockedLog>>) -> BoxFuture<'static, Step> {
        let mut events = 0;
        let take = self
            .queue
            .iter()
            .take_while(|decided| {
                events += decided.events();
                events <= self.limits.batch_events_max || events == decided.events()
            })
            .count();
        let rest = self.queue.split_off(take.max(1).min(self.queue.len()));
        self.flying = std::mem::replace(&mut self.queue, rest);
        self.appending_since_us = self.clock.elapsed_us();
        let batch = batch(&self.flying, self.head.position);
        let head = self.head;
        let (log, clock) = (Arc::clone(&self.log), Arc::clone(&self.clock));
        async move {
            let append = async {
                match guard {
                    Some(guard) => guard.append(&batch).await,
                    None => log.append(&head, &batch).await,
                }
            };
            Step::Appended(tokio::select! {
                appended = append => appended,
                // A connection that has gone silent; whether it was written is looked up as after any break.
                () = clock.sleep(STEP_TIMEOUT) => Err(AppendError::timed_out()),
            })
        }
        .boxed()
    }

    /// Takes in how the step on its way ended, and says which comes next; breaks when the log is another one.
    fn advance(&mut self, done: Step) -> ControlFlow<(), Option<BoxFuture<'static, Step>>> {
        let next = match done {
            Step::Appended(Ok(head)) => {
                self.misses = 0;
                self.broken_since_us = None;
                self.durable(head);
                None
            }
            Step::Appended(Err(AppendError::Missed)) => {
                self.misses += 1;
                // An append whose outcome was unknown may be what has moved the head, however late.
                let look_up = self.broken_since_us.is_some();
                // The first miss reads on and tries again; from the second on the head's lock makes sure of it.
                Some(self.recover(Search { look_up, lock: self.misses >= 2 }, Duration::ZERO))
            }
            Step::Appended(Err(AppendError::StreamMoved)) if self.rests_on_a_guess() => {
                Some(self.recover(Search { look_up: true, lock: false }, Duration::ZERO))
            }
            Step::Appended(Err(AppendError::Answered)) => {
                Some(self.recover(Search { look_up: true, lock: false }, Duration::ZERO))
            }
            Step::Appended(Err(AppendError::Unknown(error))) => {
                tracing::warn!(%error, "the outcome of an append is unknown; looking it up");
                self.retry_or_fail(&(&error).into())
            }
            Step::Appended(Err(error @ AppendError::OtherLog)) => {
                tracing::error!(%error, "nothing that this process knows can be trusted: it stops");
                return ControlFlow::Break(());
            }
            Step::Appended(Err(error @ (AppendError::StreamMoved | AppendError::Refused(_)))) => {
                self.refused(&error)
            }
            Step::Recovered(recovered) => match *recovered {
                Ok(recovery) => self.recovered(recovery),
                Err(LogError::Database(error)) => self.retry_or_fail(&(&error).into()),
                Err(error @ LogError::OtherLog) => {
                    tracing::error!(%error, "nothing that this process knows can be trusted: it stops");
                    return ControlFlow::Break(());
                }
                Err(error) => {
                    tracing::error!(%error, "the log cannot be read on");
                    self.fail(&(&error).into());
                    None
                }
            },
        };
        ControlFlow::Continue(next)
    }
}
