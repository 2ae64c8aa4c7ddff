//! Puts closed streams away: written to a file, read again, and only then moved out of the table.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use serde::Serialize;
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

use super::{
    Archive, ArchiveError,
    choose::{Candidates, Kept},
    file::{self, Leaving, Written},
};
use crate::log::{LogError, Position, PostgresLog};

/// Whoever holds this file's lock writes into the directory.
const LOCK: &str = ".lock";

/// What to put away, and where.
#[derive(Clone, Debug)]
pub struct Archiving {
    /// The log's schema, as its owner.
    pub pool: PgPool,
    /// Further schemas whose followers read the log: that of the read models.
    pub followers: Vec<PgPool>,
    /// Where the files go, and where those of earlier times are.
    pub directory: PathBuf,
    /// Streams whose newest event was recorded before, in microseconds since the epoch.
    pub before_us: i64,
    /// Whether to change nothing.
    pub dry_run: bool,
    /// Events behind which a file ends, with the stream that the last of them is of.
    pub events_per_file: usize,
}

/// How far it has come. Whoever is told may end it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many events of so many that may go were looked at.
    Looked(i64, i64),
    /// A file is complete and on the disk.
    Written(String),
    /// Its events are out of the table, unless the transaction fails.
    Moved(String),
    /// They are.
    Committed(String),
    /// The table is being tidied up.
    Tidying,
}

/// What is told each step.
pub type Told<'a> = &'a (dyn Fn(Step) -> ControlFlow<()> + Sync);

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchivedFile {
    /// Its name.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// How many events it holds.
    pub events: u64,
    /// The first.
    pub first_position: Position,
    /// The last.
    pub last_position: Position,
}

/// What became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Archived {
    /// Whether nothing was changed, and everything here is what would be.
    pub dry_run: bool,
    /// Streams that were put away.
    pub streams: u64,
    /// Events that were.
    pub events: u64,
    /// The files that hold them.
    pub files: Vec<ArchivedFile>,
    /// What stayed, and why.
    pub kept: Kept,
    /// Files of the directory that this log knows nothing of: of a run that was killed, or of a log that was restored to
    /// an earlier time. They are left alone, for they may be another log's.
    pub unknown_files: Vec<String>,
}

/// Why nothing more was put away. What had been is.
#[derive(Debug, thiserror::Error)]
pub enum ArchivingError {
    /// The database's.
    #[error("the database refused: {0}")]
    Database(#[from] sqlx::Error),
    /// A file's.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An event is not as it was written: it stays where it can be looked at.
    #[error(
        "position {0} is not what its digest was made of: run `daybook verify`, and archive nothing until it is mended"
    )]
    Altered(Position),
    /// Rows changed while their file was written.
    #[error("{moved} of the {written} events of {file} were as they were read: run `daybook verify`")]
    Changed {
        /// Which file; it stays, and nothing refers to it.
        file: String,
        /// Events in it.
        written: u64,
        /// Rows that were the same.
        moved: u64,
    },
    /// Another one is at work.
    #[error("another `daybook archive` is at work on {0}")]
    Busy(String),
    /// The directory is not the archive's: whoever reads the log reads one directory alone.
    #[error(
        "{} lacks {file}, which holds events of this log: the archive is one directory; name that one, or move its \
         files to the new one first",
        directory.display()
    )]
    OtherDirectory {
        /// Which directory.
        directory: PathBuf,
        /// A file that is not in it.
        file: String,
    },
    /// The role cannot do it.
    #[error("this role does not own the log: set DAYBOOK_OWNER_DATABASE_URL")]
    NotOwner,
    /// It was told to stop.
    #[error("stopped; what was put away is, and running it again goes on")]
    Stopped,
}

impl Archiving {
    /// Puts away whatever may go.
    ///
    /// # Errors
    /// When something is not as it should be; nothing is lost, and running it again goes on.
    pub async fn run(&self, told: Told<'_>) -> Result<Archived, ArchivingError> {
        let mut connection = self.pool.acquire().await?.detach();
        let run = self.run_on(&mut connection, told).await;
        // A transaction that was given up is undone, and the lock is free, before anybody is told: the server hears of a
        // closed connection only some time later.
        let freed = sqlx::raw_sql("SELECT pg_advisory_unlock_all()").execute(&mut connection).await;
        connection.close().await?;
        let archived = run?;
        freed?;
        Ok(archived)
    }

