//! The house rules that a machine can check. Each failure names the place and what to do instead.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Who may depend on whom: arrows point one way.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("stack", &[]),
    // For its `testing` feature only.
    ("store", &["domain", "stack"]),
    ("projections", &["domain", "store"]),
    ("api", &["domain", "store", "projections"]),
    ("scenarios", &["domain", "store", "projections", "api", "stack"]),
    (".", &["domain", "store", "projections", "api", "stack", "scenarios"]),
];

/// The domain knows nothing but its values, and, in tests of the API's description, what they look like.
const DOMAIN_MAY_USE: &[&str] = &["serde", "thiserror", "uuid", "utoipa"];

/// Where time, names, chance and tasks may be taken from directly: the adapters and the compositions.
const ADAPTERS: &[&str] = &[
    "store/src/ports.rs",
    "store/src/log/postgres.rs",
    "store/src/broker/nats.rs",
    "store/src/engine.rs",
    "store/src/transaction.rs",
    "store/src/testing.rs",
    "api/src/outbound/",
    "api/src/ingress/",
];

/// `(what, instead)` in everything but adapters.
const DIRECT: &[(&str, &str)] = &[
    ("SystemTime::", "ports::Clock"),
    ("Instant::now", "ports::Clock"),
    ("tokio::time::", "ports::Clock::sleep"),
    ("tokio::spawn", "a future that the engine drives"),
    ("thread::spawn", "a future that the engine drives"),
    ("pool.begin(", "store::transaction::begin, which may be given up"),
    ("Uuid::now_v7", "ports::Ids::next"),
    ("Uuid::new_v4", "ports::Ids::next"),
    ("getrandom::", "ports::Ids::fill"),
    ("rand::", "ports::Ids::fill"),
];

/// `(what, instead)` in the domain.
const IMPURE: &[(&str, &str)] = &[
    ("async ", "a synchronous function"),
    ("SystemTime", "a time that arrives in the command"),
    ("Instant", "a time that arrives in the command"),
    ("HashMap", "BTreeMap, whose order never changes"),
    ("HashSet", "BTreeSet, whose order never changes"),
    ("std::fs", "nothing: the domain does no I/O"),
    ("std::net", "nothing: the domain does no I/O"),
    ("std::env", "a value that arrives in the command"),
    ("tracing::", "nothing: the domain does not log"),
    ("println!", "nothing: the domain does not log"),
    ("f64", "whole minor units"),
    ("f32", "whole minor units"),
];

/// Where tests poll: the pause between two looks.
const POLLS: &[&str] = &["stack/tests/stack/look.rs"];

/// Lines of code that a file may have before it is looked at again.
const LINES_MAX: usize = 300;
/// Files that are larger already, with their size: the number may only fall.
const LARGE: &[(&str, usize)] = &[];

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The part before unit tests.
    fn code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        self.path.contains("/tests") || self.path.starts_with("tests/") || self.path.contains("/examples/")
    }

    fn lines_with<'a>(&'a self, what: &'a str) -> impl Iterator<Item = usize> + 'a {
        let lines = self.code().lines().enumerate();
        lines
            .filter(move |(_, line)| !line.trim_start().starts_with("//") && holds(line, what))
            .map(|(index, _)| index + 1)
    }
}

/// Whether a line holds a word, and not as the end of a longer one.
fn holds(line: &str, what: &str) -> bool {
    line.match_indices(what).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
    })
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for place in ["api", "domain", "projections", "scenarios", "src", "stack", "store", "tests"] {
        collect(&root().join(place), &mut sources);
    }
    assert!(sources.len() > 50, "the tidy test has lost sight of the sources");
    sources
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            sources.push(Source { path, text });
        }
    }
}

/// The names in the `[dependencies]` tables of a crate.
fn dependencies(package: &str, table: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == format!("[{table}]");
        } else if inside
            && let Some(name) = line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty())
        {
            names.insert(name.to_owned());
        }
    }
    names
}

fn check(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    let crates: BTreeSet<_> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut broken = Vec::new();
    for (package, allowed) in ARROWS {
        for name in dependencies(package, "dependencies").intersection(&crates) {
            if !allowed.contains(&name.as_str()) {
                broken.push(format!("{package}/Cargo.toml: {package} must not know {name}"));
            }
        }
    }
    for name in dependencies("domain", "dependencies") {
        if !DOMAIN_MAY_USE.contains(&name.as_str()) {
            broken.push(format!("domain/Cargo.toml: the domain uses {DOMAIN_MAY_USE:?} only, not {name}"));
        }
    }
    for package in ["domain", "projections"] {
        let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        let needed = |line: &&str| line.starts_with("utoipa") && !line.contains("optional = true");
        if manifest.lines().any(|line| needed(&line)) {
            broken.push(format!("{package}/Cargo.toml: only tests of the API's description need utoipa"));
        }
    }
    check(broken);
}

