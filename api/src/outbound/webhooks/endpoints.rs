//! Endpoints that somebody has registered: their rows, their secrets, and how they have been doing.

use std::sync::Arc;

use domain::value::{Sealed, Time};
use serde::Serialize;
use sqlx::{PgPool, Row as _, postgres::PgRow, types::time::OffsetDateTime};
use store::{
    ports::{Clock, Ids},
    vault::{Vault, VaultError},
};
use uuid::Uuid;

use super::super::errands::{moment, rfc3339, time};
use crate::standard_webhooks::Secret;

/// Endpoints of a shop.
pub const ENDPOINTS_MAX: i64 = 50;
/// Why an errand of a disabled endpoint is not tried.
pub const DISABLED: &str = "the endpoint is disabled";
/// For how long the secret before signs as well.
const PREVIOUS_SIGNS_MS: i64 = 24 * 3_600 * 1_000;
const SECRET_BYTES: usize = 32;

const COLUMNS: &str =
    "id, url, description, types, created_at, failing_since, disabled_at, note, previous_until";

/// An endpoint, without its secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = WebhookEndpoint))]
pub struct Endpoint {
    /// Its id.
    pub id: Uuid,
    /// Where it is.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it is told; everything when empty.
    pub types: Vec<String>,
    /// Whether it is told anything.
    pub enabled: bool,
    /// When it was registered.
    #[serde(with = "store::rfc3339")]
    pub created_at: Time,
    /// Since when every delivery has failed.
    #[serde(serialize_with = "rfc3339")]
    pub failing_since: Option<Time>,
    /// When it was disabled.
    #[serde(serialize_with = "rfc3339")]
    pub disabled_at: Option<Time>,
    /// Why it was disabled.
    pub note: Option<String>,
    /// Until when the secret before signs as well.
    #[serde(serialize_with = "rfc3339")]
    pub previous_secret_until: Option<Time>,
}

/// What an endpoint is registered with.
#[derive(Clone, Copy, Debug)]
pub struct NewEndpoint<'a> {
    /// Its id.
    pub id: Uuid,
    /// Where it is.
    pub url: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// What it is told.
    pub types: &'a [String],
}

/// What is to be changed about an endpoint; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Where it is.
    pub url: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// What it is told.
    pub types: Option<Vec<String>>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The database could not be reached or refused.
    #[error("the endpoints: {0}")]
    Database(#[from] sqlx::Error),
    /// The secret could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// There are as many as there may be.
    #[error("a shop has at most {ENDPOINTS_MAX} endpoints")]
    TooMany,
}

