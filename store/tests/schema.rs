//! What a program can tell of the tables before it uses them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use sqlx::Executor as _;
use store::{
    schema::{SchemaError, let_read, log_tables, migrate, standing},
    testing::{Ground, ROLE},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_serving_role_sees_whether_the_tables_are_those_of_this_program() {
    let ground = Ground::new().await;
    let (serving, owner) = (ground.pool("").await, ground.owner_pool("").await);
    let now = || async { standing(&serving, &log_tables()).await.unwrap() };
    assert!(now().await.fits());

    owner
        .execute("INSERT INTO _sqlx_migrations VALUES (99990101000001, 'later', now(), true, '', 0)")
        .await
        .unwrap();
    let newer = now().await;
    assert_eq!((newer.fits(), newer.newer), (true, vec![99_990_101_000_001]));

    owner.execute("UPDATE _sqlx_migrations SET checksum = '' WHERE version = 20261121000010").await.unwrap();
    let changed = now().await;
    assert_eq!(
        (changed.fits(), changed.changed),
        (false, vec!["20261121000010 timers hold any command".to_owned()])
    );

    owner
        .execute("DELETE FROM _sqlx_migrations WHERE version IN (20261121000010, 20261121000012)")
        .await
        .unwrap();
    let pending = now().await;
    let steps = ["20261121000010 timers hold any command", "20261121000012 timers wait after a failure"];
    assert_eq!((pending.fits(), pending.pending), (false, steps.map(str::to_owned).to_vec()));

    owner.execute("DROP TABLE _sqlx_migrations").await.unwrap();
    let unmigrated = now().await;
    let steps: usize = log_tables().migrations.iter().map(|migrator| migrator.migrations.len()).sum();
    assert_eq!(unmigrated.pending.len(), steps);
    assert!(!unmigrated.fits());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_lay_tables_is_told_whose_address_is_missing() {
    let ground = Ground::new().await;
    for prefix in [ground.prefix.clone(), format!("{}_new", ground.prefix)] {
        ground.as_owner(&format!("DELETE FROM {}._sqlx_migrations", ground.prefix)).await;
        let refused = migrate(&ground.app_url, &prefix, ROLE, &log_tables()).await.unwrap_err();
        let told = refused.to_string();
        assert!(matches!(refused, SchemaError::NotOwner { .. }), "{told}");
        assert!(told.contains("DAYBOOK_OWNER_DATABASE_URL") && told.contains(&prefix), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_laid_and_granted_by_many_at_once() {
    let ground = Ground::new().await;
    let analyst = format!("{}_analyst", ground.prefix);
    ground.as_owner(&format!("CREATE ROLE {analyst}")).await;
    // The first round lays them, the others find them laid.
    for suffix in ["", "_new", "_new", "_new"] {
        let prefix = format!("{}{suffix}", ground.prefix);
        let laid = (0..12).map(async |_| {
            migrate(&ground.owner_url, &prefix, ROLE, &log_tables()).await?;
            let_read(&ground.owner_url, &prefix, (&analyst, ROLE), &log_tables()).await
        });
        let failed: Vec<_> =
            futures::future::join_all(laid).await.into_iter().filter_map(Result::err).collect();
        assert!(failed.is_empty(), "{suffix}: {failed:?}");
    }
}
