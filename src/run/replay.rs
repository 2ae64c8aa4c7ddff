//! `replay`: the log through a projection into a place of the analyst's own, and how that is watched and steered.

use std::{path::Path, sync::Arc};

use ::projections::replay::{
    Begin, Desk, Destination, Ground, Look, ReplayError, Replayed, Speed, Standing, Told, Wishes, replay,
};
use serde_json::{Value, json};
use store::{follow::skipped_ids, history::Moment, ports::Machine, rfc3339};

use super::{EventsError, FAILED, FINE, Failure, history, projections};
use crate::{
    cli::{ReplayArgs, ReplayCommand},
    ground::{GroundError, Reading},
    out,
    progress::{Progress, Rate, span},
    settings::Settings,
};

/// Replays, or does something about a replay that runs.
pub async fn run(settings: Settings, data: &Path, args: ReplayArgs, json: bool) -> Result<u8, Failure> {
    match &args.command {
        None => begin(settings, data, args, json).await,
        Some(ReplayCommand::Status(to)) => {
            let look = Desk::of(&to.destination("")?).await?.look().await?;
            print_look(&look, json)
        }
        Some(ReplayCommand::Pause(to)) => {
            steer(&to.destination("")?, json, |was| Wishes { paused: true, ..was }).await
        }
        Some(ReplayCommand::Resume(to)) => {
            steer(&to.destination("")?, json, |was| Wishes { paused: false, ..was }).await
        }
        Some(ReplayCommand::Rate { speed, to }) => {
            steer(&to.destination("")?, json, |was| Wishes { speed: *speed, ..was }).await
        }
    }
}

/// Tells a replay what is wanted. One that does not run hears nothing.
async fn steer(
    destination: &Destination,
    json: bool,
    wanted: impl Fn(Wishes) -> Wishes,
) -> Result<u8, Failure> {
    let look = Desk::of(destination).await?.steer(wanted).await?;
    print_look(&look, json)?;
    if !look.running {
        out::tell(
            "replay: no process is at it now, so that nothing was changed; `daybook replay` goes as fast as its --speed says",
        );
    }
    Ok(if look.running { FINE } else { FAILED })
}

fn print_look(look: &Look, json: bool) -> Result<u8, Failure> {
    if json {
        let mut told = serde_json::to_value(look)?;
        told["state"] = look.state().into();
        out::line(told)?;
        return Ok(FINE);
    }
    let Look { standing, wishes, running } = look;
    let speed = match wishes.speed {
        Speed::Business(_) | Speed::Events(_) if *running => format!(" at {}", wishes.speed),
        Speed::Max | Speed::Business(_) | Speed::Events(_) => String::new(),
    };
    out::line(format_args!("{}{speed}: {}", look.state(), far(standing)))?;
    Ok(FINE)
}

fn far(standing: &Standing) -> String {
    let Standing { projection, position, upto, events, business_time, parked } = standing;
    let time = business_time.as_ref().map_or(String::new(), |time| format!(", business time {time}"));
    let aside = if *parked > 0 { format!(", {parked} streams set aside") } else { String::new() };
    format!("{projection} up to position {position} of {upto}, {events} events applied{time}{aside}")
}

/// Replays, and shows how far it is.
async fn begin(settings: Settings, data: &Path, args: ReplayArgs, json: bool) -> Result<u8, Failure> {
    let projection = projections::named(args.projection.as_deref().unwrap_or_default(), &[])?;
    let to = args.until.unwrap_or(Moment::Now);
    let from = args.from.map(|from| match from {
        Begin::Position(position) => Moment::Position(position),
        Begin::Time(time) => Moment::Time(time),
    });
    let backwards = match (from, to) {
        (Some(Moment::Position(from)), Moment::Position(to)) => from > to,
        (Some(Moment::Time(from)), Moment::Time(to)) => from > to,
        _ => false,
    };
    if backwards {
        return Err(EventsError::Backwards { from: "--from", to: "--to" }.into());
    }
    // What cannot be gone to is told before anything is reached.
    args.to.destination("")?;
    let reading = Reading::prepare(settings, data, &|line| out::tell(line)).await?;
    history::check(&reading, &[from.unwrap_or(Moment::Now), to]).await?;
    let skipped = match reading.read_models().await {
        Ok(pool) => {
            let mut connection = pool.acquire().await.map_err(ReplayError::from)?;
            skipped_ids(&mut connection, projection.name()).await.map_err(ReplayError::from)?
        }
        Err(error) => {
            tell_of_no_read_models(&error);
            Default::default()
        }
    };
    let asked = ::projections::replay::Asked {
        asked: identity(projection.name(), to),
        projection,
        to,
        from: args.from,
        speed: args.speed,
        restart: args.restart,
    };
    let destination = args.to.destination(args.scratch.as_deref().unwrap_or(reading.url()))?;
    let again = matches!(&destination, Destination::Folder { path, .. } if Desk::has_begun(path));
    let ground = Ground {
        log: Arc::new(reading.log.clone()),
        clock: Arc::new(Machine),
        skipped,
        prefix: reading.schema().to_owned(),
    };
    let (progress, rate) = (Progress::noting("replay", "positions"), Rate::default());
    let replayed = replay(&ground, &asked, &destination, &|told| tell(&progress, &rate, told, again)).await?;
    progress.finish();
    print(&replayed, &destination, json)
}

