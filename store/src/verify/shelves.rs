//! Checks what was put away: that every file is there and whole, and that it holds what the rows say.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{Files, Finding};
use crate::{
    archive::{Archive, ArchiveError, Place, name, sha256_of},
    log::{LogError, Position, Sequence, digest},
};

/// The files of the archive, as their rows tell, and what was found of each.
pub(super) struct Shelves {
    files: BTreeMap<i32, Row>,
    /// Where their contents are read; `None` when their digests are enough.
    archive: Option<Archive>,
    /// Events before are not read.
    after: Position,
}

struct Row {
    name: String,
    sha256: Vec<u8>,
    first: Position,
    last: Position,
    events: i64,
    /// Whether it can be read at all.
    there: bool,
    /// Events that name it, and the first and last of them.
    found: i64,
    found_first: Position,
    found_last: Position,
}

impl Shelves {
    /// Reads the rows of all files.
    pub(super) async fn load(
        connection: &mut PgConnection,
        files: Files,
        after: Position,
    ) -> Result<Self, LogError> {
        let rows =
            sqlx::query("SELECT file, first_position, last_position, sha256, events FROM archive_files")
                .fetch_all(&mut *connection)
                .await?;
        let mut known = BTreeMap::new();
        for row in &rows {
            let (first, last) = (row.try_get(1)?, row.try_get(2)?);
            let sha256: Vec<u8> = row.try_get(3)?;
            let name = name(first, last, &sha256);
            let events = row.try_get(4)?;
            let (found, found_first, found_last) = (0, Position::MAX, 0);
            let row_of =
                Row { name, sha256, first, last, events, there: true, found, found_first, found_last };
            known.insert(row.try_get(0)?, row_of);
        }
        let archive = match files {
            Files::DigestsOnly => None,
            Files::Read(archive) => {
                if archive.directory().is_none()
                    && let Some(row) = known.values().find(|row| row.last > after)
                {
                    return Err(ArchiveError::NoDirectory(row.first).into());
                }
                archive.learn(connection).await?;
                Some(archive)
            }
        };
        Ok(Self { files: known, archive, after })
    }

    /// Whether every file that is to be read is there, and as it was written.
    pub(super) async fn check_files(&mut self) -> Result<Vec<Finding>, LogError> {
        let mut findings = Vec::new();
        let directory = self.archive.as_ref().and_then(Archive::directory);
        let Some(directory) = directory.map(ToOwned::to_owned) else { return Ok(findings) };
        for row in self.files.values_mut().filter(|row| row.last > self.after) {
            let path = directory.join(&row.name);
            let failed = {
                let path = path.clone();
                |source| ArchiveError::File { path, source }
            };
            let hashed = tokio::task::spawn_blocking(move || sha256_of(&path)).await;
            let reason = match hashed.map_err(|error| failed(error.into()))? {
                Ok(sha256) if sha256[..] == *row.sha256 => continue,
                Ok(_) => "its content is not what was written".to_owned(),
                Err(error) => {
                    row.there = false;
                    error.to_string()
                }
            };
            findings.push(Finding::File { file: row.name.clone(), reason });
        }
        Ok(findings)
    }

    /// What is wrong with an event that was put away.
    pub(super) async fn check(
        &mut self,
        position: Position,
        row: &PgRow,
        place: Place,
    ) -> Result<Option<Finding>, LogError> {
        let found = |reason: &str| {
            Ok(Some(Finding::Archived { position, file: place.file, reason: reason.to_owned() }))
        };
        let Some(file) = self.files.get_mut(&place.file) else {
            return found("there is no such file in archive_files");
        };
        file.found += 1;
        file.found_first = file.found_first.min(position);
        file.found_last = position;
        let Some(archive) = self.archive.as_ref().filter(|_| file.there) else { return Ok(None) };
        let event = match archive.event(place, position).await {
            Ok(event) => event,
            Err(error) => return found(&error.to_string()),
        };
        let same = *event.aggregate_type == *row.try_get::<&str, _>(2)?
            && *event.aggregate_id == *row.try_get::<&str, _>(3)?
            && event.sequence == row.try_get::<Sequence, _>(4)?;
        if !same {
            return found("the file has another stream or sequence for it");
        }
        if digest(&event) != row.try_get::<&[u8], _>(1)? {
            return found("its content is not what its digest was made of");
        }
        Ok(None)
    }

    /// How many events were put away, of those that were read.
    pub(super) fn read(&self) -> i64 {
        self.files.values().map(|row| row.found).sum()
    }

    /// Whether each file has the events that its row tells of. One that begins before what is read cannot be told.
    pub(super) fn check_rows(&self) -> Vec<Finding> {
        let read = self.files.values().filter(|row| row.first > self.after);
        let wrong = read
            .filter(|row| (row.events, row.first, row.last) != (row.found, row.found_first, row.found_last));
        wrong
            .map(|row| {
                let Row { events, first, last, found, .. } = row;
                let reason = format!(
                    "its row tells of {events} events from {first} to {last}, and {found} events name it"
                );
                Finding::File { file: row.name.clone(), reason }
            })
            .collect()
    }
}
