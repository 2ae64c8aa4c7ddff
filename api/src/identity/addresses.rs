//! The addresses that somebody keeps: sealed, a few for each account.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::value::SubjectId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Row as _;
use store::rfc3339::moment;
use uuid::Uuid;

use super::{Error, Identity, login::secret};
use crate::{
    Shop,
    answer::located,
    checkouts::Address,
    extract::{Json, Path},
    principal::Member,
    problem::Problem,
    text::Short,
};

/// Addresses of an account.
const ADDRESSES_MAX: i64 = 20;

/// An address, and what its owner calls it.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = KeptAddress))]
#[serde(deny_unknown_fields)]
pub struct Kept {
    #[serde(default)]
    label: Option<Short>,
    /// Who gets what is sent there.
    #[serde(default)]
    name: Option<Short>,
    address: Address,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ShownAddress))]
pub(crate) struct Shown {
    id: Uuid,
    #[serde(flatten)]
    kept: Kept,
}

/// `GET /v1/me/addresses`
pub async fn list(State(shop): State<Arc<Shop>>, member: Member) -> Result<Response, Problem> {
    let data = shop.identity.addresses(&member).await?;
    Ok(secret(StatusCode::OK, json!({ "data": data, "next_cursor": null, "has_more": false })))
}

/// `POST /v1/me/addresses`
pub async fn add(
    State(shop): State<Arc<Shop>>,
    member: Member,
    Json(body): Json<Kept>,
) -> Result<Response, Problem> {
    let identity = &shop.identity;
    let (id, sealed) = (identity.inner.ids.next(), identity.sealed_address(&member, &body).await?);
    let mut transaction = store::transaction::begin(&identity.inner.pool).await.map_err(Error::from)?;
    // One at a time for each account, so that none is added beside the last.
    let known: Option<Uuid> = sqlx::query_scalar("SELECT id FROM accounts WHERE id = $1 FOR UPDATE")
        .bind(member.account)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(Error::from)?;
    known.ok_or(Error::NoAccount)?;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM addresses WHERE account = $1")
        .bind(member.account)
        .fetch_one(&mut *transaction)
        .await
        .map_err(Error::from)?;
    if count >= ADDRESSES_MAX {
        let detail = format!("an account keeps at most {ADDRESSES_MAX} addresses");
        return Err(Problem::new("account.too_many_addresses", detail));
    }
    sqlx::query("INSERT INTO addresses (id, account, sealed, created_at) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(member.account)
        .bind(sealed)
        .bind(moment(identity.now()))
        .execute(&mut *transaction)
        .await
        .map_err(Error::from)?;
    transaction.commit().await.map_err(Error::from)?;
    let shown = secret(StatusCode::CREATED, Shown { id, kept: body });
    Ok(located(shown, &format!("/v1/me/addresses/{id}")))
}

/// `PUT /v1/me/addresses/{address}`
pub async fn replace(
    State(shop): State<Arc<Shop>>,
    member: Member,
    Path(id): Path<Uuid>,
    Json(body): Json<Kept>,
) -> Result<Response, Problem> {
    let identity = &shop.identity;
    let sealed = identity.sealed_address(&member, &body).await?;
    let replaced = sqlx::query("UPDATE addresses SET sealed = $3 WHERE id = $1 AND account = $2")
        .bind(id)
        .bind(member.account)
        .bind(sealed)
        .execute(&identity.inner.pool)
        .await
        .map_err(Error::from)?;
    match replaced.rows_affected() {
        0 => Err(Problem::new("account.address_not_found", "you keep no such address")),
        _ => Ok(secret(StatusCode::OK, Shown { id, kept: body })),
    }
}

/// `DELETE /v1/me/addresses/{address}`
pub async fn remove(
    State(shop): State<Arc<Shop>>,
    member: Member,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    sqlx::query("DELETE FROM addresses WHERE id = $1 AND account = $2")
        .bind(id)
        .bind(member.account)
        .execute(&shop.identity.inner.pool)
        .await
        .map_err(Error::from)?;
    Ok(StatusCode::NO_CONTENT)
}

impl Identity {
    async fn sealed_address(&self, member: &Member, kept: &Kept) -> Result<String, Error> {
        self.sealed(&SubjectId::from(&member.customer), &serde_json::to_string(kept)?).await
    }

    async fn addresses(&self, member: &Member) -> Result<Vec<Shown>, Error> {
        let rows = sqlx::query("SELECT id, sealed FROM addresses WHERE account = $1 ORDER BY id LIMIT $2")
            .bind(member.account)
            .bind(ADDRESSES_MAX)
            .fetch_all(&self.inner.pool)
            .await?;
        let subject = SubjectId::from(&member.customer);
        let mut shown = vec![];
        for row in rows {
            if let Some(json) = self.opened(&subject, row.try_get(1)?).await? {
                shown.push(Shown { id: row.try_get(0)?, kept: serde_json::from_str(&json)? });
            }
        }
        Ok(shown)
    }
}
