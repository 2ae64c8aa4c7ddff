//! Wraps keys by the master key, and opens what this or the one before has wrapped.

use std::sync::Arc;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};

use super::VaultError;
use crate::{
    ports::Ids,
    secrets::{MasterKey, MasterKeys},
};

/// Bytes of an XChaCha20 nonce, which stands before the ciphertext.
const NONCE: usize = 24;

/// A key as it lies in the database.
#[derive(Clone)]
pub(super) struct Wrapped {
    pub(super) bytes: Vec<u8>,
    /// The name of the master key that wrapped it; an older program did not say.
    pub(super) by: Option<String>,
}

/// One master key, at work.
struct Wrapping {
    id: String,
    cipher: XChaCha20Poly1305,
}

/// The master keys of this process, at work.
#[derive(Clone)]
pub(super) struct Wraps(Arc<[Wrapping]>);

impl Wrapping {
    fn new(master: &MasterKey) -> Self {
        Self { id: master.id(), cipher: XChaCha20Poly1305::new(&master.derive("subject keys").into()) }
    }
}

impl Wraps {
    pub(super) fn new(masters: &MasterKeys) -> Self {
        Self([masters.current()].into_iter().chain(masters.previous()).map(Wrapping::new).collect())
    }

    /// The name of the master key that wraps whatever is new.
    pub(super) fn current(&self) -> &str {
        // The current one always stands first.
        self.0.first().map_or("", |wrapping| &wrapping.id)
    }

    /// Wraps a key by the current master key.
    pub(super) fn wrap(&self, ids: &dyn Ids, name: &str, key: &[u8; 32]) -> Result<Wrapped, VaultError> {
        let current = self.0.first().ok_or_else(|| VaultError::Broken { subject: name.into() })?;
        let bytes = encrypt(ids, &current.cipher, name, key)?;
        Ok(Wrapped { bytes, by: Some(current.id.clone()) })
    }

    /// Opens a key, whichever of the master keys has wrapped it.
    pub(super) fn unwrap(&self, name: &str, wrapped: &Wrapped) -> Result<[u8; 32], VaultError> {
        let named = |wrapping: &&Wrapping| wrapped.by.as_ref().is_none_or(|by| *by == wrapping.id);
        if !self.0.iter().any(|wrapping| named(&wrapping)) {
            let by = wrapped.by.clone().unwrap_or_default();
            return Err(VaultError::OtherMaster { name: name.into(), by });
        }
        let opened =
            self.0.iter().filter(named).find_map(|one| decrypt(&one.cipher, name, &wrapped.bytes).ok());
        opened.and_then(|key| key.try_into().ok()).ok_or_else(|| VaultError::Broken { subject: name.into() })
    }
}

/// Seals under a key, so that it opens under the same name only.
pub(super) fn encrypt(
    ids: &dyn Ids,
    cipher: &XChaCha20Poly1305,
    name: &str,
    plain: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let mut nonce = [0; NONCE];
    ids.fill(&mut nonce)?;
    let payload = Payload { msg: plain, aad: name.as_bytes() };
    let sealed = cipher
        .encrypt(XNonce::from_slice(&nonce), payload)
        .map_err(|_| VaultError::Broken { subject: name.into() })?;
    Ok([&nonce[..], &sealed].concat())
}

pub(super) fn decrypt(cipher: &XChaCha20Poly1305, name: &str, bytes: &[u8]) -> Result<Vec<u8>, VaultError> {
    let broken = || VaultError::Broken { subject: name.into() };
    let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or_else(broken)?;
    let payload = Payload { msg: sealed, aad: name.as_bytes() };
    cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| broken())
}
