//! Rows are rebuilt by the program whose tables they lie in, and by no other.

use std::sync::Arc;

use projections::{
    rebuild::{RebuildError, Stage, rebuild},
    stock::Stocks,
};

use crate::{
    rebuild_late::Asleep,
    world::{World, receive},
};

const NEWER: &str = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (99991231000001, 'of a newer program', true, '\\x00', 0)";

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_an_older_or_a_newer_program_are_not_rebuilt() {
    for (other, says) in [
        (
            "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
            "daybook migrate",
        ),
        (NEWER, "newer program"),
    ] {
        let world = World::new().await;
        world.run("A", receive(1)).await;
        world.settle().await;
        let live = world.rows().await;
        let owner = world.ground.owner_pool("_read").await;
        sqlx::query(other).execute(&owner).await.unwrap();
        let refused = rebuild(&world.beside(), Arc::new(Stocks), true, &|_| {}).await;
        let told = refused.unwrap_err();
        assert!(
            matches!(told, RebuildError::OtherProgram { .. }) && told.to_string().contains(says),
            "{told}"
        );
        assert_eq!(world.rows().await, live);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_migrated_meanwhile_stay_where_they_are() {
    let world = World::new().await;
    world.run("A", receive(1)).await;
    world.settle().await;
    let late = Asleep::at(world.beside(), Stage::Swapping).await;
    let owner = world.ground.owner_pool("_read").await;
    sqlx::query("ALTER TABLE stock ADD COLUMN of_a_newer_program bigint").execute(&owner).await.unwrap();
    sqlx::query(NEWER).execute(&owner).await.unwrap();
    let late = late.wake().await;
    assert!(matches!(late, Err(RebuildError::Migrated("stock"))), "{late:?}");
    sqlx::query("SELECT of_a_newer_program FROM stock").fetch_one(&owner).await.unwrap();
}
