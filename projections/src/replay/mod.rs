//! Replays the log through a projection for an analyst: into a schema of their own, or a folder of Parquet; as fast as it can
//! or rated, watched and steered on the way.
//!
//! Nothing is reached but the log, which is only read, and the destination.

mod desk;
mod error;
mod outlook;
mod pace;
mod place;

use std::{collections::HashSet, path::PathBuf, sync::Arc, time::Duration};

use domain::value::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{
    feed::Entry,
    follow::{ParkedStream, Part, Projection, ReplaySource, Replaying},
    history::Moment,
    log::{Log, Position},
    ports::Clock,
};
use uuid::Uuid;

use self::{outlook::Outlook, place::Place};
use crate::analytics::{Work, write_tables};

pub use desk::{Desk, Look};
pub use error::ReplayError;
pub use pace::{NoSpeed, Pace, Speed, Wishes};

/// How often it is looked what is wanted, and told how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Events that come thicker are applied together.
const TOGETHER: Duration = Duration::from_millis(20);

/// Where a replay goes.
#[derive(Clone, Debug)]
pub enum Destination {
    /// A schema of a Postgres database, which is made, or is empty.
    Schema {
        /// The database, as a role that may make a schema there.
        url: String,
        /// The schema's name.
        schema: String,
    },
    /// A folder of Parquet, a file for each table.
    Folder {
        /// The folder, which is not there yet.
        path: PathBuf,
        /// A database that the role may make temporary tables in: rows are folded there.
        scratch_url: String,
    },
}

/// From where on a replay is rated. What stands before it is applied first, as fast as it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// A position of the log.
    Position(Position),
    /// Business time: the first event of the log, in its order, that occurred then or later.
    Time(Time),
}

/// What is to be replayed.
#[derive(Clone)]
pub struct Asked {
    /// Through which projection.
    pub projection: Arc<dyn Projection>,
    /// Up to when: by a position, a time of business, or all of it.
    pub to: Moment,
    /// From where on it is rated; from its beginning, without one.
    pub from: Option<Begin>,
    /// How fast at first.
    pub speed: Speed,
    /// Throw away what an earlier replay left there.
    pub restart: bool,
    /// An object of all that makes one replay another one: a replay goes on only with the same.
    pub asked: Value,
}

/// What a replay stands on.
pub struct Ground {
    /// The log.
    pub log: Arc<dyn Log>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The ids of the events that the read model that serves goes on without.
    pub skipped: HashSet<Uuid>,
    /// What the names of the log's schemas start with.
    pub prefix: String,
}

/// How far a replay is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Through which projection.
    pub projection: String,
    /// Up to where in the log it is done.
    pub position: Position,
    /// Up to where it goes.
    pub upto: Position,
    /// How many events were applied.
    pub events: i64,
    /// The latest time of business that it has come to, as RFC 3339; nothing before its first event.
    pub business_time: Option<String>,
    /// How many streams it could not take, and has set aside.
    pub parked: i64,
}

