//! Registering, logging in and out, and being a guest. Nothing here tells whether an e-mail is known.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::value::Time;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use store::rfc3339::moment;

use super::{
    Error, GUEST_LIFETIME_S, Identity,
    accounts::{self, Account, New, Standing},
    attempts::{Origin, Tried},
    mailed::{self, Purpose},
    new_guest,
    outbox::{Kind, Mail},
    password::{Checked, Password},
    second_factor::Factor,
    sessions::{self, Begun},
    token::Role,
};
use crate::{
    Shop, access,
    extract::{Json, OptionalJson},
    pages::NOWHERE,
    principal::{Member, Permissions, Principal},
    problem::Problem,
    text::{Email, Short},
};

/// A new account.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = RegisterAccount))]
#[serde(deny_unknown_fields)]
pub struct Register {
    email: Email,
    password: Password,
    #[serde(default)]
    name: Option<Short>,
    #[serde(default)]
    phone: Option<Short>,
}

/// Who somebody says they are.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Login {
    email: Email,
    password: Password,
    /// Of the authenticator app, or a recovery code.
    #[serde(default)]
    code: Option<Short>,
}

/// A refresh token to be exchanged.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = RefreshSession))]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    refresh_token: String,
}

/// The refresh token of the session that is to end; without one it is the access token's.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = EndSession))]
#[serde(deny_unknown_fields)]
pub struct Logout {
    #[serde(default)]
    refresh_token: Option<String>,
}

/// A body without any member.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct GuestToken {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    /// As the log knows the guest.
    customer: String,
}

/// `POST /v1/auth/register`
pub async fn register(
    State(shop): State<Arc<Shop>>,
    origin: Origin,
    Json(body): Json<Register>,
) -> Result<Response, Problem> {
    let identity = &shop.identity;
    identity.attempted_from(origin).await?;
    identity.attempt(Tried::Registration(&body.email)).await?;
    let password = identity.hashed(&body.password).await?;
    let id = identity.inner.ids.next();
    let new = New {
        id,
        role: Role::Customer,
        permissions: Permissions::default(),
        email: &body.email,
        name: body.name.as_ref(),
        phone: body.phone.as_ref(),
        password: &password,
    };
    identity.registered(new).await?;
    // What was asked for, not what came of it: that is told by mail.
    let account = Account {
        id,
        role: Role::Customer,
        permissions: Permissions::default(),
        email: Some(body.email.as_str().trim().to_owned()),
        email_verified: false,
        name: body.name.map(|name| name.as_str().to_owned()),
        phone: body.phone.map(|phone| phone.as_str().to_owned()),
        disabled: false,
        second_factor: false,
        created_at: identity.now(),
    };
    Ok(secret(StatusCode::CREATED, account))
}

/// `POST /v1/auth/login`
pub async fn login(
    State(shop): State<Arc<Shop>>,
    origin: Origin,
    Json(body): Json<Login>,
) -> Result<Response, Problem> {
    let identity = &shop.identity;
    let tried_at = identity.attempted_from(origin).await?;
    let tried = Tried::Email(&body.email, identity.familiar(&body.email, origin).await?);
    identity.attempt(tried).await?;
    let account = identity.account_of(&body.email).await?;
    let stored = account.as_ref().map(|account| account.password.as_str());
    let checked = identity.inner.hashing.check(&body.password, stored).await?;
    let (Some(account), Checked::Right | Checked::RightAndOld) = (account, checked) else {
        return Err(unknown());
    };
    if account.disabled {
        return Err(Problem::new("auth.account_disabled", "nobody can log in to this account"));
    }
    let renewed = match checked {
        Checked::RightAndOld => Some(identity.hashed(&body.password).await?),
        Checked::Right | Checked::Wrong => None,
    };
    let mut transaction = store::transaction::begin(&identity.inner.pool).await.map_err(Error::from)?;
    // Hashing takes its time, in which the account may have become another.
    let account = accounts::still(&mut transaction, &account).await?.ok_or_else(unknown)?;
    match identity.factor(&mut transaction, &account, body.code.as_ref()).await? {
        Factor::Fine => {}
        Factor::Missing => {
            return Err(wrong_as(
                "auth.second_factor_required",
                "send the code of your authenticator app as well",
            ));
        }
        Factor::Wrong => {
            return Err(wrong_as("auth.second_factor_wrong", "the code is wrong, or was used before"));
        }
    }
    if let Some(hash) = renewed {
        set_password(&mut transaction, &account, &hash).await?;
    }
    let Begun { tokens, ended } = sessions::begin(identity, &mut transaction, &account).await?;
    identity.remember(&mut transaction, account.id, origin).await?;
    transaction.commit().await.map_err(Error::from)?;
    identity.end(ended);
    identity.succeeded(tried).await?;
    identity.taken_back(origin, tried_at).await?;
    Ok(secret(StatusCode::OK, tokens))
}

/// `POST /v1/auth/refresh`
pub async fn refresh(State(shop): State<Arc<Shop>>, Json(body): Json<Refresh>) -> Result<Response, Problem> {
    Ok(secret(StatusCode::OK, sessions::refresh(&shop.identity, &body.refresh_token).await?))
}

