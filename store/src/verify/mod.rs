//! Reads the whole log and says whether anything in it was changed, removed, added or moved.

mod chain;
mod shelves;
mod watch;

use std::{fmt, str::FromStr};

use serde::Serialize;
use sqlx::PgPool;

pub use self::watch::{ChainWatch, Watched, verify_end};
use self::{chain::Chain, shelves::Shelves};
use crate::archive::Archive;
use crate::log::{Link, LogError, Position, Sequence};

/// Findings that are told one by one; the rest is counted.
pub const FINDINGS_TOLD_MAX: usize = 100;

/// A place in the chain that somebody has noted outside the database: whoever rewrites the log up to it, links and all,
/// cannot keep it. Written `<position>:<link in hexadecimal>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The last position of a batch; 0 before the first.
    pub position: Position,
    /// The chain link there.
    pub link: Link,
}

impl Anchor {
    /// Before the first event.
    pub const BEGINNING: Self = Self { position: 0, link: [0; 32] };
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.position)?;
        self.link.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Anchor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not `<position>:<64 hexadecimal digits>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an anchor is <position>:<64 hexadecimal digits>, as `daybook verify` prints it")]
pub struct NoAnchor;

impl FromStr for Anchor {
    type Err = NoAnchor;

    fn from_str(text: &str) -> Result<Self, NoAnchor> {
        let (position, hex) = text.split_once(':').ok_or(NoAnchor)?;
        let position = position.parse().ok().filter(|position| *position >= 0).ok_or(NoAnchor)?;
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NoAnchor);
        }
        let mut link = [0; 32];
        for (byte, digits) in link.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| NoAnchor)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NoAnchor)?;
        }
        Ok(Self { position, link })
    }
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// An event or its digest was changed.
    Altered {
        /// Where.
        position: Position,
        /// Its stream, as stored now.
        stream: String,
        /// Its place there, as stored now.
        sequence: Sequence,
    },
    /// Positions without an event.
    Missing {
        /// The first.
        from: Position,
        /// The last.
        to: Position,
    },
    /// A batch is not the one that its link was made of: an event was changed, removed, added or moved, or the link was.
    BrokenLink {
        /// Its first position.
        from: Position,
        /// Its last.
        to: Position,
    },
    /// Events behind the last link.
    Unlinked {
        /// The first.
        from: Position,
        /// The last.
        to: Position,
    },
    /// The head does not stand where the events and links end.
    Head {
        /// Where it stands.
        position: Position,
        /// Where the log ends.
        end: Position,
    },
    /// The chain does not go through the anchor.
    Anchor {
        /// Where it was noted.
        position: Position,
    },
    /// A position that more than one event has: one that was put away and is there all the same.
    Doubled {
        /// Which.
        position: Position,
    },
    /// An event that was put away is not what it was, or not where it was put.
    Archived {
        /// Which.
        position: Position,
        /// The number of the file that should hold it.
        file: i32,
        /// What is wrong.
        reason: String,
    },
    /// A file of the archive is not there, or not as it was written.
    File {
        /// Its name.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A stream's sequences are not 1, 2, 3 …
    Sequences {
        /// Which.
        stream: String,
        /// How many events it has.
        events: i64,
        /// Its last sequence.
        last: Sequence,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered { position, stream, sequence } => {
                write!(
                    f,
                    "position {position} ({stream} sequence {sequence}) was changed: it is not what its digest was made of"
                )
            }
            Self::Missing { from, to } if from == to => write!(f, "position {from} is missing"),
            Self::Missing { from, to } => write!(f, "positions {from} to {to} are missing"),
            Self::BrokenLink { from, to } => {
                write!(f, "the batch of positions {from} to {to} is not the one that was linked")
            }
            Self::Unlinked { from, to } => write!(f, "positions {from} to {to} were never linked"),
            Self::Head { position, end } if position == end => {
                write!(f, "the head at {position} has another link than the chain")
            }
            Self::Head { position, end } => write!(f, "the head is at {position}, and the log ends at {end}"),
            Self::Anchor { position } => write!(f, "the link at {position} is not the anchor's"),
            Self::Doubled { position } => write!(f, "position {position} is there twice"),
            Self::Archived { position, file, reason } => {
                write!(f, "position {position}, which was put into file {file}: {reason}")
            }
            Self::File { file, reason } => write!(f, "the archive's file {file}: {reason}"),
            Self::Sequences { stream, events, last } => {
                write!(f, "{stream} has {events} events, and its last sequence is {last}")
            }
        }
    }
}

/// What verifying came to.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Whether all is as it was written.
    pub ok: bool,
    /// Events read.
    pub events: i64,
    /// Batches checked.
    pub batches: i64,
    /// Of the events, how many were put away.
    pub archived: i64,
    /// Where the chain ends: worth noting outside the database when all is well.
    pub anchor: Anchor,
    /// The first [`FINDINGS_TOLD_MAX`] things that are not as they were written.
    pub findings: Vec<Finding>,
    /// How many there are.
    pub findings_total: u64,
}

/// What to verify.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// A place in the chain that must still be there.
    pub anchor: Option<Anchor>,
    /// Whether what came before it is taken as read.
    pub after_anchor: bool,
}

/// What is read of the events that were put away.
#[derive(Clone, Debug)]
pub enum Files {
    /// All of it, from the files.
    Read(Archive),
    /// Their digests alone, which the database has: the chain is checked, and not what the digests are made of.
    DigestsOnly,
}

/// [`verify_with`] without an archive: an error when anything was put away.
///
/// # Errors
/// When the log cannot be read.
pub async fn verify(
    pool: &PgPool,
    wanted: Wanted,
    told: &(dyn Fn(Position, Position) + Sync),
) -> Result<Verified, LogError> {
    verify_with(pool, wanted, Files::Read(Archive::default()), told).await
}

/// Verifies the log as it stands at one moment; others may append meanwhile. `told` hears how far it is, and of how many.
///
/// # Errors
/// When the log cannot be read.
pub async fn verify_with(
    pool: &PgPool,
    wanted: Wanted,
    files: Files,
    told: &(dyn Fn(Position, Position) + Sync),
) -> Result<Verified, LogError> {
    let mut transaction = crate::transaction::begin(pool).await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .execute(&mut *transaction)
        .await?;
    // While files are read the session has nothing to do, for longer than one may that keeps others waiting.
    sqlx::query("SET LOCAL idle_in_transaction_session_timeout = 0").execute(&mut *transaction).await?;
    let head: (Position, Vec<u8>) =
        sqlx::query_as("SELECT position, link FROM log_head").fetch_one(&mut *transaction).await?;
    let start = wanted.anchor.filter(|_| wanted.after_anchor).unwrap_or(Anchor::BEGINNING);
    let shelves = Shelves::load(&mut transaction, files, start.position).await?;
    let mut chain = Chain::from(start, shelves);
    if let Some(anchor) = wanted.anchor {
        chain.check(&mut transaction, anchor).await?;
    }
    chain.check_files().await?;
    chain.read(&mut transaction, &|position| told(position, head.0)).await?;
    chain.finish(head.0, &head.1);
    chain.check_file_rows();
    chain.check_sequences(&mut transaction).await?;
    Ok(chain.told())
}

/// What stands behind a place in the chain, and nothing that takes long: of what was put away the digests, and no counting.
async fn verify_newest(pool: &PgPool, start: Anchor) -> Result<Verified, LogError> {
    let mut transaction = crate::transaction::begin(pool).await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .execute(&mut *transaction)
        .await?;
    let head: (Position, Vec<u8>) =
        sqlx::query_as("SELECT position, link FROM log_head").fetch_one(&mut *transaction).await?;
    let shelves = Shelves::load(&mut transaction, Files::DigestsOnly, start.position).await?;
    let mut chain = Chain::from(start, shelves);
    chain.check(&mut transaction, start).await?;
    chain.read(&mut transaction, &|_| {}).await?;
    chain.finish(head.0, &head.1);
    Ok(chain.told())
}
