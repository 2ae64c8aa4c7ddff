//! Personal data: sealed, opened, forgotten.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;

use store::{
    ports::Machine,
    secrets::MasterKey,
    testing::Ground,
    vault::{Vault, VaultError},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_value_opens_under_its_own_subject_only() {
    let ground = Ground::new().await;
    let vault = ground.engine().await.vault;
    let mut sealed = vault.seal("customer:1", b"Ada Lovelace").await.unwrap();
    assert!(!sealed.sealed.contains("Ada"));
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
async fn without_its_key_a_value_is_forgotten_and_another_master_key_opens_nothing() {
    let ground = Ground::new().await;
    let vault = ground.engine().await.vault;
    let sealed = vault.seal("customer:1", b"Ada").await.unwrap();
    let stranger = Vault::new(ground.pool("_keys").await, Arc::new(Machine), &MasterKey::new([8; 32]));
    assert!(matches!(stranger.open(&sealed).await, Err(VaultError::Broken { .. })));
    ground.as_owner(&format!("DELETE FROM {}_keys.subject_keys", ground.prefix)).await;
    let after = ground.engine().await.vault;
    assert_eq!(after.open(&sealed).await.unwrap(), None);
}
