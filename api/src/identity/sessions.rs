//! Log-ins: each a row with the refresh tokens that came of it, kept as hashes, each good once.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::value::Time;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool, Row as _};
use store::rfc3339::moment;
use uuid::Uuid;

use super::{
    ACCESS_LIFETIME_S, Error, Identity, SESSION_LIFETIME_S,
    accounts::{self, Standing},
    token::LEEWAY_S,
};
use crate::problem::Problem;

/// Seconds after which no access token of an ended session can be good any more.
pub const REVOKED_FOR_S: i64 = ACCESS_LIFETIME_S + LEEWAY_S + 60;
/// Sessions of an account at once; the oldest ends when there is one more.
const SESSIONS_MAX: i64 = 50;
/// Used refresh tokens of a session that are kept, so that one that comes again is known for what it is. What is older than
/// these is good for nothing either.
const USED_MAX: i64 = 100;
/// Within this time a used refresh token gives the same next one again: an answer may have been lost, or two windows of one
/// browser may have asked at once.
const SAME_ANSWER_MS: i64 = 10_000;

/// The tokens of a log-in.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Tokens {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: String,
    refresh_expires_in: i64,
}

/// What a log-in gives, and the sessions that ended for it.
pub struct Begun {
    pub tokens: Tokens,
    pub ended: Vec<Uuid>,
}

/// Begins a session of an account that is held.
///
/// # Errors
/// The database's.
pub async fn begin(
    identity: &Identity,
    connection: &mut PgConnection,
    account: &Standing,
) -> Result<Begun, Error> {
    let (now, session) = (identity.now(), identity.inner.ids.next());
    let expires_at = now.plus_millis(SESSION_LIFETIME_S * 1_000);
    sqlx::query("INSERT INTO sessions (id, account, created_at, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(session)
        .bind(account.id)
        .bind(moment(now))
        .bind(moment(expires_at))
        .execute(&mut *connection)
        .await?;
    let mut refresh = [0; 32];
    identity.inner.ids.fill(&mut refresh)?;
    keep(connection, session, &refresh, now).await?;
    let too_many = "SELECT id FROM sessions WHERE account = $1 ORDER BY id = $2 DESC, created_at DESC, id DESC OFFSET $3";
    let too_many = sqlx::query_scalar(too_many).bind(account.id).bind(session).bind(SESSIONS_MAX);
    let mut ended = vec![];
    for oldest in too_many.fetch_all(&mut *connection).await? {
        ended.extend(end(connection, oldest, now).await?);
    }
    Ok(Begun { tokens: tokens(identity, account, session, &refresh)?, ended })
}

/// Exchanges a refresh token for the next one, and an access token. One that was used before ends its session.
///
/// # Errors
/// `auth.refresh_invalid`, `auth.refresh_reused`.
pub async fn refresh(identity: &Identity, token: &str) -> Result<Tokens, Problem> {
    let invalid =
        || Problem::new("auth.refresh_invalid", "the refresh token is unknown, or its session has ended");
    let bytes: [u8; 32] =
        URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(invalid)?;
    match exchange(identity, &bytes).await? {
        Exchanged::Tokens(tokens) => Ok(tokens),
        Exchanged::Unknown => Err(invalid()),
        Exchanged::Reused => Err(Problem::new(
            "auth.refresh_reused",
            "the refresh token was used before: its session is ended",
        )),
    }
}

enum Exchanged {
    Tokens(Tokens),
    Unknown,
    Reused,
}

async fn exchange(identity: &Identity, token: &[u8; 32]) -> Result<Exchanged, Error> {
    let now = identity.now();
    let mut transaction = store::transaction::begin(&identity.inner.pool).await?;
    let row = sqlx::query(
        "SELECT r.session, s.account, (extract(epoch FROM r.used_at) * 1000)::bigint \
         FROM refresh_tokens r JOIN sessions s ON s.id = r.session \
         WHERE r.hash = $1 AND r.expires_at > $2 FOR UPDATE",
    )
    .bind(hash(token))
    .bind(moment(now))
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = row else { return Ok(Exchanged::Unknown) };
    let (session, account): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
    let used_ms: Option<i64> = row.try_get(2)?;
    let Some(account) =
        accounts::standing(&mut transaction, account).await?.filter(|account| !account.disabled)
    else {
        return Ok(Exchanged::Unknown);
    };
    if identity.opened(&account.subject(), Some(account.email.clone())).await?.is_none() {
        return Ok(Exchanged::Unknown);
    }
    // It follows from the one before, so that whoever asks again at once is told the same.
    let next = identity.inner.secret.mac(&[b"refresh", token]);
    match used_ms {
        None => {
            sqlx::query("UPDATE refresh_tokens SET used_at = $2 WHERE hash = $1")
                .bind(hash(token))
                .bind(moment(now))
                .execute(&mut *transaction)
                .await?;
            keep(&mut transaction, session, &next, now).await?;
            sqlx::query(
                "DELETE FROM refresh_tokens WHERE hash IN \
                     (SELECT hash FROM refresh_tokens WHERE session = $1 AND used_at IS NOT NULL \
                      ORDER BY used_at DESC, hash OFFSET $2)",
            )
            .bind(session)
            .bind(USED_MAX)
            .execute(&mut *transaction)
            .await?;
            sqlx::query("UPDATE sessions SET expires_at = $2 WHERE id = $1")
                .bind(session)
                .bind(moment(now.plus_millis(SESSION_LIFETIME_S * 1_000)))
                .execute(&mut *transaction)
                .await?;
        }
        Some(used_ms) => {
            let unused: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM refresh_tokens WHERE hash = $1 AND used_at IS NULL)",
            )
            .bind(hash(&next))
            .fetch_one(&mut *transaction)
            .await?;
            if !unused || now.millis() - used_ms > SAME_ANSWER_MS {
                let ended = end(&mut transaction, session, now).await?;
                transaction.commit().await?;
                tracing::warn!(%session, account = %account.id, "a refresh token came again: its session is ended");
                identity.end(ended);
                return Ok(Exchanged::Reused);
            }
        }
    }
    transaction.commit().await?;
    Ok(Exchanged::Tokens(tokens(identity, &account, session, &next)?))
}

