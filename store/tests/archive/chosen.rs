//! Only what nothing is expected of any more is put away, and the database keeps everybody from beginning it again.

use std::{ops::ControlFlow, os::unix::fs::PermissionsExt as _};

use sqlx::Executor as _;
use store::{
    archive::{Archiving, ArchivingError, Kept},
    ports::{Clock as _, Machine},
};

use crate::shop::{Shop, add, open};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_young_awaited_or_not_followed_stays() {
    let shop = Shop::new().await;
    for id in ["a", "b", "c", "d", "e"] {
        shop.closed(id).await;
    }
    for command in [open(), add("A")] {
        shop.run("open", command).await;
    }
    shop.stock("S").await;
    let young = Archiving { before_us: Machine.now_us() - 3_600_000_000, ..shop.archiving() };
    let archived = young.run(&|_| ControlFlow::Continue(())).await.unwrap();
    assert_eq!((archived.events, archived.kept), (0, Kept { young: 6, ..Kept::default() }));

    shop.ground
        .as_owner(
            "INSERT INTO timers (timer_id, manager, instance, correlation_id, input, due_at) \
             VALUES (gen_random_uuid(), 'm', 'a', gen_random_uuid(), '{}', now());
             INSERT INTO waiting_events VALUES ('f', 'lane', 5, 'why');
             INSERT INTO parked_streams VALUES ('f', 'cart', 'c', 7, 'why');
             INSERT INTO followers (name) VALUES ('relay'), ('timers');
             INSERT INTO followers (name, incarnation, position) SELECT 'slow', incarnation, 14 FROM log_head",
        )
        .await;
    let preview = Archiving { dry_run: true, ..shop.archiving() };
    let would = preview.run(&|_| ControlFlow::Continue(())).await.unwrap();
    assert_eq!((shop.count("archived_events").await, shop.on_disk().len()), (0, 0));
    let archived = shop.archive().await;
    assert_eq!((would.events, would.streams, &would.kept), (3, 1, &archived.kept));
    // a: a timer; b: its second event waits; c: parked; e: not followed, and neither is the open one.
    let held_back_by = Some(("slow".to_owned(), 14));
    let kept = Kept { awaited: 3, followed: 2, held_back_by, ..Kept::default() };
    assert_eq!((archived.events, archived.streams, archived.kept), (3, 1, kept));

    // A checkpoint of another life of the log is none, and neither is one that was never moved.
    for sql in [
        "UPDATE followers SET incarnation = gen_random_uuid(), position = 99 WHERE name = 'slow'",
        "UPDATE followers SET incarnation = NULL, position = 0 WHERE name = 'slow'",
    ] {
        shop.ground.as_owner(sql).await;
        let archived = shop.archive().await;
        assert_eq!(archived.kept.held_back_by, Some(("slow".to_owned(), 0)));
        assert_eq!((archived.events, archived.kept.followed), (0, 5));
    }
    shop.ground.as_owner("DELETE FROM timers; DELETE FROM waiting_events; DELETE FROM parked_streams").await;
    shop.ground.as_owner("DELETE FROM followers").await;
    let archived = shop.archive().await;
    assert_eq!((archived.streams, archived.kept), (4, Kept { open: 1, ..Kept::default() }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_the_last_event_stays_so_that_the_log_ends_in_the_table() {
    let shop = Shop::new().await;
    shop.closed("only").await;
    let archived = shop.archive().await;
    assert_eq!((archived.events, archived.kept), (0, Kept { followed: 1, ..Kept::default() }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_program_does_not_know_and_what_was_altered_stays() {
    let shop = Shop::new().await;
    shop.closed("a").await;
    shop.closed("b").await;
    shop.stock("S").await;
    shop.ground.as_owner("UPDATE events SET event_version = '99' WHERE position = 2").await;
    let altered = shop.archive_until(|_| false).await;
    assert!(matches!(altered, Err(ArchivingError::Altered(2))), "{altered:?}");
    assert_eq!(shop.count("archived_events").await, 0);
    // As a newer program would have written it.
    let event = shop.engine.log.load(&crate::shop::cart("a"), 0).await.unwrap().remove(1);
    let digest = store::log::digest(&event);
    sqlx::query("UPDATE events SET digest = $1 WHERE position = 2")
        .bind(&digest[..])
        .execute(&shop.owner)
        .await
        .unwrap();
    let archived = shop.archive().await;
    assert_eq!((archived.streams, archived.kept), (1, Kept { unreadable: 1, ..Kept::default() }));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_begins_an_archived_stream_again_and_only_the_owner_archives() {
    let shop = Shop::new().await;
    shop.closed("gone").await;
    shop.stock("END").await;
    shop.archive().await;
    // As a program would that has never heard of an archive: it sees an empty stream.
    let again = "INSERT INTO events SELECT 'cart', 'gone', $1, event_type, event_version, payload, metadata, 99, \
                 event_id, recorded_at, digest FROM events LIMIT 1";
    let refused = sqlx::query(again).bind(1_i64).execute(&shop.engine.pool).await.unwrap_err();
    let refused = refused.as_database_error().unwrap();
    assert_eq!((refused.code().as_deref(), refused.constraint()), (Some("23505"), Some("events_stream")));
    assert_eq!(sqlx::query(again).bind(4_i64).execute(&shop.owner).await.unwrap().rows_affected(), 1);
    for statement in [
        "INSERT INTO archive_files (sha256, first_position, last_position, events) VALUES ('', 1, 1, 1)",
        "DELETE FROM archived_events",
        "UPDATE archived_events SET place = 0",
        "ALTER TABLE events DISABLE TRIGGER events_of_no_archived_stream",
    ] {
        let error = shop.engine.pool.execute(statement).await.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
    }
    let serving = Archiving { pool: shop.engine.pool.clone(), ..shop.archiving() };
    let refused = serving.run(&|_| ControlFlow::Continue(())).await;
    assert!(matches!(refused, Err(ArchivingError::NotOwner)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_into_a_directory_that_is_not_the_whole_archive() {
    let shop = Shop::new().await;
    shop.closed("one").await;
    shop.stock("END").await;
    shop.archive().await;
    shop.closed("other").await;
    shop.stock("END").await;
    let elsewhere = shop.directory.join("elsewhere");
    for dry_run in [true, false] {
        let archiving = Archiving { directory: elsewhere.clone(), dry_run, ..shop.archiving() };
        let refused = archiving.run(&|_| ControlFlow::Continue(())).await;
        assert!(matches!(refused, Err(ArchivingError::OtherDirectory { .. })), "{refused:?}");
    }
    assert_eq!(shop.count("archive_files").await, 1);
    // Once its files have moved there, it is.
    for file in shop.on_disk() {
        std::fs::rename(&file, elsewhere.join(file.file_name().unwrap())).unwrap();
    }
    let archiving = Archiving { directory: elsewhere, ..shop.archiving() };
    let archived = archiving.run(&|_| ControlFlow::Continue(())).await.unwrap();
    assert_eq!((archived.events, shop.count("archive_files").await), (3, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_away_is_for_the_owner_and_the_group_alone() {
    let shop = Shop::new().await;
    shop.closed("one").await;
    shop.stock("END").await;
    shop.archive().await;
    for path in shop.on_disk().into_iter().chain([shop.directory.clone()]) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o027, 0, "{} has mode {mode:o}", path.display());
    }
}
