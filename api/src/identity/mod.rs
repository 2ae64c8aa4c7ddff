//! Who is who: accounts, sessions and tokens. All of it is rows of the edge's schema; none of it is in the log.

mod accounts;
pub(crate) mod addresses;
mod attempts;
mod bearer;
mod claimed;
mod error;
mod familiar;
mod leaving;
pub(crate) mod login;
pub(crate) mod mailed;
pub(crate) mod me;
mod outbox;
mod password;
pub(crate) mod payment_methods;
mod recovery;
mod routes;
pub(crate) mod second_factor;
pub(crate) mod sessions;
mod signing;
pub(crate) mod staff;
pub(crate) mod token;
mod totp;

use std::sync::{Arc, PoisonError, RwLock};

use axum::http::HeaderMap;
use domain::value::{CustomerId, Time};
use sqlx::{PgPool, Row as _};
use store::{
    ports::{Clock, Ids},
    rfc3339::moment,
    vault::{ShopSecret, Vault},
};
use tracing::error;
use uuid::Uuid;

use self::{
    bearer::{Bearers, Verified},
    outbox::{Outbox, Rows},
    password::Hashing,
    signing::SigningKeys,
    token::{Claims, Invalid},
};
use crate::{outbound::saved::Saved, principal::Principal, problem::Problem};

pub use self::{
    accounts::Account,
    error::Error,
    password::{NotAPassword, Password},
    routes::routes,
    staff::{Change, ChangeError},
    token::{LEEWAY_S, Role},
};
#[cfg(test)]
pub(crate) use self::{attempts::Origin, password::CHARS as PASSWORD_CHARS};

/// Seconds that an access token is good for.
pub const ACCESS_LIFETIME_S: i64 = 15 * 60;
/// Seconds that a session lasts which nobody refreshes.
pub const SESSION_LIFETIME_S: i64 = 30 * 24 * 3_600;
/// Seconds that a guest's token is good for.
pub const GUEST_LIFETIME_S: i64 = 30 * 24 * 3_600;
/// How often ended sessions of other processes are asked for.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
/// Looks between two removals of what has expired.
const SWEEP_EVERY: u32 = 3_600;
/// Seconds that a transaction may have been open that ended a session: it is seen when it commits.
const OVERLAP_S: i64 = 30;
/// Names of the forgotten that are read at once.
const PAGE: i64 = 1_000;

/// Accounts, sessions and tokens; cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub pool: PgPool,
    pub vault: Vault,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    /// Names e-mails and attempts, and seals signing keys.
    pub secret: ShopSecret,
    pub hashing: Hashing,
    /// Where messages to people go.
    pub outbox: Arc<dyn Outbox>,
    keys: RwLock<SigningKeys>,
    bearers: Bearers,
}

impl Identity {
    /// Reads the keys that tokens are signed with and the sessions that have ended; makes the first key where there is none, and
    /// removes the accounts of those who are forgotten: a restore may have brought them back.
    ///
    /// # Errors
    /// When the edge's tables or the keys cannot be read.
    pub async fn start(
        pool: PgPool,
        vault: Vault,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Self, Error> {
        let secret = vault.secret("edge").await?;
        let inner = Inner {
            pool,
            outbox: Arc::new(Rows { vault: vault.clone(), clock: Arc::clone(&clock), ids: Arc::clone(&ids) }),
            vault,
            ids,
            secret,
            hashing: Hashing::default(),
            keys: RwLock::default(),
            bearers: Bearers::default(),
            clock,
        };
        let identity = Self { inner: Arc::new(inner) };
        identity.read_keys().await?;
        identity.read_ended(None).await?;
        // A database that takes no writes for now keeps nobody from reading.
        if let Err(error) = identity.begin().await {
            error!(%error, "tokens cannot be given out yet");
        }
        Ok(identity)
    }

    /// The edge's tables.
    #[must_use]
    pub fn pool(&self) -> PgPool {
        self.inner.pool.clone()
    }

    /// What customers keep to pay with again.
    #[must_use]
    pub fn saved(&self) -> Saved {
        let Inner { pool, vault, secret, clock, .. } = &*self.inner;
        Saved::new(pool.clone(), vault.clone(), secret.clone(), Arc::clone(clock))
    }

    /// Hears of sessions that end in other processes and of new keys, and removes what has expired, for as long as it is
    /// driven.
    pub async fn watch(self) {
        let mut looks = 0_u32;
        let mut seen_us = self.inner.clock.elapsed_us();
        loop {
            self.inner.clock.sleep(LOOK_EVERY).await;
            looks = looks.wrapping_add(1);
            let began_us = self.inner.clock.elapsed_us();
            let since_s = (began_us - seen_us) / 1_000_000 + OVERLAP_S;
            match self.look(looks, since_s).await {
                Ok(()) => seen_us = began_us,
                Err(error) => error!(%error, "ended sessions cannot be read; trying again"),
            }
        }
    }

    async fn look(&self, looks: u32, since_s: i64) -> Result<(), Error> {
        self.read_ended(Some(since_s)).await?;
        if self.keys().is_empty() {
            self.begin().await?;
        }
        let names = signing::names(&self.inner.pool, self.now()).await?;
        if !self.keys().names().eq(names.iter().map(String::as_str)) {
            self.read_keys().await?;
        }
        if looks.is_multiple_of(SWEEP_EVERY) {
            self.sweep().await?;
        }
        Ok(())
    }

    /// Removes what has expired.
    ///
    /// # Errors
    /// When the edge's tables cannot be reached.
    pub async fn sweep(&self) -> Result<(), Error> {
        sessions::sweep(&self.inner.pool, self.now()).await?;
        Ok(familiar::sweep(&self.inner.pool, self.now()).await?)
    }

    /// A token that speaks for somebody for so long; `None` for nobody. Their account need not exist.
    ///
    /// # Errors
    /// When there is no key to sign with.
    pub fn token_for(&self, principal: &Principal, lifetime_s: i64) -> Result<Option<String>, Error> {
        let now = self.now();
        let Some(claims) = Claims::of(principal, seconds(now), lifetime_s) else { return Ok(None) };
        let generation = self.inner.bearers.generation();
        let keys = self.keys();
        let (kid, pair) = keys.signer(now).ok_or(Error::Broken("no signing key"))?;
        let token = token::sign(&claims, kid, pair)?;
        // Whoever gets it comes with it next.
        self.inner.bearers.know(&token, generation, Verified::new(principal.clone(), claims.exp));
        Ok(Some(token))
    }

    /// Whom a request speaks for.
    ///
    /// # Errors
    /// When its token is not good.
    pub fn principal(&self, headers: &HeaderMap) -> Result<Principal, Problem> {
        let now_s = seconds(self.now());
        self.inner.bearers.principal(headers, now_s, |token| self.verified(token, now_s))
    }

    /// Whom a token speaks for that came in a body.
    ///
    /// # Errors
    /// When it is not good.
    pub fn speaker(&self, token: &str) -> Result<Principal, Invalid> {
        let verified = self.verify(token, seconds(self.now()))?;
        verified.principal().ok_or(Invalid::Malformed)
    }

    fn verified(&self, token: &str, now_s: i64) -> Result<Verified, Invalid> {
        let claims = self.verify(token, now_s)?;
        Ok(Verified::new(claims.principal().ok_or(Invalid::Malformed)?, claims.exp))
    }

    fn verify(&self, token: &str, now_s: i64) -> Result<Claims, Invalid> {
        let keys = self.keys();
        token::verify(token, now_s, |kid| keys.public(kid))
    }

    /// The public halves of the signing keys, as others verify with them.
    #[must_use]
    pub fn published_keys(&self) -> serde_json::Value {
        self.keys().published()
    }

    /// Makes a signing key that is published now and signs in ten minutes; its name, and from when it signs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn rotate_keys(&self) -> Result<(String, Time), Error> {
        let Inner { pool, secret, ids, .. } = &*self.inner;
        let made = signing::rotate(pool, &**ids, secret, self.now()).await?;
        self.read_keys().await?;
        Ok(made)
    }

