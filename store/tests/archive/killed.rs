//! Whoever kills an archiving run at any moment loses nothing, and the next one goes on.

use std::sync::atomic::{AtomicUsize, Ordering};

use store::archive::{ArchivingError, Step};

use crate::shop::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_at_any_step_loses_nothing_and_the_next_goes_on() {
    let whole = Shop::with_history(3, 60).await;
    let steps = AtomicUsize::new(0);
    let all = whole
        .archive_until(|_| {
            steps.fetch_add(1, Ordering::Relaxed);
            false
        })
        .await
        .unwrap();
    let steps = steps.into_inner();
    assert!(steps > 8, "{steps}");
    for end in 0..steps {
        let shop = Shop::with_history(3, 60).await;
        let before = shop.reading().await;
        let nth = AtomicUsize::new(0);
        let killed = shop.archive_until(|_| nth.fetch_add(1, Ordering::Relaxed) == end).await;
        assert!(matches!(killed, Err(ArchivingError::Stopped)), "{end}: {killed:?}");
        assert_eq!(shop.reading().await, before, "killed at step {end}");
        assert_eq!(shop.verified(shop.files()).await.findings, [], "killed at step {end}");
        // Half a file, as one that was being written.
        std::fs::create_dir_all(&shop.directory).unwrap();
        std::fs::write(shop.directory.join("unfinished.partial"), b"half").unwrap();
        shop.archive().await;
        assert_eq!(shop.count("archived_events").await, all.events as i64, "killed at step {end}");
        assert_eq!(shop.reading().await, before, "gone on after step {end}");
        assert_eq!(shop.verified(shop.files()).await.findings, [], "gone on after step {end}");
        assert!(!shop.directory.join("unfinished.partial").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_written_in_vain_is_written_again_or_told() {
    let shop = Shop::with_history(5, 60).await;
    let killed = shop.archive_until(|step| matches!(step, Step::Moved(_))).await;
    assert!(matches!(killed, Err(ArchivingError::Stopped)), "{killed:?}");
    let written = shop.on_disk();
    assert_eq!((written.len(), shop.count("archive_files").await), (1, 0));
    // The same events make the same file.
    assert_eq!(shop.archive().await.unknown_files, Vec::<String>::new());
    assert!(shop.on_disk().contains(&written[0]));
    assert_eq!(shop.on_disk().len() as i64, shop.count("archive_files").await);
    // One of another log is left alone.
    let other = shop.directory.join("events-000000000001-000000000002-ab.ndjson.gz");
    std::fs::write(&other, b"another log's").unwrap();
    let told = shop.archive().await.unknown_files;
    assert_eq!(told, [other.file_name().unwrap().to_string_lossy()]);
    assert!(other.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_do_not_meet() {
    let shop = Shop::with_history(6, 60).await;
    let (busy, second) = (AtomicUsize::new(0), shop.archiving());
    let mut met = None;
    let first = shop.archive_until(|step| {
        if matches!(step, Step::Written(_)) && busy.fetch_add(1, Ordering::Relaxed) == 0 {
            // The first is in the middle of it.
            let run = second.run(&|_| std::ops::ControlFlow::Continue(()));
            let outcome = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(run));
            assert!(matches!(outcome, Err(ArchivingError::Busy(_))), "{outcome:?}");
        }
        false
    });
    met.replace(first.await.unwrap());
    assert!(met.is_some_and(|archived| archived.events > 0));
    assert_eq!(busy.load(Ordering::Relaxed) as i64, shop.count("archive_files").await);
}
