//! Drives process managers and policies: what they learn, and what they want done.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use domain::{
    AnyCommand, AnyEvent,
    process::{Issue, Policy, Process, Refused},
};
use futures::future::try_join_all;
use sqlx::PgPool;
use uuid::Uuid;

use super::{
    recent::Recent,
    setting::{Setting, Wanted, timer},
    way::{Told, Way},
};
use crate::{
    executor::{Cause, ExecuteError, Executor, Origin, Request, Sequel, derived_id},
    follow::{Foresee, React, ReactError},
    log::{Decoder, Log, Meant, Position, StreamId, understand},
    ports::Clock,
    secrets::Fingerprints,
};

/// What process managers want is known by.
const COMMAND: &str = "command";
/// Events behind the log's end from where on a policy no longer takes its time.
const LATE: Position = 1_000;

/// Runs the commands that others than clients want; cheap to clone.
#[derive(Clone)]
pub struct Driver {
    /// Runs its commands.
    pub executor: Executor,
    /// Where a repeated input's events are read again.
    pub log: Arc<dyn Log>,
    /// Tells repeats.
    pub fingerprints: Fingerprints,
    /// Sets timers.
    timers: Setting,
    /// What the streams of instances begin with.
    firsts: Recent<StreamId, Arc<AnyEvent>>,
    /// Where the log stood when it began: what came before may be done already.
    began: Position,
}

/// A process manager that follows the log.
pub struct Managing {
    /// Which.
    pub process: &'static Process,
    /// Runs its commands.
    pub driver: Driver,
}

/// A policy that follows the log.
pub struct Following {
    /// Which.
    pub policy: &'static Policy,
    /// Runs its commands.
    pub driver: Driver,
}

/// One instance of a process manager, and the business transaction that it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Instance<'a> {
    pub process: &'static Process,
    pub id: &'a str,
    pub correlation_id: Uuid,
}

/// Something that an instance learns, under the id that makes learning it twice the same as once.
#[derive(Clone)]
pub(super) struct Input {
    pub command_id: Uuid,
    pub causation_id: Uuid,
    pub command: AnyCommand,
}

/// Who wants something done, and because of what.
#[derive(Clone, Copy)]
struct Want {
    name: &'static str,
    correlation_id: Uuid,
    causation_id: Uuid,
    /// What the cause is known by: the ids of its commands derive from that.
    known_by: Uuid,
    /// Whether the cause is long past: much waits behind it.
    late: bool,
}

/// Something that an instance concluded.
pub(super) struct Concluded {
    pub event_id: Uuid,
    /// What it is known by: as [`Meant::id`] says.
    pub known_by: Uuid,
    pub event: AnyEvent,
}

impl From<(Uuid, AnyEvent)> for Concluded {
    fn from((event_id, event): (Uuid, AnyEvent)) -> Self {
        Self { event_id, known_by: event_id, event }
    }
}

#[async_trait]
impl React for Managing {
    fn name(&self) -> &'static str {
        self.process.name
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        (self.process.input)(meant.fact()).map(|(instance, _)| instance)
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        let Some((id, command)) = (self.process.input)(meant.fact()) else {
            return Ok(());
        };
        let (instance, input) = self.learned(meant, &id, command);
        // What was done before is found by its ids, and nothing can be foretold of it.
        if meant.recorded.position > self.driver.began {
            match self.driver.learn(instance, input.clone(), &Way::ahead(Sequel::default())).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::debug!(manager = instance.process.name, id = &*id, %error, "once more, in turn")
                }
            }
        }
        self.driver.learn(instance, input, &Way::InTurn).await
    }

    fn foresees(&self) -> Option<&dyn Foresee> {
        Some(self)
    }
}

#[async_trait]
impl Foresee for Managing {
    async fn react_ahead(&self, meant: Meant<'_>, sequel: &Sequel) -> Result<(), ReactError> {
        let Some((id, command)) = (self.process.input)(meant.fact()) else {
            return Ok(());
        };
        let (instance, input) = self.learned(meant, &id, command);
        self.driver.learn(instance, input, &Way::ahead(sequel.clone())).await
    }
}