    async fn run_on(
        &self,
        connection: &mut PgConnection,
        told: Told<'_>,
    ) -> Result<Archived, ArchivingError> {
        let _alone = self.alone(connection).await?;
        self.is_whole(connection).await?;
        let mut archived = Archived {
            dry_run: self.dry_run,
            streams: 0,
            events: 0,
            files: vec![],
            kept: Kept::default(),
            unknown_files: vec![],
        };
        let kept = &mut archived.kept;
        let mut candidates = Candidates::find(connection, &self.followers, self.before_us, kept).await?;
        let log = PostgresLog::with_archive(self.pool.clone(), Archive::at(&self.directory));
        let mut leaving: Vec<Leaving> = Vec::new();
        loop {
            let closed = candidates.next(connection, &log, &mut archived.kept).await?;
            let over = closed.is_none();
            for stream in closed.into_iter().flatten() {
                archived.streams += 1;
                archived.events += stream.len() as u64;
                if !self.dry_run {
                    leaving.extend(stream);
                }
                if leaving.len() >= self.events_per_file {
                    archived
                        .files
                        .push(put(connection, &self.directory, std::mem::take(&mut leaving), told).await?);
                }
            }
            tell(told, Step::Looked(candidates.looked, candidates.events))?;
            if over {
                break;
            }
        }
        if !leaving.is_empty() {
            archived.files.push(put(connection, &self.directory, leaving, told).await?);
        }
        if !archived.files.is_empty() {
            tell(told, Step::Tidying)?;
            connection.execute(SNAPSHOTS_OF_NOTHING).await?;
            // Whoever is tidying up already does as well: what was put away is told all the same.
            connection.execute("VACUUM (ANALYZE, SKIP_LOCKED) events").await?;
            connection.execute("VACUUM (ANALYZE, SKIP_LOCKED) archived_events").await?;
        }
        archived.unknown_files = unknown(connection, &self.directory).await?;
        Ok(archived)
    }

    /// Makes sure that nobody else puts streams of this log away, or writes into the directory.
    async fn alone(&self, connection: &mut PgConnection) -> Result<Option<File>, ArchivingError> {
        let (schema, owner, free): (String, bool, bool) = sqlx::query_as(
            "SELECT current_schema()::text, pg_has_role(relowner, 'USAGE'), \
                    pg_try_advisory_lock(7165438, hashtext(current_schema()::text)) \
             FROM pg_class WHERE oid = 'events'::regclass",
        )
        .fetch_one(&mut *connection)
        .await?;
        if !free {
            return Err(ArchivingError::Busy(format!("the log in schema {schema}")));
        }
        if !owner {
            return Err(ArchivingError::NotOwner);
        }
        if self.dry_run {
            return Ok(None);
        }
        let failed = |source| ArchiveError::File { path: self.directory.clone(), source };
        file::make_directory(&self.directory).map_err(failed)?;
        let lock = File::create(self.directory.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ArchivingError::Busy(self.directory.display().to_string()));
            }
            Err(TryLockError::Error(source)) => return Err(failed(source).into()),
        }
        file::remove_unfinished(&self.directory)?;
        Ok(Some(lock))
    }

    /// Whether the directory has every file of earlier runs.
    async fn is_whole(&self, connection: &mut PgConnection) -> Result<(), ArchivingError> {
        let lacking = known(connection).await?.into_iter().find(|file| !self.directory.join(file).is_file());
        match lacking {
            Some(file) => Err(ArchivingError::OtherDirectory { directory: self.directory.clone(), file }),
            None => Ok(()),
        }
    }
}

/// Writes a file, and takes its events out of the table.
async fn put(
    connection: &mut PgConnection,
    directory: &Path,
    mut leaving: Vec<Leaving>,
    told: Told<'_>,
) -> Result<ArchivedFile, ArchivingError> {
    leaving.sort_unstable_by_key(|leaving| leaving.event.position);
    let to = directory.to_owned();
    let writing =
        tokio::task::spawn_blocking(move || file::write(&to, &leaving).map(|written| (written, leaving)));
    let failed = |source: io::Error| ArchiveError::File { path: directory.to_owned(), source };
    let (written, leaving) = writing.await.map_err(|error| failed(error.into()))??;
    tell(told, Step::Written(written.name.clone()))?;
    // Not in the transaction: nobody could append until that ends.
    guard_keys(connection).await?;
    let mut transaction = connection.begin().await?;
    let file = take_out(&mut transaction, &written, &leaving).await?;
    tell(told, Step::Moved(written.name.clone()))?;
    transaction.commit().await?;
    tell(told, Step::Committed(written.name))?;
    Ok(file)
}

