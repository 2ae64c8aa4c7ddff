//! Parquet on the way: every note of how far an export has come leaves a file of row groups, and at the end each table's are
//! put together. A Parquet file tells at its end what is in it, so it could not be gone on with where it broke off.

use std::{
    collections::BTreeMap,
    fs::{self, File as Disk},
    io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{AnalyticsError, parquet::File};

/// Where in a segment the rows of a file are.
#[derive(Debug, Serialize, Deserialize)]
struct Piece {
    /// The file's path within the export.
    path: String,
    /// Where they begin, in bytes.
    at: u64,
    /// How many bytes they are.
    length: usize,
}

fn named(folder: &Path, nth: u64, what: &str) -> PathBuf {
    folder.join(format!("segment-{nth:06}.{what}"))
}

/// Whether a file's name is that of a segment.
pub(super) fn is_one(name: &str) -> bool {
    let nth = name
        .strip_prefix("segment-")
        .and_then(|name| name.strip_suffix(".parquet").or_else(|| name.strip_suffix(".json")));
    nth.is_some_and(|nth| nth.len() >= 6 && nth.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether the first so many segments are there.
pub(super) fn are_there(folder: &Path, count: u64) -> bool {
    (0..count).all(|nth| ["parquet", "json"].iter().all(|what| named(folder, nth, what).is_file()))
}

/// Writes the files' pieces as the segment of that number, in one file; when this returns it is on the disk.
pub(super) fn write(folder: &Path, nth: u64, pieces: &[(String, Vec<u8>)]) -> Result<(), AnalyticsError> {
    let (content, index) = (named(folder, nth, "parquet"), named(folder, nth, "json"));
    let mut places = vec![];
    let mut at = 0;
    let mut disk = Disk::create(&content).map_err(AnalyticsError::at(&content))?;
    for (path, bytes) in pieces {
        disk.write_all(bytes).map_err(AnalyticsError::at(&content))?;
        places.push(Piece { path: path.clone(), at, length: bytes.len() });
        at += bytes.len() as u64;
    }
    disk.sync_data().map_err(AnalyticsError::at(&content))?;
    let text = serde_json::to_vec(&places).map_err(|error| AnalyticsError::at(&index)(error.into()))?;
    let mut disk = Disk::create(&index).map_err(AnalyticsError::at(&index))?;
    disk.write_all(&text).and_then(|()| disk.sync_data()).map_err(AnalyticsError::at(&index))
}

/// Puts the first so many segments together: each file's pieces, in their order. The files are on the disk after that.
pub(super) fn join(
    folder: &Path,
    count: u64,
    to: impl Fn(&str) -> PathBuf,
) -> Result<Vec<PathBuf>, AnalyticsError> {
    let mut files: BTreeMap<String, Vec<(u64, u64, usize)>> = BTreeMap::new();
    for nth in 0..count {
        let index = named(folder, nth, "json");
        let text = fs::read(&index).map_err(AnalyticsError::at(&index))?;
        let pieces: Vec<Piece> = serde_json::from_slice(&text).map_err(|error| AnalyticsError::Unusable {
            work: folder.to_owned(),
            reason: format!("{}: {error}", index.display()),
        })?;
        for piece in pieces {
            files.entry(piece.path).or_default().push((nth, piece.at, piece.length));
        }
    }
    let mut written = vec![];
    for (path, pieces) in files {
        let path = to(&path);
        make_folder_of(&path)?;
        let mut pieces = pieces.into_iter();
        if let Some(first) = pieces.next() {
            let first = read(folder, first)?;
            let disk = Disk::create(&path).map_err(AnalyticsError::at(&path))?;
            let mut file = File::like(&first, BufWriter::new(disk)).map_err(|error| placed(error, &path))?;
            file.append(&first).map_err(|error| placed(error, &path))?;
            for piece in pieces {
                file.append(&read(folder, piece)?).map_err(|error| placed(error, &path))?;
            }
            let out = file.end().map_err(|error| placed(error, &path))?;
            let disk = out.into_inner().map_err(|error| AnalyticsError::at(&path)(error.into_error()))?;
            disk.sync_all().map_err(AnalyticsError::at(&path))?;
        }
        written.push(path);
    }
    Ok(written)
}

/// Makes the folder that a file lies in.
pub(super) fn make_folder_of(path: &Path) -> Result<(), AnalyticsError> {
    path.parent().map_or(Ok(()), |folder| fs::create_dir_all(folder).map_err(AnalyticsError::at(folder)))
}

fn placed(error: AnalyticsError, path: &Path) -> AnalyticsError {
    match error {
        AnalyticsError::Stream(source) => AnalyticsError::at(path)(source),
        error => error,
    }
}

fn read(folder: &Path, (nth, at, length): (u64, u64, usize)) -> Result<Bytes, AnalyticsError> {
    let path = named(folder, nth, "parquet");
    let mut bytes = vec![0; length];
    let mut disk = Disk::open(&path).map_err(AnalyticsError::at(&path))?;
    disk.seek(SeekFrom::Start(at))
        .and_then(|_| disk.read_exact(&mut bytes))
        .map_err(AnalyticsError::at(&path))?;
    Ok(bytes.into())
}
