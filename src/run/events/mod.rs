//! `events`: shows, counts and exports what happened, for whoever may read the log and nothing else.

mod error;
mod export;
mod show;
mod stats;
mod tail;

use std::path::Path;

use store::log::{Log as _, Pages, Position, PostgresLog, Selection};

pub use self::error::EventsError;
use super::Failure;
use crate::{
    cli::{EventsCommand, SelectionArgs},
    ground::Reading,
    settings::Settings,
};

/// Which events, and from where in the log.
struct Chosen {
    selection: Selection,
    after: Position,
    /// Whether somebody named where it begins.
    from_there: bool,
    /// The last position, if one was named.
    upto: Option<Position>,
}

impl Chosen {
    fn of(args: &SelectionArgs) -> Result<Self, EventsError> {
        if let (Some(from), Some(to)) = (args.from, args.to)
            && from > to
        {
            return Err(EventsError::Backwards { from: "--from", to: "--to" });
        }
        if let (Some(from), Some(to)) = (args.from_position, args.to_position)
            && from > to
        {
            return Err(EventsError::Backwards { from: "--from-position", to: "--to-position" });
        }
        for event in &args.events {
            let kinds = &args.aggregates;
            if !kinds.is_empty() && !kinds.iter().any(|kind| kind.event_version(event).is_some()) {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
                return Err(EventsError::NotOfThose { event, kinds: kinds.join(" or ") });
            }
        }
        let selection = Selection {
            aggregate_types: args.aggregates.clone(),
            aggregate_id: args.id.as_deref().map(Into::into),
            event_types: args.events.iter().map(|event| (*event).into()).collect(),
            correlation_id: args.correlation,
            from: args.from,
            to: args.to,
        };
        let after = args.from_position.map_or(0, |from| from - 1);
        Ok(Self { selection, after, from_there: args.from_position.is_some(), upto: args.to_position })
    }

    /// Up to where the log goes now, or up to where it was asked for.
    async fn end(&self, log: &PostgresLog) -> Result<Position, Failure> {
        let head = log.head().await?.position;
        Ok(self.upto.map_or(head, |upto| upto.min(head)))
    }

    fn pages(&self, log: &PostgresLog, upto: Position) -> Pages {
        Pages::new(log.clone(), self.selection.clone(), self.after, upto)
    }
}

/// Runs one of the subcommands.
pub async fn run(
    command: EventsCommand,
    settings: Settings,
    data: &Path,
    json: bool,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<u8, Failure> {
    match command {
        EventsCommand::Tail { selection, lines, no_follow } => {
            let chosen = Chosen::of(&selection)?;
            let reading = Reading::prepare(settings, data, tell).await?;
            tail::run(&reading.log, chosen, lines, !no_follow, json).await
        }
        EventsCommand::Show { what } => {
            let reading = Reading::prepare(settings, data, tell).await?;
            show::run(&reading.log, &what, json).await
        }
        EventsCommand::Stats { selection, by } => {
            let chosen = Chosen::of(&selection)?;
            let reading = Reading::prepare(settings, data, tell).await?;
            stats::run(&reading.log, chosen, by, json).await
        }
        EventsCommand::Export(args) => {
            let chosen = Chosen::of(&args.selection)?;
            export::check(&args)?;
            let reading = Reading::prepare(settings, data, tell).await?;
            export::run(&reading, chosen, args, json).await
        }
    }
}
