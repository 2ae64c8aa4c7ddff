//! Migrations only add: a program that is still running on newer tables must not notice them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Where migrations lie.
const SETS: [&str; 6] = [
    "store/migrations/log",
    "store/migrations/followers",
    "store/migrations/analysis",
    "store/migrations/keys",
    "projections/migrations",
    "api/migrations",
];

/// `(file, statement begins with, why an older program does not notice)`. Nothing is added here without such a reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "20261121000010_timers_hold_any_command.sql",
        "update timers",
        "no program that wrote the older form was ever released",
    ),
    (
        "20261121000012_timers_wait_after_a_failure.sql",
        "delete from timers where fired_at is not null",
        "nobody reads a timer that has fired",
    ),
    (
        "20261121000013_forgotten.sql",
        "alter table subject_keys alter column wrapped drop not null",
        "an older program stops at a subject without a key, and no key of a forgotten one may be used",
    ),
    (
        "20261121000013_forgotten.sql",
        "alter table subject_keys add constraint subject_keys_forgotten",
        "every row that an older program writes has a key and is not forgotten, which the constraint allows",
    ),
    (
        "20261121000030_archive.sql",
        "create trigger events_of_no_archived_stream",
        "refuses an older program only what would begin an archived stream again",
    ),
    (
        "20261121000030_archive.sql",
        "alter table events disable trigger events_of_no_archived_stream",
        "this file adds the trigger",
    ),
    ("20261124000011_fulfilment.sql", "update orders", "fills a column that this file adds"),
    ("20261201000001_stock_places_and_backorders.sql", "update stock", "fills a column that this file adds"),
    (
        "20261201000001_stock_places_and_backorders.sql",
        "update payments",
        "fills a column that this file adds",
    ),
];

/// Statements that make something new.
const NEW: [&str; 9] = [
    "create table",
    "create index",
    "create unique index",
    "create view",
    "create function",
    "create sequence",
    "comment on",
    "insert into",
    "grant ",
];

struct Migration {
    name: String,
    statements: Vec<String>,
}

/// Lower case, single spaces, without comments and with nothing between quotes: what is left are words of SQL.
fn statements(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '$', '-', '/']) {
        plain.push_str(&rest[..at]);
        let from = &rest[at..];
        let (end, kept) = if from.starts_with("--") {
            (from.find('\n').unwrap_or(from.len()), "")
        } else if from.starts_with("/*") {
            (from.find("*/").unwrap() + 2, "")
        } else if let Some(quote) = from.chars().next().filter(|quote| ['\'', '"'].contains(quote)) {
            (from[1..].find(quote).unwrap() + 2, "'…'")
        } else if let Some(tag) =
            from[1..].find('$').map(|end| &from[..end + 2]).filter(|_| from.starts_with('$'))
        {
            (from[tag.len()..].find(tag).unwrap() + 2 * tag.len(), "'…'")
        } else {
            (1, &from[..1])
        };
        plain.push_str(kept);
        rest = &from[end..];
    }
    plain.push_str(rest);
    let all = plain
        .split(';')
        .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase());
    all.filter(|statement| !statement.is_empty()).collect()
}

