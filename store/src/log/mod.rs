//! The log as the rest of the store sees it: streams, events with dense positions, and one door to append through.

mod append;
mod connections;
mod decode;
mod digest;
mod history;
mod kind;
mod meaning;
mod postgres;
mod raw;
mod row;
mod seen;
mod selection;
mod snapshot;
mod through;
mod timer;

use std::{fmt, str::FromStr, sync::Arc};

use async_trait::async_trait;
use domain::{AggregateType, value::Time};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{archive::ArchiveError, trace::Traceparent};

pub(crate) use decode::without_meaning;
pub use decode::{DecodeError, Decoded, Decoder, decode_stream, read_but, read_with, understand};
pub use digest::{Digest, Link, Texts, digest, link};
pub use kind::TakeRecorded;
pub use meaning::{Meaning, Meant, meant_id};
pub use postgres::PostgresLog;
pub use raw::{Brief, RawEvent};
pub(crate) use row::{COLUMNS, fixed, micros_at, micros_of, moment as moment_us, stored};
pub use seen::{Seen, see};
pub use selection::{Page, Pages, Selection};
pub use snapshot::{FOLD, Snapshot};
pub use timer::NewTimer;
pub(crate) use timer::bind as bind_timers;

/// A place in the log: 1, 2, 3 … without a gap, in commit order. Zero is before the first event.
pub type Position = i64;

/// A place in a stream, from 1.
pub type Sequence = i64;

/// The stream of one aggregate; shown as `<aggregate_type>-<id>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Which kind of aggregate.
    pub aggregate_type: AggregateType,
    /// Which one.
    pub id: Arc<str>,
}

impl StreamId {
    /// The stream of an aggregate.
    #[must_use]
    pub fn new(aggregate_type: AggregateType, id: &str) -> Self {
        Self { aggregate_type, id: id.into() }
    }
}

/// A text that names no stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a stream such as order-O1: an aggregate's type, a hyphen and an id")]
pub struct NoStreamId(String);

impl FromStr for StreamId {
    type Err = NoStreamId;

    fn from_str(text: &str) -> Result<Self, NoStreamId> {
        let named = text.split_once('-').filter(|(_, id)| !id.is_empty());
        let known = named.and_then(|(name, id)| Some(Self::new(name.parse().ok()?, id)));
        known.ok_or_else(|| NoStreamId(text.to_owned()))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.aggregate_type, self.id)
    }
}

/// Who did it, when in business time, and because of what. Stored as JSON with text values only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Business time, RFC 3339 in UTC.
    #[serde(with = "crate::rfc3339")]
    pub occurred_at: Time,
    /// Who: `customer:<id>`, `guest`, `staff:<id>`, `system:<part>`, `import:<name>`.
    pub actor: Arc<str>,
    /// The whole business transaction that this belongs to.
    pub correlation_id: Uuid,
    /// The event or request that caused it.
    pub causation_id: Uuid,
    /// The command that it came from.
    pub command_id: Uuid,
    /// The span of that command, where somebody collects its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Traceparent>,
}

/// An event as it stands in the log, its texts untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place in the log.
    pub position: Position,
    /// `aggregate_type`, as stored.
    pub aggregate_type: Arc<str>,
    /// The aggregate's id.
    pub aggregate_id: Arc<str>,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// Its stored name.
    pub event_type: Box<str>,
    /// Its stored version.
    pub event_version: Box<str>,
    /// The payload's exact text.
    pub payload: Box<str>,
    /// The metadata's exact text.
    pub metadata: Box<str>,
    /// Its own id.
    pub event_id: Uuid,
    /// When the log took it, in microseconds since the epoch.
    pub recorded_at_us: i64,
}

/// An event that has been read and understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Its place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// Its own id.
    pub event_id: Uuid,
    /// When the log took it, in microseconds since the epoch.
    pub recorded_at_us: i64,
    /// Who, when, why.
    pub metadata: Metadata,
    /// What it means today.
    pub events: Meaning,
}

/// An event on its way into the log; its position comes with the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// Its stored name.
    pub event_type: &'static str,
    /// Its stored version.
    pub event_version: &'static str,
    /// The payload's exact text.
    pub payload: String,
    /// The metadata's exact text.
    pub metadata: String,
    /// Its own id.
    pub event_id: Uuid,
    /// When it was decided, in microseconds since the epoch.
    pub recorded_at_us: i64,
    /// Over all of the above.
    pub digest: Digest,
}

