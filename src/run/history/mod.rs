//! `state`, `diff`, `stock` and `what-if`: the log as a record of every moment, for whoever may read it.

mod render;
mod stock;
mod what_if;

use std::path::Path;

use domain::{AggregateType, value::Invalid};
use scenarios::text::instead_of;
use serde_json::json;
use store::{
    history::{self, Ahead, Between, HistoryError, Moment, Past, Step, Then},
    log::{Log as _, StreamId},
    ports::{Clock as _, Machine},
    rfc3339,
};

use self::render::Words;
use super::{FAILED, FINE, Failure, WRONG_INPUT};
use crate::{
    cli::{DiffArgs, StateArgs, WhichArgs},
    ground::Reading,
    out,
    settings::Settings,
    what_if::WhatIfError,
};

pub use stock::stock;
pub use what_if::what_if;

/// Why the past is not told.
#[derive(Debug, thiserror::Error)]
pub enum HistoryFailure {
    /// A kind of aggregate that there is not.
    #[error("there is no aggregate type {0:?}{1}")]
    NoSuchType(String, String),
    /// An id that no aggregate of that type can have.
    #[error(transparent)]
    Id(#[from] Invalid),
    /// The log has not come to that moment.
    #[error(transparent)]
    Ahead(#[from] Ahead),
    /// The earlier moment is the later one.
    #[error("--from is after --to: swap them")]
    Backwards,
    /// Two forms of one thing.
    #[error("--json is the same as --format json: leave one of both out")]
    TwoFormats,
    /// Nothing had happened by then.
    #[error(
        "nothing had happened to {stream} by then: its first event is position {position}, which occurred at {at}"
    )]
    NotYet {
        /// To whom.
        stream: StreamId,
        /// Where its first event stands.
        position: i64,
        /// When that occurred.
        at: String,
    },
    /// The past cannot be read.
    #[error(transparent)]
    Past(#[from] HistoryError),
    /// Nothing was decided again.
    #[error(transparent)]
    WhatIf(#[from] WhatIfError),
    /// Rows cannot be written as CSV.
    #[error("writing CSV: {0}")]
    Csv(#[from] csv::Error),
}

impl HistoryFailure {
    pub(super) const fn status(&self) -> u8 {
        match self {
            Self::NoSuchType(..)
            | Self::Id(_)
            | Self::Ahead(_)
            | Self::Backwards
            | Self::TwoFormats
            | Self::Past(HistoryError::Sequence { .. })
            | Self::WhatIf(WhatIfError::Rules(_)) => WRONG_INPUT,
            Self::NotYet { .. } | Self::Past(_) | Self::WhatIf(_) | Self::Csv(_) => FAILED,
        }
    }
}

/// Prints what an aggregate was.
pub async fn state(settings: Settings, data: &Path, args: &StateArgs, json: bool) -> Result<u8, Failure> {
    let stream = stream(&args.which)?;
    let reading = Reading::prepare(settings, data, &|line| out::tell(line)).await?;
    let [moment] = reached(&reading, [args.at.into()]).await?;
    let past = history::past(&reading.log, &stream, moment, args.which.last).await;
    let past = past.map_err(HistoryFailure::from)?;
    let Some(then) = &past.then else {
        let (position, at) = (past.first.0, rfc3339::format(past.first.1));
        return Err(HistoryFailure::NotYet { stream, position, at }.into());
    };
    if json {
        let Past { steps, earlier, passed_over, version_now, .. } = &past;
        out::line(json!({
            "aggregate_type": stream.aggregate_type.as_str(),
            "aggregate_id": stream.id,
            "as_of": as_of(moment),
            "then": then,
            "version_now": version_now,
            "passed_over": passed_over,
            "earlier_events": earlier,
            "events": steps,
        }))?;
        return Ok(FINE);
    }
    let words = Words::of(stream.aggregate_type);
    out::line(headline(&stream, moment, then, past.version_now))?;
    if past.passed_over > 0 {
        out::line(format_args!(
            "{} events of the stream occurred later than others that stand behind them, and do not count",
            past.passed_over
        ))?;
    }
    out::text(words.state(then))?;
    told(&words, &past.steps, past.earlier, "what led to it")?;
    Ok(FINE)
}

/// Prints what is different between two moments.
pub async fn diff(settings: Settings, data: &Path, args: &DiffArgs, json: bool) -> Result<u8, Failure> {
    let stream = stream(&args.which)?;
    let (from, to) = (args.from, args.to.unwrap_or(Moment::Now));
    let backwards = match (from, to) {
        (Moment::Time(from), Moment::Time(to)) => from > to,
        (Moment::Position(from), Moment::Position(to)) | (Moment::Sequence(from), Moment::Sequence(to)) => {
            from > to
        }
        _ => false,
    };
    if backwards {
        return Err(HistoryFailure::Backwards.into());
    }
    let reading = Reading::prepare(settings, data, &|line| out::tell(line)).await?;
    let [from, to] = reached(&reading, [from, to]).await?;
    let between = history::between(&reading.log, &stream, (from, to), args.which.last).await;
    let Between { from: before, to: after, changes, steps, earlier } =
        between.map_err(HistoryFailure::from)?;
    let version = |then: &Option<Then>| then.as_ref().map_or(0, |then| then.version);
    if version(&before) > version(&after) {
        return Err(HistoryFailure::Backwards.into());
    }
    if json {
        out::line(json!({
            "aggregate_type": stream.aggregate_type.as_str(),
            "aggregate_id": stream.id,
            "from": { "as_of": as_of(from), "then": before },
            "to": { "as_of": as_of(to), "then": after },
            "changes": changes,
            "earlier_events": earlier,
            "events": steps,
        }))?;
        return Ok(FINE);
    }
    let words = Words::of(stream.aggregate_type);
    let place = |then: &Option<Then>| match then {
        Some(then) => format!("version {} ({})", then.version, rfc3339::format(then.at)),
        None => "nothing".to_owned(),
    };
    out::line(format_args!("{stream}: from {} to {}", place(&before), place(&after)))?;
    if changes.is_empty() {
        out::line("  nothing is different")?;
    }
    out::text(words.changes(&changes, "  "))?;
    told(&words, &steps, earlier, "what happened between")?;
    Ok(FINE)
}

/// The aggregate that is meant.
fn stream(WhichArgs { aggregate, id, .. }: &WhichArgs) -> Result<StreamId, HistoryFailure> {
    let Ok(aggregate_type) = aggregate.parse::<AggregateType>() else {
        let known = AggregateType::ALL.iter().map(|known| known.as_str());
        return Err(HistoryFailure::NoSuchType(aggregate.clone(), instead_of(aggregate, known)));
    };
    aggregate_type.check_id(id)?;
    Ok(StreamId::new(aggregate_type, id))
}

/// The moments that are meant, of today as far as it has come; those that the log has not come to are refused.
pub(super) async fn reached<const N: usize>(
    reading: &Reading,
    moments: [Moment; N],
) -> Result<[Moment; N], Failure> {
    let now = Machine.now();
    let moments = moments.map(|moment| moment.so_far(now));
    check(reading, &moments).await?;
    Ok(moments)
}

/// Refuses moments that the log has not come to.
pub(super) async fn check(reading: &Reading, moments: &[Moment]) -> Result<(), Failure> {
    let head = reading.log.head().await?;
    for moment in moments {
        moment.check(head.position, Machine.now()).map_err(HistoryFailure::from)?;
    }
    Ok(())
}

/// A moment as JSON tells it.
fn as_of(moment: Moment) -> serde_json::Value {
    match moment {
        Moment::Now => json!("now"),
        Moment::Time(time) => json!({ "time": rfc3339::format(time) }),
        Moment::Position(position) => json!({ "position": position }),
        Moment::Sequence(sequence) => json!({ "sequence": sequence }),
    }
}

fn headline(stream: &StreamId, moment: Moment, then: &Then, version_now: i64) -> String {
    let when = match moment {
        Moment::Now => "now".to_owned(),
        Moment::Time(time) => format!("at {}", rfc3339::format(time)),
        Moment::Position(position) => format!("at position {position}"),
        Moment::Sequence(sequence) => format!("at sequence {sequence}"),
    };
    let stage = then.stage.as_ref().map_or(String::new(), |stage| format!(" {stage},"));
    let (version, at) = (then.version, rfc3339::format(then.at));
    format!("{stream} {when}:{stage} version {version} of {version_now}, since {at}")
}

/// Prints events with what each made of the state.
fn told(words: &Words, steps: &[Step], earlier: usize, title: &str) -> Result<(), Failure> {
    out::line(title)?;
    if earlier > 0 {
        out::line(format_args!("  … {earlier} events before these: --last N shows more"))?;
    }
    for step in steps {
        let events =
            if step.events.is_empty() { "nothing any more".to_owned() } else { step.events.join(", ") };
        let (sequence, position, at) = (step.sequence, step.position, rfc3339::format(step.occurred_at));
        out::line(format_args!("  {sequence}  {at}  {events}  by {}  (position {position})", step.actor))?;
        out::text(words.changes(&step.changes, "       "))?;
    }
    Ok(())
}
