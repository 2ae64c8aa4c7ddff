//! Knows where systems keep server programs, and whether one is recent enough.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::place::User;
use crate::process;
use crate::provision::Wanted;

/// The first program that will do, on PATH or in a versioned directory; the error says what was found instead.
pub(crate) fn installed(wanted: &Wanted, user: Option<User>) -> Result<PathBuf, String> {
    let mut refused = Vec::new();
    for dir in dirs(wanted) {
        let Ok(program) = dir.join(wanted.program).canonicalize() else {
            continue;
        };
        match check(wanted, &program, user) {
            Ok(()) => return Ok(program),
            Err(reason) => refused.push(reason),
        }
    }
    refused.dedup();
    Err(if refused.is_empty() { format!("no {} on PATH", wanted.program) } else { refused.join("; ") })
}

fn dirs(wanted: &Wanted) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<_> = env::split_paths(&path).filter(|dir| dir.is_absolute()).collect();
    if wanted.program == "postgres" {
        // Debian keeps them off PATH, one directory a major version; the newest comes first.
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut versions: Vec<_> = versions.map(|entry| entry.path().join("bin")).collect();
        versions.sort_by_key(|dir| std::cmp::Reverse(major(dir)));
        dirs.extend(versions);
    }
    dirs
}

fn major(bin: &Path) -> u32 {
    let name = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok()).unwrap_or(0)
}

/// Whether the program runs, is recent enough, and has everything beside it that it needs.
pub(crate) fn check(wanted: &Wanted, program: &Path, user: Option<User>) -> Result<(), String> {
    let says = process::command(program, user).arg("--version").output();
    let says = says.map_err(|error| format!("{} does not run: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&says.stdout).trim().to_owned();
    let Some(found) = version(&text).filter(|_| says.status.success()) else {
        return Err(format!("{} --version says {text:?}", program.display()));
    };
    if found < wanted.oldest {
        let (major, minor) = wanted.oldest;
        return Err(format!("{} is older than {major}.{minor} ({text})", program.display()));
    }
    let missing = wanted.beside.iter().find(|name| !program.with_file_name(name).is_file());
    missing.map_or(Ok(()), |name| Err(format!("{} has no {name} beside it", program.display())))
}

/// `postgres (PostgreSQL) 15.14 (Debian …)`, `nats-server: v2.15.1`, `postgres (PostgreSQL) 19beta1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let word = text.split_whitespace().map(|word| word.trim_start_matches('v'));
    let mut word = word.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    let mut numbers = word.next()?.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next().and_then(|minor| minor.parse().ok()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read_as_the_servers_print_them() {
        assert_eq!(version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"), Some((15, 14)));
        assert_eq!(version("postgres (PostgreSQL) 19beta1"), Some((19, 0)));
        assert_eq!(version("nats-server: v2.15.1"), Some((2, 15)));
        assert_eq!(version("command not found"), None);
    }
}