/// The endpoints; cheap to clone.
#[derive(Clone)]
pub struct Endpoints {
    pub(super) pool: PgPool,
    pub(super) vault: Vault,
    pub(super) clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl Endpoints {
    /// Those in the schema that `pool` sees.
    #[must_use]
    pub const fn new(pool: PgPool, vault: Vault, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { pool, vault, clock, ids }
    }

    /// Registers an endpoint, and gives its secret, unless it is registered already: then the secret stays untold.
    ///
    /// # Errors
    /// As [`EndpointError`] says.
    pub async fn register(&self, new: NewEndpoint<'_>) -> Result<(Endpoint, Option<Secret>), EndpointError> {
        if let Some(known) = self.show(new.id).await? {
            return Ok((known, None));
        }
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM webhook_endpoints").fetch_one(&self.pool).await?;
        if count >= ENDPOINTS_MAX {
            return Err(EndpointError::TooMany);
        }
        let (secret, sealed) = self.new_secret(new.id).await?;
        let sql = format!(
            "INSERT INTO webhook_endpoints (id, url, description, types, secret, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING RETURNING {COLUMNS}"
        );
        let row = sqlx::query(&sql)
            .bind(new.id)
            .bind(new.url)
            .bind(new.description)
            .bind(new.types)
            .bind(&*sealed.sealed)
            .bind(moment(self.clock.now()))
            .fetch_optional(&self.pool)
            .await?;
        match row {
            Some(row) => Ok((endpoint(&row)?, Some(secret))),
            // The same request came twice at once, and the other one was first.
            None => match self.show(new.id).await? {
                Some(known) => Ok((known, None)),
                None => Err(sqlx::Error::RowNotFound.into()),
            },
        }
    }

    /// All of them, in the order of coming.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self) -> Result<Vec<Endpoint>, sqlx::Error> {
        let sql = format!("SELECT {COLUMNS} FROM webhook_endpoints ORDER BY created_at, id");
        sqlx::query(&sql).fetch_all(&self.pool).await?.iter().map(endpoint).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn show(&self, id: Uuid) -> Result<Option<Endpoint>, sqlx::Error> {
        let sql = format!("SELECT {COLUMNS} FROM webhook_endpoints WHERE id = $1");
        sqlx::query(&sql).bind(id).fetch_optional(&self.pool).await?.as_ref().map(endpoint).transpose()
    }

    /// Changes one. Whoever is enabled again begins anew: earlier failures count no more.
    ///
    /// # Errors
    /// The database's.
    pub async fn change(&self, id: Uuid, changes: Changes) -> Result<Option<Endpoint>, sqlx::Error> {
        let sql = format!(
            "UPDATE webhook_endpoints SET \
                 url = COALESCE($2, url), \
                 description = CASE WHEN $3 THEN $4 ELSE description END, \
                 types = COALESCE($5, types), \
                 failing_since = CASE WHEN $6 THEN NULL ELSE failing_since END, \
                 note = CASE WHEN $6 THEN NULL WHEN $6 = false AND disabled_at IS NULL THEN 'disabled by hand' ELSE note END, \
                 disabled_at = CASE WHEN $6 THEN NULL WHEN $6 = false THEN COALESCE(disabled_at, $7) ELSE disabled_at END \
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        let row = sqlx::query(&sql)
            .bind(id)
            .bind(changes.url)
            .bind(changes.description.is_some())
            .bind(changes.description.flatten())
            .bind(changes.types)
            .bind(changes.enabled)
            .bind(moment(self.clock.now()))
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(endpoint).transpose()
    }

    /// Removes one, and destroys its secret; whether it was there.
    ///
    /// # Errors
    /// As [`EndpointError`] says.
    pub async fn remove(&self, id: Uuid) -> Result<bool, EndpointError> {
        let removed =
            sqlx::query("DELETE FROM webhook_endpoints WHERE id = $1").bind(id).execute(&self.pool).await?;
        if removed.rows_affected() > 0 {
            self.vault.forget(&[&subject(id)]).await?;
        }
        Ok(removed.rows_affected() > 0)
    }

    /// Gives an endpoint a new secret; the one before signs as well for a day. `None` when there is no such endpoint.
    ///
    /// # Errors
    /// As [`EndpointError`] says.
    pub async fn rotate(&self, id: Uuid) -> Result<Option<(Endpoint, Secret)>, EndpointError> {
        if self.show(id).await?.is_none() {
            return Ok(None);
        }
        let (secret, sealed) = self.new_secret(id).await?;
        let sql = format!(
            "UPDATE webhook_endpoints SET previous_secret = secret, previous_until = $3, secret = $2 \
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        let row = sqlx::query(&sql)
            .bind(id)
            .bind(&*sealed.sealed)
            .bind(moment(self.clock.now().plus_millis(PREVIOUS_SIGNS_MS)))
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.as_ref().map(endpoint).transpose()?.map(|endpoint| (endpoint, secret)))
    }

    /// Where an endpoint is, and the secrets that sign for it now, the newest first; `None` when it is gone or disabled.
    pub(super) async fn target(&self, id: Uuid) -> Result<Option<(String, Vec<Secret>)>, EndpointError> {
        let row = sqlx::query(
            "SELECT url, secret, CASE WHEN previous_until > $2 THEN previous_secret END FROM webhook_endpoints \
             WHERE id = $1 AND disabled_at IS NULL",
        )
        .bind(id)
        .bind(moment(self.clock.now()))
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let sealed = [Some(row.try_get::<String, _>(1)?), row.try_get(2)?];
        let mut secrets = Vec::new();
        for sealed in sealed.into_iter().flatten() {
            let sealed = Sealed { subject: subject(id).into(), sealed: sealed.into() };
            if let Some(bytes) = self.vault.open(&sealed).await? {
                secrets.extend(Secret::of(bytes.into()));
            }
        }
        Ok(Some((row.try_get(0)?, secrets)))
    }

    /// The endpoints that are told anything.
    pub(super) async fn enabled(&self) -> Result<Vec<Uuid>, sqlx::Error> {
        let sql = "SELECT id FROM webhook_endpoints WHERE disabled_at IS NULL";
        sqlx::query_scalar(sql).fetch_all(&self.pool).await
    }

    /// Notes how a delivery went.
    pub(super) async fn went(&self, id: Uuid, well: bool) -> Result<(), sqlx::Error> {
        // Nothing is written while nothing changes.
        sqlx::query(
            "UPDATE webhook_endpoints SET failing_since = CASE WHEN $2 THEN NULL ELSE $3 END \
             WHERE id = $1 AND (failing_since IS NULL) <> $2",
        )
        .bind(id)
        .bind(well)
        .bind(moment(self.clock.now()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Disables an endpoint, if it has failed since that moment or before; whether it did so.
    pub(super) async fn disable(
        &self,
        id: Uuid,
        failing_since: Time,
        note: &str,
    ) -> Result<bool, sqlx::Error> {
        let disabled = sqlx::query(
            "UPDATE webhook_endpoints SET disabled_at = $3, note = $4 \
             WHERE id = $1 AND disabled_at IS NULL AND failing_since <= $2",
        )
        .bind(id)
        .bind(moment(failing_since))
        .bind(moment(self.clock.now()))
        .bind(note)
        .execute(&self.pool)
        .await?;
        Ok(disabled.rows_affected() > 0)
    }

    async fn new_secret(&self, id: Uuid) -> Result<(Secret, Sealed), EndpointError> {
        let mut bytes = [0; SECRET_BYTES];
        self.ids.fill(&mut bytes).map_err(VaultError::from)?;
        let sealed = self.vault.seal(&subject(id), &bytes).await?;
        let secret = Secret::of(bytes.to_vec()).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        Ok((secret, sealed))
    }
}

/// Whose key seals an endpoint's secrets.
fn subject(id: Uuid) -> String {
    format!("webhook:{id}")
}

fn endpoint(row: &PgRow) -> Result<Endpoint, sqlx::Error> {
    let moment = |nth: usize| row.try_get::<Option<OffsetDateTime>, _>(nth).map(|moment| moment.map(time));
    let disabled_at = moment(6)?;
    Ok(Endpoint {
        id: row.try_get(0)?,
        url: row.try_get(1)?,
        description: row.try_get(2)?,
        types: row.try_get(3)?,
        enabled: disabled_at.is_none(),
        created_at: time(row.try_get(4)?),
        failing_since: moment(5)?,
        disabled_at,
        note: row.try_get(7)?,
        previous_secret_until: moment(8)?,
    })
}