/// A snapshot counts only beside the row that it was taken after.
const SNAPSHOTS_OF_NOTHING: &str = "
DELETE FROM snapshots WHERE NOT EXISTS (
    SELECT FROM events WHERE (events.aggregate_type, events.aggregate_id, events.sequence)
                           = (snapshots.aggregate_type, snapshots.aggregate_id, snapshots.sequence))";

/// Rows leave the table in the statement that notes where they went: each is in exactly one of the two places.
const MOVE: &str = "
WITH moved AS (
    DELETE FROM events USING UNNEST($1::bigint[], $2::int[], $3::bytea[]) AS put (position, place, digest)
    WHERE events.position = put.position AND events.digest = put.digest AND events.position BETWEEN $4 AND $5
    RETURNING events.position, events.sequence, put.place, events.digest, events.aggregate_type, events.aggregate_id
)
INSERT INTO archived_events (position, sequence, file, place, digest, aggregate_type, aggregate_id)
SELECT position, sequence, $6, place, digest, aggregate_type, aggregate_id FROM moved ORDER BY position";

async fn take_out(
    transaction: &mut PgConnection,
    written: &Written,
    leaving: &[Leaving],
) -> Result<ArchivedFile, ArchivingError> {
    let positions: Vec<_> = leaving.iter().map(|leaving| leaving.event.position).collect();
    let (first, last) = (positions.first().copied().unwrap_or(0), positions.last().copied().unwrap_or(0));
    let events = positions.len() as u64;
    let number: i32 = sqlx::query_scalar(
        "INSERT INTO archive_files (sha256, first_position, last_position, events) VALUES ($1, $2, $3, $4) \
         RETURNING file",
    )
    .bind(&written.sha256[..])
    .bind(first)
    .bind(last)
    .bind(positions.len() as i64)
    .fetch_one(&mut *transaction)
    .await?;
    let moved = sqlx::query(MOVE)
        .bind(&positions)
        .bind(&written.places)
        .bind(leaving.iter().map(|leaving| &leaving.digest[..]).collect::<Vec<_>>())
        .bind(first)
        .bind(last)
        .bind(number)
        .execute(transaction)
        .await?
        .rows_affected();
    if moved != events {
        return Err(ArchivingError::Changed { file: written.name.clone(), written: events, moved });
    }
    Ok(ArchivedFile {
        file: written.name.clone(),
        bytes: written.bytes,
        events,
        first_position: first,
        last_position: last,
    })
}

/// From the first stream that is put away on, the database sees to it that nobody begins one again.
async fn guard_keys(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let off: bool = sqlx::query_scalar(
        "SELECT tgenabled = 'D' FROM pg_trigger \
         WHERE tgrelid = 'events'::regclass AND tgname = 'events_of_no_archived_stream'",
    )
    .fetch_one(&mut *connection)
    .await?;
    if off {
        connection.execute("ALTER TABLE events ENABLE TRIGGER events_of_no_archived_stream").await?;
    }
    Ok(())
}

/// The names of the files that this log's rows tell of.
async fn known(connection: &mut PgConnection) -> Result<BTreeSet<String>, sqlx::Error> {
    let rows: Vec<(Position, Position, Vec<u8>)> =
        sqlx::query_as("SELECT first_position, last_position, sha256 FROM archive_files")
            .fetch_all(connection)
            .await?;
    Ok(rows.iter().map(|(first, last, sha256)| file::name(*first, *last, sha256)).collect())
}

async fn unknown(connection: &mut PgConnection, directory: &Path) -> Result<Vec<String>, ArchivingError> {
    let known = known(connection).await?;
    let mut unknown = Vec::new();
    // A directory that is not there yet holds nothing.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("events-") && name.ends_with(".ndjson.gz") && !known.contains(&name) {
            unknown.push(name);
        }
    }
    unknown.sort_unstable();
    Ok(unknown)
}

fn tell(told: Told<'_>, step: Step) -> Result<(), ArchivingError> {
    match told(step) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ArchivingError::Stopped),
    }
}
