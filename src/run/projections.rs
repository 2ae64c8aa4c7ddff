//! `projections`: rebuilds read models beside those that serve, compares them with the log, and sees to what is parked.

mod search;

use std::sync::Arc;

use ::projections::rebuild::{self, Change, Difference, RebuildError, Rebuilt, Stage, TableDifference};
use scenarios::text::instead_of;
use serde_json::{Map, Value, json};
use store::{
    follow::{AuditError, Audited, BlockDifference, ParkedStream, Projection, audit},
    ports::Machine,
    rfc3339,
};

use super::{FAILED, FINE, Failure, followers};
use crate::{
    cli::{AsideArgs, FollowersCommand, ProjectionsCommand},
    ground::Ground,
    out,
    progress::Progress,
};

/// Letters of a value in a list of differences.
const SHOWN: usize = 60;

/// Why a read model was not rebuilt or compared.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionsError {
    /// There is none of that name.
    #[error("there is no read model {0:?}{1}")]
    Unknown(String, String),
    /// It was not rebuilt.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// It was not compared.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The search index was not.
    #[error(transparent)]
    Search(#[from] ::projections::search::AskError),
    /// The database's.
    #[error("the read models' database: {0}")]
    Database(#[from] sqlx::Error),
}

/// Does what is asked for.
pub async fn run(ground: &Ground, command: ProjectionsCommand, json: bool) -> Result<u8, Failure> {
    match command {
        ProjectionsCommand::Rebuild { name, swap } if name == search::NAME => {
            search::rebuild(ground, swap, json).await
        }
        ProjectionsCommand::Rebuild { name, swap } => rebuild_one(ground, &name, swap, json).await,
        ProjectionsCommand::Audit { names } => audit_all(ground, &names, json).await,
        ProjectionsCommand::Parked => parked(ground, json).await,
        ProjectionsCommand::Retry { aside } => {
            known(&aside)?;
            followers::run(ground, FollowersCommand::Retry { aside }, json).await
        }
        ProjectionsCommand::Skip(skip) => {
            known(&skip.aside)?;
            followers::run(ground, FollowersCommand::Skip(skip), json).await
        }
    }
}

/// The search index parks nothing.
fn known(aside: &AsideArgs) -> Result<(), ProjectionsError> {
    named(&aside.follower, &[]).map(drop)
}

/// The projection of that name; `others` may be named in its place.
pub(super) fn named(name: &str, others: &[&str]) -> Result<Arc<dyn Projection>, ProjectionsError> {
    let all = ::projections::all();
    let names = all.iter().map(|projection| projection.name()).chain(others.iter().copied());
    let names = names.collect::<Vec<_>>();
    if let Some(found) = all.iter().find(|projection| projection.name() == name) {
        return Ok(Arc::clone(found));
    }
    Err(ProjectionsError::Unknown(name.to_owned(), instead_of(name, names)))
}

async fn rebuild_one(ground: &Ground, name: &str, swap: bool, json: bool) -> Result<u8, Failure> {
    let projection = named(name, &[search::NAME])?;
    let parts = rebuild::Ground {
        owner_url: ground.projection_owner_url()?,
        prefix: ground.settings.schema.clone(),
        role: ground.projection_role().await?,
        tables: ::projections::tables(),
        log: Arc::new(ground.log().await?),
        clock: Arc::new(Machine),
        ids: Arc::new(Machine),
    };
    let progress = Progress::stderr("rebuild", "events");
    let tell = |stage| match stage {
        Stage::Filling(done, of) => progress.at(done.unsigned_abs(), of.unsigned_abs()),
        Stage::Comparing => {
            progress.finish();
            out::tell("rebuild: comparing the rows");
        }
        Stage::Swapping => out::tell("rebuild: putting the new rows in place"),
    };
    let rebuilt = rebuild::rebuild(&parts, projection, swap, &tell).await.map_err(ProjectionsError::from)?;
    if json {
        let mut told = serde_json::to_value(&rebuilt)?;
        told["ok"] = rebuilt.swapped.into();
        out::line(told)?;
    } else {
        print_rebuilt(&rebuilt)?;
    }
    Ok(if rebuilt.swapped { FINE } else { FAILED })
}

fn print_rebuilt(rebuilt: &Rebuilt) -> Result<(), Failure> {
    let Rebuilt { projection, position, difference: Difference { tables }, swapped } = rebuilt;
    out::line(format_args!("{projection}: old and new rows compared at position {position}"))?;
    tables.iter().try_for_each(|table| print_difference(table, ["old", "new"]))?;
    match swapped {
        true => out::line("The new rows serve now.")?,
        false => out::line(format_args!(
            "The old rows go on serving. If the new ones are right: daybook projections rebuild {projection} --swap"
        ))?,
    }
    Ok(())
}

/// Where two sides differ, which are called so.
fn print_difference(difference: &TableDifference, [a, b]: [&str; 2]) -> Result<(), Failure> {
    let TableDifference { table, rows, only_old, only_new, changed, columns, examples } = difference;
    if difference.rows_that_differ() == 0 {
        return Ok(out::line(format_args!("  {table}: {rows} rows, all equal"))?);
    }
    out::line(format_args!(
        "  {table}: {rows} rows; only in the {a} {only_old}, only in the {b} {only_new}, changed {changed}"
    ))?;
    for (column, count) in columns {
        out::line(format_args!("    column {column}: {count}"))?;
    }
    for Change { key, old, new } in examples {
        let (key, old, new) = (shown(key), shown(old), shown(new));
        let change = match (old.is_empty(), new.is_empty()) {
            (false, true) => format!("only in the {a}: {old}"),
            (true, false) => format!("only in the {b}: {new}"),
            _ => format!("{old}  ->  {new}"),
        };
        out::line(format_args!("    {key}: {change}"))?;
    }
    Ok(())
}

fn shown(columns: &Map<String, Value>) -> String {
    let one = |(column, value): (&String, &Value)| {
        let text = value.to_string();
        match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{column}={}…", &text[..end]),
            None => format!("{column}={text}"),
        }
    };
    columns.iter().map(one).collect::<Vec<_>>().join(" ")
}

