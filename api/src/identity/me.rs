//! What somebody may see and change of their own account.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::value::SubjectId;
use serde::{Deserialize, Deserializer};

use super::{
    Error, accounts,
    attempts::Tried,
    login::{secret, set_password, wrong},
    mailed::{Purpose, password_changed, spend},
    password::{Checked, Password},
    sessions,
};
use crate::{Shop, extract::Json, principal::Member, problem::Problem, text::Short};

/// What is to be another; what is `null` is to be nothing, and what is left out stays.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(default, deserialize_with = "told")]
    #[cfg_attr(test, schema(value_type = Option<Short>))]
    name: Option<Option<Short>>,
    #[serde(default, deserialize_with = "told")]
    #[cfg_attr(test, schema(value_type = Option<Short>))]
    phone: Option<Option<Short>>,
}

/// A new password, and the old one.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    old: Password,
    new: Password,
}

/// Something was said, be it `null`.
fn told<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Short>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `GET /v1/me`
pub async fn show(State(shop): State<Arc<Shop>>, member: Member) -> Result<Response, Problem> {
    Ok(secret(StatusCode::OK, shop.identity.account(member.account).await?))
}

/// `PATCH /v1/me`
pub async fn change(
    State(shop): State<Arc<Shop>>,
    member: Member,
    Json(body): Json<Profile>,
) -> Result<Response, Problem> {
    let identity = &shop.identity;
    let subject = SubjectId::from(&member.customer);
    let sealed = async |value: &Option<Option<Short>>| match value {
        Some(value) => identity.sealed_if_any(&subject, value.as_ref()).await,
        None => Ok(None),
    };
    let (name, phone) = (sealed(&body.name).await?, sealed(&body.phone).await?);
    sqlx::query(
        "UPDATE accounts SET name = CASE WHEN $2 THEN $3 ELSE name END, phone = CASE WHEN $4 THEN $5 ELSE phone END \
         WHERE id = $1",
    )
    .bind(member.account)
    .bind(body.name.is_some())
    .bind(name)
    .bind(body.phone.is_some())
    .bind(phone)
    .execute(&identity.inner.pool)
    .await
    .map_err(Error::from)?;
    Ok(secret(StatusCode::OK, identity.account(member.account).await?))
}

/// `PUT /v1/me/password`: ends all other sessions.
pub async fn change_password(
    State(shop): State<Arc<Shop>>,
    member: Member,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode, Problem> {
    if body.new == body.old {
        return Err(Problem::new("request.invalid", "new: it is the old password"));
    }
    let identity = &shop.identity;
    let account = identity.confirmed(&member, &body.old).await?;
    let hash = identity.hashed(&body.new).await?;
    let mut transaction = store::transaction::begin(&identity.inner.pool).await.map_err(Error::from)?;
    let account = accounts::still(&mut transaction, &account).await?.ok_or_else(not_theirs)?;
    // Who has seen the mailbox must not take the account back.
    spend(&mut transaction, account.id, Purpose::Reset).await.map_err(Error::from)?;
    set_password(&mut transaction, &account, &hash).await?;
    password_changed(identity, &mut transaction, &account).await?;
    let ended = sessions::end_all(&mut transaction, account.id, Some(member.session), identity.now()).await;
    let ended = ended.map_err(Error::from)?;
    transaction.commit().await.map_err(Error::from)?;
    identity.end(ended);
    identity.succeeded(Tried::Account(member.account)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whoever holds the token does not know the password.
pub(super) fn not_theirs() -> Problem {
    wrong("the password is wrong")
}

impl super::Identity {
    /// Makes sure that whoever holds the token knows the password as well. It counts as a try until the whole has succeeded.
    pub(super) async fn confirmed(
        &self,
        member: &Member,
        password: &Password,
    ) -> Result<accounts::Standing, Problem> {
        self.attempt(Tried::Account(member.account)).await?;
        let mut connection = self.inner.pool.acquire().await.map_err(Error::from)?;
        let account = accounts::standing(&mut connection, member.account).await?.ok_or(Error::NoAccount)?;
        drop(connection);
        match self.inner.hashing.check(password, Some(&account.password)).await? {
            Checked::Wrong => Err(not_theirs()),
            Checked::Right | Checked::RightAndOld => Ok(account),
        }
    }
}
