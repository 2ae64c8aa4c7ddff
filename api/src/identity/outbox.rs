//! Messages to people about their accounts: written down in the transaction that gives reason for them, sent by another.

use std::sync::Arc;

use async_trait::async_trait;
use domain::value::SubjectId;
use serde_json::Value;
use sqlx::PgConnection;
use store::{
    ports::{Clock, Ids},
    rfc3339::moment,
    vault::Vault,
};

use super::Error;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whether mail arrives there: values `token` and `expires_at`.
    VerifyEmail,
    /// Somebody has tried to register with this address, which has an account.
    KnownEmail,
    /// A new password can be chosen: values `token` and `expires_at`.
    ResetPassword,
    /// The password was changed.
    PasswordChanged,
}

/// A message.
pub struct Mail<'a> {
    /// What it is about.
    pub kind: Kind,
    /// Whose key it is sealed under.
    pub subject: &'a SubjectId,
    /// The address.
    pub to: &'a str,
    /// What it says.
    pub values: Value,
}

/// Where messages go.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Queues a message; it is sent if and only if the transaction is committed.
    ///
    /// # Errors
    /// When it cannot be written or sealed.
    async fn queue(&self, connection: &mut PgConnection, mail: Mail<'_>) -> Result<(), Error>;
}

/// Messages as rows of `outgoing_mail`.
pub struct Rows {
    pub vault: Vault,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

impl Kind {
    /// As rows name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "account.verify_email",
            Self::KnownEmail => "account.known_email",
            Self::ResetPassword => "account.reset_password",
            Self::PasswordChanged => "account.password_changed",
        }
    }
}

#[async_trait]
impl Outbox for Rows {
    async fn queue(&self, connection: &mut PgConnection, mail: Mail<'_>) -> Result<(), Error> {
        let subject = mail.subject.as_str();
        let recipient = self.vault.seal(subject, mail.to.as_bytes()).await?;
        let payload = self.vault.seal(subject, &serde_json::to_vec(&mail.values)?).await?;
        sqlx::query(
            "INSERT INTO outgoing_mail (id, kind, subject, recipient, payload, created_at, next_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
        )
        .bind(self.ids.next())
        .bind(mail.kind.as_str())
        .bind(subject)
        .bind(&*recipient.sealed)
        .bind(&*payload.sealed)
        .bind(moment(self.clock.now()))
        .execute(connection)
        .await?;
        Ok(())
    }
}
