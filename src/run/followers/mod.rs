//! `followers`: who follows the log, and what can be done about what they have set aside.

mod list;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use domain::process::{POLICIES, PROCESSES};
use projections::all;
use serde_json::json;
use sqlx::PgPool;
use store::{
    follow::{self, Left, Projection, Remedied, Remedy, RemedyError},
    gateway::GATEWAY,
    log::{NoStreamId, PostgresLog, StreamId},
    ports::Machine,
};

use super::{FAILED, FINE, Failure};
use crate::{
    cli::{AsideArgs, FollowersCommand, SkipArgs},
    ground::Ground,
    out,
};

/// How long it is waited for what comes of a try in the process that follows.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why a follower was not helped.
#[derive(Debug, thiserror::Error)]
pub enum FollowersError {
    /// Nobody follows under that name.
    #[error("nobody sets anything aside under the name {0:?}; {1} do")]
    NoFollower(String, String),
    /// A stream that is called otherwise.
    #[error(transparent)]
    NoStream(#[from] NoStreamId),
    /// Nothing was done.
    #[error(transparent)]
    Remedy(#[from] RemedyError),
    /// The database's.
    #[error("the followers' tables: {0}")]
    Database(#[from] sqlx::Error),
}

/// Where followers keep their checkpoints.
struct Grounds {
    log: PgPool,
    read: PgPool,
}

/// Who has set something aside.
enum Named {
    ReadModel(Arc<dyn Projection>, StreamId),
    Reactor,
}

/// Lists, or sees to what was set aside.
pub async fn run(ground: &Ground, command: FollowersCommand, json: bool) -> Result<u8, Failure> {
    let (aside, remedy) = match command {
        FollowersCommand::List { watch } => {
            let grounds = Grounds { log: ground.log_pool().await?, read: ground.projection_pool().await? };
            return if watch { list::watch(&grounds).await } else { list::once(&grounds, json).await };
        }
        FollowersCommand::Retry { aside } => (aside, Remedy::Retry),
        FollowersCommand::Skip(SkipArgs { aside, position, reason }) => {
            (aside, Remedy::Skip { position, reason })
        }
        FollowersCommand::Release { aside, reason } => (aside, Remedy::Release { reason }),
    };
    let named = named(&aside)?;
    let pool = ground.log_pool().await?;
    let log = PostgresLog::with_archive(pool.clone(), ground.archive());
    let AsideArgs { follower, what } = &aside;
    let remedied = match named {
        Named::ReadModel(projection, stream) => {
            let read = ground.projection_pool().await?;
            follow::see_to(&read, &log, &*projection, &stream, &remedy).await
        }
        Named::Reactor => {
            let lane = follow::Aside { pool: &pool, follower, lane: what };
            lane.remedy(&log, &Machine, &remedy, PATIENCE).await
        }
    };
    told(json, &aside, &remedied.map_err(FollowersError::from)?)
}

fn named(AsideArgs { follower, what }: &AsideArgs) -> Result<Named, FollowersError> {
    let projections = all();
    if let Some(projection) = projections.iter().find(|projection| projection.name() == follower) {
        return Ok(Named::ReadModel(Arc::clone(projection), what.parse()?));
    }
    let reactors = PROCESSES.iter().map(|process| process.name);
    let reactors = reactors.chain(POLICIES.iter().map(|policy| policy.name)).chain([GATEWAY]);
    if reactors.clone().any(|reactor| reactor == follower) {
        return Ok(Named::Reactor);
    }
    let known: Vec<_> = projections.iter().map(|projection| projection.name()).chain(reactors).collect();
    Err(FollowersError::NoFollower(follower.clone(), known.join(", ")))
}

fn told(json: bool, aside: &AsideArgs, remedied: &Remedied) -> Result<u8, Failure> {
    let fine = remedied.left == Left::Nothing;
    let Remedied { taken, skipped, left } = remedied;
    if json {
        let left = match left {
            Left::Nothing => json!(null),
            Left::Failed { position, reason } => {
                json!({ "position": position, "tried": true, "reason": reason })
            }
            Left::Untried { position, followed } => {
                json!({ "position": position, "tried": false, "followed": followed })
            }
        };
        out::line(json!({ "ok": fine, "taken": taken, "skipped": skipped, "left": left }))?;
    } else {
        out::line(sentence(aside, remedied))?;
    }
    Ok(if fine { FINE } else { FAILED })
}

fn sentence(AsideArgs { follower, what }: &AsideArgs, remedied: &Remedied) -> String {
    let Remedied { taken, skipped, left } = remedied;
    let mut text = match skipped.as_slice() {
        [] => String::new(),
        [one] => format!("{follower} goes on without position {one}. "),
        [first, .., last] => {
            let count = skipped.len();
            format!("{follower} goes on without {count} events, positions {first} to {last} of what waited. ")
        }
    };
    // Writing to a String cannot fail.
    let _ = match left {
        Left::Nothing => {
            write!(text, "{follower} follows {what} again; events that had waited and were taken: {taken}.")
        }
        Left::Failed { position, reason } => write!(
            text,
            "{what} stays set aside from position {position} (events taken before it: {taken}): {reason}"
        ),
        Left::Untried { position, followed: true } => write!(
            text,
            "{what} is being tried from position {position} (events taken before it: {taken}); \
             `daybook followers list` will show what comes of it."
        ),
        Left::Untried { position, followed: false } => write!(
            text,
            "No process runs {follower}: {what} is tried from position {position} by the next one that does."
        ),
    };
    text
}
