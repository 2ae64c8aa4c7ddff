//! A shop on a real log: executor, process managers, policies, timers and the simulated gateway, with a clock that
//! stands until told.

use std::sync::Arc;

use api::{
    clients::is_for_clients,
    outbound::{behaviour::LATE_AFTER, simulator::Simulator},
};
use async_trait::async_trait;
use domain::{
    AnyCommand, AnyEvent,
    process::{POLICIES, process_of},
    value::Time,
};
use serde_json::Value as Json;
use sqlx::PgPool;
use store::{
    engine::Engine,
    executor::{Cause, ExecuteError, Origin, Request, derived_id},
    json::ToJson as _,
    log::{Batch, Metadata, NewEvent, Position, Recorded, StreamId, digest},
    ports::Clock as _,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{
    Answer, Entry, Stuck, World,
    clock::Calendar,
    domain::name_of_command,
    owed::{Owed, owed},
    place::{Place, PlaceError},
    rest::{Look, Resting, Workers, next_timer},
};
use crate::{
    bind::{Noun, START},
    steps::Stream,
};

/// Events of the log that are read at a time.
const PAGE: i64 = 2_000;

/// A shop on a real log.
pub(super) struct StoreWorld {
    pub(super) calendar: Arc<Calendar>,
    pub(super) engine: Engine,
    pool: PgPool,
    workers: Workers,
    /// Up to where the log has been read.
    known: Position,
    entries: Vec<Entry>,
    owed: Vec<Owed>,
    /// Whether anything was done since the last rest.
    pub(super) stirred: bool,
    /// Brings the gateway's late answers, and word of new events.
    deliveries: JoinSet<()>,
}

impl StoreWorld {
    /// Opens on empty tables.
    pub(super) async fn open(place: &Place) -> Result<Self, PlaceError> {
        let calendar = Arc::new(Calendar::new(START));
        let engine = place.engine(Arc::clone(&calendar), false).await?;
        Ok(Self::on(engine, calendar, place.log.clone()))
    }

    /// The same around an engine that others follow as well.
    pub(super) fn on(mut engine: Engine, calendar: Arc<Calendar>, pool: PgPool) -> Self {
        engine.manage();
        let (simulator, late) = Simulator::new();
        engine.ask(Arc::new(simulator));
        let mut deliveries = JoinSet::new();
        deliveries.spawn(late.run(engine.payment_results(), Arc::clone(&calendar) as _, LATE_AFTER));
        let (feed, mut head) = (engine.feed.clone(), engine.executor.head());
        // Everybody else would look for themselves, after a while.
        deliveries.spawn(async move {
            while head.changed().await.is_ok() {
                feed.look();
            }
        });
        Self {
            calendar,
            workers: Workers { reached: engine.reached(), filled: engine.progress() },
            engine,
            pool,
            known: 0,
            entries: vec![],
            owed: vec![],
            stirred: true,
            deliveries,
        }
    }

    /// Closes in order.
    pub(super) async fn close(mut self) {
        self.workers.idle(self.known, self.engine.clock.elapsed_us()).await;
        self.deliveries.shutdown().await;
        self.engine.stop().await;
    }

    /// Reads what is new in the log.
    async fn read_on(&mut self) -> Result<(), Stuck> {
        loop {
            let page = self.recorded(self.known, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            for recorded in page {
                self.known = recorded.position;
                self.owed.extend(recorded.meant().flat_map(owed));
                let StreamId { aggregate_type, id } = recorded.stream;
                let (stream, at) =
                    (Stream { aggregate_type, id: String::from(&*id) }, recorded.metadata.occurred_at);
                let events = recorded.events.into_iter();
                self.entries.extend(events.map(|event| Entry::Event { stream: stream.clone(), event, at }));
            }
        }
    }

    /// So many events after a position.
    pub(super) async fn recorded(&self, after: Position, count: i64) -> Result<Vec<Recorded>, Stuck> {
        self.engine.log.recorded_after(after, count).await.map_err(stuck)
    }

    /// Lets everything happen that is due until then, each thing at its own time.
    async fn until(&mut self, end: Time) -> Result<(), Stuck> {
        self.rest().await?;
        loop {
            let now = self.calendar.now();
            let timer = next_timer(&self.pool, now, end).await.map_err(stuck)?;
            let awaited = self.calendar.awaited().into_iter().find(|moment| *moment <= end);
            let Some(next) = timer.into_iter().chain(awaited).min() else { break };
            self.calendar.turn_to(next);
            self.stirred = true;
            self.rest().await?;
        }
        self.calendar.turn_to(end);
        Ok(())
    }

    /// Remembers a command that was refused to who asked in the scenario.
    pub(super) async fn refused(
        &mut self,
        stream: &Stream,
        command: AnyCommand,
        refusal: domain::AnyRefusal,
    ) -> Result<Answer, Stuck> {
        self.read_on().await?;
        let (by, stream) = ("client".to_owned(), stream.clone());
        self.entries.push(Entry::Refusal { by, stream, command, refusal: refusal.clone() });
        Ok(Answer::Refused(refusal))
    }

    fn request(&self, command_id: Uuid, stream: &Stream, command: AnyCommand) -> Result<Request, Stuck> {
        let client = is_for_clients(&command);
        Ok(Request {
            aggregate_id: stream.id.as_str().into(),
            fingerprint: self.engine.fingerprints.of(&command).map_err(stuck)?,
            cause: Cause {
                actor: if client { "guest".into() } else { sender(&command).into() },
                correlation_id: command_id,
                causation_id: command_id,
                occurred_at: None,
                traceparent: None,
            },
            command,
            command_id,
            origin: if client { Origin::Client } else { Origin::Derived },
            expected_version: None,
        })
    }
}

#[async_trait]
impl World for StoreWorld {
    async fn set_clock(&mut self, now: Time) -> Result<(), Stuck> {
        self.read_on().await?;
        if self.known == 0 {
            // Time may begin earlier than at the usual start: then nobody has looked at the clock yet.
            self.calendar.begin_at(now);
            return Ok(());
        }
        self.until(now).await
    }

    async fn happened(&mut self, stream: &Stream, events: Vec<AnyEvent>) -> Result<(), Stuck> {
        let (now, now_us) = (self.calendar.now(), self.calendar.now_us());
        let locked = self.engine.log.lock().await.map_err(stuck)?;
        let head = locked.head().position;
        let id = StreamId::new(stream.aggregate_type, &stream.id);
        let sequence = self.engine.log.load(&id, 0).await.map_err(stuck)?.len();
        let mut batch = Batch::default();
        for (event, nth) in events.iter().zip(1_i64..) {
            let event_id = derived_id(Uuid::NAMESPACE_OID, "given", head + nth - 1);
            let metadata = Metadata {
                occurred_at: now,
                actor: "system:scenario".into(),
                correlation_id: event_id,
                causation_id: event_id,
                command_id: event_id,
                traceparent: None,
            };
            let mut row = NewEvent {
                stream: id.clone(),
                sequence: i64::try_from(sequence).unwrap_or(i64::MAX).saturating_add(nth),
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload: event.to_json().map_err(stuck)?,
                metadata: serde_json::to_string(&metadata).map_err(stuck)?,
                event_id,
                recorded_at_us: now_us,
                digest: [0; 32],
            };
            row.digest = digest(&row);
            batch.events.push(Arc::new(row));
        }
        locked.append(&batch).await.map_err(stuck)?;
        self.engine.feed.look();
        self.stirred = true;
        Ok(())
    }

    async fn ask(&mut self, command_id: Uuid, stream: &Stream, command: AnyCommand) -> Result<Answer, Stuck> {
        let request = self.request(command_id, stream, command.clone())?;
        self.stirred = true;
        match self.engine.executor.execute_in_turn(request).await {
            // It happened already; nothing comes of it again.
            Ok(executed) if executed.replayed => Ok(Answer::Accepted(vec![])),
            Ok(executed) => {
                Ok(Answer::Accepted(executed.events.into_iter().map(|(_, event)| event).collect()))
            }
            Err(ExecuteError::Refused(refused)) if refused.replayed => Ok(Answer::Refused(refused.refusal)),
            Err(ExecuteError::Refused(refused)) => self.refused(stream, command, refused.refusal).await,
            Err(error) => Err(stuck(error)),
        }
    }

    async fn rest(&mut self) -> Result<(), Stuck> {
        if !self.stirred {
            return Ok(());
        }
        let mut resting = Resting::begin();
        loop {
            let now = self.calendar.now();
            let due = self.owed.iter().filter(|owed| owed.due <= now);
            let answers: Vec<_> = due.filter_map(|owed| owed.command_id).collect();
            let look = Look::at(&self.pool, now, &answers).await.map_err(stuck)?;
            if look.head > self.known {
                self.read_on().await?;
            }
            if resting.seen(look, &self.workers, &self.calendar, &self.owed).await? {
                self.stirred = false;
                return Ok(());
            }
        }
    }

    async fn pass(&mut self, ms: i64) -> Result<(), Stuck> {
        self.until(self.calendar.now().plus_millis(ms)).await
    }

    async fn entries(&mut self) -> Result<Vec<Entry>, Stuck> {
        self.read_on().await?;
        Ok(self.entries.clone())
    }

    async fn read(&mut self, _: Noun, _: &str) -> Result<Option<Json>, Stuck> {
        Ok(None)
    }
}

/// Who in the shop sends what no client may.
fn sender(command: &AnyCommand) -> String {
    let (aggregate_type, name) = (command.aggregate_type(), name_of_command(command));
    let wants = |kinds: &[domain::process::Kind]| kinds.contains(&(aggregate_type, name.as_str()));
    let process = process_of(aggregate_type).map(|process| process.name);
    let policy = || POLICIES.iter().find(|policy| wants(policy.wants)).map(|policy| policy.name);
    format!("system:{}", process.or_else(policy).unwrap_or("gateway"))
}

pub(super) fn stuck(error: impl std::fmt::Display) -> Stuck {
    Stuck(error.to_string())
}
