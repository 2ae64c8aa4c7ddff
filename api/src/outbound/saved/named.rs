//! Which gateway keeps what was kept before rows said so: the gateways' own names tell it.

use sqlx::Row as _;
use uuid::Uuid;

use super::{Saved, rows::customer};
use crate::{
    identity::Error,
    outbound::{simulator, stripe},
};

/// Rows that are read at once.
const PAGE: i64 = 500;

/// The gateway that calls something so: the simulator's names begin in its own way, and all others are Stripe's.
fn gateway_of(name: &str) -> &'static str {
    let simulated = name.starts_with("tok_") || name.starts_with("sim-");
    if simulated { simulator::NAME } else { stripe::NAME }
}

impl Saved {
    /// Names the gateway in every row of a program that did not. What does not open is left, and nobody pays with it.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn name_gateways(&self) -> Result<(), Error> {
        self.name_gateways_of_methods().await?;
        self.name_gateways_of_holders().await
    }

    async fn name_gateways_of_methods(&self) -> Result<(), Error> {
        let mut after = Uuid::nil();
        loop {
            let rows = sqlx::query(
                "SELECT id, customer, token FROM payment_methods WHERE gateway IS NULL AND id > $1 \
                 ORDER BY id LIMIT $2",
            )
            .bind(after)
            .bind(PAGE)
            .fetch_all(&self.pool)
            .await?;
            for row in &rows {
                after = row.try_get(0)?;
                match self.opened(&customer(row, 1)?, row.try_get(2)?) {
                    Ok(token) => {
                        sqlx::query("UPDATE payment_methods SET gateway = $2 WHERE id = $1")
                            .bind(after)
                            .bind(gateway_of(token.as_str()))
                            .execute(&self.pool)
                            .await?;
                    }
                    Err(error) => {
                        tracing::warn!(method = %after, %error, "a payment method's token does not open")
                    }
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }

    async fn name_gateways_of_holders(&self) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let rows = sqlx::query(
                "SELECT customer, holder FROM payment_holders AS h WHERE customer > $1 \
                   AND NOT EXISTS (SELECT FROM gateway_holders AS g WHERE g.customer = h.customer) \
                 ORDER BY customer LIMIT $2",
            )
            .bind(&after)
            .bind(PAGE)
            .fetch_all(&self.pool)
            .await?;
            for row in &rows {
                after = row.try_get(0)?;
                let customer = customer(row, 0)?;
                match self.opened(&customer, row.try_get(1)?) {
                    Ok(holder) => self.hold_at(gateway_of(holder.as_str()), &customer, &holder).await?,
                    Err(error) => {
                        tracing::warn!(%customer, %error, "a gateway's name for a customer does not open")
                    }
                }
            }
            if rows.is_empty() {
                return Ok(());
            }
        }
    }
}