impl Managing {
    /// Who learns what from an event.
    fn learned<'a>(&self, meant: Meant<'_>, id: &'a str, command: AnyCommand) -> (Instance<'a>, Input) {
        let recorded = meant.recorded;
        let correlation_id = recorded.metadata.correlation_id;
        let command_id = derived_id(meant.id(), self.process.name, 0);
        let input = Input { command_id, causation_id: recorded.event_id, command };
        (Instance { process: self.process, id, correlation_id }, input)
    }
}

#[async_trait]
impl React for Following {
    fn name(&self) -> &'static str {
        self.policy.name
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        let wanted = !(self.policy.issues)(meant.fact()).is_empty();
        wanted.then(|| meant.recorded.stream.id.clone())
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        let issues = (self.policy.issues)(meant.fact());
        let recorded = meant.recorded;
        let want = Want {
            name: self.policy.name,
            correlation_id: recorded.metadata.correlation_id,
            causation_id: recorded.event_id,
            known_by: meant.id(),
            late: self.driver.executor.head().borrow().position - recorded.position > LATE,
        };
        let refused = self.driver.carry_out(&Way::InTurn, want, self.policy.name, issues).await?;
        for Refused { refusal, .. } in refused {
            let (policy, code) = (self.policy.name, refusal.code());
            tracing::warn!(policy, code, position = recorded.position, "a policy's command was refused");
        }
        Ok(())
    }
}

impl Driver {
    /// A driver of what is wanted in this log.
    #[must_use]
    pub fn new(
        executor: Executor,
        log: Arc<dyn Log>,
        (pool, clock): (PgPool, Arc<dyn Clock>),
        fingerprints: Fingerprints,
    ) -> Self {
        let (timers, began) = (Setting::new(pool, clock), executor.head().borrow().position);
        Self { executor, log, fingerprints, timers, firsts: Recent::default(), began }
    }

    /// Lets an instance learn something, and does everything that it concludes from it, answers included.
    pub(super) async fn learn(
        &self,
        instance: Instance<'_>,
        input: Input,
        way: &Way,
    ) -> Result<(), ReactError> {
        let (mut inputs, mut first, mut is_new) = (VecDeque::from([input]), None, false);
        while let Some(input) = inputs.pop_front() {
            let want = instance.want(input.causation_id, input.causation_id);
            let request = self.request(instance.id, input.command, input.command_id, want)?;
            let Told { begins, concluded } =
                way.told(&self.executor, &*self.log, request).await?.map_err(again)?;
            if concluded.is_empty() {
                continue;
            }
            if let Some(beginning) = concluded.first().filter(|_| begins) {
                (first, is_new) = (Some(Arc::new(beginning.event.clone())), true);
            }
            let first = match &first {
                Some(first) => Arc::clone(first),
                None => Arc::clone(first.insert(self.first(instance).await?)),
            };
            for Concluded { event_id, known_by, event } in concluded {
                let issues = (instance.process.issues)(&first, &event);
                let refused = self.carry_out(way, instance.want(event_id, known_by), COMMAND, issues).await?;
                inputs.extend((instance.process.heard)(&event, refused).map(|command| Input {
                    command_id: derived_id(known_by, "answers", 0),
                    causation_id: event_id,
                    command,
                }));
            }
        }
        let timers = way.durable().await?;
        if let Some(first) = first.filter(|_| is_new) {
            self.firsts.remember(StreamId::new(instance.process.aggregate_type, instance.id), first);
        }
        try_join_all(timers.into_iter().map(|timer| self.timers.set(timer, true))).await.map(drop)
    }

