//! A database that takes no writes: set read-only by its owner, or a standby.

use std::{fs, os::unix::fs::MetadataExt as _, os::unix::fs::chown};

use sqlx::{Executor as _, PgPool};
use store::testing::{Ground, eventually};

use crate::process::{Answer, Serve, is_whole, laid};

/// Queries of the read models and of the log are answered.
async fn queries_go_on(serve: &Serve) {
    let shelf = serve.get("/v1/inventory/A").await;
    assert_eq!((shelf.status, &shelf.body["on_hand"]), (200, &1.into()), "{shelf:?}");
    let events = serve.get("/v1/events").await;
    assert_eq!((events.status, events.text.lines().count()), (200, 1), "{events:?}");
}

/// The same process takes commands again, and its followers follow.
async fn goes_on(serve: &mut Serve) {
    let done = eventually("the process takes commands again", || async {
        let answer = serve.receive("A", "later").await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(done.body["version"], 2, "{done:?}");
    eventually("the read model follows", || async {
        (serve.get("/v1/inventory/A").await.body["on_hand"] == 2).then_some(())
    })
    .await;
    serve.is_running();
}

async fn refused(serve: &Serve) -> Answer {
    eventually("a command is refused because nothing can be written", || async {
        let answer = serve.receive("A", "later").await;
        answer.is_outage("read_only").then_some(answer)
    })
    .await
}

/// The first unit, and the read model that shows it.
async fn stocked(serve: &Serve) {
    assert_eq!(serve.receive("A", "first").await.status, 200);
    eventually("the read model shows it", || async {
        (serve.get("/v1/inventory/A").await.status == 200).then_some(())
    })
    .await;
}

/// A session of the owner's that takes writes whatever else is set.
async fn owner(ground: &Ground) -> PgPool {
    let pool = ground.owner_pool("").await;
    pool.execute("SET default_transaction_read_only = off").await.unwrap();
    pool
}

async fn set_read_only(owner: &PgPool) {
    owner.execute("ALTER DATABASE daybook SET default_transaction_read_only = on").await.unwrap();
    // The setting is for sessions that begin from now on.
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE application_name = 'daybook' AND usename <> current_user";
    owner.execute(ended).await.unwrap();
}

async fn set_writable(owner: &PgPool) {
    let reset =
        "SET default_transaction_read_only = off; ALTER DATABASE daybook RESET default_transaction_read_only";
    sqlx::raw_sql(reset).execute(owner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_set_read_only_refuses_commands_until_it_takes_writes_again() {
    let servers = stack::testing::private();
    let ground = laid(Ground::alone(&servers).await).await;
    let mut serve = Serve::up(&ground, "running").await;
    stocked(&serve).await;
    let owner = owner(&ground).await;
    set_read_only(&owner).await;
    let answer = refused(&serve).await;
    assert!(answer.body["detail"].as_str().unwrap().contains("takes no writes"), "{answer:?}");
    queries_go_on(&serve).await;

    // Whoever starts now says so, and answers what it can.
    let mut late = Serve::up(&ground, "late").await;
    assert!(late.told().contains("is read-only (default_transaction_read_only)"), "{}", late.told());
    refused(&late).await;
    queries_go_on(&late).await;

    // Nobody ends the sessions that began meanwhile.
    set_writable(&owner).await;
    goes_on(&mut serve).await;
    goes_on(&mut late).await;
    late.is_running();
    is_whole(&ground).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_standby_queries_are_answered_and_after_its_promotion_commands_too() {
    let servers = stack::testing::private();
    let ground = laid(Ground::alone(&servers).await).await;
    let mut serve = Serve::up(&ground, "running").await;
    stocked(&serve).await;
    let signal = servers.data_dir().join("postgres/standby.signal");
    tokio::task::block_in_place(|| {
        servers.stop_postgres().unwrap();
        fs::write(&signal, "").unwrap();
        let cluster = fs::metadata(signal.parent().unwrap()).unwrap();
        chown(&signal, Some(cluster.uid()), Some(cluster.gid())).unwrap();
        servers.start_postgres().unwrap();
    });
    refused(&serve).await;
    queries_go_on(&serve).await;
    let mut late = Serve::up(&ground, "late").await;
    assert!(
        late.told().contains("is a standby: commands are refused, queries are answered"),
        "{}",
        late.told()
    );
    refused(&late).await;
    queries_go_on(&late).await;

    // What was answered by the old primary alone may be missing: whoever served it ends, and begins with the new life.
    ground.owner_pool("").await.execute("SELECT pg_promote()").await.unwrap();
    for process in [&mut serve, &mut late] {
        process.has_ended().await;
        assert!(process.told().contains("was restored or has lost its end"), "{}", process.told());
    }
    let mut again = Serve::up(&ground, "again").await;
    goes_on(&mut again).await;
    is_whole(&ground).await;
}