/// The first answer to a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The command's id.
    pub command_id: Uuid,
    /// A keyed hash of the command, to tell a repeat from another command under the same id.
    pub fingerprint: [u8; 32],
    /// The stream that it was for.
    pub stream: StreamId,
    /// The stream's version after it.
    pub version: Sequence,
    /// Its last event's position; without events, the head that the answer rests on.
    pub position: Position,
    /// How many events it caused.
    pub events: i32,
    /// `{"code", "values"}` when it was refused.
    pub refusal: Option<String>,
    /// When the row may be forgotten, in microseconds since the epoch; never for derived ids.
    pub expires_at_us: Option<i64>,
    /// When it was decided, in microseconds since the epoch.
    pub recorded_at_us: i64,
}

/// What one append writes, all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Events, in the order of their positions.
    pub events: Vec<Arc<NewEvent>>,
    /// Answers, each once.
    pub answers: Vec<Answer>,
    /// Streams that have no event: one that has any makes the append fail as if the head had moved.
    pub empty: Vec<StreamId>,
    /// Timers that are set with it, in the order of their ids.
    pub timers: Vec<NewTimer>,
}

/// Where the log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last position.
    pub position: Position,
    /// The chain link after it.
    pub link: Link,
    /// Which life of the log this is; a restore changes it.
    pub incarnation: Uuid,
}

/// Why reading failed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database could not be reached or refused.
    #[error("the log cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    /// What is stored cannot be understood.
    #[error("{stream} sequence {sequence}: {source}")]
    Decode {
        /// Where.
        stream: Box<str>,
        /// Where in it.
        sequence: Sequence,
        /// Why not.
        source: DecodeError,
    },
    /// The event was put away, and its file does not give it.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The log is not the one that this process has been working on.
    #[error("the log was restored or has lost its end since this process started: start it again")]
    OtherLog,
    /// The database cannot be written: it follows another one, or has not come to the end of a recovery.
    #[error("the database is a standby, or still recovering: start again once it is promoted")]
    Standby,
    /// Positions or sequences are missing.
    #[error("the log has a gap after {after}: found {found}")]
    Gap {
        /// The last good place.
        after: i64,
        /// The next one found.
        found: i64,
    },
}

impl LogError {
    /// The log did not answer in time.
    #[must_use]
    pub fn timed_out() -> Self {
        Self::Database(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))
    }

    /// The event, unless it cannot be understood.
    fn unless(stored: &StoredEvent, decoded: Result<Recorded, DecodeError>) -> Result<Recorded, Self> {
        decoded.map_err(|source| Self::Decode {
            stream: format!("{}-{}", stored.aggregate_type, stored.aggregate_id).into(),
            sequence: stored.sequence,
            source,
        })
    }
}

impl AppendError {
    /// The log did not answer in time.
    #[must_use]
    pub fn timed_out() -> Self {
        Self::Unknown(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))
    }
}

