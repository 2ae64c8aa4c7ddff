//! The second factor of an account: an authenticator app, and codes on paper for when it is lost.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _};
use store::rfc3339::moment;
use uuid::Uuid;

use super::{
    Error, Identity,
    accounts::{self, Standing},
    attempts::Tried,
    login::{secret, wrong},
    me::not_theirs,
    password::Password,
    recovery, seconds, totp,
};
use crate::{Shop, extract::Json, principal::Member, problem::Problem, text::Short};

/// Who wants a second factor.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = EnrolSecondFactor))]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    password: Password,
}

/// That the app has the secret.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ConfirmSecondFactor))]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    code: Short,
}

/// Who wants it no longer.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = RemoveSecondFactor))]
#[serde(deny_unknown_fields)]
pub struct Remove {
    password: Password,
    code: Short,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = EnrolledSecondFactor))]
pub(crate) struct Enrolled {
    secret: String,
    otpauth_uri: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = RecoveryCodes))]
pub(crate) struct Confirmed {
    /// Each is good once instead of a code of the app. They are told once.
    recovery_codes: Vec<String>,
}

/// What came of a code.
pub enum Factor {
    /// It was right, or none is needed.
    Fine,
    /// One is needed, and none was given.
    Missing,
    /// It was not right.
    Wrong,
}

/// `POST /v1/me/second-factor`: a secret for the app; it counts once it is confirmed.
pub async fn enrol(
    State(shop): State<Arc<Shop>>,
    member: Member,
    Json(body): Json<Enrol>,
) -> Result<Response, Problem> {
    let identity = &shop.identity;
    let account = identity.confirmed(&member, &body.password).await?;
    let mut bytes = [0; totp::SECRET];
    identity.inner.ids.fill(&mut bytes).map_err(Error::from)?;
    let subject = account.subject();
    // As text, because that is what is sealed: base 32 is not needed again.
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let sealed = identity.sealed(&subject, &hex).await?;
    let mut transaction = store::transaction::begin(&identity.inner.pool).await.map_err(Error::from)?;
    let account = accounts::still(&mut transaction, &account).await?.ok_or_else(not_theirs)?;
    let enrolled = sqlx::query(
        "INSERT INTO second_factors (account, secret) VALUES ($1, $2) \
         ON CONFLICT (account) DO UPDATE SET secret = $2, last_step = 0 WHERE second_factors.confirmed_at IS NULL",
    )
    .bind(account.id)
    .bind(sealed)
    .execute(&mut *transaction)
    .await
    .map_err(Error::from)?;
    if enrolled.rows_affected() == 0 {
        return Err(Problem::new("auth.second_factor_exists", "remove the one that is there first"));
    }
    transaction.commit().await.map_err(Error::from)?;
    identity.succeeded(Tried::Account(account.id)).await?;
    let email = identity.opened(&subject, Some(account.email)).await?.unwrap_or_default();
    let text = totp::base32(&bytes);
    let otpauth_uri = totp::address(&text, &email);
    Ok(secret(StatusCode::CREATED, Enrolled { secret: text, otpauth_uri }))
}

/// `POST /v1/me/second-factor/confirm`
pub async fn confirm(
    State(shop): State<Arc<Shop>>,
    member: Member,
    Json(body): Json<Confirm>,
) -> Result<Response, Problem> {
    let identity = &shop.identity;
    identity.attempt(Tried::Code(member.account)).await?;
    let mut transaction = store::transaction::begin(&identity.inner.pool).await.map_err(Error::from)?;
    let account = accounts::standing(&mut transaction, member.account).await?.ok_or(Error::NoAccount)?;
    let step = match identity.enrolled(&mut transaction, &account).await? {
        Some(enrolled) if enrolled.confirmed => {
            return Err(Problem::new("auth.second_factor_exists", "it is confirmed already"));
        }
        Some(enrolled) => enrolled.step_of(identity, body.code.as_str()),
        None => return Err(Problem::new("auth.no_second_factor", "ask for a secret first")),
    };
    let step = step.ok_or_else(|| wrong("the code is wrong"))?;
    sqlx::query("UPDATE second_factors SET confirmed_at = $2, last_step = $3 WHERE account = $1")
        .bind(account.id)
        .bind(moment(identity.now()))
        .bind(step)
        .execute(&mut *transaction)
        .await
        .map_err(Error::from)?;
    let recovery_codes = recovery::make(identity, &mut transaction, account.id).await?;
    transaction.commit().await.map_err(Error::from)?;
    identity.succeeded(Tried::Code(member.account)).await?;
    Ok(secret(StatusCode::OK, Confirmed { recovery_codes }))
}

