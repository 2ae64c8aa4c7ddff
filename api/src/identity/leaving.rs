//! Who may have whom forgotten: those who work here are the admins' to see to, and one admin always stays.

use domain::value::SubjectId;
use sqlx::{Postgres, Transaction};
use store::rfc3339::moment;
use uuid::Uuid;

use super::{ChangeError, Error, Identity, accounts, attempts::Tried, password::Password, token::Role};
use crate::{
    access::forbidden,
    principal::{Member, Principal},
    problem::Problem,
};

/// How long after a log-in somebody may have themselves forgotten without the password: a token that was found lying about is no proof
/// of who holds it.
const JUST_NOW_MS: i64 = 5 * 60 * 1_000;

/// Somebody who may be forgotten.
pub(crate) struct Leaving {
    subject: SubjectId,
    /// An admin, and the other admins, for as long as the forgetting takes.
    admin: Option<(Transaction<'static, Postgres>, Uuid)>,
}

impl Identity {
    /// Makes sure that a subject may be forgotten by whoever asks, who shows once more who they are where they are to be
    /// forgotten themselves. Admins are held: two who are forgotten at once would both go.
    ///
    /// # Errors
    /// `auth.forbidden`, `auth.password_required`, `auth.invalid_credentials`, `auth.throttled`, `account.last_admin`.
    pub(crate) async fn leaving(
        &self,
        subject: SubjectId,
        (by, password): (&Principal, Option<&Password>),
    ) -> Result<Leaving, Problem> {
        if let Some(member) = by.member().filter(|member| SubjectId::from(&member.customer) == subject) {
            self.shown_again(member, password).await?;
        }
        let admin = match self.role_of(&subject).await? {
            None | Some(Role::Guest | Role::Customer) => None,
            Some(_) if !matches!(by, Principal::Admin(_)) => return Err(forbidden("admin")),
            Some(Role::Staff) => None,
            Some(Role::Admin) => self.held(&subject).await?,
        };
        Ok(Leaving { subject, admin })
    }

    /// Removes the account of somebody who is forgotten and what they keep to pay with, and ends their sessions.
    ///
    /// # Errors
    /// When the edge's tables cannot be reached.
    pub(crate) async fn forget(&self, leaving: Leaving) -> Result<(), Error> {
        let Some(customer) = leaving.subject.as_str().strip_prefix("customer:") else { return Ok(()) };
        if let Some((mut held, admin)) = leaving.admin {
            // Whoever waits for the admins finds one fewer.
            sqlx::query("UPDATE accounts SET disabled_at = $2 WHERE id = $1")
                .bind(admin)
                .bind(moment(self.now()))
                .execute(&mut *held)
                .await?;
            held.commit().await?;
        }
        let ended = accounts::remove(&self.inner.pool, customer, self.now()).await?;
        self.end(ended);
        Ok(())
    }

    /// Whoever holds a member's token knows the password, or has logged in just now. Without an account there is nothing to show.
    async fn shown_again(&self, member: &Member, password: Option<&Password>) -> Result<(), Problem> {
        if let Some(password) = password {
            self.confirmed(member, password).await?;
            return Ok(self.succeeded(Tried::Account(member.account)).await?);
        }
        let since = self.now().plus_millis(-JUST_NOW_MS);
        let shown: bool = sqlx::query_scalar(
            "SELECT NOT EXISTS (SELECT FROM accounts WHERE id = $1) \
                 OR EXISTS (SELECT FROM sessions WHERE id = $2 AND account = $1 AND created_at > $3)",
        )
        .bind(member.account)
        .bind(member.session)
        .bind(moment(since))
        .fetch_one(&self.inner.pool)
        .await
        .map_err(Error::from)?;
        if shown {
            return Ok(());
        }
        Err(Problem::new(
            "auth.password_required",
            "send your password as well, or log in again: what is forgotten stays so",
        ))
    }

    async fn role_of(&self, subject: &SubjectId) -> Result<Option<Role>, Error> {
        let Some(customer) = subject.as_str().strip_prefix("customer:") else { return Ok(None) };
        let role: Option<String> = sqlx::query_scalar("SELECT role FROM accounts WHERE customer = $1")
            .bind(customer)
            .fetch_optional(&self.inner.pool)
            .await?;
        role.map(|role| Role::named(&role).ok_or(Error::Broken("a role"))).transpose()
    }

    /// The admins held until the transaction ends, if the subject is one who can log in; not the last.
    async fn held(
        &self,
        subject: &SubjectId,
    ) -> Result<Option<(Transaction<'static, Postgres>, Uuid)>, ChangeError> {
        let customer = subject.as_str().strip_prefix("customer:");
        let mut transaction = store::transaction::begin(&self.inner.pool).await?;
        let admins = accounts::admins(&mut transaction).await?;
        let account: Option<Uuid> = sqlx::query_scalar("SELECT id FROM accounts WHERE customer = $1")
            .bind(customer)
            .fetch_optional(&mut *transaction)
            .await?;
        match account.filter(|account| admins.contains(account)) {
            Some(account) if admins == [account] => Err(ChangeError::LastAdmin),
            Some(account) => Ok(Some((transaction, account))),
            None => Ok(None),
        }
    }
}
