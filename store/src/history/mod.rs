//! What an aggregate was at a moment of its past, and what each event made of it.

mod difference;
mod moment;

use std::{collections::VecDeque, sync::Arc};

use domain::{AnyState, value::Time};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    json::ToJson as _,
    log::{Log, LogError, Position, Recorded, Sequence, StreamId},
};

pub use difference::{Change, Part, Path, SEALED, difference, without_sealed};
pub use moment::{AHEAD_MAX_MS, Ahead, Moment, NoMoment, span, time};

/// What an aggregate was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Then {
    /// How far it had come, where its states have names.
    pub stage: Option<String>,
    /// What was known of it, with everything sealed hidden.
    pub state: Json,
    /// The last event that counts: its place in the stream.
    pub version: Sequence,
    /// Its place in the log.
    pub position: Position,
    /// When it occurred, in business time.
    #[serde(with = "crate::rfc3339")]
    pub at: Time,
}

/// An event, and what it made of its aggregate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Its place in the log.
    pub position: Position,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// Its own id.
    pub event_id: Uuid,
    /// What it means today: one name as a rule, none or several where an upcaster says so.
    pub events: Vec<&'static str>,
    /// When, in business time.
    #[serde(with = "crate::rfc3339")]
    pub occurred_at: Time,
    /// When the log took it.
    #[serde(with = "crate::rfc3339")]
    pub recorded_at: Time,
    /// Who.
    pub actor: Arc<str>,
    /// The fields that were others before.
    pub changes: Vec<Change>,
}

/// An aggregate's past up to a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// What it was; `None` when nothing had happened to it yet.
    pub then: Option<Then>,
    /// The last events that count, in the order of the stream.
    pub steps: Vec<Step>,
    /// How many count before those.
    pub earlier: usize,
    /// Events that do not count and stand before one that does: the stream's order is not that of business time.
    pub passed_over: usize,
    /// The first event: where it stands, and when it occurred.
    pub first: (Position, Time),
    /// How many events the stream has by now.
    pub version_now: Sequence,
}

