//! `followers list`: how far each has come, what it has set aside, and what it goes on without.

use std::{collections::HashMap, io::IsTerminal as _, time::Duration};

use serde::Serialize;
use sqlx::PgPool;
use store::{
    follow::{ParkedStream, SkippedEvent, Standing, Standings, WaitingLane},
    log::Position,
    ports::{Clock as _, Machine},
    rfc3339,
};

use super::{FollowersError, Grounds};
use crate::{
    out,
    run::{FINE, Failure},
};

/// Lines of each kind that a person is shown.
const LINES_MAX: usize = 20;
/// How often it is looked again.
const EVERY: Duration = Duration::from_secs(1);
/// Takes the cursor home and what was there before away (ECMA-48: CUP, ED).
const ANEW: &str = "\x1b[H\x1b[2J";

/// Everything at one moment.
#[derive(Serialize)]
struct List {
    head: Position,
    followers: Vec<Follower>,
    timers: Timers,
    aside: Vec<Aside>,
    skipped: Vec<Skipped>,
}

/// One that follows, or a lease that one process has.
#[derive(Serialize)]
struct Follower {
    name: String,
    /// `None` where there is no checkpoint in this life of the log.
    position: Option<Position>,
    /// Events that it has yet to see.
    lag: Option<Position>,
    /// How long the oldest of them has been there, unless it was put away.
    lag_seconds: Option<f64>,
    /// Whether a running process has it.
    held: bool,
    /// Streams and instances that it has set aside.
    aside: i64,
    /// Events that it goes on without for good.
    skipped: i64,
}

/// Timers that should have fired.
#[derive(Serialize)]
struct Timers {
    overdue: i64,
    late_seconds: f64,
}

/// A stream, or an instance, that one of them goes on without until somebody sees to it.
#[derive(Serialize)]
struct Aside {
    follower: String,
    what: String,
    from: Position,
    reason: String,
    since: String,
    /// Events that wait; not counted for streams.
    events: Option<i64>,
    /// How often it was tried again by itself; streams are not.
    tries: Option<i32>,
    tried_at: Option<String>,
}

/// An event that one of them goes on without for good.
#[derive(Serialize)]
struct Skipped {
    follower: String,
    position: Position,
    what: String,
    reason: Option<String>,
    skipped_at: String,
}

/// Once, as text or as JSON.
pub(super) async fn once(grounds: &Grounds, json: bool) -> Result<u8, Failure> {
    let list = List::of(grounds).await?;
    if json {
        out::line(serde_json::to_string(&list)?)?;
    } else {
        list.print(None)?;
    }
    Ok(FINE)
}

/// Again and again, until somebody presses Ctrl-C.
pub(super) async fn watch(grounds: &Grounds) -> Result<u8, Failure> {
    let mut before: Option<(i64, HashMap<String, Position>)> = None;
    loop {
        let now_us = Machine.elapsed_us();
        let list = List::of(grounds).await?;
        let at: HashMap<_, _> =
            list.followers.iter().filter_map(|of| Some((of.name.clone(), of.position?))).collect();
        let rate = |(was_us, was): &(i64, HashMap<String, Position>), name: &str| {
            let events = (at.get(name)? - was.get(name)?).max(0);
            Some(events as f64 * 1e6 / (now_us - was_us).max(1) as f64)
        };
        if before.is_some() {
            out::line(if std::io::stdout().is_terminal() { ANEW } else { "" })?;
        }
        list.print(Some(&|name| before.as_ref().and_then(|before| rate(before, name))))?;
        before = Some((now_us, at));
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            pressed = tokio::signal::ctrl_c() => {
                pressed?;
                return Ok(FINE);
            }
        }
    }
}

/// Events a second of the follower of that name, if it is known.
type Rate<'a> = dyn Fn(&str) -> Option<f64> + 'a;

impl List {
    async fn of(Grounds { log, read }: &Grounds) -> Result<Self, FollowersError> {
        let standings = Standings::ask(log, read, Machine.now_us()).await?;
        let mut aside = vec![];
        let mut skipped = vec![];
        for pool in [log, read] {
            aside.extend(parked(pool).await?);
            let events = SkippedEvent::list(pool).await?;
            skipped.extend(events.into_iter().map(Skipped::from));
        }
        aside.extend(WaitingLane::list(log).await?.into_iter().map(Aside::from));
        let timers =
            Timers { overdue: standings.overdue.timers, late_seconds: seconds(standings.overdue.late_us) };
        let followers = standings.followers.into_iter().map(Follower::from).collect();
        Ok(Self { head: standings.head, followers, timers, aside, skipped })
    }

