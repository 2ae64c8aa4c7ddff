//! A file of the archive: gzip members one behind the other, each of some lines, so that one can be read without the rest
//! and all of them together are one gzip file.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufReader, Read, Seek as _, SeekFrom, Write as _},
    ops::Range,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use flate2::{Compression, GzBuilder, bufread::GzDecoder, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use super::{ArchiveError, line};
use crate::log::{Digest, Position, StoredEvent, digest};

/// Bytes of text behind which a block ends.
const BLOCK_BYTES: usize = 64 << 10;
/// Bytes of text that a block may have at most: one event may be larger than a block is meant to be, but not than this.
const BLOCK_BYTES_MAX: u64 = 64 << 20;
/// The name that a file has until it is complete.
const UNFINISHED: &str = "unfinished.partial";
/// Who may read a file, and look into a directory that was made for it: the owner and the group, as the umask allows.
const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;

/// The name of a file: what it holds, and what proves it.
#[must_use]
pub fn name(first: Position, last: Position, sha256: &[u8]) -> String {
    format!("events-{first:012}-{last:012}-{}.ndjson.gz", line::hex(sha256))
}

/// An event on its way into a file.
#[derive(Clone, Debug)]
pub(super) struct Leaving {
    pub event: StoredEvent,
    pub digest: Digest,
}

/// A file that was written, and where each of its events lies.
#[derive(Debug)]
pub(super) struct Written {
    pub sha256: [u8; 32],
    pub name: String,
    pub bytes: u64,
    /// One for each event, in their order.
    pub places: Vec<i32>,
}

/// Some lines of a file.
#[derive(Debug)]
pub(super) struct Block {
    path: PathBuf,
    text: String,
    lines: Vec<(Position, Range<usize>)>,
}

/// Writes events, which are in the order of their positions, to a new file. When this returns the file is complete, on the
/// disk, and has been read again.
pub(super) fn write(directory: &Path, events: &[Leaving]) -> Result<Written, ArchiveError> {
    let beside = directory.join(UNFINISHED);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| ArchiveError::File { path, source }
    };
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&beside);
    let mut file = opened.map_err(at(&beside))?;
    let mut hash = Sha256::new();
    let (mut places, mut bytes) = (Vec::with_capacity(events.len()), 0_u64);
    let mut text = Vec::with_capacity(BLOCK_BYTES * 2);
    for (nth, Leaving { event, digest }) in (1..).zip(events) {
        line::write(&mut text, event, digest).map_err(|error| at(&beside)(error.into()))?;
        places.push(i32::try_from(bytes).map_err(|_| ArchiveError::TooLarge)?);
        if text.len() >= BLOCK_BYTES || nth == events.len() {
            let member = compressed(&text).map_err(at(&beside))?;
            file.write_all(&member).map_err(at(&beside))?;
            hash.update(&member);
            bytes += member.len() as u64;
            text.clear();
        }
    }
    file.sync_all().map_err(at(&beside))?;
    drop(file);
    let sha256 = hash.finalize().into();
    let (first, last) = match (events.first(), events.last()) {
        (Some(first), Some(last)) => (first.event.position, last.event.position),
        _ => (0, 0),
    };
    check(&beside, &sha256, events, &places)?;
    let name = name(first, last, &sha256);
    let path = directory.join(&name);
    fs::rename(&beside, &path).map_err(at(&path))?;
    // The name is on the disk once the directory is.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(at(directory))?;
    Ok(Written { sha256, name, bytes, places })
}

/// Makes the directory, and sees that its own name is on the disk: the files in it are no safer than that.
pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    let whole = directory.canonicalize()?;
    // How many of them are new is not known; a directory that may not be read was there before.
    whole
        .ancestors()
        .skip(1)
        .filter_map(|above| File::open(above).ok())
        .try_for_each(|above| above.sync_all())
}

/// Removes what a run left that was killed while it wrote.
pub(super) fn remove_unfinished(directory: &Path) -> Result<(), ArchiveError> {
    let path = directory.join(UNFINISHED);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ArchiveError::File { path, source }),
        _ => Ok(()),
    }
}

/// The same text gives the same bytes: there is neither a time nor a name in them.
fn compressed(text: &[u8]) -> io::Result<Vec<u8>> {
    let empty = Vec::with_capacity(text.len() / 3);
    let mut gzip: GzEncoder<Vec<u8>> = GzBuilder::new().write(empty, Compression::new(6));
    gzip.write_all(text)?;
    gzip.finish()
}

/// Whether a file gives back what was written to it.
fn check(path: &Path, sha256: &[u8; 32], events: &[Leaving], places: &[i32]) -> Result<(), ArchiveError> {
    let damaged = |reason: &str| ArchiveError::Damaged { path: path.to_owned(), reason: reason.into() };
    if sha256_of(path)? != *sha256 {
        return Err(damaged("what was read is not what was written"));
    }
    let mut block: Option<(i32, Block)> = None;
    for (Leaving { event, digest: wanted }, place) in events.iter().zip(places) {
        let block = match &mut block {
            Some((at, block)) if at == place => block,
            other => &mut other.insert((*place, read_block(path, *place)?)).1,
        };
        let found = block.event(event.position)?;
        if found != *event || digest(&found) != *wanted {
            return Err(damaged("what was read is not what was written"));
        }
    }
    Ok(())
}

/// The SHA-256 of a file's content.
pub(crate) fn sha256_of(path: &Path) -> Result<[u8; 32], ArchiveError> {
    let failed = |source| ArchiveError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hash.finalize().into()),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Reads the block that begins at `place`.
pub(super) fn read_block(path: &Path, place: i32) -> Result<Block, ArchiveError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            ArchiveError::Damaged { path: path.to_owned(), reason: source.to_string().into() }
        }
        _ => ArchiveError::File { path: path.to_owned(), source },
    };
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(u64::try_from(place).unwrap_or(u64::MAX >> 1))).map_err(failed)?;
    let mut text = String::with_capacity(BLOCK_BYTES * 2);
    let member = GzDecoder::new(BufReader::with_capacity(16 << 10, file));
    member.take(BLOCK_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let mut lines = Vec::new();
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        let position = line::position(line).ok_or_else(|| ArchiveError::Damaged {
            path: path.to_owned(),
            reason: format!("byte {begin} of the block at {place} begins no event").into(),
        })?;
        lines.push((position, begin..begin + line.len()));
        begin += line.len();
    }
    Ok(Block { path: path.to_owned(), text, lines })
}

impl Block {
    /// The event at a position.
    pub(super) fn event(&self, position: Position) -> Result<StoredEvent, ArchiveError> {
        let damaged =
            |reason: String| ArchiveError::Damaged { path: self.path.clone(), reason: reason.into() };
        let line = self.lines.binary_search_by_key(&position, |(position, _)| *position).ok();
        let (_, range) = line
            .and_then(|line| self.lines.get(line))
            .ok_or_else(|| damaged(format!("position {position} is not where it was put")))?;
        let text = self.text.get(range.clone()).unwrap_or_default();
        let event = line::read(text).map_err(|error| damaged(format!("position {position}: {error}")))?;
        Ok(event)
    }
}
