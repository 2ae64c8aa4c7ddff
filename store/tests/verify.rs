//! Whatever is changed in the log behind its back is found, and told where.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use domain::{
    inventory_item::Command,
    value::{Quantity, Text},
};
use sqlx::{Executor as _, PgPool};
use store::{
    engine::Engine,
    testing::{Ground, request},
    verify::{Anchor, Finding, Verified, Wanted, verify, verify_end},
};

/// Every column of an event, and what makes another value of it that the database would take.
const COLUMNS: [(&str, &str); 11] = [
    ("aggregate_type", "'x' || substr(aggregate_type, 2)"),
    (
        "aggregate_id",
        "substr(aggregate_id, 1, length(aggregate_id) - 1) || chr(ascii(right(aggregate_id, 1)) # 1)",
    ),
    ("sequence", "sequence # 64"),
    ("event_type", "overlay(event_type placing 'X' from 1)"),
    ("event_version", "chr(ascii(event_version) # 1)"),
    ("payload", "translate(payload::text, '0123456789', '1032547698')::json"),
    ("metadata", "overlay(metadata::text placing '9' from position('20' in metadata::text))::json"),
    ("position", "position # 4096"),
    ("event_id", "overlay(event_id::text placing 'fff' from 1)::uuid"),
    ("recorded_at", "recorded_at + interval '1 microsecond'"),
    ("digest", "set_byte(digest, 31, get_byte(digest, 31) # 1)"),
];

/// A log of some batches and streams, the owner's way in, and a copy to go back to.
struct Book {
    engine: Engine,
    owner: PgPool,
    events: i64,
}

fn receive(note: &str) -> Command {
    let (quantity, reference) = (Quantity::new(7).unwrap(), Some(Text::new(note).unwrap()));
    Command::Receive { quantity, location: None, reference }
}

impl Book {
    async fn written() -> Self {
        let ground = Ground::new().await;
        let engine = ground.engine().await;
        for nth in 0..4 {
            let skus = ["MUG", "POT", "a%b c", "MUG"];
            let commands =
                skus.map(|sku| engine.executor.execute(request(sku, receive(&format!("note {nth}")))));
            for done in futures::future::join_all(commands).await {
                done.unwrap();
            }
        }
        let owner = ground.owner_pool("").await;
        for table in ["events", "log_links", "log_head"] {
            owner.execute(format!("CREATE TABLE {table}_copy AS TABLE {table}").as_str()).await.unwrap();
        }
        let events = engine.log.head().await.unwrap().position;
        Self { engine, owner, events }
    }

    async fn verified(&self) -> Verified {
        verify(&self.engine.pool, Wanted::default(), &|_, _| {}).await.unwrap()
    }