/// What happens on the way.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// It begins, or goes on.
    Begun(&'a Standing),
    /// It has come so far; it goes like this, and where business time is rated so many milliseconds are left.
    At(&'a Standing, Wishes, Option<i64>),
    /// The files are written.
    Writing,
}

/// What a replay has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// How far it is.
    pub standing: Standing,
    /// The projection's tables and how many rows each has.
    pub tables: Vec<(&'static str, i64)>,
    /// The files and their bytes; none in a database.
    pub files: Vec<(PathBuf, u64)>,
    /// What it could not take.
    pub parked: Vec<ParkedStream>,
}

/// Replays, or goes on with a replay that was interrupted or that the log has outgrown.
///
/// # Errors
/// When the destination cannot take it, the log cannot be read, or an event is of a newer program. In a schema rows and
/// checkpoint move together, and a folder is whole or not there: the same call goes on, in a folder from the beginning.
pub async fn replay(
    ground: &Ground,
    asked: &Asked,
    destination: &Destination,
    tell: &(dyn Fn(Told<'_>) + Sync),
) -> Result<Replayed, ReplayError> {
    let head = ground.log.head().await?;
    let upto = match asked.to {
        Moment::Position(position) => position.min(head.position),
        Moment::Now | Moment::Time(_) | Moment::Sequence(_) => head.position,
    };
    match destination {
        Destination::Schema { url, schema } => {
            let mut place = Place::schema(url, schema, &ground.prefix).await?;
            let standing = place.begin(asked, (head.incarnation, upto)).await?;
            let desk = Desk::of(destination).await?;
            let reader = reader(ground, asked, head.incarnation);
            let mut running = Running::begin(ground, asked, (place, desk, standing), reader(), tell).await?;
            running.run(reader()).await?;
            running.end(None).await
        }
        Destination::Folder { path, scratch_url } => {
            // Nothing is begun where there is no room to fold in.
            let mut place = Place::temporary(scratch_url).await?;
            let standing = place.begin(asked, (head.incarnation, upto)).await?;
            let range = (0, upto);
            let work = Work::begin(path, true, &asked.asked, range, head.incarnation, asked.restart)?;
            let desk = Desk::Folder(Work::folder_of(path));
            let reader = reader(ground, asked, head.incarnation);
            let mut running = Running::begin(ground, asked, (place, desk, standing), reader(), tell).await?;
            running.run(reader()).await?;
            running.end(Some(work)).await
        }
    }
}

/// What reads the log for a replay.
fn reader(ground: &Ground, asked: &Asked, incarnation: Uuid) -> impl Fn() -> ReplaySource {
    move || {
        let (projection, log) = (Arc::clone(&asked.projection), Arc::clone(&ground.log));
        ReplaySource::new(projection, log, (incarnation, asked.to), ground.skipped.clone())
    }
}

/// A replay at work.
struct Running<'a> {
    ground: &'a Ground,
    asked: &'a Asked,
    place: Place,
    desk: Desk,
    replaying: Replaying,
    standing: Standing,
    pace: Pace,
    /// Whether it is rated by now.
    rated: bool,
    /// When the latest of its events occurs.
    outlook: Outlook,
    looked_us: Option<i64>,
    tell: &'a (dyn Fn(Told<'_>) + Sync),
}