fn tell_of_no_read_models(error: &GroundError) {
    out::tell(format_args!(
        "replay: the read models cannot be asked which events they go on without ({error}): all are replayed"
    ));
}

/// What makes one replay another one.
fn identity(projection: &str, to: Moment) -> Value {
    let to = match to {
        Moment::Time(time) => json!(rfc3339::format(time)),
        Moment::Position(position) => json!(position),
        Moment::Now | Moment::Sequence(_) => Value::Null,
    };
    json!({
        "daybook": env!("CARGO_PKG_VERSION"),
        "the form of its tables": ::projections::form(),
        "--projection": projection,
        "--to": to,
    })
}

fn tell(progress: &Progress, rate: &Rate, told: Told<'_>, again: bool) {
    let whole = |position: i64| u64::try_from(position).unwrap_or(0);
    match told {
        Told::Begun(Standing { position, upto, events, .. }) => {
            if *position > 0 {
                out::tell(format_args!("replay: goes on after position {position}"));
            } else if again {
                out::tell("replay: begins anew; rows on their way into a folder are not kept");
            }
            rate.begin(whole(*events));
            progress.begin_after(whole(*position), whole(*upto));
        }
        Told::At(standing, wishes, left_ms) => {
            let Standing { position, upto, events, business_time, .. } = standing;
            let rate = match position >= upto {
                true => rate.of_all(whole(*events)),
                false => rate.of_late(whole(*events)),
            };
            let applied = format!("{events} events at {rate}/s");
            let time = business_time.as_ref().map(|time| format!("business time {time}"));
            let pace = match (wishes.paused, left_ms) {
                _ if position >= upto => None,
                (true, _) => Some("paused".to_owned()),
                (false, Some(left_ms)) => {
                    Some(format!("{} to go at {}", span(whole(left_ms / 1_000)), wishes.speed))
                }
                (false, None) => progress.left(),
            };
            let note: Vec<_> = [applied].into_iter().chain(time).chain(pace).collect();
            progress.at_noting(whole(*position), whole(*upto), note.join(", "));
        }
        Told::Writing => out::tell("replay: writing the files"),
    }
}

fn print(replayed: &Replayed, destination: &Destination, json: bool) -> Result<u8, Failure> {
    let Replayed { standing, tables, files, parked } = replayed;
    let fine = parked.is_empty();
    let aside = parked.iter().map(|stream| {
        let named = format!("{}-{}", stream.aggregate_type, stream.aggregate_id);
        (named, stream.first_position, &stream.reason)
    });
    if json {
        let tables: Vec<_> =
            tables.iter().map(|(table, rows)| json!({"table": table, "rows": rows})).collect();
        let files: Vec<_> = files.iter().map(|(path, bytes)| json!({"file": path, "bytes": bytes})).collect();
        let aside: Vec<_> =
            aside.map(|(stream, from, why)| json!({"stream": stream, "from": from, "reason": why})).collect();
        let mut told = serde_json::to_value(standing)?;
        told["ok"] = fine.into();
        told["tables"] = tables.into();
        told["files"] = files.into();
        told["parked"] = aside.into();
        out::line(told)?;
        return Ok(if fine { FINE } else { FAILED });
    }
    for (table, rows) in tables {
        out::line(format_args!("{table}: {rows} rows"))?;
    }
    for (path, bytes) in files {
        out::line(format_args!("{}: {bytes} bytes", path.display()))?;
    }
    for (stream, from, why) in aside {
        out::line(format_args!("left out: {stream} from position {from}: {why}"))?;
    }
    let place = match destination {
        Destination::Schema { schema, .. } => format!("schema {schema}"),
        Destination::Folder { path, .. } => path.display().to_string(),
    };
    out::line(format_args!("{}, in {place}", far(standing)))?;
    Ok(if fine { FINE } else { FAILED })
}
