//! One command decided: the rows that will stand for it, and the answer that it gets once they are durable.

use std::sync::Arc;

use domain::{AnyEvent, AnyRefusal, value::Time};
use uuid::{Builder, Uuid};

use super::{
    CLIENT_ANSWERS_KEPT_US, ExecuteError, Executed, Origin, Refused, Reply, Request, Token, cache::Versioned,
};
use crate::{
    feed::Entry,
    json::ToJson as _,
    log::{Answer, Batch, Metadata, NewEvent, Position, Recorded, Sequence, digest},
    ports::{Clock, Ids},
};

/// What the aggregate said.
#[derive(Debug)]
pub enum Decision {
    /// It happened; no events when it had happened before.
    Accepted { events: Vec<AnyEvent>, rows: Vec<Arc<NewEvent>> },
    /// The aggregate said no.
    Refused { refusal: AnyRefusal, row: String },
    /// The caller insisted on another version. Not remembered: the same command may come again.
    Stale,
    /// The request cannot be executed at all. Not remembered.
    Impossible(ExecuteError),
}

impl Decision {
    /// What happened, if anything did.
    pub fn events(&self) -> &[AnyEvent] {
        match self {
            Self::Accepted { events, .. } => events,
            Self::Refused { .. } | Self::Stale | Self::Impossible(_) => &[],
        }
    }

    /// What happened, with the rows that stand for it.
    pub fn happenings(&self) -> impl Iterator<Item = (&AnyEvent, &Arc<NewEvent>)> {
        let (events, rows): (&[AnyEvent], &[Arc<NewEvent>]) = match self {
            Self::Accepted { events, rows } => (events, rows),
            Self::Refused { .. } | Self::Stale | Self::Impossible(_) => (&[], &[]),
        };
        events.iter().zip(rows)
    }

    /// Whether anything happened.
    pub const fn happened(&self) -> bool {
        matches!(self, Self::Accepted { events, .. } if !events.is_empty())
    }
}

/// A command with its decision, waiting to be durable.
#[derive(Debug)]
pub struct Decided {
    pub request: Box<Request>,
    pub reply: Reply,
    pub decision: Decision,
    /// The stream's version after it.
    pub version: Sequence,
    pub decided_at_us: i64,
    /// Whether it rests on a guess that its stream is empty, which no event of its own proves.
    pub rests_on_empty: bool,
}

impl Decided {
    /// How many events it brings.
    pub fn events(&self) -> usize {
        match &self.decision {
            Decision::Accepted { rows, .. } => rows.len(),
            Decision::Refused { .. } | Decision::Stale | Decision::Impossible(_) => 0,
        }
    }

    /// How long its events' texts are.
    pub fn bytes(&self) -> usize {
        match &self.decision {
            Decision::Accepted { rows, .. } => rows.iter().map(|row| row.payload.len()).sum(),
            Decision::Refused { .. } | Decision::Stale | Decision::Impossible(_) => 0,
        }
    }

    /// The row that answers a repeat, with `position` as [`Answer::position`] says.
    pub fn answer(&self, position: i64) -> Option<Answer> {
        let refusal = match &self.decision {
            Decision::Accepted { .. } => None,
            Decision::Refused { row, .. } => Some(row.clone()),
            Decision::Stale | Decision::Impossible(_) => return None,
        };
        let expires_at_us = match self.request.origin {
            Origin::Client => Some(self.decided_at_us + CLIENT_ANSWERS_KEPT_US),
            Origin::Derived => None,
        };
        Some(Answer {
            command_id: self.request.command_id,
            fingerprint: self.request.fingerprint,
            stream: self.request.stream(),
            version: self.version,
            position,
            // A batch is bounded far below i32::MAX events.
            events: i32::try_from(self.events()).unwrap_or(i32::MAX),
            refusal,
            expires_at_us,
            recorded_at_us: self.decided_at_us,
        })
    }

    /// Its events as a reader of the log would have them, now that they stand there behind `after`.
    pub fn entries(&self, after: Position) -> impl Iterator<Item = Arc<Entry>> {
        let happened = self.decision.happenings().zip(after + 1..);
        happened.map(|((event, row), position)| {
            let recorded = recorded(&self.request, self.decided_at_us, (event, row), position);
            Arc::new(Entry::known(recorded, Arc::clone(row)))
        })
    }

    /// Who is to be told what, now that everything is durable up to `token`; `last` is its last event's position.
    pub fn told(self, token: Token, last: i64) -> (Reply, Result<Executed, ExecuteError>) {
        let count = self.events() as i64;
        let told = match self.decision {
            Decision::Accepted { events, rows } => {
                let ids = rows.iter().map(|row| row.event_id);
                let token = if count > 0 { Token { position: last, ..token } } else { token };
                Ok(Executed {
                    version: self.version,
                    events: ids.zip(events).collect(),
                    positions: (count > 0).then_some((last - count + 1, last)),
                    token,
                    replayed: false,
                })
            }
            Decision::Refused { refusal, .. } => {
                let refused = Refused { refusal, version: self.version, token, replayed: false };
                Err(ExecuteError::Refused(Box::new(refused)))
            }
            Decision::Stale => Err(ExecuteError::VersionMismatch { actual: self.version }),
            Decision::Impossible(error) => Err(error),
        };
        (self.reply, told)
    }
}