/// `POST /v1/me/second-factor/remove`
pub async fn remove(
    State(shop): State<Arc<Shop>>,
    member: Member,
    Json(body): Json<Remove>,
) -> Result<StatusCode, Problem> {
    let identity = &shop.identity;
    let account = identity.confirmed(&member, &body.password).await?;
    identity.attempt(Tried::Code(member.account)).await?;
    let mut transaction = store::transaction::begin(&identity.inner.pool).await.map_err(Error::from)?;
    let account = accounts::still(&mut transaction, &account).await?.ok_or_else(not_theirs)?;
    match identity.factor(&mut transaction, &account, Some(&body.code)).await? {
        Factor::Fine => {}
        Factor::Missing | Factor::Wrong => return Err(wrong("the code is wrong")),
    }
    sqlx::query("DELETE FROM second_factors WHERE account = $1")
        .bind(account.id)
        .execute(&mut *transaction)
        .await
        .map_err(Error::from)?;
    transaction.commit().await.map_err(Error::from)?;
    identity.succeeded(Tried::Code(member.account)).await?;
    identity.succeeded(Tried::Account(member.account)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A second factor as it is kept.
struct Kept {
    account: Uuid,
    secret: Vec<u8>,
    confirmed: bool,
    last_step: i64,
}

impl Kept {
    fn step_of(&self, identity: &Identity, code: &str) -> Option<i64> {
        totp::step_of(&self.secret, code, seconds(identity.now()), self.last_step)
    }
}

impl Identity {
    /// Whether a code, or none, is enough for an account; a code that is, is used up with the transaction.
    pub(super) async fn factor(
        &self,
        connection: &mut PgConnection,
        account: &Standing,
        code: Option<&Short>,
    ) -> Result<Factor, Error> {
        let Some(kept) = self.enrolled(connection, account).await?.filter(|kept| kept.confirmed) else {
            return Ok(Factor::Fine);
        };
        let Some(code) = code.map(Short::as_str) else { return Ok(Factor::Missing) };
        if let Some(step) = kept.step_of(self, code) {
            sqlx::query("UPDATE second_factors SET last_step = $2 WHERE account = $1")
                .bind(kept.account)
                .bind(step)
                .execute(connection)
                .await?;
            return Ok(Factor::Fine);
        }
        let used = recovery::use_up(self, connection, kept.account, code).await?;
        Ok(if used { Factor::Fine } else { Factor::Wrong })
    }

    async fn enrolled(
        &self,
        connection: &mut PgConnection,
        account: &Standing,
    ) -> Result<Option<Kept>, Error> {
        let row = sqlx::query(
            "SELECT secret, confirmed_at IS NOT NULL, last_step FROM second_factors WHERE account = $1 FOR UPDATE",
        )
        .bind(account.id)
        .fetch_optional(connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let hex = self.opened(&account.subject(), row.try_get(0)?).await?.unwrap_or_default();
        let byte = |at: usize| hex.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
        let secret: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
        let secret = secret.filter(|secret| secret.len() == totp::SECRET);
        Ok(Some(Kept {
            account: account.id,
            secret: secret.ok_or(Error::Broken("a second factor's secret"))?,
            confirmed: row.try_get(1)?,
            last_step: row.try_get(2)?,
        }))
    }
}