fn tokens(
    identity: &Identity,
    account: &Standing,
    session: Uuid,
    refresh: &[u8; 32],
) -> Result<Tokens, Error> {
    let access = identity.token_for(&account.principal(session)?, ACCESS_LIFETIME_S)?;
    Ok(Tokens {
        access_token: access.ok_or(Error::Broken("an account of nobody"))?,
        token_type: "Bearer",
        expires_in: ACCESS_LIFETIME_S,
        refresh_token: URL_SAFE_NO_PAD.encode(refresh),
        refresh_expires_in: SESSION_LIFETIME_S,
    })
}

async fn keep(
    connection: &mut PgConnection,
    session: Uuid,
    token: &[u8; 32],
    now: Time,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO refresh_tokens (hash, session, issued_at, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(hash(token))
        .bind(session)
        .bind(moment(now))
        .bind(moment(now.plus_millis(SESSION_LIFETIME_S * 1_000)))
        .execute(connection)
        .await
        .map(drop)
}

/// What a secret token is kept as: 256 random bits need no salt.
pub fn hash(token: &[u8]) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// The session that a refresh token came of, used or not.
///
/// # Errors
/// The database's.
pub async fn of_token(connection: &mut PgConnection, token: &str) -> Result<Option<Uuid>, Error> {
    let Some(hash) = accounts::kept_as(token) else { return Ok(None) };
    let session = sqlx::query_scalar("SELECT session FROM refresh_tokens WHERE hash = $1").bind(hash);
    Ok(session.fetch_optional(connection).await?)
}

/// Ends a session; which one, if it was there.
///
/// # Errors
/// The database's.
pub async fn end(connection: &mut PgConnection, session: Uuid, now: Time) -> Result<Vec<Uuid>, sqlx::Error> {
    ended(connection, "id = $2 AND $3::uuid IS NULL", (session, None), now).await
}

/// Ends all sessions of an account, but one.
///
/// # Errors
/// The database's.
pub async fn end_all(
    connection: &mut PgConnection,
    account: Uuid,
    but: Option<Uuid>,
    now: Time,
) -> Result<Vec<Uuid>, sqlx::Error> {
    ended(connection, "account = $2 AND id IS DISTINCT FROM $3::uuid", (account, but), now).await
}

async fn ended(
    connection: &mut PgConnection,
    which: &str,
    (id, but): (Uuid, Option<Uuid>),
    now: Time,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let sql = format!(
        "WITH gone AS (DELETE FROM sessions WHERE {which} RETURNING id) \
         INSERT INTO revocations (session, expires_at) SELECT id, $1 FROM gone \
         ON CONFLICT (session) DO NOTHING RETURNING session"
    );
    let sessions =
        sqlx::query_scalar(&sql).bind(moment(now.plus_millis(REVOKED_FOR_S * 1_000))).bind(id).bind(but);
    sessions.fetch_all(connection).await
}

/// Removes what has expired.
///
/// # Errors
/// The database's.
pub async fn sweep(pool: &PgPool, now: Time) -> Result<(), sqlx::Error> {
    for table in ["sessions", "refresh_tokens", "revocations", "mailed_tokens", "earlier_mailed_tokens"] {
        let sql = format!("DELETE FROM {table} WHERE expires_at < $1");
        sqlx::query(&sql).bind(moment(now)).execute(pool).await?;
    }
    let yesterday = now.plus_millis(-24 * 3_600 * 1_000);
    sqlx::query("DELETE FROM attempts WHERE last_at < $1").bind(moment(yesterday)).execute(pool).await?;
    Ok(())
}
