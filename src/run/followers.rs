//! `followers`: who follows the log, how far each has come, and what they have set aside.

use std::sync::Arc;

use projections::all;
use serde::Serialize;
use sqlx::PgPool;
use store::{
    follow::{ApplyError, ParkedStream, Projection, WaitingEvent, release},
    log::{Log as _, NoStreamId, Position, PostgresLog, StreamId},
};

use super::{FAILED, FINE, Failure};
use crate::{cli::FollowersCommand, ground::Ground, out};

/// Why a follower was not helped.
#[derive(Debug, thiserror::Error)]
pub enum FollowersError {
    /// Nobody follows under that name.
    #[error("no read model is called {0:?}; there are {1}")]
    NoReadModel(String, String),
    /// A stream that is called otherwise.
    #[error(transparent)]
    NoStream(#[from] NoStreamId),
    /// The stream still cannot be taken.
    #[error("the stream stays set aside: {0}")]
    Apply(#[from] ApplyError),
    /// The database's.
    #[error("the followers' tables: {0}")]
    Database(#[from] sqlx::Error),
}

/// One that follows.
#[derive(Serialize)]
struct Follower {
    name: String,
    position: Position,
    /// Events that it has yet to see.
    lag: Position,
    /// Whether a running process has it.
    held: bool,
}

/// A stream, or an instance, that one of them goes on without.
#[derive(Serialize)]
struct Aside {
    follower: String,
    what: String,
    from: Position,
    reason: String,
}

/// Lists, or sees to a stream that was set aside.
pub async fn run(ground: &Ground, command: FollowersCommand, json: bool) -> Result<u8, Failure> {
    let here = ground.log_pool().await?;
    let log = PostgresLog::with_archive(here.clone(), ground.archive());
    let read = ground.projection_pool().await?;
    match command {
        FollowersCommand::List => list(&log, &here, &read, json).await,
        FollowersCommand::Release { follower, stream } => {
            let (projection, stream) = named(&follower, &stream)?;
            let applied = release(&read, &log, &*projection, &stream).await.map_err(FollowersError::from)?;
            told(json, &follower, &stream, applied)
        }
    }
}

fn named(follower: &str, stream: &str) -> Result<(Arc<dyn Projection>, StreamId), FollowersError> {
    let stream: StreamId = stream.parse()?;
    let known = || all().iter().map(|projection| projection.name()).collect::<Vec<_>>().join(", ");
    let projection = all().into_iter().find(|projection| projection.name() == follower);
    Ok((projection.ok_or_else(|| FollowersError::NoReadModel(follower.to_owned(), known()))?, stream))
}

fn told(json: bool, follower: &str, stream: &StreamId, applied: Option<usize>) -> Result<u8, Failure> {
    if json {
        out::line(serde_json::json!({ "ok": applied.is_some(), "applied": applied }))?;
    } else {
        match applied {
            Some(applied) => {
                out::line(format_args!("{follower} has {stream} again; {applied} events were applied."))?
            }
            None => out::line(format_args!("{follower} has not set {stream} aside."))?,
        }
    }
    Ok(if applied.is_some() { FINE } else { FAILED })
}

async fn list(log: &PostgresLog, here: &PgPool, read: &PgPool, json: bool) -> Result<u8, Failure> {
    let head = log.head().await?.position;
    let mut followers = of(here, head).await?;
    followers.extend(of(read, head).await?);
    let mut aside: Vec<Aside> = vec![];
    for pool in [here, read] {
        let parked = ParkedStream::list(pool).await.map_err(FollowersError::from)?;
        aside.extend(parked.into_iter().map(|parked| Aside {
            what: format!("{}-{}", parked.aggregate_type, parked.aggregate_id),
            follower: parked.follower,
            from: parked.first_position,
            reason: parked.reason,
        }));
    }
    let waiting = WaitingEvent::list(here).await.map_err(FollowersError::from)?;
    aside.extend(waiting.into_iter().map(|waiting| Aside {
        what: waiting.lane,
        follower: waiting.follower,
        from: waiting.position,
        reason: waiting.reason,
    }));
    if json {
        out::line(serde_json::json!({ "head": head, "followers": followers, "aside": aside }))?;
        return Ok(FINE);
    }
    out::line(format_args!("{:24} {:>12} {:>10}  held", "follower", "position", "behind"))?;
    for Follower { name, position, lag, held } in &followers {
        out::line(format_args!("{name:24} {position:>12} {lag:>10}  {}", if *held { "yes" } else { "no" }))?;
    }
    for Aside { follower, what, from, reason } in &aside {
        out::line(format_args!("{follower} goes on without {what} from position {from}: {reason}"))?;
    }
    Ok(FINE)
}

/// Those that keep a checkpoint in this schema; a lease without one is no follower of the log.
async fn of(pool: &PgPool, head: Position) -> Result<Vec<Follower>, FollowersError> {
    let rows: Vec<(String, Position, bool)> = sqlx::query_as(
        "SELECT name, position, lease_expires_at > now() FROM followers WHERE incarnation IS NOT NULL ORDER BY name",
    )
    .fetch_all(pool)
    .await?;
    let follower = |(name, position, held)| Follower { name, position, lag: (head - position).max(0), held };
    Ok(rows.into_iter().map(follower).collect())
}