/// Why an append did not happen, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended since the head that was named, or a stream is not as empty as the batch says; nothing was
    /// written.
    #[error("the head has moved on")]
    Missed,
    /// One of the command ids has an answer already; nothing was written.
    #[error("a command id is already answered")]
    Answered,
    /// The stream holds an event with that sequence already; nothing was written.
    #[error("a stream has moved on")]
    StreamMoved,
    /// The connection broke: it may have been written or not.
    #[error("the outcome is unknown: {0}")]
    Unknown(#[source] sqlx::Error),
    /// The log is not the one that this process has been working on; nothing was written.
    #[error("the log was restored or has lost its end since this process started: start it again")]
    OtherLog,
    /// The database refused; nothing was written.
    #[error("the database refused the append: {0}")]
    Refused(#[source] sqlx::Error),
}

/// What is done with each event that is read.
pub type Take<'a> = &'a mut (dyn FnMut(StoredEvent) + Send);

/// How much of the events is read.
#[derive(Clone, Copy, Debug)]
pub enum Portion<'a> {
    /// Everything.
    All,
    /// Those of these kinds of aggregates are passed over.
    But(&'a [AggregateType]),
    /// What each is and where it stands: what it says is left where it is, so that its version, payload and metadata are empty.
    /// Of an event that was put away they are there.
    Names,
}

/// A part of what happened to an aggregate.
pub enum Past<'a> {
    /// Everything up to a snapshot: the state after that sequence, as JSON.
    State(Sequence, &'a str),
    /// What the next stored event means.
    Next(Meaning),
}

/// What is done with each part of the past that is read and understood.
pub type TakePast<'a> = &'a mut (dyn FnMut(Past<'_>) + Send);

/// The event log.
#[async_trait]
pub trait Log: Send + Sync {
    /// Where it stands now.
    async fn head(&self) -> Result<Head, LogError>;

    /// The events of a stream after a sequence, in order.
    async fn load(&self, stream: &StreamId, after: Sequence) -> Result<Vec<StoredEvent>, LogError>;

    /// One event of a stream.
    async fn one(&self, stream: &StreamId, sequence: Sequence) -> Result<Option<StoredEvent>, LogError>;

    /// The events of a stream after a sequence, in order and understood.
    async fn recorded(&self, stream: &StreamId, after: Sequence) -> Result<Vec<Recorded>, LogError> {
        let mut decoder = Decoder::default();
        let mut recorded = Vec::new();
        for stored in self.load(stream, after).await? {
            recorded.push(LogError::unless(&stored, understand(self, &mut decoder, &stored).await?)?);
        }
        Ok(recorded)
    }

    /// What happened to an aggregate, in order, from its snapshot on if there is one and `snapshot` allows it; each part is
    /// handed over as soon as it is there. For a fold, which asks neither who did it nor when, so that no more is read than
    /// it needs.
    async fn history(&self, stream: &StreamId, snapshot: bool, take: TakePast<'_>) -> Result<(), LogError>;

    /// Keeps a state that was folded from the log up to `head`, if that is still this log and no newer one is kept.
    async fn save(&self, head: &Head, snapshot: &Snapshot) -> Result<(), LogError>;

    /// At most `limit` events after a position, in order, without a gap; each is handed over as soon as it is there, so
    /// that what `take` does overlaps with the reading of the rest. Returns the last position.
    async fn read_each(
        &self,
        after: Position,
        limit: i64,
        portion: Portion<'_>,
        take: Take<'_>,
    ) -> Result<Position, LogError>;

    /// The same all at once.
    async fn read(&self, after: Position, limit: i64) -> Result<Vec<StoredEvent>, LogError> {
        let mut events = Vec::new();
        self.read_each(after, limit, Portion::All, &mut |event| events.push(event)).await?;
        Ok(events)
    }

    /// The same understood.
    async fn recorded_after(&self, after: Position, limit: i64) -> Result<Vec<Recorded>, LogError> {
        let with = |stored: StoredEvent, decoded| LogError::unless(&stored, decoded);
        read_with(self, after, limit, with).await?.into_iter().collect()
    }

    /// Appends behind `head` if the log still stands there.
    async fn append(&self, head: &Head, batch: &Batch) -> Result<Head, AppendError>;

    /// Takes the head's lock, so that nobody else can append until the guard is used or dropped.
    async fn lock(&self) -> Result<Box<dyn LockedLog>, LogError>;

    /// The answers that these commands got, in no order.
    async fn answers(&self, command_ids: &[Uuid]) -> Result<Vec<Answer>, LogError>;

    /// Where the last batch ends that ends at or before `position`, and the chain link there.
    async fn link_at(&self, position: Position) -> Result<(Position, Link), LogError>;

    /// Where the log stands, and at the same moment: where the batch that holds `position` ends, and the chain link there;
    /// `None` beyond the head.
    async fn link_after(&self, position: Position) -> Result<(Head, Option<(Position, Link)>), LogError>;
}

/// The log while its head is locked by this process.
#[async_trait]
pub trait LockedLog: Send {
    /// Where it stands.
    fn head(&self) -> Head;

    /// What [`Log::answers`] gives, without waiting for another connection while all appends wait for this lock.
    async fn answers(&mut self, command_ids: &[Uuid]) -> Result<Vec<Answer>, LogError>;

    /// What [`Log::link_at`] gives.
    async fn link_at(&mut self, position: Position) -> Result<(Position, Link), LogError>;

    /// At most `limit` events after a position.
    async fn read(&mut self, after: Position, limit: i64) -> Result<Vec<StoredEvent>, LogError>;

    /// Appends and gives the lock back.
    async fn append(self: Box<Self>, batch: &Batch) -> Result<Head, AppendError>;
}
