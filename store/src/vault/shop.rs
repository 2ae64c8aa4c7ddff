//! Keys that are nobody's, which stay what they are when the master key is replaced.

use sqlx::Row;

use super::{Vault, VaultError, wrap::Wrapped};
use crate::secrets::{Fingerprints, MasterKeys};

/// The key of commands' fingerprints, by name.
const FINGERPRINTS: &str = "fingerprints";

impl Vault {
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
        let wrapped = self.wraps.wrap(&*self.ids, FINGERPRINTS, first.key())?;
        // Two starts at once: the first key stays, and both use it.
        sqlx::query(
            "INSERT INTO shop_keys (name, wrapped, wrapped_by) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        )
        .bind(FINGERPRINTS)
        .bind(wrapped.bytes)
        .bind(wrapped.by)
        .execute(&self.pool)
        .await?;
        let kept = self.shop_key(FINGERPRINTS).await?;
        kept.map(Fingerprints::under).ok_or_else(|| VaultError::Broken { subject: FINGERPRINTS.into() })
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