    /// With events a second, where that is known.
    fn print(&self, rate: Option<&Rate<'_>>) -> Result<(), Failure> {
        let head = format!("{:24} {:>12} {:>10} {:>9}", "follower", "position", "behind", "for");
        let watched = if rate.is_some() { format!(" {:>9}", "events/s") } else { String::new() };
        out::line(format_args!("{head}{watched}  held  aside"))?;
        for of in &self.followers {
            let position = of.position.map_or("-".to_owned(), |position| position.to_string());
            let lag = of.lag.map_or("-".to_owned(), |lag| lag.to_string());
            let age = of.lag_seconds.map_or("-".to_owned(), |age| format!("{age:.1} s"));
            let rate = rate.map_or(String::new(), |rate| {
                let rate = rate(&of.name).map_or("-".to_owned(), |rate| format!("{rate:.0}"));
                format!(" {rate:>9}")
            });
            let (name, held) = (&of.name, if of.held { "yes" } else { "no" });
            out::line(format_args!(
                "{name:24} {position:>12} {lag:>10} {age:>9}{rate}  {held:4}  {:>5}",
                of.aside
            ))?;
        }
        if self.timers.overdue > 0 {
            let Timers { overdue, late_seconds } = self.timers;
            out::line(format_args!("{overdue} timers should have fired, the first {late_seconds:.1} s ago"))?;
        }
        for Aside { follower, what, from, reason, since, events, tries, .. } in
            self.aside.iter().take(LINES_MAX)
        {
            let events = events.map_or(String::new(), |events| format!(", waiting: {events}"));
            let tries = tries.map_or(String::new(), |tries| format!(", tried again: {tries}"));
            out::line(format_args!(
                "{follower} goes on without {what} from position {from} since {since}{events}{tries}: {reason}"
            ))?;
        }
        more(self.aside.len(), "that are set aside")?;
        for Skipped { follower, position, what, reason, skipped_at } in self.skipped.iter().take(LINES_MAX) {
            let reason = reason.as_deref().unwrap_or("nobody said why");
            out::line(format_args!(
                "{follower} has skipped position {position} of {what} at {skipped_at}: {reason}"
            ))?;
        }
        more(self.skipped.len(), "that were skipped")
    }
}

/// How many a person is not shown.
fn more(all: usize, which: &str) -> Result<(), Failure> {
    if all > LINES_MAX {
        out::line(format_args!("… and {} more {which}: --json lists all", all - LINES_MAX))?;
    }
    Ok(())
}

async fn parked(pool: &PgPool) -> Result<impl Iterator<Item = Aside>, sqlx::Error> {
    let parked = ParkedStream::list(pool).await?;
    Ok(parked.into_iter().map(|parked| Aside {
        what: format!("{}-{}", parked.aggregate_type, parked.aggregate_id),
        follower: parked.follower,
        from: parked.first_position,
        reason: parked.reason,
        since: rfc3339::of_moment(parked.parked_at),
        events: None,
        tries: None,
        tried_at: None,
    }))
}

impl From<WaitingLane> for Aside {
    fn from(lane: WaitingLane) -> Self {
        Self {
            follower: lane.follower,
            what: lane.lane,
            from: lane.position,
            reason: lane.reason,
            since: rfc3339::of_moment(lane.since),
            events: Some(lane.events),
            tries: Some(lane.tries),
            tried_at: lane.tried_at.map(rfc3339::of_moment),
        }
    }
}

impl From<SkippedEvent> for Skipped {
    fn from(event: SkippedEvent) -> Self {
        let SkippedEvent { follower, position, aside, reason, skipped_at } = event;
        Self { follower, position, what: aside, reason, skipped_at: rfc3339::of_moment(skipped_at) }
    }
}

impl From<Standing> for Follower {
    fn from(of: Standing) -> Self {
        Self {
            name: of.name,
            position: of.position,
            lag: of.behind,
            lag_seconds: of.behind_us.map(seconds),
            held: of.followed,
            aside: of.parked + of.lanes,
            skipped: of.skipped,
        }
    }
}

/// To the millisecond.
fn seconds(micros: i64) -> f64 {
    (micros / 1_000) as f64 / 1_000.0
}