/// `POST /v1/auth/guest`
pub async fn guest(
    State(shop): State<Arc<Shop>>,
    OptionalJson(Nothing {}): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    let guest = new_guest(&*shop.ids);
    let customer = guest.customer().map(ToString::to_string).unwrap_or_default();
    let token = shop.identity.token_for(&guest, GUEST_LIFETIME_S)?;
    let access_token = token.ok_or(Error::Broken("a guest who is nobody"))?;
    let token = GuestToken { access_token, token_type: "Bearer", expires_in: GUEST_LIFETIME_S, customer };
    Ok(secret(StatusCode::CREATED, token))
}

/// `POST /v1/auth/logout`: with a refresh token the access token may have expired, and is not looked at. A token that is unknown has
/// no session to end.
pub async fn logout(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    OptionalJson(body): OptionalJson<Logout>,
) -> Result<StatusCode, Problem> {
    let identity = &shop.identity;
    let mut connection = identity.inner.pool.acquire().await.map_err(Error::from)?;
    let session = match body.refresh_token {
        Some(token) => sessions::of_token(&mut connection, &token).await?,
        None => match identity.principal(&headers)? {
            Principal::Nobody => return Err(access::nobody()),
            Principal::Guest(_) => return Err(access::forbidden("an account")),
            Principal::Customer(member) | Principal::Staff(member, _) | Principal::Admin(member) => {
                Some(member.session)
            }
        },
    };
    if let Some(session) = session {
        let ended = sessions::end(&mut connection, session, identity.now()).await.map_err(Error::from)?;
        identity.end(ended);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/auth/logout-all`
pub async fn logout_all(State(shop): State<Arc<Shop>>, member: Member) -> Result<StatusCode, Problem> {
    let identity = &shop.identity;
    let mut connection = identity.inner.pool.acquire().await.map_err(Error::from)?;
    let ended = sessions::end_all(&mut connection, member.account, None, identity.now()).await;
    identity.end(ended.map_err(Error::from)?);
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /.well-known/jwks.json`: kept by others for less time than a new key is published before it signs.
pub async fn keys(State(shop): State<Arc<Shop>>) -> Response {
    ([(header::CACHE_CONTROL, "public, max-age=300")], axum::Json(shop.identity.published_keys()))
        .into_response()
}

impl Identity {
    /// Counts a guess from a network address; when it was.
    pub(super) async fn attempted_from(&self, origin: Origin) -> Result<Time, Problem> {
        match origin.0 {
            Some(address) => self.attempt(Tried::Address(address)).await,
            None => Ok(self.now()),
        }
    }

    pub(super) async fn hashed(&self, password: &Password) -> Result<String, Error> {
        let mut salt = [0; 16];
        self.inner.ids.fill(&mut salt)?;
        self.inner.hashing.hash(password, salt).await
    }

    /// Makes the account, or tells whoever has the address that somebody wanted to.
    async fn registered(&self, new: New<'_>) -> Result<(), Error> {
        if let Some(known) = self.account_of(new.email).await? {
            return self.told_again(&known, new.email).await;
        }
        let (id, email) = (new.id, new.email);
        let mut transaction = store::transaction::begin(&self.inner.pool).await?;
        match self.insert(&mut transaction, new).await {
            Err(Error::EmailTaken) => {
                // Somebody was faster, or is forgotten since a restore.
                transaction.rollback().await?;
                match self.account_of(email).await? {
                    Some(known) => self.told_again(&known, email).await,
                    None => Ok(()),
                }
            }
            inserted => {
                inserted?;
                mailed::send(self, &mut transaction, id, Purpose::Verify).await?;
                Ok(transaction.commit().await?)
            }
        }
    }

    async fn told_again(&self, known: &Standing, email: &Email) -> Result<(), Error> {
        let (subject, to) = (known.subject(), email.as_str().trim());
        let mail = Mail { kind: Kind::KnownEmail, subject: &subject, to, values: json!({}) };
        let mut connection = self.inner.pool.acquire().await?;
        self.inner.outbox.queue(&mut connection, mail).await
    }
}

/// Replaces the hash of an account's password.
pub async fn set_password(
    connection: &mut PgConnection,
    account: &Standing,
    hash: &str,
) -> Result<(), Error> {
    sqlx::query("UPDATE accounts SET password = $2 WHERE id = $1")
        .bind(account.id)
        .bind(hash)
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes that mail arrives at an account's address.
pub async fn set_verified(
    identity: &Identity,
    connection: &mut PgConnection,
    account: uuid::Uuid,
) -> Result<(), Error> {
    sqlx::query("UPDATE accounts SET email_verified_at = COALESCE(email_verified_at, $2) WHERE id = $1")
        .bind(account)
        .bind(moment(identity.now()))
        .execute(connection)
        .await?;
    Ok(())
}

fn unknown() -> Problem {
    wrong("the e-mail or the password is wrong")
}

/// Whoever they are, they did not show it.
pub fn wrong(detail: &'static str) -> Problem {
    wrong_as("auth.invalid_credentials", detail)
}

fn wrong_as(code: &'static str, detail: &'static str) -> Problem {
    Problem::new(code, detail).with_header(header::WWW_AUTHENTICATE, r#"Bearer realm="daybook""#)
}

/// An answer that nobody keeps on its way.
pub fn secret(status: StatusCode, body: impl Serialize) -> Response {
    (status, [(header::CACHE_CONTROL, NOWHERE)], axum::Json(body)).into_response()
}
