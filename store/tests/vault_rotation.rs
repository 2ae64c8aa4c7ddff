//! The master key is replaced while the shop serves: nothing sealed is lost, and repeats are still known.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;

use domain::{inventory_item::Command, value::Quantity};
use futures::future::join_all;
use store::{
    archive::Archive,
    engine::{Engine, Parts, StartError},
    executor::{ExecuteError, Limits, Request},
    ports::Machine,
    secrets::{MasterKey, MasterKeys},
    testing::{Ground, master_key, request_as},
    vault::{Vault, VaultError, Wrappings},
};
use uuid::Uuid;

const NEW: MasterKey = MasterKey::new([9; 32]);

fn both() -> MasterKeys {
    MasterKeys::new(NEW, Some(master_key()))
}

async fn vault(ground: &Ground, masters: MasterKeys) -> Vault {
    Vault::new(ground.pool("_keys").await, Arc::new(Machine), &masters)
}

async fn start(ground: &Ground, master: MasterKeys) -> Result<Engine, StartError> {
    let parts = Parts {
        pool: ground.pool("").await,
        keys: ground.pool("_keys").await,
        archive: Archive::default(),
        broker: ground.broker().await,
        master,
        limits: Limits::default(),
        clock: Arc::new(Machine),
    };
    Engine::start(parts).await
}

