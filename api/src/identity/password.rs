//! Passwords: argon2id with OWASP's parameters, hashed by few threads at once, since each takes 19 MiB.

use std::{num::NonZeroUsize, sync::Arc, thread};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::Error;

/// Characters of a password.
const CHARS_MIN: usize = 10;
const CHARS_MAX: usize = 200;
/// OWASP's second choice, for which one core is busy some 20 ms: KiB of memory, passes, lanes.
const COST: Cost = Cost { memory_kib: 19_456, passes: 2, lanes: 1 };
/// Bytes of a salt.
const SALT: usize = 16;
/// Bytes of a hash.
const HASH: usize = 32;
/// Passwords that wait for their turn; more are turned away.
const WAITING_MAX: usize = 64;

/// What somebody chose as their password, or says it is.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Password(Arc<str>);

/// A text that cannot be a password.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a password has {CHARS_MIN} to {CHARS_MAX} characters")]
pub struct NotAPassword;

impl TryFrom<String> for Password {
    type Error = NotAPassword;

    fn try_from(text: String) -> Result<Self, NotAPassword> {
        let fits = (CHARS_MIN..=CHARS_MAX).contains(&text.chars().count());
        if fits { Ok(Self(text.into())) } else { Err(NotAPassword) }
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// How few and how many characters a password has.
#[cfg(test)]
pub(crate) const CHARS: (usize, usize) = (CHARS_MIN, CHARS_MAX);

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A stored hash, taken apart.
struct Stored {
    cost: Cost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// Whether a password was the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It was not.
    Wrong,
    /// It was.
    Right,
    /// It was, and its hash was made with other parameters than those of now.
    RightAndOld,
}

/// The threads that hash; cheap to clone.
#[derive(Clone)]
pub struct Hashing {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            running: Arc::new(Semaphore::new(threads)),
            waiting: Arc::new(Semaphore::new(threads + WAITING_MAX)),
        }
    }
}

impl Hashing {
    /// The hash of a new password, as it is stored.
    ///
    /// # Errors
    /// `Busy` when too many are waiting.
    pub async fn hash(&self, password: &Password, salt: [u8; SALT]) -> Result<String, Error> {
        let password = password.clone();
        self.run(move || {
            let hash = COST.hash(&password, &salt)?;
            let Cost { memory_kib, passes, lanes } = COST;
            let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
            Ok(format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}"))
        })
        .await
    }

    /// Compares a password with a stored hash. Without one it takes as long, and is wrong.
    ///
    /// # Errors
    /// `Busy` when too many are waiting; `Broken` when what is stored is no hash.
    pub async fn check(&self, password: &Password, stored: Option<&str>) -> Result<Checked, Error> {
        let stored = stored.map(Stored::parse).transpose()?;
        let password = password.clone();
        self.run(move || {
            let Some(Stored { cost, salt, hash }) = stored else {
                COST.hash(&password, &[0; SALT])?;
                return Ok(Checked::Wrong);
            };
            // Every byte is looked at, whichever differs.
            let differ = cost
                .hash(&password, &salt)?
                .iter()
                .zip(&hash)
                .fold(0, |differ, (one, other)| differ | (one ^ other));
            Ok(match (differ, cost == COST) {
                (0, true) => Checked::Right,
                (0, false) => Checked::RightAndOld,
                (_, _) => Checked::Wrong,
            })
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| Error::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Error::Busy)?;
        // Who goes away leaves the thread at work, so it keeps its place.
        let work = move || {
            let _running = running;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::Broken("a thread that hashes"))?
    }
}

impl Cost {
    fn hash(self, password: &Password, salt: &[u8]) -> Result<[u8; HASH], Error> {
        let broken = |_| Error::Broken("a password's hash");
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH)).map_err(broken)?;
        let mut hash = [0; HASH];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password.0.as_bytes(), salt, &mut hash)
            .map_err(broken)?;
        Ok(hash)
    }
}

impl Stored {
    /// A PHC string, as argon2's own tools write it.
    fn parse(text: &str) -> Result<Self, Error> {
        Self::parts(text).ok_or(Error::Broken("a password's hash"))
    }

    fn parts(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("$argon2id$v=19$")?.split('$');
        let mut costs = parts.next()?.split(',');
        let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.parse().ok();
        let cost = Cost { memory_kib: cost("m=")?, passes: cost("t=")?, lanes: cost("p=")? };
        let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let hash = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        (parts.next().is_none() && hash.len() == HASH).then_some(Self { cost, salt, hash })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use super::{Checked, Error, Hashing, Password, Semaphore, Stored};

    fn password(text: &str) -> Password {
        Password::try_from(text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_is_right_and_no_other() {
        let hashing = Hashing::default();
        let stored = hashing.hash(&password("correct horse"), [1; 16]).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(!stored.contains("correct"));
        let check = async |text: &str| hashing.check(&password(text), Some(&stored)).await.unwrap();
        assert_eq!(check("correct horse").await, Checked::Right);
        assert_eq!(check("correct horsf").await, Checked::Wrong);
        assert_eq!(hashing.check(&password("correct horse"), None).await.unwrap(), Checked::Wrong);
    }

    /// Made with the `argon2` program of the reference implementation: `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32`.
    #[tokio::test]
    async fn a_hash_of_another_program_and_other_parameters_is_read_and_called_old() {
        let stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let given = Password("password".into());
        assert_eq!(Hashing::default().check(&given, Some(stored)).await.unwrap(), Checked::RightAndOld);
    }

    #[test]
    fn what_is_no_hash_is_not_taken_for_one() {
        for text in
            ["", "secret", "$argon2i$v=19$m=1,t=1,p=1$AA$AA", "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AA"]
        {
            assert!(Stored::parse(text).is_err(), "{text}");
        }
        for text in ["", "ninechars", &"x".repeat(201)] {
            assert!(Password::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert!(!format!("{:?}", password("correct horse")).contains("correct"));
    }

    #[tokio::test]
    async fn who_would_wait_too_long_is_turned_away() {
        let hashing = Hashing { waiting: Semaphore::new(0).into(), ..Hashing::default() };
        let refused = hashing.check(&password("correct horse"), None).await;
        assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
    }
}
