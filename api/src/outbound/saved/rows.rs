//! The rows of what customers keep. Tokens leave them for the gateway alone.

use std::sync::Arc;

use domain::value::{CustomerId, Sealed, SubjectId, Text, Time};
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Row as _, postgres::PgRow};
use store::{
    ports::Clock,
    rfc3339::moment,
    vault::{ShopSecret, Vault, VaultError},
};
use uuid::Uuid;

use super::{Card, Found};
use crate::{
    identity::Error,
    outbound::{errands::time, simulator},
};

/// What a customer keeps at most.
pub const METHODS_MAX: i64 = 20;

/// What customers keep; cheap to clone.
#[derive(Clone)]
pub struct Saved {
    pub(super) pool: PgPool,
    vault: Vault,
    secret: ShopSecret,
    clock: Arc<dyn Clock>,
    /// What the gateway is called that payments are carried to: what others keep is not shown, paid with or let go of.
    gateway: &'static str,
}

/// A way to pay, as its owner sees it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = SavedMethod))]
pub struct Shown {
    /// What it is paid with by.
    pub id: Uuid,
    #[serde(flatten)]
    card: Card,
    /// When it was saved.
    #[serde(with = "store::rfc3339")]
    #[cfg_attr(test, schema(value_type = String, format = "date-time"))]
    saved_at: Time,
}

/// What became of something that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is, or was when it was told the first time.
    Yes,
    /// Its owner is forgotten, or keeps enough already.
    No,
}

/// What the gateway is to let go of.
pub(super) struct Removed {
    pub id: Uuid,
    pub token: Text,
}

impl Saved {
    /// The rows in the schema that `pool` sees, of the simulated gateway.
    #[must_use]
    pub fn new(pool: PgPool, vault: Vault, secret: ShopSecret, clock: Arc<dyn Clock>) -> Self {
        Self { pool, vault, secret, clock, gateway: simulator::NAME }
    }

    /// The same of the gateway that is called so.
    #[must_use]
    pub fn at(self, gateway: &'static str) -> Self {
        Self { gateway, ..self }
    }

    /// What a customer keeps, oldest first.
    ///
    /// # Errors
    /// When the rows or keys cannot be read.
    pub async fn list(&self, customer: &CustomerId) -> Result<Vec<Shown>, Error> {
        let rows = sqlx::query(
            "SELECT id, shown, saved_at FROM payment_methods \
             WHERE customer = $1 AND gateway = $3 AND removed_at IS NULL ORDER BY saved_at, id LIMIT $2",
        )
        .bind(customer.as_str())
        .bind(METHODS_MAX)
        .bind(self.gateway)
        .fetch_all(&self.pool)
        .await?;
        let mut methods = vec![];
        for row in rows {
            let sealed: String = row.try_get(1)?;
            let sealed = Sealed { subject: subject(customer), sealed: sealed.into() };
            // Nothing opens of somebody who is forgotten.
            if let Some(json) = self.vault.open(&sealed).await? {
                let (card, saved_at) = (serde_json::from_slice(&json)?, time(row.try_get(2)?));
                methods.push(Shown { id: row.try_get(0)?, card, saved_at });
            }
        }
        Ok(methods)
    }

    /// Whether a customer keeps that one, and how many in all.
    ///
    /// # Errors
    /// The database's.
    pub async fn keeps(&self, customer: &CustomerId, id: Option<Uuid>) -> Result<(bool, i64), Error> {
        let found = sqlx::query_as(
            "SELECT COALESCE(bool_or(id = $2), false), count(*) FROM payment_methods \
             WHERE customer = $1 AND gateway = $3 AND removed_at IS NULL",
        );
        Ok(found.bind(customer.as_str()).bind(id).bind(self.gateway).fetch_one(&self.pool).await?)
    }