/// A part of an aggregate's past.
#[derive(Clone, Debug, PartialEq)]
pub struct Between {
    /// What it was at the earlier moment.
    pub from: Option<Then>,
    /// What it was at the later one.
    pub to: Option<Then>,
    /// What is different between them.
    pub changes: Vec<Change>,
    /// The last events that count at one of the moments alone, in the order of the stream.
    pub steps: Vec<Step>,
    /// How many there are before those.
    pub earlier: usize,
}

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Nothing ever happened to it.
    #[error(
        "nothing ever happened to {0}: the log has no such stream; write the id exactly as it is, case and blanks too"
    )]
    Unknown(StreamId),
    /// A place that the stream has not come to.
    #[error("{stream} has {version} events: there is no sequence {sequence}")]
    Sequence {
        /// Whose.
        stream: StreamId,
        /// Which was named.
        sequence: Sequence,
        /// The last one.
        version: Sequence,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A state cannot be written.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What an aggregate was at a moment, with at most so many of the events that led to it.
///
/// # Errors
/// When nothing ever happened to it, or the log cannot be read.
pub async fn past(
    log: &dyn Log,
    stream: &StreamId,
    moment: Moment,
    steps_max: usize,
) -> Result<Past, HistoryError> {
    let recorded = whole(log, stream, &[moment]).await?;
    let first = recorded.first().map_or((0, Time::MIN), |first| (first.position, first.metadata.occurred_at));
    let version_now = recorded.last().map_or(0, |last| last.sequence);
    let last = recorded.iter().rposition(|recorded| moment.counts(recorded)).map_or(0, |last| last + 1);
    let passed_over = recorded.iter().take(last).filter(|recorded| !moment.counts(recorded)).count();
    let told = Telling::of(stream, &recorded, |recorded| moment.counts(recorded), (|_| true, steps_max))?;
    Ok(Past {
        then: told.then,
        steps: told.steps.into(),
        earlier: told.earlier,
        passed_over,
        first,
        version_now,
    })
}

/// What became of an aggregate between two moments, with at most so many of the events between.
///
/// # Errors
/// When nothing ever happened to it, or the log cannot be read.
pub async fn between(
    log: &dyn Log,
    stream: &StreamId,
    (from, to): (Moment, Moment),
    steps_max: usize,
) -> Result<Between, HistoryError> {
    let recorded = whole(log, stream, &[from, to]).await?;
    let before = Telling::of(stream, &recorded, |recorded| from.counts(recorded), (|_| false, 0))?;
    let new = |recorded: &Recorded| !from.counts(recorded);
    let after = Telling::of(stream, &recorded, |recorded| to.counts(recorded), (new, steps_max))?;
    Ok(Between {
        changes: stage_first(difference(&before.view, &after.view)),
        from: before.then,
        to: after.then,
        steps: after.steps.into(),
        earlier: after.earlier,
    })
}

async fn whole(log: &dyn Log, stream: &StreamId, moments: &[Moment]) -> Result<Vec<Recorded>, HistoryError> {
    let recorded = log.recorded(stream, 0).await?;
    let Some(version) = recorded.last().map(|last| last.sequence) else {
        return Err(HistoryError::Unknown(stream.clone()));
    };
    for moment in moments {
        if let Moment::Sequence(sequence) = *moment
            && sequence > version
        {
            return Err(HistoryError::Sequence { stream: stream.clone(), sequence, version });
        }
    }
    Ok(recorded)
}

/// A fold on its way.
struct Telling {
    /// The state as it is compared: the stage beside the fields, nothing hidden.
    view: Json,
    then: Option<Then>,
    steps: VecDeque<Step>,
    earlier: usize,
}

impl Telling {
    /// Folds the events that count; of those that are `told`, the last ones become steps.
    fn of(
        stream: &StreamId,
        recorded: &[Recorded],
        counts: impl Fn(&Recorded) -> bool,
        (told, steps_max): (impl Fn(&Recorded) -> bool, usize),
    ) -> Result<Self, HistoryError> {
        let counted: Vec<&Recorded> = recorded.iter().filter(|recorded| counts(recorded)).collect();
        let all = counted.iter().filter(|recorded| told(recorded)).count();
        let earlier = all.saturating_sub(steps_max);
        let mut state = AnyState::initial(stream.aggregate_type);
        let (mut steps, mut seen, mut view) = (VecDeque::new(), 0, None);
        for recorded in &counted {
            seen += usize::from(told(recorded));
            let is_step = told(recorded) && seen > earlier;
            if is_step && view.is_none() {
                view = Some(viewed(&state)?);
            }
            for event in &recorded.events {
                state = state.evolve(event.clone());
            }
            if is_step {
                let after = viewed(&state)?;
                let changes = stage_first(difference(&view.take().unwrap_or_default(), &after));
                steps.push_back(step(recorded, changes));
                view = Some(after);
            } else {
                view = None;
            }
        }
        let view = viewed(&state)?;
        let then = counted.last().map(|last| then(&view, last));
        Ok(Self { view, then, steps, earlier })
    }
}

fn step(recorded: &Recorded, changes: Vec<Change>) -> Step {
    Step {
        position: recorded.position,
        sequence: recorded.sequence,
        event_id: recorded.event_id,
        events: recorded.events.iter().map(domain::AnyEvent::event_type).collect(),
        occurred_at: recorded.metadata.occurred_at,
        recorded_at: Time::from_millis(recorded.recorded_at_us.div_euclid(1_000)),
        actor: recorded.metadata.actor.clone(),
        changes,
    }
}

fn then(view: &Json, last: &Recorded) -> Then {
    let mut state = without_sealed(view.clone());
    let stage = state.as_object_mut().and_then(|fields| fields.remove(STAGE));
    Then {
        stage: stage.and_then(|stage| stage.as_str().map(str::to_owned)),
        state,
        version: last.sequence,
        position: last.position,
        at: last.metadata.occurred_at,
    }
}

/// The name of a state, beside its fields.
const STAGE: &str = "stage";

fn stage_first(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(|change| change.field.0 != [Part::Name(STAGE.to_owned())]);
    changes
}

/// A state as it is compared: where states have names, the name is one field among the others, so that what stays the same
/// from one to the next is no change.
fn viewed(state: &AnyState) -> Result<Json, serde_json::Error> {
    let named = |stage: String, fields: Json| {
        let mut view = Map::from_iter([(STAGE.to_owned(), Json::String(stage))]);
        match fields {
            Json::Object(fields) => view.extend(fields),
            Json::Null => {}
            other => view.extend([("value".to_owned(), other)]),
        }
        Json::Object(view)
    };
    // Names of states begin with a capital letter, and names of fields do not.
    let is_stage = |name: &str| name.starts_with(|first: char| first.is_ascii_uppercase());
    Ok(match state.to_json_value()? {
        Json::String(stage) => named(stage, Json::Null),
        Json::Object(fields) if fields.len() == 1 && fields.keys().all(|name| is_stage(name)) => {
            let only = fields.into_iter().next();
            only.map_or(Json::Null, |(stage, fields)| named(stage, fields))
        }
        other => other,
    })
}