/// The parts of a list that commas separate, those in brackets left whole.
fn parts(list: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for letter in list.chars() {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if letter == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(letter);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// What an older program would stumble over in a statement; `made` are the tables of the same file, which it does not know.
fn breaks(statement: &str, made: &BTreeSet<&str>) -> Vec<String> {
    if let Some(unique) = statement.strip_prefix("create unique index") {
        let table =
            unique.split(" on ").nth(1).and_then(|on| on.split([' ', '(']).next()).unwrap_or_default();
        let made = made.contains(table);
        return if made { vec![] } else { vec!["a unique index on a table that is written already".into()] };
    }
    if NEW.iter().any(|new| statement.starts_with(new)) {
        return vec![];
    }
    let Some(alter) = statement.strip_prefix("alter table ") else {
        return vec!["neither adds nor fills anything new".into()];
    };
    let alter = alter.trim_start_matches("if exists ").trim_start_matches("only ");
    let (table, actions) = alter.split_once(' ').unwrap_or((alter, ""));
    if made.contains(table) {
        return vec![];
    }
    parts(actions).iter().filter_map(|action| breaks_by(action)).collect()
}

/// What an older program would stumble over in one change of a table that it knows.
fn breaks_by(action: &str) -> Option<String> {
    let words: Vec<&str> = action.split(' ').collect();
    let has = |sought: &str| action.contains(sought);
    match words[..] {
        ["add", "constraint", ..] | ["add", "check" | "unique" | "primary" | "foreign" | "exclude", ..] => {
            Some("a constraint that rows of an older program may not meet".into())
        }
        // Other words of `add` are a column with or without the word for it.
        ["add", ..] if has(" not null") && !has(" default ") && !has(" generated ") => {
            Some("a column that an older program does not fill, and that must be".into())
        }
        ["add", ..] if has(" check ") || has(" check(") || has(" unique") || has(" references ") => {
            Some("a column with a rule that an older program does not know".into())
        }
        ["add", ..] => None,
        ["alter", "column", _, "set", "default" | "statistics" | "storage" | "compression", ..]
        | ["set", ..]
        | ["validate", ..] => None,
        _ => Some(format!("takes away or changes what an older program uses: {action}")),
    }
}

fn migrations() -> Vec<Migration> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<PathBuf> = vec![];
    for set in SETS {
        found.extend(fs::read_dir(root.join(set)).unwrap().map(|entry| entry.unwrap().path()));
    }
    let read = |path: &PathBuf| Migration {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        statements: statements(&fs::read_to_string(path).unwrap()),
    };
    found.iter().map(read).collect()
}

fn made_in(migration: &[String]) -> BTreeSet<&str> {
    let created = migration.iter().filter_map(|statement| statement.strip_prefix("create table "));
    created.filter_map(|table| table.trim_start_matches("if not exists ").split([' ', '(']).next()).collect()
}

#[test]
fn every_migration_is_in_the_program_and_as_its_file_is_called() {
    let sets = [
        store::schema::log_tables(),
        store::schema::analysis_tables(),
        store::schema::key_tables(),
        projections::tables(),
        api::edge::tables(),
    ];
    let embedded = sets.iter().flat_map(|tables| tables.migrations.iter().flat_map(|set| set.iter()));
    let embedded: BTreeSet<_> =
        embedded.map(|step| format!("{}_{}.sql", step.version, step.description.replace(' ', "_"))).collect();
    let written: BTreeSet<_> = migrations().into_iter().map(|migration| migration.name).collect();
    assert_eq!(embedded, written);
    // Each set is run in the order in which it is named.
    for set in sets.iter().flat_map(|tables| &tables.migrations) {
        assert!(set.iter().is_sorted_by_key(|step| step.version), "{:?}", set.migrations);
    }
}

#[test]
fn no_migration_takes_anything_from_an_older_program() {
    let migrations = migrations();
    assert!(migrations.len() >= 15, "the test has lost sight of the migrations");
    let mut broken = vec![];
    let mut excused = BTreeSet::new();
    for Migration { name, statements } in &migrations {
        let made = made_in(statements);
        for statement in statements {
            let reasons = breaks(statement, &made);
            let excuse =
                ALLOWED.iter().position(|(file, begins, _)| file == name && statement.starts_with(begins));
            match excuse {
                _ if reasons.is_empty() => {}
                Some(excuse) => drop(excused.insert(excuse)),
                None => broken.push(format!("{name}: {statement}\n    {}", reasons.join("; "))),
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
    let idle: Vec<_> = ALLOWED
        .iter()
        .enumerate()
        .filter(|(nth, _)| !excused.contains(nth))
        .map(|(_, excuse)| excuse)
        .collect();
    assert!(idle.is_empty(), "nothing needs these excuses any more: {idle:?}");
}

#[test]
fn every_step_has_a_number_of_its_own_and_runs_in_one_transaction() {
    let mut seen = BTreeSet::new();
    for Migration { name, statements } in migrations() {
        assert!(name.ends_with(".sql") && !name.ends_with(".down.sql"), "{name}: forward only");
        let (number, _) = name.split_once('_').unwrap();
        assert!(number.len() == 14 && number.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
        assert!(seen.insert(number.to_owned()), "{name}: two steps have that number");
        for statement in statements {
            let alone = ["begin", "commit", "rollback"].contains(&statement.as_str());
            assert!(!alone && !statement.contains(" concurrently "), "{name}: {statement}");
        }
    }
}

#[test]
fn what_would_break_an_older_program_is_seen() {
    for (sql, fine) in [
        ("CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN b int NOT NULL, DROP COLUMN a;", true),
        ("CREATE INDEX i ON old (a);", true),
        ("CREATE UNIQUE INDEX i ON old (a);", false),
        (
            "ALTER TABLE old ADD COLUMN b int, ADD COLUMN c text NOT NULL DEFAULT 'not null; drop', ADD d numeric(3, 1);",
            true,
        ),
        ("ALTER TABLE old ADD COLUMN b int, ADD COLUMN c text NOT NULL;", false),
        ("ALTER TABLE old ADD c text NOT NULL;", false),
        ("ALTER TABLE old ADD COLUMN c int CHECK (c > 0);", false),
        ("ALTER TABLE old ADD CONSTRAINT k CHECK (a > 1);", false),
        ("ALTER TABLE old ADD CHECK (a > 1);", false),
        ("alter table only old alter column a set not null;", false),
        ("ALTER TABLE old ALTER COLUMN a TYPE bigint;", false),
        ("ALTER TABLE old ALTER COLUMN a DROP DEFAULT;", false),
        ("ALTER TABLE old ALTER COLUMN a SET DEFAULT 3, ALTER COLUMN b SET STORAGE MAIN;", true),
        ("ALTER TABLE old DROP CONSTRAINT k;", false),
        ("ALTER TABLE old RENAME TO older;", false),
        ("ALTER TABLE old RENAME COLUMN a TO b;", false),
        ("DROP TABLE old;", false),
        ("DROP INDEX i;", false),
        ("ALTER TYPE kind RENAME VALUE 'a' TO 'b';", false),
        ("REVOKE SELECT ON old FROM reader;", false),
        ("UPDATE old SET a = 1;", false),
        ("DELETE FROM old; -- harmless?", false),
        ("TRUNCATE old;", false),
        ("/* ALTER TABLE old DROP COLUMN a; */ CREATE VIEW v AS SELECT 1 - 1;", true),
        ("DO $$ BEGIN DROP TABLE old; END $$;", false),
        ("GRANT SELECT ON old TO reader;", true),
    ] {
        let found = statements(sql);
        let made = made_in(&found);
        let broken: Vec<String> = found.iter().flat_map(|statement| breaks(statement, &made)).collect();
        assert_eq!(broken.is_empty(), fine, "{sql}: {broken:?}");
    }
}

/// What the serving role could do before stays allowed: an older program still does it.
#[test]
fn no_right_of_the_serving_role_is_taken_back() {
    /// The rights that older programs rely on. What a program adds stands here from its release on.
    const LOG: &[(&str, &str)] = &[
        ("SELECT, INSERT", "events"),
        ("SELECT, INSERT", "log_links"),
        ("SELECT, INSERT, DELETE", "commands"),
        ("SELECT, UPDATE (position, link)", "log_head"),
        ("SELECT, INSERT, UPDATE, DELETE", "followers"),
        ("SELECT, INSERT, UPDATE, DELETE", "parked_streams"),
        ("SELECT, INSERT, UPDATE, DELETE", "timers"),
        ("SELECT, INSERT, UPDATE, DELETE", "waiting_events"),
        ("SELECT, INSERT", "skipped_events"),
        ("SELECT, INSERT, DELETE", "asked_lanes"),
        ("SELECT, INSERT, UPDATE", "snapshots"),
        ("SELECT, INSERT", "log_lives"),
        ("SELECT", "archive_files"),
        ("SELECT", "archived_events"),
    ];
    const KEYS: &[(&str, &str)] = &[("SELECT, INSERT, UPDATE (wrapped, forgotten_at)", "subject_keys")];
    const READ: &[&str] = &[
        "followers",
        "parked_streams",
        "orders",
        "payments",
        "carts",
        "stock",
        "reservations",
        "products",
        "variants",
        "sold",
        "sales",
        "ratings",
    ];
    let (log, keys, read) = (store::schema::log_tables(), store::schema::key_tables(), projections::tables());
    for (rights, table) in LOG {
        assert_eq!(taken_back(rights, table, log.grants), "", "on {table}");
    }
    for (rights, table) in KEYS {
        assert_eq!(taken_back(rights, table, keys.grants), "", "on {table}");
    }
    for table in READ {
        assert_eq!(taken_back("SELECT, INSERT, UPDATE, DELETE", table, read.grants), "", "on {table}");
    }
    // Would it be noticed?
    let fewer = &[("SELECT, UPDATE (position)", "log_head")];
    assert_eq!(taken_back("SELECT, UPDATE (position, link)", "log_head", fewer), "UPDATE link");
    assert_eq!(taken_back("SELECT, INSERT", "events", fewer), "SELECT INSERT");
    assert_eq!(taken_back("UPDATE (link)", "events", &[("UPDATE", "events")]), "");
}

/// Rights on a table that `granted` no longer holds.
fn taken_back(rights: &str, table: &str, granted: &[(&str, &str)]) -> String {
    let held: Vec<(String, Option<String>)> =
        granted.iter().filter(|(_, other)| *other == table).flat_map(|(rights, _)| each(rights)).collect();
    let lost = each(rights).into_iter().filter(|(right, column)| {
        !held.iter().any(|(other, of)| other == right && (of.is_none() || of == column))
    });
    lost.map(|(right, column)| [Some(right), column].into_iter().flatten().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Each right of such a list, with its column if it is of one only.
fn each(rights: &str) -> Vec<(String, Option<String>)> {
    let mut each = vec![];
    let mut rest = rights;
    while !rest.is_empty() {
        let end = rest.find([',', '(']).unwrap_or(rest.len());
        let right = rest[..end].trim().to_owned();
        let mut after = &rest[end..];
        if let Some(columns) = after.strip_prefix('(') {
            let Some((columns, behind)) = columns.split_once(')') else { panic!("{rights} does not end") };
            each.extend(columns.split(',').map(|column| (right.clone(), Some(column.trim().to_owned()))));
            after = behind;
        } else {
            each.push((right, None));
        }
        rest = after.trim_start_matches([',', ' ']);
    }
    each
}
