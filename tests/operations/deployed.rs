//! The files that a shop is deployed with name settings that there are, and hold no secret of their own.

use std::{collections::BTreeSet, fs, path::PathBuf};

use daybook::settings::known;

fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files that name settings.
const FILES: [&str; 5] = [
    "compose.yaml",
    "Dockerfile",
    "docs/operations/daybook.service",
    "docs/operations/daybook-migrate.service",
    "docs/operations/daybook.env.example",
];

/// Words of a text that look like a setting.
fn settings(text: &str) -> BTreeSet<&str> {
    let words = text.split(|of: char| !(of.is_ascii_uppercase() || of.is_ascii_digit() || of == '_'));
    words
        .filter(|word| {
            word.starts_with("DAYBOOK_")
                || word.starts_with("OTEL_")
                || ["DATABASE_URL", "NATS_URL", "MEILI_URL", "MEILI_MASTER_KEY"].contains(word)
        })
        .collect()
}

/// What the composed services hand over by themselves: each is no setting of Daybook's but a file's name or a password.
const OF_COMPOSE: [&str; 2] = ["DAYBOOK_IMAGE", "DAYBOOK_PORT"];

#[test]
fn deployed_files_name_settings_that_there_are() {
    let known: BTreeSet<_> = known().map(|(name, _)| name).collect();
    for file in FILES {
        let text = read(file);
        let found = settings(&text);
        assert!(!found.is_empty(), "{file} names no setting");
        for name in found {
            assert!(known.contains(name) || OF_COMPOSE.contains(&name), "{file}: {name} is no setting");
        }
    }
}

#[test]
fn the_example_holds_every_setting_that_a_file_may() {
    let example = read("docs/operations/daybook.env.example");
    let found = settings(&example);
    for (name, _) in daybook::settings::names() {
        assert!(found.contains(name), "{name} is not in daybook.env.example");
    }
}

#[test]
fn nothing_is_deployed_with_a_secret_that_everybody_knows() {
    for file in FILES {
        let text = read(file);
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let secret = ["KEY", "SECRET", "PASSWORD", "TOKEN"].iter().any(|word| line.contains(word));
            let Some((_, value)) = line.split_once(['=', ':']).filter(|_| secret) else { continue };
            let value = value.trim().trim_matches('"');
            let handed = value.is_empty()
                // What the example says in place of one.
                || value.contains("PASSWORD@")
                || value.contains("TOKEN@")
                || value.contains("${")
                || value.contains("/run/secrets/")
                || value.contains("_FILE");
            let path = value.starts_with('/') || value.starts_with("./");
            assert!(handed || path, "{file} holds a secret: {line}");
        }
    }
}