#[test]
fn only_the_store_names_the_event_sourcing_libraries() {
    let mut broken = Vec::new();
    for (package, _) in ARROWS.iter().filter(|(package, _)| *package != "store") {
        for name in ["cqrs-es", "postgres-es"] {
            if dependencies(package, "dependencies").contains(name) {
                broken.push(format!("{package}/Cargo.toml: only the store names {name}"));
            }
        }
    }
    for (package, _) in ARROWS {
        if dependencies(package, "dependencies").contains("anyhow") {
            broken.push(format!("{package}/Cargo.toml: errors are enums, not anyhow"));
        }
    }
    check(broken);
}

#[test]
fn the_domain_is_pure() {
    let sources = sources();
    let domain = sources.iter().filter(|source| source.path.starts_with("domain/src") && !source.is_test());
    check(found(domain, IMPURE));
}

#[test]
fn time_names_chance_and_tasks_come_through_the_ports() {
    let sources = sources();
    let inner = sources.iter().filter(|source| {
        ["store/src", "projections/src", "api/src"].iter().any(|place| source.path.starts_with(place))
            && !source.is_test()
            && !ADAPTERS.iter().any(|adapter| source.path.starts_with(adapter))
    });
    check(found(inner, DIRECT));
}

fn found<'a>(sources: impl Iterator<Item = &'a Source>, forbidden: &[(&str, &str)]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        for (what, instead) in forbidden {
            broken.extend(
                source.lines_with(what).map(|line| format!("{}:{line}: {what} — use {instead}", source.path)),
            );
        }
    }
    broken
}

#[test]
fn a_fold_names_every_event() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("domain/src/")) {
        let mut depth = None;
        for (index, line) in source.code().lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if line.trim_start().starts_with("fn evolve(") && line.trim_end().ends_with('{') {
                depth = Some(indent);
            } else if depth.is_some_and(|depth| indent <= depth && line.trim() == "}") {
                depth = None;
            } else if depth.is_some() && line.trim_start().starts_with("_ =>") {
                broken.push(format!("{}:{}: name the events that change nothing", source.path, index + 1));
            }
        }
    }
    check(broken);
}

#[test]
fn tests_neither_sleep_nor_are_skipped() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.path != "tests/tidy.rs") {
        if source.is_test() && !POLLS.contains(&source.path.as_str()) {
            for what in ["thread::sleep(", "time::sleep("] {
                let lines = source.text.lines().enumerate().filter(|(_, line)| line.contains(what));
                broken.extend(lines.map(|(index, _)| {
                    format!("{}:{}: poll with a deadline instead of sleeping", source.path, index + 1)
                }));
            }
        }
        for (index, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("#[ignore") {
                broken.push(format!("{}:{}: a test runs or is deleted", source.path, index + 1));
            }
        }
    }
    check(broken);
}

#[test]
fn every_module_says_what_it_knows() {
    let sources = sources();
    let silent = sources.iter().filter(|source| !source.text.starts_with("//!"));
    check(silent.map(|source| format!("{}: begin with a //! sentence", source.path)).collect());
}

#[test]
fn nothing_is_left_for_later() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.path != "tests/tidy.rs") {
        for (index, line) in source.text.lines().enumerate() {
            if ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("].iter().any(|word| line.contains(word)) {
                broken.push(format!("{}:{}: do it, or write it down as an issue", source.path, index + 1));
            }
        }
    }
    check(broken);
}

#[test]
fn types_are_named_for_what_they_are() {
    let mut broken = Vec::new();
    for source in sources() {
        for (index, line) in source.code().lines().enumerate() {
            let mut words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').peekable();
            while let Some(word) = words.next() {
                let named = ["struct", "enum", "trait"].contains(&word).then(|| words.peek()).flatten();
                if let Some(name) = named
                    && ["Manager", "Helper", "Util", "Utils", "Service"].iter().any(|end| name.ends_with(end))
                {
                    broken.push(format!(
                        "{}:{}: {name} says nothing; name what it does",
                        source.path,
                        index + 1
                    ));
                }
            }
        }
    }
    check(broken);
}

#[test]
fn files_stay_small_enough_to_read() {
    let large: BTreeMap<_, _> = LARGE.iter().copied().collect();
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let lines = source
            .code()
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
            .count();
        match large.get(source.path.as_str()) {
            Some(known) if lines < *known => {
                broken.push(format!("{} has shrunk to {lines}: lower its number in LARGE", source.path));
            }
            Some(known) if lines == *known => {}
            _ if lines > LINES_MAX => {
                broken.push(format!(
                    "{} has {lines} lines of code, more than {LINES_MAX}: split it",
                    source.path
                ));
            }
            _ => {}
        }
    }
    check(broken);
}
