//! Tokens that are sent by mail, of which one is good once: a forgotten password is set anew, an e-mail shown to be right.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use domain::value::Time;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use store::rfc3339::{self, moment};
use uuid::Uuid;

use super::{
    Error, Identity,
    accounts::{self, Standing, kept_as},
    attempts::{Origin, Tried},
    claimed::clear_unproven,
    login::{set_password, set_verified},
    outbox::{Kind, Mail},
    password::Password,
    sessions,
};
use crate::{Shop, extract::Json, principal::Member, problem::Problem, text::Email};

/// Where tokens lie: the newest of each account, and those before.
const TABLES: [&str; 2] = ["mailed_tokens", "earlier_mailed_tokens"];

/// What a mailed token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new password.
    Reset,
    /// Showing that mail arrives.
    Verify,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
        }
    }

    const fn kind(self) -> Kind {
        match self {
            Self::Reset => Kind::ResetPassword,
            Self::Verify => Kind::VerifyEmail,
        }
    }

    const fn lifetime_ms(self) -> i64 {
        match self {
            Self::Reset => 3_600 * 1_000,
            Self::Verify => 24 * 3_600 * 1_000,
        }
    }
}

/// Whose password is to be set anew.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ForgottenPassword))]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    email: Email,
}

/// The token that came by mail, and the password that is to be.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ResetPassword))]
#[serde(deny_unknown_fields)]
pub struct Reset {
    token: String,
    password: Password,
}

/// The token that came by mail.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = VerifyEmail))]
#[serde(deny_unknown_fields)]
pub struct Verify {
    token: String,
}

/// `POST /v1/auth/password/forgotten`: the same answer whether there is such an account or not.
pub async fn forgotten(
    State(shop): State<Arc<Shop>>,
    origin: Origin,
    Json(body): Json<Forgotten>,
) -> Result<StatusCode, Problem> {
    let identity = &shop.identity;
    identity.attempted_from(origin).await?;
    let familiar = identity.familiar(&body.email, origin).await?;
    identity.attempt(Tried::Reset(&body.email, familiar)).await?;
    if let Some(account) = identity.account_of(&body.email).await?.filter(|account| !account.disabled) {
        let mut transaction = store::transaction::begin(&identity.inner.pool).await.map_err(Error::from)?;
        send(identity, &mut transaction, account.id, Purpose::Reset).await?;
        transaction.commit().await.map_err(Error::from)?;
    }
    Ok(StatusCode::ACCEPTED)
}