impl<'a> Running<'a> {
    async fn begin(
        ground: &'a Ground,
        asked: &'a Asked,
        (mut place, mut desk, standing): (Place, Desk, Standing),
        ahead: ReplaySource,
        tell: &'a (dyn Fn(Told<'_>) + Sync),
    ) -> Result<Self, ReplayError> {
        let replaying = Replaying::begin(Arc::clone(&asked.projection), &mut place.connection).await?;
        let wishes = Wishes { paused: false, speed: asked.speed };
        desk.wish(wishes).await?;
        desk.tell(&standing)?;
        tell(Told::Begun(&standing));
        let mut pace = Pace::default();
        pace.change(wishes, ground.clock.elapsed_us());
        let outlook = Outlook::new(ahead, standing.position, standing.upto);
        let (rated, looked_us) = (asked.from.is_none(), None);
        Ok(Self { ground, asked, place, desk, replaying, standing, pace, rated, outlook, looked_us, tell })
    }

    /// Applies everything that is to be, the next part being read meanwhile.
    async fn run(&mut self, mut source: ReplaySource) -> Result<(), ReplayError> {
        let until = self.standing.upto;
        source.pass(self.standing.position).await?;
        let mut part = source.next(self.standing.position, until).await?;
        while part.end > self.standing.position {
            let (played, next) = futures::join!(self.play(&part), source.next(part.end, until));
            played?;
            part = next?;
        }
        Ok(())
    }

    /// Applies a part as its events become due.
    async fn play(&mut self, part: &Part) -> Result<(), ReplayError> {
        let mut rest = &part.entries[..];
        loop {
            self.look().await?;
            let (due, wait) = self.due(rest);
            if due == 0 && !(rest.is_empty() && wait.is_some()) {
                // Before anything can be said of how long it takes, the time is used to find out.
                if matches!(self.pace.wishes().speed, Speed::Business(_)) && self.outlook.look_on().await {
                    continue;
                }
                // While it stands still, it is only looked what is wanted.
                let wait = wait.unwrap_or(LOOK_EVERY).clamp(TOGETHER, LOOK_EVERY);
                self.ground.clock.sleep(wait).await;
                continue;
            }
            let (now, later) = rest.split_at(due);
            let end = now.last().filter(|_| !later.is_empty()).map_or(part.end, |entry| entry.position);
            let applied = self.place.take(&mut self.replaying, now, end).await?;
            let latest = now.iter().filter_map(occurred_at).max();
            if let Some(latest) = latest.filter(|_| self.rated) {
                self.pace.let_go(now.len(), latest.millis(), self.ground.clock.elapsed_us());
            }
            self.standing.position = end;
            self.standing.events += i64::try_from(applied).unwrap_or(0);
            rest = later;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// How many of these may be applied now, and how long it is until the next one may be; `None` while it stands still.
    fn due(&mut self, entries: &[Arc<Entry>]) -> (usize, Option<Duration>) {
        let now_us = self.ground.clock.elapsed_us();
        let (mut due, mut wait_us) = (0, self.pace.wait_us((0, i64::MIN), now_us));
        if !self.rated && wait_us.is_some() {
            due = (0..entries.len()).take_while(|nth| !self.begins(entries, *nth)).count();
            if due > 0 || entries.is_empty() {
                return (together(entries, due), Some(Duration::ZERO));
            }
            self.rated = true;
        }
        for nth in 0..entries.len() {
            let at_ms = due_at(entries, nth).map_or(i64::MIN, Time::millis);
            wait_us = self.pace.wait_us((nth, at_ms), now_us);
            // The first one says from when on the others are counted.
            if wait_us != Some(0) || nth > 0 && self.pace.business_ms(now_us).is_none() {
                break;
            }
            due = nth + 1;
        }
        (together(entries, due), wait_us.map(|us| Duration::from_micros(us.unsigned_abs())))
    }

    fn begins(&self, entries: &[Arc<Entry>], nth: usize) -> bool {
        match self.asked.from {
            None => true,
            Some(Begin::Position(from)) => entries.get(nth).is_some_and(|entry| entry.position >= from),
            Some(Begin::Time(from)) => due_at(entries, nth).is_some_and(|at| at >= from),
        }
    }

    /// Looks what is wanted, and tells how far it is, now and then.
    async fn look(&mut self) -> Result<(), ReplayError> {
        let now_us = self.ground.clock.elapsed_us();
        let every_us = i64::try_from(LOOK_EVERY.as_micros()).unwrap_or(i64::MAX);
        if self.looked_us.is_some_and(|looked| now_us - looked < every_us) {
            return Ok(());
        }
        self.looked_us = Some(now_us);
        let wishes = self.desk.wishes().await?;
        if self.pace.change(wishes, now_us) {
            tracing::info!(paused = wishes.paused, speed = %wishes.speed, "the replay goes on as it was told");
        }
        self.standing = place::standing(&mut self.place.connection).await?;
        self.desk.tell(&self.standing)?;
        let left_ms = self.outlook.end_ms().and_then(|end| self.pace.left_ms(end, now_us));
        (self.tell)(Told::At(&self.standing, wishes, left_ms));
        Ok(())
    }

    /// Counts what there is, and puts it into files where it is to be.
    async fn end(mut self, work: Option<Work>) -> Result<Replayed, ReplayError> {
        self.looked_us = None;
        self.look().await?;
        let projection = &*self.asked.projection;
        let (tables, parked) = self.place.end(projection).await?;
        let files = match work {
            Some(mut work) => {
                Desk::leave(&mut work, &self.standing)?;
                (self.tell)(Told::Writing);
                write_tables(work, &mut self.place.connection, projection.tables()).await?
            }
            None => vec![],
        };
        Ok(Replayed { standing: self.standing, tables, files, parked })
    }
}

/// At least so many of the entries, and no position's in part.
fn together(entries: &[Arc<Entry>], count: usize) -> usize {
    let last = count.checked_sub(1).and_then(|nth| entries.get(nth)).map(|entry| entry.position);
    count + entries.iter().skip(count).take_while(|entry| Some(entry.position) == last).count()
}

/// When it is time for an entry: what keeps a place goes with what stands behind it at its position.
fn due_at(entries: &[Arc<Entry>], nth: usize) -> Option<Time> {
    let position = entries.get(nth)?.position;
    let belonging = entries.iter().skip(nth).take_while(|entry| entry.position == position);
    belonging.filter_map(occurred_at).max()
}

/// When an event occurred that means anything.
fn occurred_at(entry: &Arc<Entry>) -> Option<Time> {
    let recorded = entry.event.as_ref().ok().filter(|recorded| !recorded.events.is_empty())?;
    Some(recorded.metadata.occurred_at)
}
