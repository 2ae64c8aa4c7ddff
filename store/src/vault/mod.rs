//! Seals personal data under a key of its own for every subject; destroying that key forgets the subject.

mod keys;
mod rotate;
mod shop;
mod within;
mod wrap;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chacha20poly1305::{XChaCha20Poly1305, aead::KeyInit};
use domain::value::Sealed;
use sqlx::{PgPool, Row};
use tokio::sync::watch;

use self::{
    keys::{Key, Keys},
    wrap::{Wrapped, Wraps, decrypt, encrypt},
};
pub use self::{
    rotate::{Rotated, Wrappings},
    shop::ShopSecret,
};
pub use crate::together::Failed;
use crate::{
    ports::{Ids, Machine},
    secrets::MasterKeys,
    together::Together,
};

/// For how long a new key waits for others while there are some.
const COMPANY: Duration = Duration::from_millis(3);

/// Why a value could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key database could not be reached or refused.
    #[error("the key database: {0}")]
    Database(#[from] sqlx::Error),
    /// A new key could not be written.
    #[error("the key database: {0}")]
    Unwritten(Failed),
    /// The operating system gave no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] std::io::Error),
    /// Nothing can be sealed for somebody who is forgotten.
    #[error("{subject} is forgotten")]
    Forgotten {
        /// Who.
        subject: Arc<str>,
    },
    /// The key was wrapped by a master key that this process was not given.
    #[error(
        "the key of {name} is wrapped by master key {by}, which this process was not given: start it with the current \
         DAYBOOK_MASTER_KEY, and while keys are being rotated with the one before in DAYBOOK_MASTER_KEY_PREVIOUS"
    )]
    OtherMaster {
        /// Whose key.
        name: Arc<str>,
        /// The name of the master key.
        by: String,
    },
    /// None of the master keys opens what was sealed until now.
    #[error(
        "master key {current} does not open what was sealed until now: DAYBOOK_MASTER_KEY is not the one that this \
         shop's keys are wrapped by"
    )]
    WrongMaster {
        /// The name of the master key that was given.
        current: String,
    },
    /// The value or its key is not what was sealed: changed, or sealed under another master key.
    #[error("a sealed value of {subject} does not open: it was changed, or the master key is another one")]
    Broken {
        /// Whose value.
        subject: Arc<str>,
    },
}

/// Seals and opens; cheap to clone.
#[derive(Clone)]
pub struct Vault {
    pool: PgPool,
    ids: Arc<dyn Ids>,
    wraps: Wraps,
    keys: Arc<Mutex<Keys>>,
    /// New keys on their way into the database.
    new: Arc<Together<(Arc<str>, Wrapped), Kept>>,
    /// Counts the times that somebody was forgotten.
    forgotten: watch::Sender<u64>,
}

/// The wrapped keys that were new to the database, by their subjects.
type Kept = Arc<HashMap<String, Vec<u8>>>;

impl Vault {
    /// A vault whose wrapped keys lie in the schema that `pool` sees.
    #[must_use]
    pub fn new(pool: PgPool, ids: Arc<dyn Ids>, masters: &MasterKeys) -> Self {
        Self {
            pool,
            ids,
            wraps: Wraps::new(masters),
            keys: Arc::default(),
            new: Arc::new(Together::new(Arc::new(Machine))),
            forgotten: watch::Sender::new(0),
        }
    }

    /// Seals a value of a subject, who gets a key if there is none yet.
    ///
    /// # Errors
    /// As [`VaultError`] says.
    pub async fn seal(&self, subject: &str, plain: &[u8]) -> Result<Sealed, VaultError> {
        let key = match self.known(subject) {
            Ok(key) => key,
            Err(forgotten) => self.new_key(subject, forgotten).await?,
        };
        let sealed = encrypt(&*self.ids, &XChaCha20Poly1305::new(&key.into()), subject, plain)?;
        Ok(Sealed { subject: subject.into(), sealed: STANDARD.encode(sealed).into() })
    }

    /// Opens a value; `None` when its subject was forgotten.
    ///
    /// # Errors
    /// As [`VaultError`] says.
    pub async fn open(&self, sealed: &Sealed) -> Result<Option<Bytes>, VaultError> {
        if let Some(plain) = self.keys().opened(sealed) {
            return Ok(Some(plain));
        }
        let Some(key) = self.key(&sealed.subject).await? else {
            return Ok(None);
        };
        let broken = || VaultError::Broken { subject: sealed.subject.clone() };
        let bytes = STANDARD.decode(sealed.sealed.as_bytes()).map_err(|_| broken())?;
        let plain = Bytes::from(decrypt(&XChaCha20Poly1305::new(&key.into()), &sealed.subject, &bytes)?);
        self.keys().keep_opened(sealed, &plain);
        Ok(Some(plain))
    }