/// `POST /v1/auth/password/reset`: ends all sessions.
pub async fn reset(
    State(shop): State<Arc<Shop>>,
    origin: Origin,
    Json(body): Json<Reset>,
) -> Result<StatusCode, Problem> {
    let identity = &shop.identity;
    let tried_at = identity.attempted_from(origin).await?;
    let hash = identity.hashed(&body.password).await?;
    let ended = identity.redeem(&body.token, Purpose::Reset, async |identity, connection, account| {
        clear_unproven(connection, &account, identity.now()).await?;
        set_password(connection, &account, &hash).await?;
        set_verified(identity, connection, account.id).await?;
        password_changed(identity, connection, &account).await?;
        let ended = sessions::end_all(connection, account.id, None, identity.now()).await?;
        identity.remember(connection, account.id, origin).await?;
        Ok(ended)
    });
    let ended = ended.await?.ok_or_else(spent)?;
    identity.end(ended);
    identity.taken_back(origin, tried_at).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/auth/email/verify`
pub async fn verify(
    State(shop): State<Arc<Shop>>,
    origin: Origin,
    Json(body): Json<Verify>,
) -> Result<StatusCode, Problem> {
    let identity = &shop.identity;
    let tried_at = identity.attempted_from(origin).await?;
    let verified = identity.redeem(&body.token, Purpose::Verify, async |identity, connection, account| {
        set_verified(identity, connection, account.id).await
    });
    verified.await?.ok_or_else(spent)?;
    identity.taken_back(origin, tried_at).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/me/email/verification`: the token is sent again.
pub async fn ask_again(State(shop): State<Arc<Shop>>, member: Member) -> Result<StatusCode, Problem> {
    let identity = &shop.identity;
    identity.attempt(Tried::Account(member.account)).await?;
    let mut transaction = store::transaction::begin(&identity.inner.pool).await.map_err(Error::from)?;
    send(identity, &mut transaction, member.account, Purpose::Verify).await?;
    transaction.commit().await.map_err(Error::from)?;
    Ok(StatusCode::ACCEPTED)
}

fn spent() -> Problem {
    Problem::new("auth.token_spent", "the token is unknown, was used, or has expired: ask for another one")
}

/// Makes a token and queues the message that carries it. Those before stay good: whoever has others sent must not take away
/// what the owner has in hand.
pub async fn send(
    identity: &Identity,
    connection: &mut PgConnection,
    account: Uuid,
    purpose: Purpose,
) -> Result<(), Error> {
    // One at a time, so that each finds the one before.
    let account = accounts::held(connection, account).await?.ok_or(Error::NoAccount)?;
    let subject = account.subject();
    let Some(to) = identity.opened(&subject, Some(account.email.clone())).await? else { return Ok(()) };
    let (token, hash) = identity.new_secret()?;
    let expires_at = identity.now().plus_millis(purpose.lifetime_ms());
    sqlx::query(
        "INSERT INTO earlier_mailed_tokens (hash, account, purpose, expires_at) \
         SELECT hash, account, purpose, expires_at FROM mailed_tokens \
         WHERE account = $1 AND purpose = $2 AND expires_at > $3 ON CONFLICT DO NOTHING",
    )
    .bind(account.id)
    .bind(purpose.as_str())
    .bind(moment(identity.now()))
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO mailed_tokens (hash, account, purpose, expires_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (account, purpose) DO UPDATE SET hash = $1, expires_at = $4",
    )
    .bind(hash)
    .bind(account.id)
    .bind(purpose.as_str())
    .bind(moment(expires_at))
    .execute(&mut *connection)
    .await?;
    let values = json!({ "token": token, "expires_at": rfc3339::format(expires_at) });
    let mail = Mail { kind: purpose.kind(), subject: &subject, to: &to, values };
    identity.inner.outbox.queue(connection, mail).await
}

/// Tells the owner of an account that its password is another one.
pub async fn password_changed(
    identity: &Identity,
    connection: &mut PgConnection,
    account: &Standing,
) -> Result<(), Error> {
    let subject = account.subject();
    let Some(to) = identity.opened(&subject, Some(account.email.clone())).await? else { return Ok(()) };
    let values = json!({ "at": rfc3339::format(identity.now()) });
    let mail = Mail { kind: Kind::PasswordChanged, subject: &subject, to: &to, values };
    identity.inner.outbox.queue(connection, mail).await
}

/// Tokens of an account are good for nothing any more; their hashes, and until when they were.
pub async fn spend(
    connection: &mut PgConnection,
    account: Uuid,
    purpose: Purpose,
) -> Result<Vec<(Vec<u8>, i64)>, sqlx::Error> {
    let mut spent = vec![];
    for table in TABLES {
        let sql = format!(
            "DELETE FROM {table} WHERE account = $1 AND purpose = $2 \
             RETURNING hash, (extract(epoch FROM expires_at) * 1000)::bigint"
        );
        let rows = sqlx::query_as(&sql).bind(account).bind(purpose.as_str());
        spent.extend(rows.fetch_all(&mut *connection).await?);
    }
    Ok(spent)
}

impl Identity {
    /// Uses a token up, and with it all that were sent for the same, and does in the same transaction what it is good for;
    /// `None` where it is good for nothing.
    async fn redeem<T>(
        &self,
        token: &str,
        purpose: Purpose,
        then: impl AsyncFnOnce(&Self, &mut PgConnection, Standing) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let Some(hash) = kept_as(token) else { return Ok(None) };
        let now: Time = self.now();
        let mut transaction = store::transaction::begin(&self.inner.pool).await?;
        let [newest, earlier] = TABLES;
        let sql = format!(
            "SELECT account FROM {newest} WHERE hash = $1 UNION ALL SELECT account FROM {earlier} WHERE hash = $1"
        );
        let account: Option<Uuid> =
            sqlx::query_scalar(&sql).bind(&hash).fetch_optional(&mut *transaction).await?;
        let Some(account) = account else { return Ok(None) };
        let Some(account) = accounts::held(&mut transaction, account).await? else { return Ok(None) };
        let spent = spend(&mut transaction, account.id, purpose).await?;
        // Left as they were, where this one is none of them: nothing is committed.
        if !spent.iter().any(|(known, until_ms)| *known == hash && *until_ms > now.millis()) {
            return Ok(None);
        }
        let done = then(self, &mut transaction, account).await?;
        transaction.commit().await?;
        Ok(Some(done))
    }
}
