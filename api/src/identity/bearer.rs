//! From the Authorization header to a principal: a hash and a look-up for a token that was seen before.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use axum::http::{HeaderMap, header};
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::token::{Invalid, LEEWAY_S};
use crate::{principal::Principal, problem::Problem};

/// Tokens that are kept; each takes some 200 bytes.
const KEPT_MAX: usize = 50_000;

/// A token that was good.
pub struct Verified {
    principal: Principal,
    expires_at_s: i64,
}

impl Verified {
    /// What a token says that was good, and until when it is.
    pub const fn new(principal: Principal, expires_at_s: i64) -> Self {
        Self { principal, expires_at_s }
    }
}

/// How often the keys had been read.
#[derive(Clone, Copy)]
pub struct Generation(u64);

/// Tokens that were good, and sessions that have ended since.
pub struct Bearers {
    /// With the keys' generation that each was verified by.
    kept: Cache<[u8; 32], (u64, Arc<Verified>)>,
    /// How often the keys were read: a token is verified anew by others.
    generation: AtomicU64,
    /// Ended sessions, and when the last of their tokens expires.
    ended: RwLock<HashMap<Uuid, i64>>,
    /// How many those are: mostly none, and then nothing is locked.
    ended_count: AtomicUsize,
}

impl Default for Bearers {
    fn default() -> Self {
        Self {
            kept: Cache::new(KEPT_MAX),
            generation: AtomicU64::new(0),
            ended: RwLock::default(),
            ended_count: AtomicUsize::new(0),
        }
    }
}

impl Bearers {
    /// Whom the token of a request speaks for; nobody when there is none. `verify` reads one that is not known.
    ///
    /// # Errors
    /// `auth.invalid_token`, `request.malformed`.
    pub fn principal(
        &self,
        headers: &HeaderMap,
        now_s: i64,
        verify: impl FnOnce(&str) -> Result<Verified, Invalid>,
    ) -> Result<Principal, Problem> {
        let Some(token) = token(headers)? else { return Ok(Principal::Nobody) };
        let key: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let Generation(generation) = self.generation();
        let verified = match self.kept.get(&key) {
            Some((of, kept)) if of == generation => kept,
            Some(_) | None => {
                let verified = Arc::new(verify(token).map_err(|error| invalid(error.to_string()))?);
                self.kept.insert(key, (generation, Arc::clone(&verified)));
                verified
            }
        };
        if now_s >= verified.expires_at_s.saturating_add(LEEWAY_S) {
            self.kept.remove(&key);
            return Err(invalid(Invalid::Expired.to_string()));
        }
        let session = verified.principal.member().map(|member| member.session);
        if session.is_some_and(|session| self.has_ended(session)) {
            return Err(invalid("the session has ended".to_owned()));
        }
        Ok(verified.principal.clone())
    }

    /// Which keys this process has. Asked before the keys are: what others have signed or verified is not taken for theirs.
    pub fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::Acquire))
    }

    /// Keeps a token that was signed with a key of that generation.
    pub fn know(&self, token: &str, Generation(generation): Generation, verified: Verified) {
        self.kept.insert(Sha256::digest(token.as_bytes()).into(), (generation, Arc::new(verified)));
    }

    /// The keys are others: what was good is looked at again.
    pub fn look_again(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Tokens of these sessions are good no longer. What has expired by now is forgotten.
    pub fn end(&self, sessions: impl IntoIterator<Item = (Uuid, i64)>, now_s: i64) {
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        ended.extend(sessions);
        ended.retain(|_, expires_at_s| *expires_at_s > now_s);
        self.ended_count.store(ended.len(), Ordering::Release);
    }

    fn has_ended(&self, session: Uuid) -> bool {
        self.ended_count.load(Ordering::Acquire) > 0
            && self.ended.read().unwrap_or_else(PoisonError::into_inner).contains_key(&session)
    }
}

/// The token of the header, as RFC 6750 has it.
fn token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let malformed = || {
        Problem::new("auth.malformed", "send one header `Authorization: Bearer <token>`")
            .with_header(header::WWW_AUTHENTICATE, r#"Bearer realm="daybook", error="invalid_request""#)
    };
    let text = value.to_str().map_err(|_| malformed())?;
    match (text.split_once(' '), values.next()) {
        (Some((scheme, token)), None)
            if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() =>
        {
            Ok(Some(token.trim()))
        }
        _ => Err(malformed()),
    }
}

fn invalid(why: String) -> Problem {
    let challenge = format!(r#"Bearer realm="daybook", error="invalid_token", error_description="{why}""#);
    Problem::new("auth.invalid_token", why).with_header(header::WWW_AUTHENTICATE, &challenge)
}
