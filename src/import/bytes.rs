//! Knows how a file becomes bytes: as it stands, or unpacked when it starts like gzip.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use super::error::{ImportError, Problem};

/// The largest file that is read, counted after unpacking: it is held in memory.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Everything in the file, unpacked.
pub fn read(path: &Path) -> Result<Vec<u8>, ImportError> {
    let broken = |source| ImportError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(broken)?;
    if file.metadata().map_err(broken)?.is_dir() {
        return Err(broken(io::ErrorKind::IsADirectory.into()));
    }
    let mut bytes = Vec::new();
    let mut magic = Vec::new();
    (&mut file).take(2).read_to_end(&mut magic).map_err(broken)?;
    file.rewind().map_err(broken)?;
    if magic == GZIP {
        let unpacked = MultiGzDecoder::new(BufReader::new(file));
        if let Err(error) = unpacked.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes) {
            return Err(Problem::Compressed(error).at(last_line(&bytes), None).into());
        }
    } else {
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(broken)?;
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let problem = Problem::TooLarge { max: FILE_BYTES_MAX };
        return Err(problem.at(last_line(&bytes), None).into());
    }
    Ok(bytes)
}

/// The line that the last of these bytes stands on.
fn last_line(bytes: &[u8]) -> u64 {
    1 + bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
