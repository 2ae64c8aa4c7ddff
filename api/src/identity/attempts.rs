//! Guesses are slowed down: rows count them, so that every process knows, by keyed hashes that tell nobody whom they are of.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use domain::value::Time;
use sqlx::Row as _;
use store::rfc3339::moment;
use uuid::Uuid;

use super::{Error, Identity};
use crate::{Shop, ingress::Party, problem::Problem, text::Email};

/// Guesses at one account after which the next has to wait.
const ACCOUNT_MAX: i32 = 5;
/// The same for one address, behind which many people may be.
const ADDRESS_MAX: i32 = 50;
/// Messages of a kind to one address that may be asked for.
const MAILS_MAX: i32 = 5;
/// What lies further back than this counts no more.
const WINDOW_MS: i64 = 15 * 60 * 1_000;
/// The first wait, which doubles with every further guess,
const WAIT_S: i32 = 15;
/// and the longest.
const WAIT_MAX_S: i32 = 15 * 60;

/// What guesses are counted by.
#[derive(Clone, Copy)]
pub enum Tried<'a> {
    /// Log-ins with an e-mail, be there an account or not: from one place that its owner has come from before, or from all
    /// others together.
    Email(&'a Email, Option<Party>),
    /// Passwords that somebody gives who is logged in.
    Account(Uuid),
    /// Codes that somebody gives who is logged in: knowing the password forgives none of them.
    Code(Uuid),
    /// Everything from one network address.
    Address(Party),
    /// Mails for a forgotten password, counted by places as log-ins are.
    Reset(&'a Email, Option<Party>),
    /// Mails about an e-mail that somebody has registered with.
    Registration(&'a Email),
}

/// Where a request comes from, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Origin(pub Option<Party>);

impl FromRequestParts<Arc<Shop>> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, Infallible> {
        Ok(Self(shop.ingress.party(&parts.headers, &parts.extensions)))
    }
}

impl Identity {
    /// Counts a guess before it is looked at, so that many at once count as many; when it was.
    ///
    /// # Errors
    /// `auth.throttled`, with how long to wait.
    pub(crate) async fn attempt(&self, tried: Tried<'_>) -> Result<Time, Problem> {
        let (key, max, now) = (self.attempt_key(tried), tried.max(), self.now());
        match self.count(&key, max, now).await? {
            None => Ok(now),
            Some(wait_s) => {
                let detail = format!("too many tries: wait {wait_s} seconds");
                Err(Problem::new("auth.throttled", detail)
                    .with("retry_after_seconds", wait_s)
                    .with_header(header::RETRY_AFTER, &wait_s.to_string()))
            }
        }
    }

    /// The guess was right: those before it count no more.
    pub(crate) async fn succeeded(&self, tried: Tried<'_>) -> Result<(), Error> {
        sqlx::query("DELETE FROM attempts WHERE key = $1")
            .bind(&self.attempt_key(tried)[..])
            .execute(&self.inner.pool)
            .await?;
        Ok(())
    }

    /// A guess from a network address was right: it alone counts no more, since others may be guessing from there.
    pub(crate) async fn taken_back(&self, origin: Origin, tried_at: Time) -> Result<(), Error> {
        let Some(address) = origin.0 else { return Ok(()) };
        let tried = Tried::Address(address);
        // The wait is of its making if fewer do not wait, or nobody was counted after it.
        sqlx::query(
            "UPDATE attempts SET failures = failures - 1, \
                 blocked_until = CASE WHEN failures <= $2 OR last_at = $3 THEN last_at ELSE blocked_until END \
             WHERE key = $1 AND failures > 0",
        )
        .bind(&self.attempt_key(tried)[..])
        .bind(tried.max())
        .bind(moment(tried_at))
        .execute(&self.inner.pool)
        .await?;
        Ok(())
    }

    /// Seconds to wait, if any.
    async fn count(&self, key: &[u8], max: i32, now: Time) -> Result<Option<i64>, Error> {
        let counted = sqlx::query(
            "INSERT INTO attempts AS a (key, failures, last_at, blocked_until) VALUES ($1, 1, $2, $2) \
             ON CONFLICT (key) DO UPDATE SET last_at = $2, \
                 failures = CASE WHEN a.last_at < $3 THEN 1 ELSE a.failures + 1 END, \
                 blocked_until = CASE WHEN a.last_at < $3 OR a.failures + 1 < $4 THEN $2 ELSE \
                     $2 + make_interval(secs => least($6, $5 * power(2, least(a.failures + 1 - $4, 20)))) END \
             WHERE a.blocked_until <= $2 RETURNING failures",
        )
        .bind(key)
        .bind(moment(now))
        .bind(moment(now.plus_millis(-WINDOW_MS)))
        .bind(max)
        .bind(f64::from(WAIT_S))
        .bind(f64::from(WAIT_MAX_S))
        .fetch_optional(&self.inner.pool)
        .await?;
        if counted.is_some() {
            return Ok(None);
        }
        let left = sqlx::query(
            "SELECT ceil(extract(epoch FROM blocked_until - $2))::bigint FROM attempts WHERE key = $1",
        )
        .bind(key)
        .bind(moment(now))
        .fetch_optional(&self.inner.pool)
        .await?;
        // Whoever succeeded meanwhile has taken the row away.
        let left_s: Option<i64> = left.map(|row| row.try_get(0)).transpose()?;
        Ok(left_s.map(|left_s| left_s.max(1)))
    }

    fn attempt_key(&self, tried: Tried<'_>) -> [u8; 32] {
        let mac = |parts: &[&[u8]]| self.inner.secret.mac(parts);
        match tried {
            Tried::Email(email, None) => mac(&[b"tried email", &self.email_hash(email)]),
            Tried::Email(email, Some(place)) => {
                mac(&[b"tried email from", &self.email_hash(email), &place.octets()])
            }
            Tried::Reset(email, None) => mac(&[b"tried reset", &self.email_hash(email)]),
            Tried::Reset(email, Some(place)) => {
                mac(&[b"tried reset from", &self.email_hash(email), &place.octets()])
            }
            Tried::Registration(email) => mac(&[b"tried registration", &self.email_hash(email)]),
            Tried::Account(account) => mac(&[b"tried account", account.as_bytes()]),
            Tried::Code(account) => mac(&[b"tried code", account.as_bytes()]),
            Tried::Address(place) => mac(&[b"tried address", &place.octets()]),
        }
    }
}

impl Tried<'_> {
    const fn max(self) -> i32 {
        match self {
            Self::Email(..) | Self::Account(_) | Self::Code(_) => ACCOUNT_MAX,
            Self::Address(_) => ADDRESS_MAX,
            Self::Reset(..) | Self::Registration(_) => MAILS_MAX,
        }
    }
}
