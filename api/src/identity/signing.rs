//! The keys that tokens are signed with: rows whose private half is sealed, replaced while tokens go on being read.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::value::Time;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool, Row as _};
use store::{ports::Ids, rfc3339::moment, vault::ShopSecret};

use super::{Error, GUEST_LIFETIME_S, token};

/// How long a new key is published before it signs: longer than anybody keeps the published keys, and any process takes to
/// read them.
pub const PUBLISHED_BEFORE_MS: i64 = 10 * 60 * 1_000;
/// How long a replaced key goes on verifying after its last signature: as long as the longest token lives.
const VERIFIES_AFTER_MS: i64 = (GUEST_LIFETIME_S + 60) * 1_000;

/// Keys that verify at `$1`, in their order.
const GOOD: &str = "WHERE verifies_until IS NULL OR verifies_until > $1 ORDER BY signs_from DESC, kid DESC";

/// One key.
pub struct SigningKey {
    kid: String,
    public: [u8; 32],
    pair: Ed25519KeyPair,
    signs_from: Time,
}

/// The keys that are good now, the one that signs from the latest time first.
#[derive(Clone, Default)]
pub struct SigningKeys(Arc<[SigningKey]>);

impl SigningKeys {
    /// What signs at that time.
    pub fn signer(&self, now: Time) -> Option<(&str, &Ed25519KeyPair)> {
        // The first key of all signs at once; should clocks differ, it is better than none.
        let ready = self.0.iter().find(|key| key.signs_from <= now).or_else(|| self.0.last());
        ready.map(|key| (key.kid.as_str(), &key.pair))
    }

    /// The public half of a key.
    pub fn public(&self, kid: &str) -> Option<[u8; 32]> {
        self.0.iter().find(|key| key.kid == kid).map(|key| key.public)
    }

    /// Their names, in the same order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.kid.as_str())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All public halves as a JSON Web Key Set (RFC 7517, RFC 8037).
    pub fn published(&self) -> Value {
        let key = |key: &SigningKey| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key.kid,
                "x": URL_SAFE_NO_PAD.encode(key.public),
            })
        };
        json!({ "keys": self.0.iter().map(key).collect::<Vec<_>>() })
    }
}

/// The keys that are good now.
///
/// # Errors
/// When they cannot be read or opened.
pub async fn load(pool: &PgPool, secret: &ShopSecret, now: Time) -> Result<SigningKeys, Error> {
    let sql = format!(
        "SELECT kid, public, private, (extract(epoch FROM signs_from) * 1000)::bigint FROM signing_keys {GOOD}"
    );
    let rows = sqlx::query(&sql).bind(moment(now)).fetch_all(pool).await?;
    let mut keys = vec![];
    for row in rows {
        let kid: String = row.try_get(0)?;
        let public: [u8; 32] =
            row.try_get::<&[u8], _>(1)?.try_into().map_err(|_| Error::Broken("a signing key"))?;
        let seed = secret.open(&kid, row.try_get(2)?)?;
        let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &public)
            .map_err(|_| Error::Broken("a signing key"))?;
        keys.push(SigningKey { kid, public, pair, signs_from: Time::from_millis(row.try_get(3)?) });
    }
    Ok(SigningKeys(keys.into()))
}

/// Makes the first key where there is none; two starts at once make one.
///
/// # Errors
/// When it cannot be written.
pub async fn begin(pool: &PgPool, ids: &dyn Ids, secret: &ShopSecret, now: Time) -> Result<(), Error> {
    let mut transaction = store::transaction::begin(pool).await?;
    lock(&mut transaction).await?;
    let any: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM signing_keys WHERE verifies_until IS NULL)")
            .fetch_one(&mut *transaction)
            .await?;
    if !any {
        insert(&mut transaction, ids, secret, now, now).await?;
    }
    Ok(transaction.commit().await?)
}

/// Makes a key that signs in a while; the one before verifies until everything that it signed has expired. Its name, and
/// from when it signs.
///
/// # Errors
/// When it cannot be written.
pub async fn rotate(
    pool: &PgPool,
    ids: &dyn Ids,
    secret: &ShopSecret,
    now: Time,
) -> Result<(String, Time), Error> {
    let mut transaction = store::transaction::begin(pool).await?;
    lock(&mut transaction).await?;
    let first: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM signing_keys WHERE verifies_until IS NULL)")
            .fetch_one(&mut *transaction)
            .await?;
    let signs_from = if first { now } else { now.plus_millis(PUBLISHED_BEFORE_MS) };
    sqlx::query("UPDATE signing_keys SET verifies_until = $1 WHERE verifies_until IS NULL")
        .bind(moment(signs_from.plus_millis(VERIFIES_AFTER_MS)))
        .execute(&mut *transaction)
        .await?;
    let kid = insert(&mut transaction, ids, secret, now, signs_from).await?;
    sqlx::query("DELETE FROM signing_keys WHERE verifies_until < $1")
        .bind(moment(now))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok((kid, signs_from))
}

/// Makes a key that signs at once, and lets nothing be verified with those before. Its name.
///
/// # Errors
/// When it cannot be written.
pub async fn replace(pool: &PgPool, ids: &dyn Ids, secret: &ShopSecret, now: Time) -> Result<String, Error> {
    let mut transaction = store::transaction::begin(pool).await?;
    lock(&mut transaction).await?;
    sqlx::query("DELETE FROM signing_keys").execute(&mut *transaction).await?;
    let kid = insert(&mut transaction, ids, secret, now, now).await?;
    transaction.commit().await?;
    Ok(kid)
}

/// The names of the keys that are good now, the one that signs from the latest time first.
///
/// # Errors
/// The database's.
pub async fn names(pool: &PgPool, now: Time) -> Result<Vec<String>, sqlx::Error> {
    let sql = format!("SELECT kid FROM signing_keys {GOOD}");
    sqlx::query_scalar(&sql).bind(moment(now)).fetch_all(pool).await
}

/// One change of the keys at a time.
async fn lock(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("LOCK TABLE signing_keys IN EXCLUSIVE MODE").execute(connection).await.map(drop)
}

async fn insert(
    connection: &mut PgConnection,
    ids: &dyn Ids,
    secret: &ShopSecret,
    now: Time,
    signs_from: Time,
) -> Result<String, Error> {
    let mut seed = [0; 32];
    ids.fill(&mut seed)?;
    let broken = || Error::Broken("a signing key");
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| broken())?;
    let public = token::public_half(&pair).ok_or_else(broken)?;
    let kid = ids.next().simple().to_string();
    sqlx::query(
        "INSERT INTO signing_keys (kid, public, private, created_at, signs_from) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&kid)
    .bind(&public[..])
    .bind(secret.seal(&kid, &seed)?)
    .bind(moment(now))
    .bind(moment(signs_from))
    .execute(connection)
    .await?;
    Ok(kid)
}
