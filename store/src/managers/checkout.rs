//! Drives checkouts.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use domain::{
    AggregateType, AnyEvent,
    checkout::{self, Command, Event, Issue, Plan, Refused},
};
use futures::future::try_join_all;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    executor::{Cause, ExecuteError, Executed, Executor, Origin, Request, derived_id},
    follow::{React, ReactError},
    log::{Log, Recorded, StreamId, decode},
    secrets::Fingerprints,
};

/// The manager's name: its checkpoint's, its timers' and its actor's.
pub(super) const NAME: &str = "checkout";

/// Feeds checkouts and does what they want done; cheap to clone.
#[derive(Clone)]
pub struct Checkouts {
    /// Runs its commands.
    pub executor: Executor,
    /// Where a repeated input's events are read again.
    pub log: Arc<dyn Log>,
    /// Where timers lie.
    pub pool: PgPool,
    /// Tells repeats.
    pub fingerprints: Fingerprints,
}

/// Which checkout, and the business transaction that it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Instance<'a> {
    pub id: &'a str,
    pub correlation_id: Uuid,
}

/// Something that a checkout learns, under the id that makes learning it twice the same as once.
pub(super) struct Input {
    pub command_id: Uuid,
    pub causation_id: Uuid,
    pub command: Command,
}

#[async_trait]
impl React for Checkouts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn lane(&self, recorded: &Recorded) -> Option<Box<str>> {
        let (order, _) =
            checkout::input(&recorded.stream.id, &recorded.event, recorded.metadata.occurred_at)?;
        Some(order.as_str().into())
    }

    async fn react(&self, recorded: &Recorded) -> Result<(), ReactError> {
        let input = checkout::input(&recorded.stream.id, &recorded.event, recorded.metadata.occurred_at);
        let Some((order, command)) = input else {
            return Ok(());
        };
        let instance = Instance { id: order.as_str(), correlation_id: recorded.metadata.correlation_id };
        let command_id = derived_id(recorded.event_id, NAME, 0);
        self.learn(instance, Input { command_id, causation_id: recorded.event_id, command }).await
    }
}

impl Checkouts {
    /// Lets a checkout learn something, and does everything that it concludes from it, answers included.
    pub(super) async fn learn(&self, instance: Instance<'_>, input: Input) -> Result<(), ReactError> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let cause = cause(instance, input.causation_id);
            let request = self.request(instance.id, input.command.into(), input.command_id, cause)?;
            let executed = self.executor.execute_in_turn(request).await.map_err(again)?;
            for (event_id, event) in self.concluded(instance.id, &executed).await? {
                inputs.extend(self.carry_out(instance, event_id, &event).await?);
            }
        }
        Ok(())
    }

    /// The manager's events behind an answer; a first answer given again has them in the log.
    async fn concluded(&self, instance: &str, executed: &Executed) -> Result<Vec<(Uuid, Event)>, ReactError> {
        let events = match executed.positions {
            None => return Ok(Vec::new()),
            Some(_) if !executed.replayed => executed.events.clone(),
            Some((first, last)) => {
                let stored = self.log.read(first - 1, last - first + 1).await.map_err(again)?;
                let decoded = stored.iter().map(decode).collect::<Result<Vec<_>, _>>().map_err(again)?;
                decoded.into_iter().map(|recorded| (recorded.event_id, recorded.event)).collect()
            }
        };
        events
            .into_iter()
            .map(|(event_id, event)| match event {
                AnyEvent::Checkout(event) => Ok((event_id, event)),
                other => {
                    Err(ReactError(format!("checkout-{instance} holds a {} event", other.aggregate_type())))
                }
            })
            .collect()
    }

    /// The plan that a checkout started with.
    async fn plan(&self, instance: &str, event: &Event) -> Result<Plan, ReactError> {
        if let Event::Started(plan) = event {
            return Ok(plan.clone());
        }
        let stream = StreamId::new(AggregateType::Checkout, instance);
        let stored = self.log.load(&stream, 0).await.map_err(again)?;
        match stored.first().map(decode).transpose().map_err(again)?.map(|recorded| recorded.event) {
            Some(AnyEvent::Checkout(Event::Started(plan))) => Ok(plan),
            _ => Err(ReactError(format!("{stream} does not begin with its plan"))),
        }
    }

    /// Does what one of the manager's events asks for; `Some` when the manager wants to hear how that went.
    async fn carry_out(
        &self,
        instance: Instance<'_>,
        event_id: Uuid,
        event: &Event,
    ) -> Result<Option<Input>, ReactError> {
        let plan = self.plan(instance.id, event).await?;
        let mut requests = Vec::new();
        for (issue, nth) in checkout::issues(&plan, event).into_iter().zip(0_i64..) {
            match issue {
                Issue::Command { to, command } => {
                    let id = derived_id(event_id, "command", nth);
                    requests.push(self.request(&to, command, id, cause(instance, event_id))?);
                }
                Issue::Timer { due, input } => {
                    self.set_timer(derived_id(event_id, "timer", nth), instance, due, &input).await?;
                }
            }
        }
        let answers = requests.into_iter().map(|request| async {
            match self.executor.execute_in_turn(request).await {
                Ok(_) => Ok(None),
                Err(ExecuteError::Refused(refused)) => Ok(Some(refused.refusal)),
                Err(error) => Err(again(error)),
            }
        });
        let answers = try_join_all(answers).await?;
        let Some(step) = checkout::step_of(event) else {
            return Ok(None);
        };
        let refused = answers
            .into_iter()
            .zip(0_u32..)
            .filter_map(|(refusal, index)| refusal.map(|refusal| Refused { index, refusal }))
            .collect();
        Ok(Some(Input {
            command_id: derived_id(event_id, "answers", 0),
            causation_id: event_id,
            command: Command::Answered { step, refused },
        }))
    }

    async fn set_timer(
        &self,
        timer_id: Uuid,
        instance: Instance<'_>,
        due: domain::value::Time,
        input: &Command,
    ) -> Result<(), ReactError> {
        let due =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(due.millis()) * 1_000_000).map_err(again)?;
        sqlx::query(
            "INSERT INTO timers (timer_id, manager, instance, correlation_id, input, due_at) \
             VALUES ($1, $2, $3, $4, $5::json, $6) ON CONFLICT (timer_id) DO NOTHING",
        )
        .bind(timer_id)
        .bind(NAME)
        .bind(instance.id)
        .bind(instance.correlation_id)
        .bind(serde_json::to_string(input).map_err(again)?)
        .bind(due)
        .execute(&self.pool)
        .await
        .map_err(again)?;
        Ok(())
    }

    fn request(
        &self,
        to: &str,
        command: domain::AnyCommand,
        command_id: Uuid,
        cause: Cause,
    ) -> Result<Request, ReactError> {
        Ok(Request {
            aggregate_id: to.into(),
            fingerprint: self.fingerprints.of(&command).map_err(again)?,
            command,
            command_id,
            origin: Origin::Derived,
            expected_version: None,
            cause,
        })
    }
}

fn cause(instance: Instance<'_>, causation_id: Uuid) -> Cause {
    Cause {
        actor: "system:checkout".into(),
        correlation_id: instance.correlation_id,
        causation_id,
        occurred_at: None,
    }
}

fn again(error: impl std::fmt::Display) -> ReactError {
    ReactError(error.to_string())
}