    /// Nobody pays with it from now on; the gateway lets go of it soon after. What is somebody else's is not touched.
    ///
    /// # Errors
    /// The database's.
    pub async fn remove(&self, customer: &CustomerId, id: Uuid) -> Result<(), Error> {
        sqlx::query(
            "UPDATE payment_methods SET removed_at = $3, next_at = $3 \
             WHERE id = $1 AND customer = $2 AND removed_at IS NULL",
        )
        .bind(id)
        .bind(customer.as_str())
        .bind(moment(self.clock.now()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The gateway's name for what is kept under an id, and whose it is.
    pub(super) async fn token(&self, id: Uuid) -> Result<Option<(Text, CustomerId)>, Error> {
        let row = sqlx::query(
            "SELECT token, customer FROM payment_methods WHERE id = $1 AND gateway = $2 AND removed_at IS NULL",
        )
        .bind(id)
        .bind(self.gateway)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let customer = customer(&row, 1)?;
        Ok(Some((self.opened(&customer, row.try_get(0)?)?, customer)))
    }

    /// Keeps what was paid with; the same one is kept once, and what is told again under an id changes nothing: it may have been
    /// removed since.
    pub(super) async fn keep(&self, id: Uuid, customer: &CustomerId, found: &Found) -> Result<Kept, Error> {
        let shown = self.vault.seal(&subject(customer), &serde_json::to_vec(&found.card)?).await;
        let shown = match shown {
            Ok(sealed) => sealed.sealed,
            Err(VaultError::Forgotten { .. }) => return Ok(Kept::No),
            Err(error) => return Err(error.into()),
        };
        let name = self.secret.mac(&[
            b"payment method",
            customer.as_str().as_bytes(),
            found.token.as_str().as_bytes(),
        ]);
        let mut transaction = store::transaction::begin(&self.pool).await?;
        let told = sqlx::query("INSERT INTO payment_methods_told (id) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        if told.rows_affected() == 0 {
            return Ok(Kept::Yes);
        }
        let kept = sqlx::query(
            "INSERT INTO payment_methods (id, customer, name, token, shown, saved_at, gateway) \
             SELECT $1, $2, $3, $4, $5, $6, $8 \
             WHERE (SELECT count(*) FROM payment_methods \
                    WHERE customer = $2 AND gateway = $8 AND removed_at IS NULL AND name <> $3) < $7 \
             ON CONFLICT (customer, name) DO UPDATE \
             SET shown = EXCLUDED.shown, removed_at = NULL, next_at = NULL, gateway = EXCLUDED.gateway",
        )
        .bind(id)
        .bind(customer.as_str())
        .bind(&name[..])
        .bind(self.secret.seal(&label(customer), found.token.as_str().as_bytes())?)
        .bind(&*shown)
        .bind(moment(self.clock.now()))
        .bind(METHODS_MAX)
        .bind(self.gateway)
        .execute(&mut *transaction)
        .await?;
        if kept.rows_affected() == 0 {
            return Ok(Kept::No);
        }
        transaction.commit().await?;
        Ok(Kept::Yes)
    }

    /// The gateway's name for a customer, if they have kept anything yet.
    pub(super) async fn holder(&self, customer: &CustomerId) -> Result<Option<Text>, Error> {
        let holder: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT holder FROM gateway_holders WHERE customer = $1 AND gateway = $2")
                .bind(customer.as_str())
                .bind(self.gateway)
                .fetch_optional(&self.pool)
                .await?;
        holder.map(|holder| self.opened(customer, holder)).transpose()
    }

    /// Notes the gateway's name for a customer; the first one counts.
    pub(super) async fn hold(&self, customer: &CustomerId, holder: &Text) -> Result<(), Error> {
        self.hold_at(self.gateway, customer, holder).await
    }

    pub(super) async fn hold_at(
        &self,
        gateway: &str,
        customer: &CustomerId,
        holder: &Text,
    ) -> Result<(), Error> {
        let sealed = self.secret.seal(&label(customer), holder.as_str().as_bytes())?;
        sqlx::query(
            "INSERT INTO gateway_holders (customer, gateway, holder) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(customer.as_str())
        .bind(gateway)
        .bind(sealed)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes what the gateway is to let go of, for half a minute at first and longer each time.
    pub(super) async fn take_removed(&self) -> Result<Option<Removed>, Error> {
        let row = sqlx::query(
            "UPDATE payment_methods SET attempts = attempts + 1, \
                    next_at = $1 + make_interval(secs => LEAST(30 * 2 ^ LEAST(attempts, 12), 21600)) \
             WHERE id = (SELECT id FROM payment_methods \
                         WHERE removed_at IS NOT NULL AND next_at <= $1 AND gateway = $2 \
                         ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED) \
             RETURNING id, customer, token",
        )
        .bind(moment(self.clock.now()))
        .bind(self.gateway)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let customer = customer(&row, 1)?;
        Ok(Some(Removed { id: row.try_get(0)?, token: self.opened(&customer, row.try_get(2)?)? }))
    }

    /// The gateway has let go of it.
    pub(super) async fn gone(&self, id: Uuid) -> Result<(), Error> {
        sqlx::query("DELETE FROM payment_methods WHERE id = $1 AND removed_at IS NOT NULL")
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(super) fn opened(&self, customer: &CustomerId, sealed: Vec<u8>) -> Result<Text, Error> {
        let opened = self.secret.open(&label(customer), &sealed)?;
        let text = String::from_utf8(opened).ok().and_then(|text| Text::new(text).ok());
        text.ok_or(Error::Broken("a sealed token"))
    }
}

/// Nobody pays any more with what these have kept.
pub(crate) async fn remove_all_of(
    connection: &mut PgConnection,
    customers: &[&str],
    now: Time,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE payment_methods SET removed_at = $2, next_at = $2, shown = '' \
         WHERE customer = ANY($1) AND removed_at IS NULL",
    )
    .bind(customers)
    .bind(moment(now))
    .execute(&mut *connection)
    .await?;
    for table in ["gateway_holders", "payment_holders"] {
        let sql = format!("DELETE FROM {table} WHERE customer = ANY($1)");
        sqlx::query(&sql).bind(customers).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The customer that a column of a row names.
pub(super) fn customer(row: &PgRow, column: usize) -> Result<CustomerId, Error> {
    let customer: String = row.try_get(column)?;
    CustomerId::new(customer).map_err(|_| Error::Broken("a customer's id"))
}

/// What the gateway's names are sealed for: a row does not open as another customer's.
fn label(customer: &CustomerId) -> String {
    format!("payment:{customer}")
}

fn subject(customer: &CustomerId) -> Arc<str> {
    SubjectId::from(customer).as_str().into()
}
