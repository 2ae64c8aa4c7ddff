//! Keys that are nobody's, which stay what they are when the master key is replaced.

use std::sync::Arc;

use chacha20poly1305::{XChaCha20Poly1305, aead::KeyInit as _};
use sqlx::Row;

use super::{
    Vault, VaultError,
    wrap::{Wrapped, decrypt, encrypt},
};
use crate::{
    ports::Ids,
    secrets::{Fingerprints, MasterKeys, mac},
};

/// The key of commands' fingerprints, by name.
const FINGERPRINTS: &str = "fingerprints";

/// A key of the shop's own for one purpose: it seals what is nobody's, and names what must not be read. Cheap to clone.
#[derive(Clone)]
pub struct ShopSecret {
    name: &'static str,
    key: [u8; 32],
    ids: Arc<dyn Ids>,
}

impl ShopSecret {
    /// HMAC-SHA256 of the parts, for what has to be found again without being kept; the first part says what it is of.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(&mac(&self.key, &[b"mac"]), parts)
    }

    /// Seals a value, so that it opens under the same label only.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, label: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        encrypt(&*self.ids, &self.cipher(), label, plain)
    }

    /// Opens what [`ShopSecret::seal`] closed.
    ///
    /// # Errors
    /// When it was changed, or sealed under another key or label.
    pub fn open(&self, label: &str, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        decrypt(&self.cipher(), label, sealed)
            .map_err(|_| VaultError::Broken { subject: format!("{} ({label})", self.name).into() })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&mac(&self.key, &[b"seal"]).into())
    }
}

impl Vault {
    /// The shop's secret of that name: made at random when it is asked for the first time, and the same ever after.
    ///
    /// # Errors
    /// When the key database could not be reached, or holds a key that none of the master keys opens.
    pub async fn secret(&self, name: &'static str) -> Result<ShopSecret, VaultError> {
        let key = match self.shop_key(name).await? {
            Some(key) => key,
            None => {
                let mut key = [0; 32];
                self.ids.fill(&mut key)?;
                self.keep_shop_key(name, &key).await?
            }
        };
        Ok(ShopSecret { name, key, ids: Arc::clone(&self.ids) })
    }

    /// Everybody whose key was destroyed, of those after a name in the order of names.
    ///
    /// # Errors
    /// When the key database could not be reached.
    pub async fn forgotten(&self, after: &str, limit: i64) -> Result<Vec<String>, VaultError> {
        let subjects = sqlx::query_scalar(
            "SELECT subject FROM subject_keys WHERE wrapped IS NULL AND subject > $1 ORDER BY subject LIMIT $2",
        );
        Ok(subjects.bind(after).bind(limit).fetch_all(&self.pool).await?)
    }

    /// The fingerprints of this shop's commands. The first start keeps their key: the one that the master key in use by
    /// then derives, so that what was recorded before is recognised.
    ///
    /// # Errors
    /// When the key database could not be reached, or holds keys that none of the master keys opens.
    pub async fn fingerprints(&self, masters: &MasterKeys) -> Result<Fingerprints, VaultError> {
        if let Some(key) = self.shop_key(FINGERPRINTS).await? {
            return Ok(Fingerprints::under(key));
        }
        let first = self.first_fingerprints(masters).await?;
        self.keep_shop_key(FINGERPRINTS, first.key()).await.map(Fingerprints::under)
    }

    async fn keep_shop_key(&self, name: &str, key: &[u8; 32]) -> Result<[u8; 32], VaultError> {
        let wrapped = self.wraps.wrap(&*self.ids, name, key)?;
        // Two starts at once: the first key stays, and both use it.
        sqlx::query(
            "INSERT INTO shop_keys (name, wrapped, wrapped_by) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(wrapped.bytes)
        .bind(wrapped.by)
        .execute(&self.pool)
        .await?;
        self.shop_key(name).await?.ok_or_else(|| VaultError::Broken { subject: name.into() })
    }

    /// Keeps the key of fingerprints where an older program has kept none: once its keys are wrapped again, nothing tells any
    /// more which master key it used.
    ///
    /// # Errors
    /// When the key database could not be reached, or holds keys that none of the master keys opens.
    pub async fn keep_fingerprints(&self, masters: &MasterKeys) -> Result<(), VaultError> {
        let kept: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM shop_keys WHERE name = $1)")
            .bind(FINGERPRINTS)
            .fetch_one(&self.pool)
            .await?;
        if !kept {
            self.fingerprints(masters).await?;
        }
        Ok(())
    }

    async fn shop_key(&self, name: &str) -> Result<Option<[u8; 32]>, VaultError> {
        let row = sqlx::query("SELECT wrapped, wrapped_by FROM shop_keys WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let wrapped = Wrapped { bytes: row.try_get(0)?, by: row.try_get(1)? };
        self.wraps.unwrap(name, &wrapped).map(Some)
    }

    /// The fingerprints of the master key that was in use until now: it wrapped the oldest key that there is.
    async fn first_fingerprints(&self, masters: &MasterKeys) -> Result<Fingerprints, VaultError> {
        let oldest = sqlx::query(
            "SELECT subject, wrapped, wrapped_by FROM subject_keys WHERE wrapped IS NOT NULL \
             ORDER BY created_at LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = oldest else {
            // Nobody was ever sealed: the older of the two is the likelier one.
            return Ok(Fingerprints::new(masters.previous().unwrap_or_else(|| masters.current())));
        };
        let subject: String = row.try_get(0)?;
        let wrapped = Wrapped { bytes: row.try_get(1)?, by: row.try_get(2)? };
        let opens = |master: &&crate::secrets::MasterKey| {
            super::wrap::Wraps::new(&MasterKeys::from((*master).clone())).unwrap(&subject, &wrapped).is_ok()
        };
        let used = [masters.current()].into_iter().chain(masters.previous()).find(opens);
        used.map(Fingerprints::new).ok_or_else(|| VaultError::WrongMaster { current: masters.current().id() })
    }
}