/// What stands for these commands in the log, behind `after`.
pub fn batch(flying: &[Decided], after: Position) -> Batch {
    let events: usize = flying.iter().map(Decided::events).sum();
    let end = after + events as i64;
    let mut position = after;
    let mut batch = Batch::default();
    for decided in flying {
        position += decided.events() as i64;
        let answered_at = if decided.events() > 0 { position } else { end };
        batch.answers.extend(decided.answer(answered_at));
        if decided.rests_on_empty {
            batch.empty.push(decided.request.stream());
        }
        if let Decision::Accepted { rows, .. } = &decided.decision {
            batch.events.extend(rows.iter().cloned());
        }
        batch.timers.extend_from_slice(decided.reply.timers());
    }
    // Whoever else writes the same ones waits for each other in one direction.
    batch.timers.sort_unstable_by_key(|timer| timer.timer_id);
    batch
}

/// Decides a command on the newest state.
pub fn decide(request: &Request, newest: &Versioned, clock: &dyn Clock, ids: &dyn Ids) -> (Decision, i64) {
    let now_us = clock.now_us();
    if request.expected_version.is_some_and(|expected| expected != newest.sequence) {
        return (Decision::Stale, now_us);
    }
    let decision = match newest.state.decide(request.command.clone()) {
        None => Decision::Impossible(ExecuteError::Unavailable(
            "a command met the state of another aggregate".into(),
        )),
        Some(Err(refusal)) => match refusal.to_json() {
            Ok(row) => Decision::Refused { refusal, row },
            Err(error) => Decision::Impossible(ExecuteError::Unavailable(error.to_string().into())),
        },
        Some(Ok(events)) => match rows(request, &events, newest.sequence, now_us, ids) {
            Ok(rows) => Decision::Accepted { events, rows },
            Err(error) => Decision::Impossible(ExecuteError::Unavailable(error.to_string().into())),
        },
    };
    (decision, now_us)
}

fn rows(
    request: &Request,
    events: &[AnyEvent],
    sequence: Sequence,
    now_us: i64,
    ids: &dyn Ids,
) -> Result<Vec<Arc<NewEvent>>, serde_json::Error> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let metadata = serde_json::to_string(&metadata(request, now_us))?;
    let stream = request.stream();
    events
        .iter()
        .zip(1_i64..)
        .map(|(event, nth)| {
            let mut row = NewEvent {
                stream: stream.clone(),
                sequence: sequence + nth,
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload: event.to_json()?,
                metadata: metadata.clone(),
                event_id: match request.origin {
                    // As a v8: what derives from it begins with its time.
                    Origin::Client => {
                        let id = ids.next();
                        of_its_time(id, id)
                    }
                    Origin::Derived => derived_id(request.command_id, "event", nth),
                },
                recorded_at_us: now_us,
                digest: [0; 32],
            };
            row.digest = digest(&row);
            Ok(Arc::new(row))
        })
        .collect()
}

/// An event as a reader of the log has it at that position.
pub fn recorded(
    request: &Request,
    decided_at_us: i64,
    (event, row): (&AnyEvent, &NewEvent),
    position: Position,
) -> Recorded {
    Recorded {
        position,
        stream: row.stream.clone(),
        sequence: row.sequence,
        event_id: row.event_id,
        recorded_at_us: row.recorded_at_us,
        metadata: metadata(request, decided_at_us),
        events: event.clone().into(),
    }
}

/// What the events of a command that was decided then say of it.
fn metadata(request: &Request, decided_at_us: i64) -> Metadata {
    let cause = &request.cause;
    Metadata {
        occurred_at: occurred_at(request, decided_at_us),
        actor: cause.actor.clone(),
        correlation_id: cause.correlation_id,
        causation_id: cause.causation_id,
        command_id: request.command_id,
        traceparent: cause.traceparent,
    }
}

/// The business time of a command that was decided then.
pub fn occurred_at(request: &Request, decided_at_us: i64) -> Time {
    request.cause.occurred_at.unwrap_or(Time::from_millis(decided_at_us.div_euclid(1_000)))
}

/// The id of the `nth` thing of a kind that follows from `cause`: the same every time, and of the cause's time where that is
/// a uuid v8, as the ids of events are. What followed from a v7, as they were before, has to be found under the v5 that it got.
#[must_use]
pub fn derived_id(cause: Uuid, kind: &str, nth: i64) -> Uuid {
    let id = Uuid::new_v5(&cause, format!("{kind}:{nth}").as_bytes());
    if cause.get_version_num() == 8 { of_its_time(cause, id) } else { id }
}

/// `id`, beginning with the milliseconds that `cause` begins with (uuid v8), so that an index finds together what happened
/// together; as it is where the cause's id tells no time.
#[must_use]
pub fn of_its_time(cause: Uuid, id: Uuid) -> Uuid {
    if !matches!(cause.get_version_num(), 7 | 8) {
        return id;
    }
    let mut bytes = id.into_bytes();
    bytes[..6].copy_from_slice(&cause.as_bytes()[..6]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_derives_from_an_id_is_the_same_every_time_and_of_its_time() {
        let before = Uuid::now_v7();
        let cause = of_its_time(before, before);
        let derived = derived_id(cause, "event", 1);
        assert_eq!(derived, derived_id(cause, "event", 1));
        let others =
            [derived_id(cause, "event", 2), derived_id(cause, "fire", 1), derived_id(derived, "event", 1)];
        assert!(!others.contains(&derived));
        for id in others.into_iter().chain([cause, derived]) {
            assert_eq!(id.get_version_num(), 8);
            assert_eq!(id.as_bytes()[..6], before.as_bytes()[..6], "{id} is of {before}'s time");
        }
        for timeless in [before, derived_id(before, "event", 1), Uuid::NAMESPACE_URL] {
            assert_eq!(derived_id(timeless, "event", 1), Uuid::new_v5(&timeless, b"event:1"));
        }
        assert_eq!(of_its_time(Uuid::NAMESPACE_URL, cause), cause);
    }
}
