//! Names the fold: a hash of everything that says what a state is after its events.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// Where it is said: what an event does to a state, and how an old event is read.
const SOURCES: [&str; 2] = ["../domain/src", "src/upcast"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let mut files = vec![];
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
        walk(&root.join(source), &mut files)?;
    }
    files.sort();
    let mut hash = Fnv::default();
    for file in files {
        hash.take(file.strip_prefix(&root).unwrap_or(&file).as_os_str().as_encoded_bytes());
        hash.take(&fs::read(&file)?);
    }
    println!("cargo::rustc-env=DAYBOOK_FOLD={:016x}{:016x}", hash.one, hash.other);
    Ok(())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Twice FNV-1a from different starts: it tells builds apart, and keeps nobody out.
struct Fnv {
    one: u64,
    other: u64,
}

impl Default for Fnv {
    fn default() -> Self {
        Self { one: 0xcbf2_9ce4_8422_2325, other: 0x6c62_272e_07bb_0142 }
    }
}

impl Fnv {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&(bytes.len() as u64).to_be_bytes()) {
            self.one = (self.one ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            self.other = (self.other ^ u64::from(!*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