fn receive(engine: &Engine, id: Uuid, units: u32) -> Request {
    let command =
        Command::Receive { quantity: Quantity::new(units).unwrap(), location: None, reference: None };
    let request = request_as(id, "A", command);
    Request { fingerprint: engine.fingerprints.of(&request.command).unwrap(), ..request }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_the_new_key_alone_opens_everything_and_knows_every_repeat() {
    let ground = Ground::new().await;
    let old = ground.engine().await;
    let sealed = old.vault.seal("customer:1", b"Ada").await.unwrap();
    // As a program before this one left it.
    ground.as_owner(&format!("UPDATE {}_keys.subject_keys SET wrapped_by = NULL", ground.prefix)).await;
    let id = Uuid::now_v7();
    let first = old.executor.execute(receive(&old, id, 5)).await.unwrap();

    let during = start(&ground, both()).await.unwrap();
    let newer = during.vault.seal("customer:2", b"Bob").await.unwrap();
    assert_eq!(during.vault.open(&sealed).await.unwrap().as_deref(), Some(&b"Ada"[..]));
    assert_eq!(during.vault.wrappings().await.unwrap(), Wrappings { total: 3, left: 2 });
    let rotated = during.vault.rotate(&|_| ()).await.unwrap();
    assert_eq!((rotated.wrapped, rotated.unopened_total), (2, 0));
    assert_eq!(during.vault.rotate(&|_| ()).await.unwrap().wrapped, 0);
    assert_eq!(during.vault.wrappings().await.unwrap(), Wrappings { total: 3, left: 0 });

    let after = start(&ground, NEW.into()).await.unwrap();
    for (sealed, plain) in [(&sealed, &b"Ada"[..]), (&newer, b"Bob")] {
        assert_eq!(after.vault.open(sealed).await.unwrap().as_deref(), Some(plain));
    }
    let again = after.executor.execute(receive(&after, id, 5)).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.positions, first.positions);
    let other = after.executor.execute(receive(&after, id, 6)).await;
    assert!(matches!(other, Err(ExecuteError::IdReused)), "{other:?}");

    let stranger = vault(&ground, master_key().into()).await.open(&newer).await;
    assert!(matches!(&stranger, Err(VaultError::OtherMaster { by, .. }) if *by == NEW.id()), "{stranger:?}");
    let refused = start(&ground, master_key().into()).await.err();
    assert!(matches!(refused, Some(StartError::Vault(VaultError::OtherMaster { .. }))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_stopped_goes_on_and_brings_nobody_back_who_is_forgotten_meanwhile() {
    let ground = Ground::new().await;
    let old = vault(&ground, master_key().into()).await;
    let subjects: Vec<String> = (0..1_200).map(|nth| format!("customer:{nth:04}")).collect();
    let mut sealed = vec![];
    for part in subjects.chunks(50) {
        sealed.extend(join_all(part.iter().map(|subject| old.seal(subject, b"x"))).await);
    }
    let rotating = vault(&ground, both()).await;
    // Stopped after its first page.
    let stopped = tokio::spawn({
        let rotating = rotating.clone();
        async move { rotating.rotate(&|_| panic!("stopped")).await }
    });
    assert!(stopped.await.is_err());
    let left = rotating.wrappings().await.unwrap().left;
    assert_eq!(left, 700);
    let gone: Vec<&str> = ["customer:0001", "customer:1199"].into();
    let forgetting = vault(&ground, both()).await;
    let (rotated, forgotten) = tokio::join!(rotating.rotate(&|_| ()), forgetting.forget(&gone));
    forgotten.unwrap();
    assert_eq!(rotated.unwrap().unopened_total, 0);
    let after = vault(&ground, NEW.into()).await;
    assert_eq!(after.wrappings().await.unwrap(), Wrappings { total: 1_198, left: 0 });
    for (subject, sealed) in subjects.iter().zip(sealed) {
        let opened = after.open(&sealed.unwrap()).await.unwrap();
        assert_eq!(opened.is_none(), gone.contains(&subject.as_str()), "{subject}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seals_during_a_rotation_are_all_there_after_it() {
    let ground = Ground::new().await;
    // As they are started one after the other: this one still wraps by the old key.
    let old = vault(&ground, MasterKeys::new(master_key(), Some(NEW))).await;
    let new = vault(&ground, both()).await;
    let seals = join_all((0..200).map(|nth| {
        let vault = if nth % 2 == 0 { &old } else { &new };
        async move { vault.seal(&format!("customer:{nth}"), b"x").await.unwrap() }
    }));
    let (sealed, rotated) = tokio::join!(seals, new.rotate(&|_| ()));
    rotated.unwrap();
    for sealed in &sealed {
        assert!(new.open(sealed).await.unwrap().is_some());
    }
    new.rotate(&|_| ()).await.unwrap();
    let after = vault(&ground, NEW.into()).await;
    for sealed in &sealed {
        assert!(after.open(sealed).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_neither_key_opens_is_told_and_left_as_it_is() {
    let ground = Ground::new().await;
    let third = vault(&ground, MasterKey::new([3; 32]).into()).await;
    let sealed = third.seal("customer:1", b"Ada").await.unwrap();
    let rotating = vault(&ground, both()).await;
    let rotated = rotating.rotate(&|_| ()).await.unwrap();
    assert_eq!((rotated.wrapped, rotated.unopened_total), (0, 1));
    assert!(rotated.unopened[0].contains("customer:1"), "{rotated:?}");
    assert!(third.open(&sealed).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_master_key_keeps_no_fingerprints_on_tables_of_an_older_program() {
    let ground = Ground::new().await;
    ground.engine().await.vault.seal("customer:1", b"Ada").await.unwrap();
    let keys = format!("{}_keys", ground.prefix);
    ground.as_owner(&format!("UPDATE {keys}.subject_keys SET wrapped_by = NULL")).await;
    ground.as_owner(&format!("DELETE FROM {keys}.shop_keys")).await;
    let wrong = start(&ground, NEW.into()).await.err();
    assert!(matches!(wrong, Some(StartError::Vault(VaultError::WrongMaster { .. }))), "{wrong:?}");
    // The first start with both takes the fingerprints from the one that was in use, whichever way round they are given.
    for masters in [both(), MasterKeys::new(master_key(), Some(NEW))] {
        ground.as_owner(&format!("DELETE FROM {keys}.shop_keys")).await;
        let engine = start(&ground, masters).await.unwrap();
        let request = receive(&engine, Uuid::now_v7(), 1);
        assert_eq!(
            request.fingerprint,
            request_as(request.command_id, "A", request.command.clone()).fingerprint
        );
    }
}
