//! Accounts as admins see to them: who works here, and what they may do.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use projections::LIMIT_MAX;
use serde::{Deserialize, Serialize};
use store::rfc3339::moment;
use uuid::Uuid;

use super::{
    Account, Error, Identity,
    accounts::{New, admins, standing},
    login::secret,
    password::Password,
    sessions,
    token::Role,
};
use crate::{
    Shop,
    answer::located,
    extract::{Json, Path, Query},
    principal::{Member, Permissions},
    problem::Problem,
    text::{Email, Short},
};

/// A new account of somebody who works here.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = CreateAccount))]
#[serde(deny_unknown_fields)]
pub struct Create {
    email: Email,
    password: Password,
    role: Role,
    #[serde(default)]
    permissions: Permissions,
    #[serde(default)]
    name: Option<Short>,
}

/// What is to be another about an account; what is left out stays.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ChangeAccount))]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What it is.
    #[serde(default)]
    pub role: Option<Role>,
    /// What a member of the staff may do.
    #[serde(default)]
    pub permissions: Option<Permissions>,
    /// Whether nobody can log in to it.
    #[serde(default)]
    pub disabled: Option<bool>,
}

/// Which accounts.
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AccountList))]
#[serde(deny_unknown_fields)]
pub struct List {
    #[serde(default)]
    limit: Option<u32>,
    /// The last one of the page before.
    #[serde(default)]
    cursor: Option<Uuid>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AccountPage))]
pub(crate) struct Page {
    data: Vec<Account>,
    next_cursor: Option<Uuid>,
    has_more: bool,
}

/// Why an account was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Nobody could see to accounts any more.
    #[error("this is the last admin who can log in")]
    LastAdmin,
    /// Tokens have that role, accounts have not.
    #[error("an account is a customer's, the staff's or an admin's")]
    NotARole,
    /// Everything else.
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<sqlx::Error> for ChangeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::LastAdmin => Self::new("account.last_admin", error.to_string()),
            ChangeError::NotARole => Self::new("request.invalid", error.to_string()),
            ChangeError::Other(error) => error.into(),
        }
    }
}

/// `POST /v1/accounts`
pub async fn create(
    State(shop): State<Arc<Shop>>,
    admin: Member,
    Json(body): Json<Create>,
) -> Result<Response, Problem> {
    let Create { email, password, role, permissions, name } = body;
    let id = shop.identity.create(&email, &password, (role, permissions), name.as_ref()).await?;
    tracing::info!(account = %id, by = %admin.account, "an account was made");
    let account = shop.identity.account(id).await?;
    Ok(located(secret(StatusCode::CREATED, account), &format!("/v1/accounts/{id}")))
}

/// `GET /v1/accounts`: those of the staff; customers are nobody's list.
pub async fn list(State(shop): State<Arc<Shop>>, Query(list): Query<List>) -> Result<Response, Problem> {
    let limit = list.limit.unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX);
    let mut data = shop.identity.staff_after(list.cursor.unwrap_or_default(), i64::from(limit) + 1).await?;
    let has_more = data.len() > limit as usize;
    data.truncate(limit as usize);
    let next_cursor = data.last().filter(|_| has_more).map(|account| account.id);
    Ok(secret(StatusCode::OK, Page { data, next_cursor, has_more }))
}

/// `PATCH /v1/accounts/{account}`: ends its sessions, whose tokens say what it was.
pub async fn change(
    State(shop): State<Arc<Shop>>,
    admin: Member,
    Path(id): Path<Uuid>,
    Json(body): Json<Change>,
) -> Result<Response, Problem> {
    shop.identity.change(id, body).await?;
    tracing::info!(account = %id, by = %admin.account, ?body, "an account was changed");
    Ok(secret(StatusCode::OK, shop.identity.account(id).await?))
}

impl Identity {
    /// Makes an account; its id.
    ///
    /// # Errors
    /// `EmailTaken`, and when it cannot be written.
    pub async fn create(
        &self,
        email: &Email,
        password: &Password,
        (role, permissions): (Role, Permissions),
        name: Option<&Short>,
    ) -> Result<Uuid, ChangeError> {
        if role == Role::Guest {
            return Err(ChangeError::NotARole);
        }
        let (id, password) = (self.inner.ids.next(), self.hashed(password).await?);
        let new = New { id, role, permissions, email, name, phone: None, password: &password };
        let mut connection = self.inner.pool.acquire().await?;
        self.insert(&mut connection, new).await?;
        Ok(id)
    }

    /// Changes what an account may do, and ends its sessions.
    ///
    /// # Errors
    /// `LastAdmin`, and when there is no such account.
    pub async fn change(&self, id: Uuid, change: Change) -> Result<(), ChangeError> {
        if change.role == Some(Role::Guest) {
            return Err(ChangeError::NotARole);
        }
        let mut transaction = store::transaction::begin(&self.inner.pool).await?;
        let admins = admins(&mut transaction).await?;
        standing(&mut transaction, id).await?.ok_or(Error::NoAccount)?;
        let stays = change.role.is_none_or(|role| role == Role::Admin) && change.disabled != Some(true);
        if admins == [id] && !stays {
            return Err(ChangeError::LastAdmin);
        }
        sqlx::query(
            "UPDATE accounts SET role = COALESCE($2, role), permissions = COALESCE($3, permissions), \
                 disabled_at = CASE $4 WHEN true THEN COALESCE(disabled_at, $5) WHEN false THEN NULL ELSE disabled_at END \
             WHERE id = $1",
        )
        .bind(id)
        .bind(change.role.map(Role::as_str))
        .bind(change.permissions.map(Permissions::names))
        .bind(change.disabled)
        .bind(moment(self.now()))
        .execute(&mut *transaction)
        .await?;
        let ended = sessions::end_all(&mut transaction, id, None, self.now()).await?;
        transaction.commit().await?;
        self.end(ended);
        Ok(())
    }

    /// All accounts of people who work here, for those who run the shop.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn staff(&self) -> Result<Vec<Account>, Error> {
        let mut all: Vec<Account> = vec![];
        loop {
            let after = all.last().map(|account| account.id).unwrap_or_default();
            let page = self.staff_after(after, i64::from(LIMIT_MAX)).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// The account with an e-mail.
    ///
    /// # Errors
    /// `NoAccount`.
    pub async fn id_of(&self, email: &Email) -> Result<Uuid, Error> {
        self.account_of(email).await?.map(|account| account.id).ok_or(Error::NoAccount)
    }

    /// Whether there is anybody who may see to accounts.
    ///
    /// # Errors
    /// The database's.
    pub async fn has_admin(&self) -> Result<bool, Error> {
        let any = sqlx::query_scalar("SELECT EXISTS (SELECT FROM accounts WHERE role = 'admin')");
        Ok(any.fetch_one(&self.inner.pool).await?)
    }

    /// A password that nobody knows yet.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new_password(&self) -> Result<String, Error> {
        Ok(self.new_secret()?.0.chars().take(24).collect())
    }
}