    /// What is found after a statement of the owner, which is then undone.
    async fn found_after(&self, sql: &str) -> Vec<Finding> {
        let changed = self.owner.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(changed.rows_affected() > 0, "{sql} changed nothing");
        let found = self.verified().await;
        assert_eq!(found.ok, found.findings.is_empty());
        for table in ["events", "log_links", "log_head"] {
            let sql = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {table}_copy");
            self.owner.execute(sql.as_str()).await.unwrap();
        }
        found.findings
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_touched_is_as_it_was_written() {
    let book = Book::written().await;
    let verified = book.verified().await;
    assert_eq!((verified.findings, verified.events), (vec![], book.events));
    assert!(verified.batches > 1);
    assert_eq!(verified.anchor.to_string().parse(), Ok(verified.anchor));
    assert_eq!(verified.anchor.position, book.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_value_in_any_column_of_any_event_is_found() {
    let book = Book::written().await;
    for position in 1..=book.events {
        for (column, other) in COLUMNS {
            let sql = format!("UPDATE events SET {column} = {other} WHERE position = {position}");
            let findings = book.found_after(&sql).await;
            let told = findings.iter().any(|finding| match finding {
                Finding::Altered { position: at, .. } => *at == position,
                Finding::Missing { from, to } => *from <= position && position <= *to,
                _ => false,
            });
            assert!(told, "{sql}: {findings:?}");
        }
    }
    assert_eq!(book.verified().await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_an_added_and_a_moved_event_are_found() {
    let book = Book::written().await;
    for position in 1..=book.events {
        let findings = book.found_after(&format!("DELETE FROM events WHERE position = {position}")).await;
        let gone = Finding::Missing { from: position, to: position };
        let at_end = matches!(findings[..], [.., Finding::Head { .. }] | [.., Finding::Head { .. }, _]);
        assert!(findings.contains(&gone) || at_end && position == book.events, "{position}: {findings:?}");
    }
    let added = "INSERT INTO events SELECT aggregate_type, aggregate_id, 1000 + sequence, event_type, event_version, \
                 payload, metadata, 1000 + position, event_id, recorded_at, digest FROM events WHERE position = 3";
    let findings = book.found_after(added).await;
    assert!(findings.contains(&Finding::Unlinked { from: book.events + 1, to: 1003 }), "{findings:?}");
    let swapped =
        "UPDATE events SET position = CASE position WHEN 2 THEN -3 ELSE -2 END WHERE position IN (2, 3)";
    let unchecked = "ALTER TABLE events DROP CONSTRAINT events_position_check";
    book.owner.execute(unchecked).await.unwrap();
    book.owner.execute(swapped).await.unwrap();
    let findings = book.found_after("UPDATE events SET position = -position WHERE position < 0").await;
    assert!(matches!(findings[0], Finding::BrokenLink { from, .. } if from <= 2), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_and_the_head_cannot_be_changed_either() {
    let book = Book::written().await;
    let first = "(SELECT min(last_position) FROM log_links)";
    for sql in [
        format!(
            "UPDATE log_links SET link = set_byte(link, 0, get_byte(link, 0) # 1) WHERE last_position = {first}"
        ),
        format!("DELETE FROM log_links WHERE last_position = {first}"),
        format!("UPDATE log_links SET last_position = 100000 WHERE last_position = {first}"),
        "INSERT INTO log_links SELECT 100000, link FROM log_head".to_owned(),
    ] {
        let findings = book.found_after(&sql).await;
        assert!(matches!(findings[0], Finding::BrokenLink { .. }), "{sql}: {findings:?}");
    }
    for sql in [
        "UPDATE log_head SET link = set_byte(link, 0, get_byte(link, 0) # 1)",
        "UPDATE log_head SET position = position + 1",
        "UPDATE log_head SET position = position - 1",
    ] {
        let findings = book.found_after(sql).await;
        assert!(matches!(findings[..], [Finding::Head { .. }]), "{sql}: {findings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_noted_elsewhere_must_still_stand_and_may_be_gone_on_from() {
    let book = Book::written().await;
    let pool = &book.engine.pool;
    let anchor = book.verified().await.anchor;
    book.engine.executor.execute(request("MUG", receive("later"))).await.unwrap();
    for (after_anchor, events) in [(false, book.events + 1), (true, 1)] {
        let verified = verify(pool, Wanted { anchor: Some(anchor), after_anchor }, &|_, _| {}).await.unwrap();
        assert_eq!((verified.findings, verified.events), (vec![], events));
        let other = Wanted { anchor: Some(Anchor { link: [9; 32], ..anchor }), after_anchor };
        let findings = verify(pool, other, &|_, _| {}).await.unwrap().findings;
        assert_eq!(findings[0], Finding::Anchor { position: anchor.position });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_end_is_verified_from_where_it_was_left() {
    let book = Book::written().await;
    let look = |seen, newest| verify_end(&book.engine.pool, &*book.engine.log, seen, newest);
    let all = look(None, 1_000).await.unwrap();
    assert_eq!((all.ok, all.events, all.anchor.position), (true, book.events, book.events));
    // What was seen is not read again; nothing new is well, too.
    assert_eq!(look(Some(all.anchor), 1_000).await.unwrap().events, 0);
    book.engine.executor.execute(request("MUG", receive("a later one"))).await.unwrap();
    let newer = look(Some(all.anchor), 1_000).await.unwrap();
    assert_eq!((newer.ok, newer.events), (true, 1));
    // Of a long time away the newest alone, from the end of a batch on.
    let newest = look(Some(Anchor::BEGINNING), 2).await.unwrap();
    assert!(newest.ok && newest.events >= 2 && newest.events < book.events, "{newest:?}");
    let last = book.events + 1;
    let sql = format!("UPDATE events SET payload = '{{}}' WHERE position = {last}");
    book.owner.execute(sql.as_str()).await.unwrap();
    let changed = look(Some(all.anchor), 1_000).await.unwrap();
    assert!(
        matches!(changed.findings[..], [Finding::Altered { position, .. }] if position == last),
        "{changed:?}"
    );
}