async fn audit_all(ground: &Ground, names: &[String], json: bool) -> Result<u8, Failure> {
    let searched = names.is_empty() || names.iter().any(|name| name == search::NAME);
    let projections = match names {
        [] => ::projections::all(),
        names => {
            let others = names.iter().filter(|name| *name != search::NAME);
            others.map(|name| named(name, &[search::NAME])).collect::<Result<_, _>>()?
        }
    };
    let (pool, log) = (ground.projection_pool().await?, ground.log().await?);
    let mut found = Vec::new();
    for projection in projections {
        let progress = Progress::stderr("audit", "events");
        let tell = |done: i64, of: i64| progress.at(done.unsigned_abs(), of.unsigned_abs());
        found.push(audit(&pool, &log, &*projection, &tell).await.map_err(ProjectionsError::from)?);
        progress.finish();
    }
    // Where no process keeps an index there is none to compare, and only who asks for it by name is told so with a failure.
    let index = match searched {
        true => search::audit(ground, !names.is_empty()).await?,
        false => None,
    };
    let ok = found.iter().all(|audited| audited.ok) && index.as_deref().is_none_or(search::is_right);
    if json {
        let mut told = json!({ "ok": ok, "projections": found });
        if searched {
            told[search::NAME] = serde_json::to_value(&index)?;
        }
        out::line(told)?;
    } else {
        found.iter().try_for_each(print_audited)?;
        match &index {
            Some(answers) => search::print_audited(answers)?,
            None if searched => out::line("search: no process keeps an index now")?,
            None => {}
        }
    }
    Ok(if ok { FINE } else { FAILED })
}

fn print_audited(audited: &Audited) -> Result<(), Failure> {
    let Audited { ok, projection, after, up_to, events, waiting, differences, differences_total } = audited;
    let first = after + 1;
    if *ok {
        let waits = match waiting {
            0 => String::new(),
            some => format!("; {some} wait in streams that are set aside"),
        };
        out::line(format_args!(
            "{projection}: each of its {events} events at positions {first} to {up_to} was applied once{waits}"
        ))?;
        return Ok(());
    }
    out::line(format_args!(
        "{projection}: not what the log holds at positions {first} to {up_to}; blocks that differ: {differences_total}"
    ))?;
    for BlockDifference { aggregate_type, first, last, should, were, event } in differences {
        let single = event.as_ref().map(|event| {
            let what = if should > were { "left out" } else { "applied twice" };
            format!("; {what}: position {}, {} of {}", event.position, event.event_type, event.stream)
        });
        out::line(format_args!(
            "  {first} to {last}, {aggregate_type}: {were} applied, {should} should be{}",
            single.unwrap_or_default()
        ))?;
    }
    out::line(format_args!("To have the rows right again: daybook projections rebuild {projection} --swap"))?;
    Ok(())
}

async fn parked(ground: &Ground, json: bool) -> Result<u8, Failure> {
    let parked =
        ParkedStream::list(&ground.projection_pool().await?).await.map_err(ProjectionsError::from)?;
    let since = |stream: &ParkedStream| rfc3339::of_moment(stream.parked_at);
    if json {
        let one = |stream: &ParkedStream| {
            json!({
                "projection": stream.follower, "stream": format!("{}-{}", stream.aggregate_type, stream.aggregate_id),
                "from": stream.first_position, "reason": stream.reason, "since": since(stream),
            })
        };
        out::line(json!({ "ok": parked.is_empty(), "parked": parked.iter().map(one).collect::<Vec<_>>() }))?;
    } else if parked.is_empty() {
        out::line("No read model has parked a stream.")?;
    }
    for stream in parked.iter().filter(|_| !json) {
        let ParkedStream { follower, aggregate_type, aggregate_id, first_position, reason, .. } = stream;
        out::line(format_args!(
            "{follower} {aggregate_type}-{aggregate_id} from position {first_position} since {}: {reason}",
            since(stream)
        ))?;
    }
    Ok(if parked.is_empty() { FINE } else { FAILED })
}
