//! From where the owner of an account has shown who they are: strangers elsewhere do not use up what may be tried from there.

use domain::value::Time;
use sqlx::{PgConnection, PgPool};
use store::rfc3339::moment;
use uuid::Uuid;

use super::{Error, Identity, attempts::Origin};
use crate::{ingress::Party, text::Email};

/// Network addresses of an account that are known, the latest ones.
const ORIGINS_MAX: i64 = 20;
/// How long one is known that nobody comes from.
const KNOWN_FOR_MS: i64 = 90 * 24 * 3_600 * 1_000;

impl Identity {
    /// The network address, if the owner of the account with that e-mail has come from there. An e-mail without an account is
    /// looked for alike.
    pub(crate) async fn familiar(&self, email: &Email, origin: Origin) -> Result<Option<Party>, Error> {
        let Some(party) = origin.0 else { return Ok(None) };
        let known: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM known_origins WHERE key = $1 AND seen_at > $2)")
                .bind(&self.origin_key(&self.email_hash(email), party)[..])
                .bind(moment(oldest(self.now())))
                .fetch_one(&self.inner.pool)
                .await?;
        Ok(known.then_some(party))
    }

    /// The owner of an account has shown from there who they are.
    pub(crate) async fn remember(
        &self,
        connection: &mut PgConnection,
        account: Uuid,
        origin: Origin,
    ) -> Result<(), Error> {
        let Some(party) = origin.0 else { return Ok(()) };
        let hash: Vec<u8> = sqlx::query_scalar("SELECT email_hash FROM accounts WHERE id = $1")
            .bind(account)
            .fetch_one(&mut *connection)
            .await?;
        sqlx::query(
            "INSERT INTO known_origins (key, account, seen_at) VALUES ($1, $2, $3) \
             ON CONFLICT (key) DO UPDATE SET account = $2, seen_at = $3",
        )
        .bind(&self.origin_key(&hash, party)[..])
        .bind(account)
        .bind(moment(self.now()))
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "DELETE FROM known_origins WHERE key IN \
                 (SELECT key FROM known_origins WHERE account = $1 ORDER BY seen_at DESC, key OFFSET $2)",
        )
        .bind(account)
        .bind(ORIGINS_MAX)
        .execute(connection)
        .await?;
        Ok(())
    }

    fn origin_key(&self, email_hash: &[u8], party: Party) -> [u8; 32] {
        self.inner.secret.mac(&[b"known origin", email_hash, &party.octets()])
    }
}

/// Forgets where nobody has come from for long.
///
/// # Errors
/// The database's.
pub async fn sweep(pool: &PgPool, now: Time) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM known_origins WHERE seen_at < $1";
    sqlx::query(sql).bind(moment(oldest(now))).execute(pool).await.map(drop)
}

fn oldest(now: Time) -> Time {
    now.plus_millis(-KNOWN_FOR_MS)
}
