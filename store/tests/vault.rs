//! Personal data: sealed, opened, forgotten.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::subject::Command;
use store::{
    engine::Engine,
    ports::Machine,
    secrets::MasterKey,
    testing::{Ground, request},
    vault::{Vault, VaultError},
    verify::{Wanted, verify},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_value_opens_under_its_own_subject_only() {
    let ground = Ground::new().await;
    let vault = ground.engine().await.vault;
    let mut sealed = vault.seal("customer:1", b"Ada Lovelace").await.unwrap();
    let bytes = STANDARD.decode(sealed.sealed.as_bytes()).unwrap();
    assert!(!bytes.windows(8).any(|bytes| bytes == b"Lovelace"));
    assert_eq!(vault.open(&sealed).await.unwrap().as_deref(), Some(&b"Ada Lovelace"[..]));
    vault.seal("customer:2", b"x").await.unwrap();
    sealed.subject = "customer:2".into();
    assert!(matches!(vault.open(&sealed).await, Err(VaultError::Broken { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_seals_of_one_value_look_different() {
    let vault = Ground::new().await.engine().await.vault;
    let (first, second) = (vault.seal("s", b"same").await.unwrap(), vault.seal("s", b"same").await.unwrap());
    assert_ne!(first.sealed, second.sealed);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_opens_nothing() {
    let ground = Ground::new().await;
    let sealed = ground.engine().await.vault.seal("customer:1", b"Ada").await.unwrap();
    let stranger = Vault::new(ground.pool("_keys").await, Arc::new(Machine), &MasterKey::new([8; 32]).into());
    assert!(matches!(stranger.open(&sealed).await, Err(VaultError::OtherMaster { .. })));
}

async fn forget(engine: &Engine, subject: &str) {
    engine.executor.execute(request(subject, Command::Forget { reason: None })).await.unwrap();
    engine.vault.until_forgotten(subject).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_forgotten_in_one_process_is_forgotten_in_all_and_gets_no_other_key() {
    let ground = Ground::new().await;
    let (one, other) = (ground.engine().await, ground.engine().await);
    let sealed = one.vault.seal("customer:1", b"Ada").await.unwrap();
    let kept = one.vault.seal("customer:2", b"Bob").await.unwrap();
    assert!(other.vault.open(&sealed).await.unwrap().is_some(), "and the key is in memory");
    forget(&one, "customer:1").await;
    assert_eq!(one.vault.open(&sealed).await.unwrap(), None);
    other.vault.until_forgotten("customer:1").await.unwrap();
    assert_eq!(other.vault.open(&sealed).await.unwrap(), None);
    for vault in [&one.vault, &other.vault] {
        let more = vault.seal("customer:1", b"Ada again").await;
        assert!(matches!(more, Err(VaultError::Forgotten { .. })), "{more:?}");
        assert!(vault.open(&kept).await.unwrap().is_some());
    }
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM subject_keys WHERE wrapped IS NOT NULL")
        .fetch_one(&ground.owner_pool("_keys").await)
        .await
        .unwrap();
    assert_eq!(keys, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_restore_brought_back_is_destroyed_before_anything_is_served() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let sealed = engine.vault.seal("customer:1", b"Ada").await.unwrap();
    let keys = ground.owner_pool("_keys").await;
    sqlx::query("CREATE TABLE backup AS TABLE subject_keys").execute(&keys).await.unwrap();
    forget(&engine, "customer:1").await;
    drop(engine);
    sqlx::query("DELETE FROM subject_keys").execute(&keys).await.unwrap();
    sqlx::query("INSERT INTO subject_keys SELECT * FROM backup").execute(&keys).await.unwrap();
    assert_eq!(ground.engine().await.vault.open(&sealed).await.unwrap(), None);
    let verified = verify(&ground.pool("").await, Wanted::default(), &|_, _| {}).await.unwrap();
    assert_eq!((verified.ok, verified.events), (true, 1));
}
