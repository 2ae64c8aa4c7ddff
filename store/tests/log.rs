//! What the database itself guarantees, and that other programs can read it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use cqrs_es::persist::PersistedEventRepository;
use domain::{
    AggregateType,
    inventory_item::{Command, InventoryItem},
    value::{Quantity, ReservationId, Sku, Time},
};
use postgres_es::PostgresEventRepository;
use sha2::{Digest as _, Sha256};
use sqlx::{Row, postgres::PgPoolOptions};
use store::{
    bridge::{Bridge, BridgedEvent},
    log::{Log as _, Meaning, PostgresLog, StreamId, decode_stream},
    schema::{Fitness, fitness},
    testing::{Ground, request},
};

fn receive() -> Command {
    Command::Receive { quantity: Quantity::new(5).unwrap(), location: None, reference: None }
}

fn reserve(name: &str) -> Command {
    Command::Reserve {
        reservation: ReservationId::new(name).unwrap(),
        quantity: Quantity::new(2).unwrap(),
        expires_at: None,
        in_stock: false,
        now: Time::from_millis(0),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmodified_postgres_es_reads_the_same_events() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let sku = Sku::new("BANK CHARGES.a").unwrap();
    for command in [receive(), reserve("a"), reserve("b")] {
        engine.executor.execute(request(sku.as_str(), command)).await.unwrap();
    }
    let repository = PostgresEventRepository::new(engine.pool.clone());
    let theirs = repository.get_events::<Bridge<InventoryItem>>(sku.as_str()).await.unwrap();
    let ours = engine.log.load(&StreamId::new(AggregateType::InventoryItem, sku.as_str()), 0).await.unwrap();
    assert_eq!(theirs.len(), 3);
    for ((theirs, ours), recorded) in theirs.iter().zip(&ours).zip(decode_stream(&ours)) {
        assert_eq!(theirs.sequence as i64, ours.sequence);
        assert_eq!(
            (theirs.event_type.as_str(), theirs.event_version.as_str()),
            (&*ours.event_type, &*ours.event_version)
        );
        let event: BridgedEvent<domain::inventory_item::Event> =
            serde_json::from_value(theirs.payload.clone()).unwrap();
        assert_eq!(Meaning::One(event.0.into()), recorded.unwrap().events);
        let metadata: std::collections::HashMap<String, String> =
            serde_json::from_value(theirs.metadata.clone()).unwrap();
        assert_eq!(metadata["actor"], "guest");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_and_links_follow_from_the_stored_texts_alone() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    for name in ["a", "b", "c"] {
        let commands = [("A", receive()), ("B", reserve(name)), ("A", reserve(name))];
        let requests = commands.map(|(sku, command)| engine.executor.execute(request(sku, command)));
        futures::future::join_all(requests).await;
    }
    let rows = sqlx::query(
        "SELECT aggregate_type, aggregate_id, sequence::text, event_type, event_version, payload::text, \
                metadata::text, event_id, (extract(epoch FROM recorded_at) * 1000000)::bigint::text, digest, position \
         FROM events ORDER BY position",
    )
    .fetch_all(&engine.pool)
    .await
    .unwrap();
    let mut digests = Vec::new();
    for row in &rows {
        let mut hash = Sha256::new();
        for column in 0..9 {
            let field: Vec<u8> = match column {
                7 => row.get::<uuid::Uuid, _>(7).as_bytes().to_vec(),
                column => row.get::<String, _>(column).into_bytes(),
            };
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        let digest: [u8; 32] = hash.finalize().into();
        assert_eq!(row.get::<Vec<u8>, _>("digest"), digest);
        digests.push(digest);
    }
    let links: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT last_position, link FROM log_links ORDER BY 1")
        .fetch_all(&engine.pool)
        .await
        .unwrap();
    let (mut previous, mut begin) = ([0; 32], 0);
    for (last, link) in &links {
        let mut hash = Sha256::new();
        hash.update(previous);
        hash.update(last.to_be_bytes());
        let end = usize::try_from(*last).unwrap();
        digests[begin..end].iter().for_each(|digest| hash.update(digest));
        (previous, begin) = (hash.finalize().into(), end);
        assert_eq!(link[..], previous);
    }
    assert_eq!(begin, rows.len());
    assert_eq!(engine.log.head().await.unwrap().link, previous);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_change_events_and_a_missing_log_are_told_apart() {
    let ground = Ground::new().await;
    assert_eq!(fitness(&ground.pool("").await).await.unwrap(), Fitness::Fit);
    assert_eq!(fitness(&ground.owner_pool("").await).await.unwrap(), Fitness::MayChangeEvents);
    assert_eq!(fitness(&ground.pool("_keys").await).await.unwrap(), Fitness::NotMigrated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_although_the_connection_that_read_the_last_one_has_ended() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    engine.executor.execute(request("S", receive())).await.unwrap();
    // Sessions of this log alone, so that they can be told from all others.
    let options = (*engine.pool.connect_options()).clone().application_name(&ground.prefix);
    let log = PostgresLog::new(PgPoolOptions::new().connect_with(options).await.unwrap());
    let stream = StreamId::new(AggregateType::InventoryItem, "S");
    for _ in 0..2 {
        let mut events = 0;
        log.history(&stream, true, &mut |_| events += 1).await.unwrap();
        assert_eq!(events, 1);
        let ended: i64 = sqlx::query_scalar(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1",
        )
        .bind(&ground.prefix)
        .fetch_one(&engine.pool)
        .await
        .unwrap();
        assert!(ended > 0, "it kept one");
    }
}
