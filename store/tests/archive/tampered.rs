//! Whatever is changed in the archive is found, and told where.

use std::fs::File;

use sqlx::{Executor as _, PgPool};
use store::verify::{Files, Finding, Wanted, verify_with};

use crate::shop::Shop;

async fn archived() -> (Shop, i64) {
    let shop = Shop::with_history(9, 80).await;
    assert!(shop.archive().await.files.len() > 1);
    for table in ["events", "archive_files", "archived_events"] {
        shop.owner.execute(format!("CREATE TABLE {table}_copy AS TABLE {table}").as_str()).await.unwrap();
    }
    let position = sqlx::query_scalar("SELECT min(position) + 1 FROM archived_events WHERE sequence = 2")
        .fetch_one(&shop.owner)
        .await
        .unwrap();
    let position = sqlx::query_scalar("SELECT min(position) FROM archived_events WHERE position >= $1")
        .bind::<i64>(position)
        .fetch_one(&shop.owner)
        .await
        .unwrap();
    (shop, position)
}

/// What is found after a statement of the owner, which is then undone.
async fn found_after(shop: &Shop, sql: &str, files: Files) -> Vec<Finding> {
    let changed = shop.owner.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert!(changed.rows_affected() > 0, "{sql} changed nothing");
    let found = shop.verified(files).await;
    for (table, columns) in [("events", "*"), ("archived_events", "*"), ("archive_files", "*")] {
        let sql = format!(
            "DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT {columns} FROM {table}_copy"
        );
        shop.owner.execute(sql.as_str()).await.unwrap();
    }
    found.findings
}

#[tokio::test(flavor = "multi_thread")]
async fn another_value_in_any_column_of_the_archive_is_found() {
    let (shop, position) = archived().await;
    shop.ground.as_owner("ALTER TABLE events DISABLE TRIGGER events_of_no_archived_stream").await;
    let at = format!("WHERE position = {position}");
    for (sql, blind) in [
        (format!("UPDATE archived_events SET sequence = sequence + 64 {at}"), true),
        (format!("UPDATE archived_events SET aggregate_id = aggregate_id || 'x' {at}"), true),
        (format!("UPDATE archived_events SET aggregate_type = 'order' {at}"), true),
        (
            format!(
                "UPDATE archived_events SET digest = set_byte(digest, 31, get_byte(digest, 31) # 1) {at}"
            ),
            true,
        ),
        (format!("UPDATE archived_events SET digest = '' {at}"), true),
        (format!("UPDATE archived_events SET position = 100000 {at}"), true),
        (format!("UPDATE archived_events SET file = 1000 {at}"), true),
        (format!("UPDATE archived_events SET place = place + 1 {at}"), false),
        (format!("UPDATE archived_events SET place = -1 {at}"), false),
        (
            format!(
                "UPDATE archived_events SET file = (SELECT min(file) FROM archive_files \
                 WHERE file <> archived_events.file) {at}"
            ),
            true,
        ),
        (format!("DELETE FROM archived_events {at}"), true),
        (
            format!(
                "INSERT INTO events SELECT aggregate_type, aggregate_id, sequence, 'Opened', '2', '{{}}', '{{}}', \
                 position, gen_random_uuid(), now(), digest FROM archived_events {at}"
            ),
            true,
        ),
        (
            "UPDATE archive_files SET sha256 = set_byte(sha256, 0, get_byte(sha256, 0) # 1) WHERE file = 1"
                .into(),
            false,
        ),
        ("UPDATE archive_files SET events = events + 1 WHERE file = 1".into(), true),
        ("UPDATE archive_files SET first_position = first_position + 1 WHERE file = 1".into(), true),
        ("UPDATE archive_files SET last_position = last_position + 1 WHERE file = 1".into(), true),
        ("DELETE FROM archive_files WHERE file = 1".into(), true),
        (
            "INSERT INTO archive_files (sha256, first_position, last_position, events) VALUES ('', 1, 1, 0)"
                .into(),
            true,
        ),
    ] {
        assert_ne!(found_after(&shop, &sql, shop.files()).await, [], "{sql}");
        let without = found_after(&shop, &sql, Files::DigestsOnly).await;
        assert_eq!(without.is_empty(), !blind, "{sql}: {without:?}");
    }
    assert_eq!(shop.verified(shop.files()).await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_in_both_places_is_told() {
    let (shop, position) = archived().await;
    shop.ground.as_owner("ALTER TABLE events DISABLE TRIGGER events_of_no_archived_stream").await;
    let twice = format!(
        "INSERT INTO events SELECT aggregate_type, aggregate_id, sequence, 'Opened', '2', '{{}}', '{{}}', position, \
         gen_random_uuid(), now(), digest FROM archived_events WHERE position = {position}"
    );
    let findings = found_after(&shop, &twice, shop.files()).await;
    assert!(findings.contains(&Finding::Doubled { position }), "{findings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_and_a_missing_file_are_found() {
    let (shop, _) = archived().await;
    for path in shop.on_disk() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let whole = std::fs::read(&path).unwrap();
        for at in [0, 4, 12, whole.len() / 2, whole.len() - 5, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            let findings = shop.verified(shop.files()).await.findings;
            let told = |finding: &Finding| matches!(finding, Finding::File { file, .. } if *file == name);
            assert!(findings.iter().any(told), "byte {at} of {name}: {findings:?}");
        }
        // A byte of the text tells which events are behind it.
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        let findings = shop.verified(shop.files()).await.findings;
        assert!(findings.iter().any(|finding| matches!(finding, Finding::Archived { .. })), "{findings:?}");
        std::fs::remove_file(&path).unwrap();
        let findings = shop.verified(shop.files()).await.findings;
        assert!(matches!(&findings[..], [Finding::File { file, .. }] if *file == name), "{findings:?}");
        assert_eq!(shop.verified(Files::DigestsOnly).await.findings, []);
        std::fs::write(&path, &whole).unwrap();
    }
    assert_eq!(shop.verified(shop.files()).await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_take_long_to_read_are_read_to_their_end() {
    let (shop, _) = archived().await;
    let large = shop.on_disk().remove(0);
    File::options().write(true).open(&large).unwrap().set_len(64 << 20).unwrap();
    // Sooner than the file is read, Postgres ends whoever does nothing in a transaction.
    let options = (*shop.engine.pool.connect_options()).clone();
    let pool = PgPool::connect_lazy_with(options.options([("idle_in_transaction_session_timeout", "20ms")]));
    let verified = verify_with(&pool, Wanted::default(), shop.files(), &|_, _| {}).await.unwrap();
    let name = large.file_name().unwrap().to_string_lossy().into_owned();
    let told = |finding: &Finding| matches!(finding, Finding::File { file, .. } if *file == name);
    assert!(verified.findings.iter().any(told), "{:?}", verified.findings);
}