    /// Makes a signing key that signs at once, and takes no token any more that another has signed; its name. Other processes
    /// do the same within seconds.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn replace_keys(&self) -> Result<String, Error> {
        let Inner { pool, secret, ids, .. } = &*self.inner;
        let kid = signing::replace(pool, &**ids, secret, self.now()).await?;
        self.read_keys().await?;
        Ok(kid)
    }

    pub(crate) fn now(&self) -> Time {
        self.inner.clock.now()
    }

    /// Tokens of these sessions are good no longer, in this process at once.
    pub(crate) fn end(&self, sessions: Vec<Uuid>) {
        let now_s = seconds(self.now());
        let until_s = now_s + sessions::REVOKED_FOR_S;
        self.inner.bearers.end(sessions.into_iter().map(|session| (session, until_s)), now_s);
    }

    async fn begin(&self) -> Result<(), Error> {
        if self.keys().is_empty() {
            let Inner { pool, secret, ids, .. } = &*self.inner;
            signing::begin(pool, &**ids, secret, self.now()).await?;
            self.read_keys().await?;
        }
        self.forget_the_forgotten().await
    }

    fn keys(&self) -> SigningKeys {
        self.inner.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read_keys(&self) -> Result<(), Error> {
        let keys = signing::load(&self.inner.pool, &self.inner.secret, self.now()).await?;
        *self.inner.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.inner.bearers.look_again();
        Ok(())
    }

    /// Sessions that ended within so many seconds, or all whose tokens may still be about.
    async fn read_ended(&self, since_s: Option<i64>) -> Result<(), Error> {
        let rows = sqlx::query(
            "SELECT session, extract(epoch FROM expires_at)::bigint FROM revocations \
             WHERE expires_at > $1 \
               AND ($2::bigint IS NULL OR revoked_at > clock_timestamp() - make_interval(secs => $2))",
        )
        .bind(moment(self.now()))
        .bind(since_s)
        .fetch_all(&self.inner.pool)
        .await?;
        let ended = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let ended = ended.collect::<Result<Vec<(Uuid, i64)>, sqlx::Error>>()?;
        self.inner.bearers.end(ended, seconds(self.now()));
        Ok(())
    }

    async fn forget_the_forgotten(&self) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let page = self.inner.vault.forgotten(&after, PAGE).await?;
            let customers: Vec<&str> =
                page.iter().filter_map(|subject| subject.strip_prefix("customer:")).collect();
            self.end(accounts::remove_all(&self.inner.pool, &customers, self.now()).await?);
            match page.last() {
                Some(last) => after.clone_from(last),
                None => return Ok(()),
            }
        }
    }
}

/// A guest that nobody was before.
pub(crate) fn new_guest(ids: &dyn Ids) -> Principal {
    Principal::Guest(CustomerId::guest(ids.next()))
}

pub(crate) const fn seconds(time: Time) -> i64 {
    time.millis().div_euclid(1_000)
}