    /// A timer fires: an instance of a process manager learns it, any other aggregate is commanded.
    pub(super) async fn fire(
        &self,
        name: &str,
        to: &str,
        correlation_id: Uuid,
        input: Input,
    ) -> Result<(), ReactError> {
        if let Some(process) = domain::process::process_of(input.command.aggregate_type()) {
            return self.learn(Instance { process, id: to, correlation_id }, input, &Way::InTurn).await;
        }
        let Some(name) = domain::process::name_of(name) else {
            return Err(ReactError(format!("nobody is called {name}")));
        };
        let Input { command_id, causation_id, command } = input;
        let want = Want { name, correlation_id, causation_id, known_by: causation_id, late: false };
        let request = self.request(to, command, command_id, want)?;
        match self.executor.execute_in_turn(request).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Refused(refused)) => {
                let code = refused.refusal.code();
                tracing::warn!(name, to, code, "what a timer wanted was refused");
                Ok(())
            }
            Err(error) => Err(again(error)),
        }
    }

    /// The event that an instance's stream begins with.
    async fn first(&self, instance: Instance<'_>) -> Result<Arc<AnyEvent>, ReactError> {
        let stream = StreamId::new(instance.process.aggregate_type, instance.id);
        if let Some(first) = self.firsts.get(&stream) {
            return Ok(first);
        }
        let mut decoder = Decoder::default();
        for stored in self.log.load(&stream, 0).await.map_err(again)? {
            let recorded = understand(&*self.log, &mut decoder, &stored).await.map_err(again)?;
            if let Some(first) = recorded.map_err(again)?.events.into_iter().next() {
                let first = Arc::new(first);
                self.firsts.remember(stream, Arc::clone(&first));
                return Ok(first);
            }
        }
        Err(ReactError(format!("{stream} is empty")))
    }

    /// Does what is wanted; returns what was refused of it.
    async fn carry_out(
        &self,
        way: &Way,
        want: Want,
        kind: &str,
        issues: Vec<Issue>,
    ) -> Result<Vec<Refused>, ReactError> {
        let (mut requests, mut timers) = (Vec::new(), Vec::new());
        for (issue, nth) in issues.into_iter().zip(0_i64..) {
            match issue {
                Issue::Command { to, command } => {
                    let id = derived_id(want.known_by, kind, nth);
                    requests.push(self.request(to, command, id, want)?);
                }
                Issue::Timer { due, to, command } => {
                    let wanted = Wanted { manager: want.name, correlation_id: want.correlation_id };
                    timers.push(timer(wanted, due, to, &command).map_err(again)?);
                }
            }
        }
        // What a manager learns next waits for what it wants now; a policy remembers nothing.
        let hurry = kind == COMMAND || want.late;
        let (mut along, now) = way.share_out(timers, !requests.is_empty());
        let timers = now.into_iter().map(|timer| self.timers.set(timer, hurry));
        let answers = requests.into_iter().map(|request| {
            // With the first of them.
            way.refusal(&self.executor, (request, std::mem::take(&mut along)))
        });
        let (answers, _) = futures::try_join!(try_join_all(answers), try_join_all(timers))?;
        Ok(answers
            .into_iter()
            .zip(0_u32..)
            .filter_map(|(refusal, index)| refusal.map(|refusal| Refused { index, refusal }))
            .collect())
    }

    fn request(
        &self,
        to: impl Into<Arc<str>>,
        command: AnyCommand,
        command_id: Uuid,
        want: Want,
    ) -> Result<Request, ReactError> {
        Ok(Request {
            aggregate_id: to.into(),
            fingerprint: self.fingerprints.of_kind(&command).map_err(again)?,
            command,
            command_id,
            origin: Origin::Derived,
            expected_version: None,
            cause: Cause {
                actor: format!("system:{}", want.name).into(),
                correlation_id: want.correlation_id,
                causation_id: want.causation_id,
                occurred_at: None,
                traceparent: None,
            },
        })
    }
}

impl Instance<'_> {
    const fn want(&self, causation_id: Uuid, known_by: Uuid) -> Want {
        let (name, correlation_id) = (self.process.name, self.correlation_id);
        Want { name, correlation_id, causation_id, known_by, late: false }
    }
}

pub(super) fn again(error: impl std::fmt::Display) -> ReactError {
    ReactError(error.to_string())
}
