//! Two ways to have commands executed that follow from one another: each when the one before is durable, or each as soon as the
//! one before is decided, so that all of them are durable together.

use std::sync::{Mutex, PoisonError};

use domain::AnyRefusal;
use futures::future::try_join_all;

use super::driver::{Concluded, again};
use crate::{
    executor::{Ahead, ExecuteError, Executed, Executor, Request, Sequel},
    follow::ReactError,
    log::{Log, NewTimer, meant_id},
};

/// How what a manager wants is carried out.
pub(super) enum Way {
    /// Each command waits until the one before is durable.
    InTurn,
    /// None waits, and all is void if one of them comes to something else than was foretold.
    Ahead(Sequel, Mutex<Outstanding>),
}

/// What has to be durable in the end.
#[derive(Default)]
pub(super) struct Outstanding {
    decided: Vec<Ahead>,
    /// What they were wanted for has to be durable first.
    timers: Vec<NewTimer>,
}

/// What an instance concluded, and whether its stream begins with that.
pub(super) struct Told {
    pub begins: bool,
    pub concluded: Vec<Concluded>,
}

impl Way {
    pub fn ahead(sequel: Sequel) -> Self {
        Self::Ahead(sequel, Mutex::default())
    }

    /// What comes of something that an instance learns.
    pub async fn told(
        &self,
        executor: &Executor,
        log: &dyn Log,
        request: Request,
    ) -> Result<Result<Told, AnyRefusal>, ReactError> {
        let (sequel, outstanding) = match self {
            Self::Ahead(sequel, outstanding) => (sequel, outstanding),
            Self::InTurn => return in_turn(executor, log, request).await,
        };
        let ahead = executor.execute_ahead(request, Vec::new(), sequel).await.map_err(again)?;
        let told = match &ahead.foretold.outcome {
            Ok(events) => {
                let concluded = events.iter().cloned().map(Concluded::from).collect();
                Ok(Told { begins: ahead.foretold.begins, concluded })
            }
            Err(refusal) => Err(refusal.clone()),
        };
        lock(outstanding).decided.push(ahead);
        Ok(told)
    }

    /// Why a command is refused, if it is. The timers that it takes along are written with its answer.
    pub async fn refusal(
        &self,
        executor: &Executor,
        (request, timers): (Request, Vec<NewTimer>),
    ) -> Result<Option<AnyRefusal>, ReactError> {
        match self {
            Self::InTurn if !timers.is_empty() => Err(again("a command that waits takes no timers along")),
            Self::InTurn => match executor.execute_in_turn(request).await {
                Ok(_) => Ok(None),
                Err(ExecuteError::Refused(refused)) => Ok(Some(refused.refusal)),
                Err(error) => Err(again(error)),
            },
            Self::Ahead(sequel, outstanding) => {
                let ahead = executor.execute_ahead(request, timers, sequel).await.map_err(again)?;
                let refusal = ahead.foretold.outcome.as_ref().err().cloned();
                lock(outstanding).decided.push(ahead);
                Ok(refusal)
            }
        }
    }

    /// Which timers a command takes along, if there is one, and which are to be set now; what is in neither waits until what
    /// they were wanted for is durable.
    pub fn share_out(&self, timers: Vec<NewTimer>, commands: bool) -> (Vec<NewTimer>, Vec<NewTimer>) {
        match self {
            Self::InTurn => (Vec::new(), timers),
            Self::Ahead(..) if commands => (timers, Vec::new()),
            Self::Ahead(_, outstanding) => {
                lock(outstanding).timers.extend(timers);
                (Vec::new(), Vec::new())
            }
        }
    }

    /// Waits until everything is durable, as it was foretold; the timers that are to be set now.
    pub async fn durable(&self) -> Result<Vec<NewTimer>, ReactError> {
        let Self::Ahead(sequel, outstanding) = self else { return Ok(Vec::new()) };
        let Outstanding { decided, timers } = std::mem::take(&mut *lock(outstanding));
        let durable = decided.into_iter().map(|ahead| async {
            match ahead.durable().await {
                Ok(_) | Err(ExecuteError::Refused(_)) => Ok(()),
                Err(error) => Err(again(error)),
            }
        });
        try_join_all(durable).await?;
        if sequel.has_fallen() {
            return Err(again("something came to something else than was foretold"));
        }
        Ok(timers)
    }
}

/// Whoever panicked in between has left a list all the same.
fn lock(outstanding: &Mutex<Outstanding>) -> std::sync::MutexGuard<'_, Outstanding> {
    outstanding.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn in_turn(
    executor: &Executor,
    log: &dyn Log,
    request: Request,
) -> Result<Result<Told, AnyRefusal>, ReactError> {
    match executor.execute_in_turn(request).await {
        Ok(executed) => {
            let concluded = concluded(log, &executed).await?;
            let begins = executed.positions.is_some_and(|(first, last)| executed.version == last - first + 1);
            Ok(Ok(Told { begins, concluded }))
        }
        Err(ExecuteError::Refused(refused)) => Ok(Err(refused.refusal)),
        Err(error) => Err(again(error)),
    }
}

/// The instance's events behind an answer; a first answer given again has them in the log.
async fn concluded(log: &dyn Log, executed: &Executed) -> Result<Vec<Concluded>, ReactError> {
    match executed.positions {
        None => Ok(Vec::new()),
        Some(_) if !executed.replayed => Ok(executed.events.iter().cloned().map(Concluded::from).collect()),
        Some((first, last)) => {
            let recorded = log.recorded_after(first - 1, last - first + 1).await.map_err(again)?;
            let concluded = recorded.into_iter().flat_map(|recorded| {
                let event_id = recorded.event_id;
                let known_by = (0..).map(move |nth| meant_id(event_id, nth));
                let events = known_by.zip(recorded.events);
                events.map(move |(known_by, event)| Concluded { event_id, known_by, event })
            });
            Ok(concluded.collect())
        }
    }
}