    /// Destroys the keys of these subjects, for ever: nothing of theirs opens any more, and nothing is sealed for them.
    ///
    /// # Errors
    /// When the key database could not be reached.
    pub async fn forget(&self, subjects: &[&str]) -> Result<(), VaultError> {
        if subjects.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO subject_keys (subject, wrapped, forgotten_at) SELECT s, NULL, now() FROM UNNEST($1) AS s ORDER BY s \
             ON CONFLICT (subject) DO UPDATE SET wrapped = NULL, forgotten_at = now() \
             WHERE subject_keys.wrapped IS NOT NULL",
        )
        .bind(subjects)
        .execute(&self.pool)
        .await?;
        self.keys().forget(subjects);
        self.forgotten.send_modify(|times| *times += 1);
        Ok(())
    }

    /// Returns when this process has forgotten a subject.
    ///
    /// # Errors
    /// When the key database could not be reached.
    pub async fn until_forgotten(&self, subject: &str) -> Result<(), VaultError> {
        let mut forgotten = self.forgotten.subscribe();
        loop {
            forgotten.mark_unchanged();
            let destroyed: Option<bool> =
                sqlx::query_scalar("SELECT forgotten_at IS NOT NULL FROM subject_keys WHERE subject = $1")
                    .bind(subject)
                    .fetch_optional(&self.pool)
                    .await?;
            if destroyed == Some(true) && !self.keys().holds(subject) {
                return Ok(());
            }
            // This vault holds a sender.
            let _ = forgotten.changed().await;
        }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key in memory; without one, how often somebody was forgotten by now.
    fn known(&self, subject: &str) -> Result<Key, u64> {
        let keys = self.keys();
        keys.key(subject).ok_or(keys.forgotten)
    }

    async fn key(&self, subject: &str) -> Result<Option<Key>, VaultError> {
        let forgotten = match self.known(subject) {
            Ok(key) => return Ok(Some(key)),
            Err(forgotten) => forgotten,
        };
        let row = sqlx::query("SELECT wrapped, wrapped_by FROM subject_keys WHERE subject = $1")
            .bind(subject)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(bytes) = row.try_get(0)? else { return Ok(None) };
        let key = self.wraps.unwrap(subject, &Wrapped { bytes, by: row.try_get(1)? })?;
        self.keys().keep(subject, key, forgotten);
        Ok(Some(key))
    }

    /// A new key where there is none yet. Most of those who are not in memory are new: whether one is there is not asked
    /// first.
    async fn new_key(&self, subject: &str, forgotten: u64) -> Result<Key, VaultError> {
        let mut key = [0; 32];
        self.ids.fill(&mut key)?;
        let wrapped = self.wraps.wrap(&*self.ids, subject, &key)?;
        let own = wrapped.bytes.clone();
        let kept = self
            .new
            .write((subject.into(), wrapped), self.new.company(COMPANY), async |rows| {
                self.keep_new(rows).await
            })
            .await;
        let kept = kept.map_err(VaultError::Unwritten)?;
        // Two seals at once: the first key stays, and both use it.
        if kept.get(subject) == Some(&own) {
            self.keys().keep(subject, key, forgotten);
            return Ok(key);
        }
        self.key(subject).await?.ok_or_else(|| VaultError::Forgotten { subject: subject.into() })
    }

    /// Writes the keys of subjects that have none, and says which these were.
    async fn keep_new(&self, mut rows: Vec<(Arc<str>, Wrapped)>) -> Result<Kept, sqlx::Error> {
        // Two processes that write the same ones wait for each other in one direction.
        rows.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let subjects: Vec<&str> = rows.iter().map(|(subject, _)| &**subject).collect();
        let wrapped: Vec<&[u8]> = rows.iter().map(|(_, wrapped)| &*wrapped.bytes).collect();
        let by: Vec<Option<&str>> = rows.iter().map(|(_, wrapped)| wrapped.by.as_deref()).collect();
        let kept = sqlx::query_as(
            "INSERT INTO subject_keys (subject, wrapped, wrapped_by) \
             SELECT unnest($1::text[]), unnest($2::bytea[]), unnest($3::text[]) \
             ON CONFLICT (subject) DO NOTHING RETURNING subject, wrapped",
        );
        let kept: Vec<(String, Vec<u8>)> =
            kept.bind(subjects).bind(wrapped).bind(by).fetch_all(&self.pool).await?;
        Ok(Arc::new(kept.into_iter().collect()))
    }
}
